import type { Redis } from 'ioredis';
import { median } from './compare.ts';
import { type Entry, entryOf, OPERATIONS, type Operation, prepare } from './conversations.ts';
import { functionCall } from './floor.ts';

export type ServerTime = Awaited<ReturnType<typeof measureServerTime>>[number];

/** Few calls a round and many rounds: what another program takes of the processor then falls into few of them. */
const CALLS = 100;

/**
 * Microseconds that the server spends in a call, by its own clock, for two libraries of the same functions whose names begin
 * differently: medians over the rounds. With `alike`, both must run the very same Redis commands.
 */
export async function measureServerTime(
  admin: Redis,
  prefixes: readonly [string, string],
  { rounds, alike }: { rounds: number; alike: boolean },
) {
  const all = Array.from({ length: CALLS }, (_, index) => entryOf(index));
  const taken = new Map(OPERATIONS.map((operation) => [operation, [] as [number, number][]]));
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const operation of OPERATIONS) {
      const [took, ran]: [[number, number], string[]] = [[0, 0], []];
      for (const which of round % 2 === 0 ? [0, 1] : [1, 0]) {
        await prepare(admin, operation, all);
        [took[which], ran[which]] = await run(admin, prefixes[which] ?? '', operation, all);
      }
      if (alike && ran[0] !== ran[1]) throw new Error(`${operation} runs ${ran[0]}, but in floor.lua ${ran[1]}`);
      if (round > 0) taken.get(operation)?.push(took);
    }
  }
  return [...taken].map(([operation, rounds]) => {
    const [first, second] = [median(rounds.map((took) => took[0])), median(rounds.map((took) => took[1]))];
    return { operation, first, second, ratio: median(rounds.map(([first, second]) => first / second)) };
  });
}

/** Microseconds per call, and which commands ran inside of it. */
async function run(admin: Redis, prefix: string, operation: Operation, all: Entry[]): Promise<[number, string]> {
  const pipeline = admin.pipeline();
  for (const entry of all) {
    const [name, keys, args] = functionCall(operation, entry);
    pipeline.fcall(prefix + name, keys.length, ...keys, ...args);
  }
  await admin.config('RESETSTAT');
  for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
  const stats = await admin.info('commandstats');
  const usec = Number(/^cmdstat_fcall:calls=\d+,usec=(\d+)/m.exec(stats)?.[1]) / all.length;
  const inner = stats.matchAll(/^cmdstat_(?!fcall|info|config)(\S+):calls=(\d+)/gm);
  const ran = Array.from(inner, ([, name, calls]) => `${calls} ${name}`).sort();
  return [usec, ran.join(', ')];
}
