import type { Conversation } from './conversations.ts';

/** What some calls, one directly after the other, took. */
export interface Turn {
  perSecond: number;
  /** Milliseconds that each caller waited. */
  latencies: Float64Array;
}

/** Makes one call for every conversation, so many at a time. Undefined where there is no such call. */
export async function measure(
  call: ((entry: Conversation, caller: number) => Promise<void>) | undefined,
  all: readonly Conversation[],
  callers: number,
): Promise<Turn | undefined> {
  if (!call) return undefined;
  const latencies = new Float64Array(all.length);
  let next = 0;
  const work = async (caller: number) => {
    for (let at = next++; at < all.length; at = next++) {
      const began = performance.now();
      await call(all[at] as Conversation, caller);
      latencies[at] = performance.now() - began;
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: callers }, (_, caller) => work(caller)));
  return { perSecond: (all.length / (performance.now() - began)) * 1000, latencies };
}
