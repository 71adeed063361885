import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import type { Test } from 'uvu';
import * as assert from 'uvu/assert';
import { type DumpedKey, dump, type TestRedis, withRedis } from './redis.ts';

/** The library as it is loaded by hand. */
export const SOURCE = readFileSync(new URL('../../lua/conversation.lua', import.meta.url), 'utf8');

/** The library to test: {@link SOURCE}, or a mutant of it in the file that the environment names. */
export function sourceUnderTest(): string {
  const { MUTANT } = process.env;
  return MUTANT ? readFileSync(MUTANT, 'utf8') : SOURCE;
}

/** What stands for two hours when nobody says otherwise. */
export const DEFAULT_TTL = 7_200_000;

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

export const CHANNEL = 'conversation:slack:C1';
export const JOB = 'job-index:j1';
export const PAIR = [CHANNEL, JOB];
export const INBOX = 'conversation-inbox:slack:C1';
export const HANDLED = 'conversation-handled:slack:C1';
export const WATCH = 'conversation-watch';

/** Every form of reference to the conversation of {@link STATE}, by its name. */
export const REFERENCES = { 'by channel': [CHANNEL], 'by job': [JOB], 'by both keys': PAIR };

/** The forms that name a job, and so reach the conversation only while that job holds it. */
export const FENCED = { 'by job': [JOB], 'by both keys': PAIR };

/** Text that is no UTF-8, each in its own way. */
export const NO_UTF8 = [
  [0xff],
  [0xc3],
  [0x80],
  [0xc0, 0xaf],
  [0xe0, 0x80, 0x80],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xf5, 0x80, 0x80, 0x80],
  [0xe2, 0xc2, 0xa9, 0x82],
].map((bytes) => Buffer.from([0x61, ...bytes]));

/** The server with the library, as one test sees it. */
export interface Library {
  redis: Redis;
  /** FCALL. */
  call(name: string, keys: readonly string[], ...args: (string | number | Buffer)[]): Promise<unknown>;
  /** FCALL_RO. */
  read(name: string, keys: readonly string[], ...args: string[]): Promise<unknown>;
  /** Everything on the server. */
  dump(): Promise<Record<string, DumpedKey>>;
  /** Makes a call and checks that these keys then expire at one millisecond, so long after it. */
  living<T>(ttlMs: number, call: () => Promise<T>, keys?: readonly string[]): Promise<T>;
  /** Makes a call and checks that it changes nothing, not even a deadline. */
  unchanged<T>(call: () => Promise<T>): Promise<T>;
  /** The error that a call must end with, having changed nothing. */
  refused(call: () => Promise<unknown>): Promise<string>;
}

/** Registers tests that run once in RESP2 and once in RESP3, each on an empty server with the library loaded. */
export function withLibrary<T>(test: Test<T>): ((name: string, body: (library: Library) => Promise<void>) => void) & {
  server: TestRedis;
} {
  const server = withRedis(test);
  const libraries: Partial<Record<2 | 3, Library>> = {};
  test.before(async () => {
    for (const protocol of [2, 3] as const) libraries[protocol] = library(await server.connect({ protocol }));
    await libraries[3]?.redis.function('LOAD', 'REPLACE', sourceUnderTest());
  });
  const register = (name: string, body: (library: Library) => Promise<void>) => {
    for (const protocol of [2, 3] as const) {
      test(`${name} (RESP${protocol})`, async () => {
        const found = libraries[protocol] as Library;
        await found.redis.flushall();
        await body(found);
      });
    }
  };
  return Object.assign(register, { server });
}

export function library(redis: Redis): Library {
  const call: Library['call'] = (name, keys, ...args) => redis.fcall(name, keys.length, ...keys, ...args);
  const unchanged: Library['unchanged'] = async (run) => {
    const before = await dump(redis);
    try {
      return await run();
    } finally {
      assert.equal(await dump(redis), before, 'nothing may have changed');
    }
  };
  return {
    redis,
    call,
    read: (name, keys, ...args) => redis.fcall_ro(name, keys.length, ...keys, ...args),
    dump: () => dump(redis),
    async living(ttlMs, run, keys = PAIR) {
      const from = await now(redis);
      const reply = await run();
      const to = await now(redis);
      const [first = 0, ...others] = await Promise.all(keys.map((key) => redis.pexpiretime(key)));
      for (const other of others) assert.is(other, first, `${keys.join(' and ')} must expire together`);
      assert.ok(
        first >= from + ttlMs && first <= to + ttlMs,
        `${keys[0]} expires ${first - from} ms after the call began, not ${ttlMs}`,
      );
      return reply;
    },
    unchanged,
    refused: (run) => unchanged(() => failure(run())),
  };
}

/** The message of the error that a promise must end with. */
export async function failure(promise: Promise<unknown>): Promise<string> {
  const reply = await promise.then(
    (value) => ({ value }),
    (error: unknown) => {
      assert.instance(error, Error);
      return error as Error;
    },
  );
  if (reply instanceof Error) return reply.message;
  throw new Error(`an error was wanted, the reply was ${JSON.stringify(reply.value)}`);
}

async function now(redis: Redis): Promise<number> {
  const [seconds, microseconds] = await redis.time();
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}
