import { checkLogger } from './arguments.ts';
import { WATCH } from './conversation.gen.ts';
import { isConversationError } from './errors.ts';
import { parseEnded } from './json.ts';
import type { Logger } from './options.ts';
import type { ChannelReference, ConversationReference, JobReference } from './state.ts';

// What the store tells its logger: platform, channel and job of a conversation, never its state.

const CHANGES = {
  claimed: 'conversation claimed',
  handedOver: 'conversation handed over',
  stored: 'conversation stored',
  updated: 'conversation updated',
  removed: 'conversation removed',
  queued: 'message queued',
  answered: 'question answered',
};

/** What the store tells its logger. Without one it is silent. */
export interface Log {
  debug(message: string): void;
  changed(what: keyof typeof CHANGES, ref: ConversationReference): void;
  /** There was no conversation to ask a question in. */
  notThere(ref: ConversationReference): void;
  /** Warns of what cannot be read, by its key or reference. */
  unreadable(what: ConversationReference | string): void;
  /** Warns of an entry of the watch that names no job of the store. */
  oddEntry(entry: string): void;
  /** Runs a read and warns where what it finds cannot be read. */
  reading<T>(ref: ConversationReference, read: () => Promise<T>): Promise<T>;
  /** What was replaced or removed, which is gone whether it could be read or not: then it is null. */
  ended<State extends ChannelReference & JobReference>(text: string, ref: ConversationReference): State | null;
}

/** @throws ConversationError INVALID_ARGUMENT */
export function log(given: Logger | undefined): Log {
  const logger = checkLogger(given);
  const say = (level: keyof Logger, message: string) => {
    try {
      logger?.[level](message);
    } catch {
      // What the server did is done, whether somebody can write it down or not.
    }
  };
  const unreadable = (what: ConversationReference | string) =>
    say('warn', `unreadable conversation: ${typeof what === 'string' ? what : describe(what)}`);
  return {
    debug: (message) => say('debug', message),
    unreadable,
    // Its control characters are escaped, so that it stays one line.
    oddEntry: (entry) => say('warn', `unreadable entry of ${WATCH}: ${JSON.stringify(entry)}`),
    changed: (what, ref) => say('info', `${CHANGES[what]}: ${describe(ref)}`),
    notThere: (ref) => say('warn', `pending question for a conversation that is not there: ${describe(ref)}`),
    async reading(ref, read) {
      try {
        return await read();
      } catch (error) {
        if (isConversationError(error, 'CONVCORRUPT')) unreadable(ref);
        throw error;
      }
    },
    ended<State extends ChannelReference & JobReference>(text: string, ref: ConversationReference) {
      const state = parseEnded<State>(text);
      if (state === null) say('warn', `unreadable conversation replaced or removed: ${describe(ref)}`);
      return state;
    },
  };
}

function describe(ref: ConversationReference): string {
  const { platform, channelId, jobId } = ref as Partial<ChannelReference & JobReference>;
  return [platform && `${platform} ${channelId}`, jobId && `job ${jobId}`].filter(Boolean).join(', ');
}
