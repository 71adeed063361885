import { compare, type Figures, type Plan, steps } from './compare.ts';
import { type Contender, connect } from './contender.ts';
import { conversation } from './conversations.ts';
import type { Progress } from './progress.ts';
import { median } from './statistics.ts';
import { storeContender } from './store.ts';

export const SIZES = [0, 1024, 10 * 1024, 100 * 1024];

export const WAYS: readonly Contender[] = [
  storeContender('1 connection', 'as the client comes'),
  storeContender('2 connections', 'callers spread over two clients', {}, 2),
  storeContender('4 connections', 'callers spread over four clients', {}, 4),
  storeContender('autopipelining', 'enableAutoPipelining: true', { enableAutoPipelining: true }),
];

const WAYS_PLAN: Plan = {
  calls: new Map([
    [1, 50],
    [32, 320],
    [256, 1024],
  ]),
  turns: 20,
  // One that reads and renews, and one that rewrites the state.
  operations: ['lookup', 'pending'],
};
const SIZES_PLAN: Plan = {
  calls: new Map([
    [1, 40],
    [32, 256],
  ]),
  turns: 12,
};

export const WAYS_STEPS = steps(WAYS_PLAN) + steps(SIZES_PLAN);

/** What a program can choose about its connection, side by side. */
export function compareWays(url: string, progress: Progress): Promise<Figures[]> {
  const places = WAYS.map(({ name }, index) => ({ name, contender: name, url: `${url}/${index}` }));
  return compare(places, WAYS_PLAN, progress);
}

/** What the size of a state does to each call of the store: figures by bytes of JSON. */
export function compareSizes(url: string, progress: Progress): Promise<Figures[]> {
  const places = SIZES.map((bytes, index) => {
    const json = Buffer.byteLength(JSON.stringify(conversation(0, bytes).state));
    return { name: String(json), contender: 'store', url: `${url}/${index}`, bytes };
  });
  return compare(places, SIZES_PLAN, progress);
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
