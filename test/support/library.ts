import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import type { Test } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, JOB, PAIR, WATCH } from './keys.ts';
import { dump, withRedis } from './redis.ts';
import { rejection } from './rejection.ts';

export * from './keys.ts';

/** The library as it is loaded by hand. */
export const SOURCE = readFileSync(new URL('../../lua/conversation.lua', import.meta.url), 'utf8');

/** The library to test: {@link SOURCE}, or a mutant of it in the file that the environment names. */
export function sourceUnderTest(): string {
  const { MUTANT } = process.env;
  return MUTANT ? readFileSync(MUTANT, 'utf8') : SOURCE;
}

/** The TTL of a call that names none. */
export const DEFAULT_TTL = 7_200_000;
export const DAY = 86_400_000;

export const STATE = {
  jobId: 'j1',
  channelId: 'C1',
  userId: 'U1',
  platform: 'slack',
  project: 'web',
  ticketId: 12,
  startedAt: '2026-01-31T09:30:00.000Z',
  pendingQuestionId: null,
  claimId: 'c1',
};

/** The JSON of a state that differs from {@link STATE} in some members. */
export function json(changes: Record<string, unknown> = {}): string {
  return JSON.stringify({ ...STATE, ...changes });
}

/** The state that the second job brings. */
export function second(changes: Record<string, unknown> = {}): string {
  return json({ jobId: 'j2', claimId: 'c2', ...changes });
}

/** Every form of reference to the conversation of {@link STATE}, by its name. */
export const REFERENCES = { 'by channel': [CHANNEL], 'by job': [JOB], 'by both keys': PAIR };

/** The forms that name a job, and so reach the conversation only while that job holds it. */
export const FENCED = { 'by job': [JOB], 'by both keys': PAIR };

/** Text that is no UTF-8, each in its own way. */
export const NO_UTF8 = ['ff', 'c3', '80', 'c0af', 'e08080', 'eda080', 'f4908080', 'f5808080', 'e2c2a982'].map((hex) =>
  Buffer.from(`61${hex}`, 'hex'),
);

/** Registers tests that run once in RESP2 and once in RESP3, each on an empty server with the library loaded. */
export function withLibrary<T>(test: Test<T>) {
  const server = withRedis(test);
  const libraries: Partial<Record<2 | 3, Library>> = {};
  test.before(async () => {
    for (const protocol of [2, 3] as const) libraries[protocol] = library(await server.connect({ protocol }));
    await libraries[3]?.redis.function('LOAD', 'REPLACE', sourceUnderTest());
  });
  return (name: string, body: (library: Library) => Promise<void>) => {
    for (const protocol of [2, 3] as const) {
      test(`${name} (RESP${protocol})`, async () => {
        const found = libraries[protocol] as Library;
        await found.redis.flushall();
        await body(found);
      });
    }
  };
}

type Call = [name: string, keys: readonly string[], ...args: (string | number | Buffer)[]];

/** The server with the library, as one test sees it. */
export type Library = ReturnType<typeof library>;

export function library(redis: Redis) {
  /** FCALL of the function whose name begins with conv_. */
  const call = (...[name, keys, ...args]: Call): Promise<unknown> =>
    redis.fcall(`conv_${name}`, keys.length, ...keys, ...args);
  /** The reply of whatever makes calls that must change nothing, not even a deadline. */
  const unchanged = async <T>(run: () => Promise<T>): Promise<T> => {
    const before = await dump(redis);
    const reply = await run();
    assert.equal(await dump(redis), before, 'nothing may have changed');
    return reply;
  };
  /** Makes a call and checks that what is read then is a moment so long after it. */
  const moment = async <T>(ms: number, run: () => Promise<T>, read: () => Promise<[number, string]>) => {
    const from = await now(redis);
    const reply = await run();
    const to = await now(redis);
    const [at, what] = await read();
    assert.ok(at >= from + ms && at <= to + ms, `${what} ${at - from} ms after the call began, not ${ms}`);
    return reply;
  };
  return {
    redis,
    call,
    unchanged,
    /** FCALL_RO. */
    read: (...[name, keys, ...args]: Call) => redis.fcall_ro(`conv_${name}`, keys.length, ...keys, ...args),
    /** The outcome of an FCALL that answers with one. */
    outcome: async (...args: Call) => ((await call(...args)) as string[])[0],
    /** The message of the error that an FCALL must end with. */
    refusal: (...args: Call) => failure(call(...args)),
    /** The reply to an FCALL that must change nothing. */
    still: (...args: Call) => unchanged(() => call(...args)),
    /** Everything on the server. */
    dump: () => dump(redis),
    /** The entries of a stream, each its fields and values with blanks between. */
    said: async (key: string) => (await redis.xrange(key, '-', '+')).map(([, fields]) => fields.join(' ')),
    /** Makes a call and checks that these keys then expire at one millisecond, so long after it. */
    living: <T>(ttlMs: number, run: () => Promise<T>, keys: readonly string[] = PAIR) =>
      moment(ttlMs, run, async () => {
        const [first = 0, ...others] = await Promise.all(keys.map((key) => redis.pexpiretime(key)));
        for (const other of others) assert.is(other, first, `${keys.join(' and ')} must expire together`);
        return [first, `${keys[0]} expires`];
      }),
    /** Makes a call and checks that the job is then due so long after it. */
    dueIn: <T>(ms: number, run: () => Promise<T>) =>
      moment(ms, run, async () => [Number(await redis.zscore(WATCH, `j1\n${CHANNEL}`)), 'j1 is due']),
  };
}

/** The message of the error that a promise must end with. */
export async function failure(promise: Promise<unknown>): Promise<string> {
  return (await rejection(() => promise)).message;
}

/** The server's clock, in milliseconds since 1970. */
export async function now(redis: Redis): Promise<number> {
  const [seconds, microseconds] = await redis.time();
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}
