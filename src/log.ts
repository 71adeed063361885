import { checkLogger } from './arguments.ts';
import { WATCH } from './conversation.gen.ts';
import { isConversationError } from './errors.ts';
import { parseEnded } from './json.ts';
import type { Logger } from './options.ts';
import type { ChannelReference, ConversationReference, JobReference } from './state.ts';

const CHANGES = {
  claimed: 'conversation claimed',
  handedOver: 'conversation handed over',
  stored: 'conversation stored',
  updated: 'conversation updated',
  removed: 'conversation removed',
  queued: 'message queued',
  answered: 'question answered',
};

/** What the store tells its logger: platform, channel and job of a conversation, never its state. */
export type Log = ReturnType<typeof log>;

/** @throws ConversationError INVALID_ARGUMENT */
export function log(given: Logger | undefined) {
  const logger = checkLogger(given);
  const say = async (level: keyof Logger, message: string) => {
    try {
      // Some loggers return a promise, which may be rejected.
      await logger?.[level](message);
    } catch {
      // What the server did is done, whether or not somebody can write it down.
    }
  };
  /** Warns of what cannot be read, by its key or reference. */
  const unreadable = (what: ConversationReference | string) =>
    say('warn', `unreadable conversation: ${typeof what === 'string' ? what : describe(what)}`);
  return {
    debug: (message: string) => say('debug', message),
    changed: (what: keyof typeof CHANGES, ref: ConversationReference) =>
      say('info', `${CHANGES[what]}: ${describe(ref)}`),
    notThere: (ref: ConversationReference) =>
      say('warn', `pending question for a conversation that is not there: ${describe(ref)}`),
    unreadable,
    /** Warns of an entry of the watch that is not a job of the store. Escaped, it stays one line. */
    oddEntry: (entry: string) => say('warn', `unreadable entry of ${WATCH}: ${JSON.stringify(entry)}`),
    /** Runs a read and warns if what it finds cannot be read. */
    async reading<T>(ref: ConversationReference, read: () => Promise<T>): Promise<T> {
      try {
        return await read();
      } catch (error) {
        if (isConversationError(error, 'CONVCORRUPT')) unreadable(ref);
        throw error;
      }
    },
    /** Returns what was replaced or removed; null, with a warning, if it could not be read. */
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
