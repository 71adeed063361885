import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Session } from './contender.ts';
import type { Conversation, Operation } from './conversations.ts';
import { quantile } from './statistics.ts';

export interface Sample {
  perSecond: number;
  /** Milliseconds that a caller waited. */
  p50: number;
  p99: number;
}

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Makes one call for every conversation, so many at a time. Undefined where the contender has no such call. */
export async function measure(
  session: Session,
  operation: Operation,
  all: readonly Conversation[],
  callers: number,
): Promise<Sample | undefined> {
  const call = session.calls[operation];
  if (!call) return undefined;
  await session.prepare(operation, all);
  // What others left behind is not this one's to collect.
  collectGarbage();
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
  const took = performance.now() - began;
  return {
    perSecond: (all.length / took) * 1000,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
  };
}
