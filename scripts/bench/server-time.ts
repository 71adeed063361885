import type { Redis } from 'ioredis';
import { ConversationStore } from '../../src/index.ts';
import { type Entry, entryOf, type Operation, prepare, QUESTION } from './conversations.ts';
import { quantile } from './statistics.ts';

/** A call whose time is taken: what the conversation is prepared for, and the function with its keys and arguments. */
type TimedCall = { start: Operation; call(entry: Entry): [name: string, keys: string[], args: string[]] };
export type TimedCalls<Name extends string> = Record<Name, TimedCall>;
export type ServerTime<Name = Operation> = {
  operation: Name;
  first: number;
  second: number;
  ratio: number;
  ran: string[];
};

/** Few calls a round and many rounds: what another program takes of the processor leaves some rounds alone, and those count. */
const CALLS = 25;

/** A call of a function with both keys of a conversation, or those that `keys` makes of them. */
export function timed(
  start: Operation,
  name: string,
  args: (entry: Entry) => string[] = () => [],
  keys = ({ conversation, job }: Entry) => [conversation, job],
): TimedCall {
  return { start, call: (entry) => [name, keys(entry), args(entry)] };
}

export const json = ({ state }: Entry, more = {}) => JSON.stringify({ ...state, ...more });

/** The call of each operation, for functions whose names begin with `prefix`. An answer's id is as long as the one that the store makes. */
export const operationCalls = (prefix: string): TimedCalls<Operation> => ({
  claim: timed('claim', `${prefix}claim`, (entry) => [json(entry)]),
  set: timed('set', `${prefix}set`, (entry) => [json(entry)]),
  lookup: timed('set', `${prefix}get_by_job`, undefined, ({ job }) => [job]),
  pending: timed('set', `${prefix}set_pending`, () => [QUESTION]),
  answer: timed('answer', `${prefix}answer`, () => [QUESTION, crypto.randomUUID()]),
  remove: timed('set', `${prefix}remove`),
});

/**
 * Returns the microseconds that the server spends in each call, by its own clock, for two libraries side by side: of the
 * rounds, in which they take turns, the time that a tenth of them undercut. `ran` says which Redis commands the two ran inside the calls of the last round.
 */
export async function measureServerTime<Name extends string>(
  admin: Redis,
  libraries: readonly [TimedCalls<Name>, TimedCalls<Name>],
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
    const [one, other] = [quantile(first, 0.1), quantile(second, 0.1)];
    return { operation, first: one, second: other, ratio: one / other, ran };
  });
}

/** The bytes of a state of at least `least` bytes, and those of the server's memory that both keys of its conversation take. */
export async function measureMemory(admin: Redis, least: number): Promise<[state: number, memory: number]> {
  const { conversation, job, state } = entryOf(0);
  const title = state.title.padEnd(least - JSON.stringify(state).length + state.title.length);
  await admin.flushdb();
  await new ConversationStore<{ title: string; thread: string }>(admin).claim({ ...state, title });
  const [one, other] = await Promise.all([conversation, job].map((key) => admin.memory('USAGE', key)));
  return [JSON.stringify({ ...state, title }).length, Number(one) + Number(other)];
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
