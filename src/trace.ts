import { tracingChannel } from 'node:diagnostics_channel';
import { isConversationError } from './errors.ts';

/** What a subscriber of the tracing channel `conversation-state:call` hears of a call. It holds no id and no state. */
export interface CallTrace {
  /** The store's method. */
  method: string;
  platform?: string;
  /** What became of the call, where it has an outcome. */
  outcome?: string;
  /** How many entries or jobs a call returned that returns several. */
  count?: number;
  /** The code of the ConversationError, or the name of another error, that ended the call. */
  code?: string;
}

const channel = tracingChannel<string, CallTrace>('conversation-state:call');

/** Runs a call in the tracing channel. Without a subscriber nothing is done but to look for one. */
export function traced<T>(method: string, platform: string | undefined, run: () => Promise<T>): Promise<T> {
  return channel.hasSubscribers ? published({ method, ...(platform && { platform }) }, run) : run();
}

async function published<T>(trace: CallTrace, run: () => Promise<T>): Promise<T> {
  let result: [T] | undefined;
  // The channel shows what the promise resolves to, so that must not be the state.
  await channel.tracePromise(async () => {
    try {
      result = [await run()];
      Object.assign(trace, summary(result[0]));
    } catch (error) {
      trace.code = isConversationError(error) ? error.code : (error as Error).name;
      throw error;
    }
  }, trace);
  return (result as [T])[0];
}

function summary(result: unknown): Pick<CallTrace, 'outcome' | 'count'> {
  if (Array.isArray(result)) return { count: result.length };
  const outcome: unknown = result && typeof result === 'object' && 'outcome' in result ? result.outcome : undefined;
  return typeof outcome === 'string' ? { outcome } : {};
}
