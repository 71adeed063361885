// What a call costs the server by its own clock, in two libraries side by side.
import { on } from 'node:events';
import type { Redis } from 'ioredis';
import { type Entry, entryOf, OPERATIONS, type Operation, prepare, QUESTION } from './designs.ts';
import { quantile } from './speed.ts';

/** A call whose time is taken: what the conversation is prepared for, and the function with its keys and arguments. */
type TimedCall = { start: Operation; call(entry: Entry): [name: string, keys: string[], args: string[]] };
export type TimedCalls<Name extends string> = Record<Name, TimedCall>;
export type ServerTime<Name = Operation> = { operation: Name; first: number; second: number; ratio: number };

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
 * Loads functions that run the very Redis commands that the library's run, and check, parse and decide nothing. They are made
 * from what MONITOR shows of one call of each, so that they cannot fall behind the library.
 */
export async function loadBareCommands(admin: Redis): Promise<TimedCalls<Operation>> {
  const monitor = await admin.monitor();
  const seen = on(monitor, 'monitor');
  const entry = entryOf(0);
  for (const operation of OPERATIONS) {
    await run(admin, operationCalls('conv_')[operation], [entry]);
    await admin.echo(operation);
  }
  const channel = entry.conversation.replace('conversation', '');
  const lua = (text: string) => {
    if (text === entry.conversation || text === entry.job) return text === entry.job ? 'keys[2]' : 'keys[1]';
    return text.endsWith(channel) ? `'${text.slice(0, -channel.length)}' .. keys[1]:sub(13)` : `[[${text}]]`;
  };
  let library = '#!lua name=bare\n';
  let commands = '';
  for await (const [, args, source] of seen as AsyncIterable<[string, string[], string]>) {
    if (source === 'lua') commands += `  redis.call(${args.map(lua).join(', ')})\n`;
    if (args[0] !== 'echo') continue;
    library += `redis.register_function('bare_${args[1]}', function(keys)\n${commands}  return [[${json(entry)}]]\nend)\n`;
    commands = '';
    if (args[1] === OPERATIONS.at(-1)) break;
  }
  monitor.disconnect();
  await admin.function('LOAD', 'REPLACE', library);
  const calls = OPERATIONS.map((operation) => {
    const { start, call } = operationCalls('')[operation];
    return [operation, timed(start, `bare_${operation}`, (of) => call(of)[2])];
  });
  return Object.fromEntries(calls);
}

/**
 * Returns the microseconds that the server spends in each call: of the rounds, in which the two libraries take turns, the time
 * that a tenth of them undercut.
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
  }));
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const { operation, taken } of results) {
      for (const which of round % 2 === 0 ? [0, 1] : [1, 0]) {
        const { usec } = await run(admin, libraries[which]?.[operation] as TimedCall, all);
        if (round > 0) taken[which]?.push(usec);
      }
    }
  }
  return results.map(({ operation, taken }) => {
    const [first = 0, second = 0] = taken.map((usec) => quantile(usec, 0.1));
    return { operation, first, second, ratio: first / second };
  });
}

/** Returns the microseconds per call, and which commands ran inside of it. */
export async function run(admin: Redis, { start, call }: TimedCall, all: Entry[]) {
  await admin.flushdb();
  await prepare(admin, start, all);
  const pipeline = admin.pipeline();
  for (const [name, keys, args] of all.map(call)) pipeline.fcall(name, keys.length, ...keys, ...args);
  await admin.config('RESETSTAT');
  for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
  const stats = await admin.info('commandstats');
  const usec = Number(/^cmdstat_fcall:calls=\d+,usec=(\d+)/m.exec(stats)?.[1]) / all.length;
  const inner = stats.matchAll(/^cmdstat_(?!fcall|info|config)(\S+):calls=(\d+)/gm);
  return { usec, commands: Array.from(inner, ([, name, calls]) => `${calls} ${name}`).sort() };
}
