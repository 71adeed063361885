import type { Redis } from 'ioredis';
import { type Entry, entryOf, type Operation, prepare } from './conversations.ts';
import { median } from './statistics.ts';

/** A call whose time is taken: what the conversation is prepared for, and the function with its keys and arguments. */
export type TimedCall = { start: Operation; call(entry: Entry): [name: string, keys: string[], args: string[]] };
export type ServerTime<Name = Operation> = {
  operation: Name;
  first: number;
  second: number;
  ratio: number;
  ran: string[];
};

/** Few calls a round and many rounds: what another program takes of the processor then falls into few of them. */
const CALLS = 100;

/**
 * Returns the microseconds that the server spends in each call, by its own clock, for two libraries side by side: medians over
 * the rounds, in which they take turns. `ran` says which Redis commands the two ran inside the calls of the last round.
 */
export async function measureServerTime<Name extends string>(
  admin: Redis,
  libraries: readonly [Record<Name, TimedCall>, Record<Name, TimedCall>],
  rounds: number,
): Promise<ServerTime<Name>[]> {
  const all = Array.from({ length: CALLS }, (_, index) => entryOf(index));
  const results = (Object.keys(libraries[0]) as Name[]).map((operation) => ({
    operation,
    taken: [[], []] as number[][],
    ran: ['', ''],
  }));
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const { operation, taken, ran } of results) {
      for (const which of round % 2 === 0 ? [0, 1] : [1, 0]) {
        const [usec, commands] = await run(admin, libraries[which]?.[operation] as TimedCall, all);
        if (round > 0) taken[which]?.push(usec);
        ran[which] = commands;
      }
    }
  }
  return results.map(({ operation, taken: [first = [], second = []], ran }) => {
    const ratio = median(first.map((usec, round) => usec / (second[round] ?? Number.NaN)));
    return { operation, first: median(first), second: median(second), ratio, ran };
  });
}

/** Microseconds per call, and which commands ran inside of it. */
async function run(admin: Redis, { start, call }: TimedCall, all: Entry[]): Promise<[number, string]> {
  await admin.flushdb();
  await prepare(admin, start, all);
  const pipeline = admin.pipeline();
  for (const [name, keys, args] of all.map(call)) pipeline.fcall(name, keys.length, ...keys, ...args);
  await admin.config('RESETSTAT');
  for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
  const stats = await admin.info('commandstats');
  const usec = Number(/^cmdstat_fcall:calls=\d+,usec=(\d+)/m.exec(stats)?.[1]) / all.length;
  const inner = stats.matchAll(/^cmdstat_(?!fcall|info|config)(\S+):calls=(\d+)/gm);
  const ran = Array.from(inner, ([, name, calls]) => `${calls} ${name}`).sort();
  return [usec, ran.join(', ')];
}
