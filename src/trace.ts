import { tracingChannel } from 'node:diagnostics_channel';
import { isPlatform } from './arguments.ts';
import { isConversationError } from './errors.ts';

/** What a subscriber of the tracing channel `conversation-state:call` gets for each call. It holds no id and no state. */
export interface CallTrace {
  /** The store's method. */
  method: string;
  /** The platform of the reference, where it names one. */
  platform?: string;
  /** The outcome, of a call that has one. */
  outcome?: string;
  /** How many items one page of `inbox`, `due` or `list` has. */
  count?: number;
  /** The code of the ConversationError, or the name of another error, that ended the call. */
  code?: string;
}

const channel = tracingChannel<string, CallTrace>('conversation-state:call');

type Run<T> = () => Promise<T>;
/** What a subscriber gets of a result: never a state, whatever its members are called. */
export type Summary<T> = (result: T) => Pick<CallTrace, 'outcome' | 'count'>;

/** Runs a call in the tracing channel, with the platform of its reference. */
export function traced<T>(method: string, ref: object | undefined, run: Run<T>, summary?: Summary<T>): Promise<T> {
  if (!channel.hasSubscribers) return run();
  // Nothing was checked yet: anything else might be somebody's id.
  const { platform }: { platform?: unknown } = ref ?? {};
  return published({ method, ...(isPlatform(platform) && { platform }) }, run, summary);
}

export function tracedPage<T>(method: string, ref: object | undefined, run: Run<T[]>): Promise<T[]> {
  return traced(method, ref, run, ({ length }) => ({ count: length }));
}

async function published<T>(trace: CallTrace, run: Run<T>, summary?: Summary<T>): Promise<T> {
  let result: [T] | undefined;
  // The channel shows what the promise resolves to, so that must not be the state.
  await channel.tracePromise(async () => {
    try {
      result = [await run()];
      Object.assign(trace, summary?.(result[0]));
    } catch (error) {
      trace.code = isConversationError(error) ? error.code : (error as Error).name;
      throw error;
    }
  }, trace);
  return (result as [T])[0];
}
