import { compare, type Figures } from './compare.ts';
import { type Contender, connect } from './contender.ts';
import { conversations, OPERATIONS, type Operation } from './conversations.ts';
import { measure, type Sample } from './measure.ts';
import type { Progress } from './progress.ts';
import { median } from './statistics.ts';
import { storeContender } from './store.ts';

export const WAYS_ROUNDS = 5;
/** One that reads and renews, and one that rewrites the state. */
export const WAYS_OPERATIONS: readonly Operation[] = ['lookup', 'pending'];
export const SIZES = [0, 1024, 10 * 1024, 100 * 1024];

const WAYS: readonly Contender[] = [
  storeContender('1 connection', 'as the client comes'),
  storeContender('2 connections', 'callers spread over two clients', {}, 2),
  storeContender('4 connections', 'callers spread over four clients', {}, 4),
  storeContender('autopipelining', 'enableAutoPipelining: true', { enableAutoPipelining: true }),
];

/** What a program can choose about its connection, side by side. */
export async function compareWays(url: string, progress: Progress): Promise<Figures[]> {
  const calls = new Map([
    [1, 300],
    [32, 3000],
    [256, 5000],
  ]);
  return compare(url, WAYS, { calls, rounds: WAYS_ROUNDS, operations: WAYS_OPERATIONS }, progress);
}

/** What the size of a state does to each call of the store. */
export interface Sized extends Sample {
  bytes: number;
  operation: Operation;
  callers: number;
}

export async function compareSizes(url: string, store: Contender, progress: Progress): Promise<Sized[]> {
  const session = await store.open(url, 32);
  const samples = new Map<string, Sample[]>();
  for (let round = 0; round <= WAYS_ROUNDS; round++) {
    for (const operation of OPERATIONS) {
      progress.step(round === 0 ? 'warming up' : `round ${round} of ${WAYS_ROUNDS}`);
      for (const size of SIZES) {
        for (const callers of [1, 32]) {
          const count = Math.ceil((callers === 1 ? 150 : 600) / (size > 50_000 ? 4 : 1));
          const sample = await measure(session, operation, conversations(count, { bytes: size }), callers);
          const key = `${size}/${operation}/${callers}`;
          if (sample && round > 0) samples.set(key, [...(samples.get(key) ?? []), sample]);
        }
      }
    }
  }
  await session.close();
  return OPERATIONS.flatMap((operation) =>
    SIZES.flatMap((size) =>
      [1, 32].map((callers) => {
        const own = samples.get(`${size}/${operation}/${callers}`) ?? [];
        const of = (figure: keyof Sample) => median(own.map((sample) => sample[figure]));
        const bytes = Buffer.byteLength(JSON.stringify(conversations(1, { bytes: size })[0]?.state));
        return { bytes, operation, callers, perSecond: of('perSecond'), p50: of('p50'), p99: of('p99') };
      }),
    ),
  );
}

/** The time of one PING, to hold latencies against. */
export async function pingTime(url: string): Promise<number> {
  const client = await connect(url);
  const took: number[] = [];
  for (let at = 0; at < 2000; at++) {
    const began = performance.now();
    await client.ping();
    if (at >= 500) took.push(performance.now() - began);
  }
  client.disconnect();
  return median(took);
}
