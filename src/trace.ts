import { tracingChannel } from 'node:diagnostics_channel';
import { isPlatform } from './arguments.ts';
import { isConversationError } from './errors.ts';

/** What a subscriber of the tracing channel `conversation-state:call` gets for each call. It holds no id and no state. */
export interface CallTrace {
  /** The store's method. */
  method: string;
  /** The platform of the reference, if it names one. */
  platform?: string;
  /** The outcome, of a call that has one. */
  outcome?: string;
  /** How many items one page of `inbox`, `due` or `list` has. */
  count?: number;
  /** The code of the ConversationError, or the name of another error, that ended the call. */
  code?: string;
}

const channel = tracingChannel<string, CallTrace>('conversation-state:call');

/** The methods whose result has an outcome. Of a state, nothing is published, whatever its members are called. */
const WITH_OUTCOME = ['claim', 'handOver', 'update', 'answerQuestion', 'remove'];

/** Runs a call in the tracing channel, with the platform of its reference. */
export function traced<T>(method: string, ref: object | undefined, run: () => Promise<T>): Promise<T> {
  if (!channel.hasSubscribers) return run();
  // Nothing was checked yet: anything else might be somebody's id.
  const { platform }: { platform?: unknown } = ref ?? {};
  const trace: CallTrace = { method, ...(isPlatform(platform) && { platform }) };
  let result: [T] | undefined;
  // The channel shows what the promise resolves to, so that must not be the state.
  const ended = channel.tracePromise(async () => {
    try {
      result = [await run()];
      const [value] = result as unknown[];
      if (Array.isArray(value)) trace.count = value.length;
      if (WITH_OUTCOME.includes(method)) trace.outcome = (value as { outcome: string }).outcome;
    } catch (error) {
      trace.code = isConversationError(error) ? error.code : (error as Error).name;
      throw error;
    }
  }, trace);
  return ended.then(() => (result as [T])[0]);
}
