import { Redis, type RedisOptions } from 'ioredis';
import type { Test } from 'uvu';
import { type RunningRedis, startRedis } from '../../scripts/redis/start.ts';

export type ClientOptions = RedisOptions & { replyMapping?: 'legacy' };

let common: Promise<RunningRedis> | undefined;
/**
 * Gives a suite a Redis. All suites of a test process use one server; each finds it empty, without keys and without
 * libraries, because each leaves it so.
 *
 * The server of `REDIS_URL` is used too, but only if it is empty to begin with: tests load libraries and flush, and a
 * server with anything on it is somebody's.
 */
export function withRedis<T>(suite: Test<T>) {
  const clients: Redis[] = [];
  const servers: RunningRedis[] = [];
  const url = async () => {
    common ??= startTestRedis();
    return (await common).url;
  };
  suite.after(async () => {
    for (const client of clients) client.disconnect();
    await Promise.all(servers.map((server) => server.stop()));
    const started = await common?.catch(() => undefined);
    if (started) await use(started, empty);
  });
  return {
    /** Where the server of this test process listens. It is started when first asked for. */
    url,
    /** A further connection to it, or to another server of this suite; it ends after the suite. */
    async connect(options: ClientOptions = {}, to?: RunningRedis) {
      const client = new Redis(to?.url ?? (await url()), options);
      clients.push(client);
      return client;
    },
    /** A server of the suite's own, for what can't be undone on the common one (users, memory limits); ends after the suite. */
    async server(...args: string[]) {
      const server = await startRedis({ args });
      servers.push(server);
      return server;
    },
  };
}

/** The server that all suites of this process use; an error if it is that of `REDIS_URL` and holds anything. */
export async function startTestRedis(): Promise<RunningRedis> {
  const redis = await startRedis();
  redis.unref();
  if (redis.shared) await use(redis, refuseUnlessEmpty);
  return redis;
}

async function use(redis: RunningRedis, task: (client: Redis) => Promise<void>): Promise<void> {
  const client = new Redis(redis.url);
  try {
    await task(client);
  } finally {
    client.disconnect();
  }
}

async function empty(client: Redis): Promise<void> {
  await client.flushall();
  await client.function('FLUSH');
}

async function refuseUnlessEmpty(client: Redis): Promise<void> {
  const libraries = await client.function('LIST');
  const keys = /^db\d+:/m.test(await client.info('keyspace'));
  if (!keys && Array.isArray(libraries) && libraries.length === 0) return;
  throw new Error(
    `The server of REDIS_URL holds ${keys ? 'keys' : 'function libraries'}. The tests delete all keys and all ` +
      'libraries of the server they run on, so they only take an empty one: name another, or unset REDIS_URL to have ' +
      'one started. If it is left over from a test run that was killed, redis-cli FLUSHALL and FUNCTION FLUSH empty it.',
  );
}

/** One key as {@link dump} shows it. */
export interface DumpedKey {
  type: string;
  /** As the server gives it: text for a string, nested arrays of text for everything else. */
  value: unknown;
  /** When it expires, in milliseconds since 1970; -1 for never. */
  deadline: number;
}

/** Everything in a database for EVAL: of each key, in order, the name, type, value and deadline. */
export const SNAPSHOT = `local rows, keys = {}, redis.call('KEYS', '*')
table.sort(keys)
for number, key in ipairs(keys) do
  local kind = redis.call('TYPE', key).ok
  local read = { string = { 'GET', key }, hash = { 'HGETALL', key }, set = { 'SMEMBERS', key },
    list = { 'LRANGE', key, 0, -1 }, zset = { 'ZRANGE', key, 0, -1, 'WITHSCORES' }, stream = { 'XRANGE', key, '-', '+' } }
  rows[number] = { key, kind, redis.call(unpack(read[kind])), redis.call('PEXPIRETIME', key) }
end
return rows`;

/**
 * Everything in the client's database, to be compared with what is there later: a call that is refused leaves it exactly
 * so, deadlines included. The client must not have a `keyPrefix`.
 */
export async function dump(client: Redis): Promise<Record<string, DumpedKey>> {
  const rows = textOf(await client.callBuffer('EVAL', SNAPSHOT, '0')) as [string, string, unknown, number][];
  return Object.fromEntries(rows.map(([key, type, value, deadline]) => [key, { type, value, deadline }]));
}

/** Bytes are UTF-8 where they are that; anything else is byte for byte, so that two values never look alike. */
function textOf(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply.map(textOf);
  if (!Buffer.isBuffer(reply)) return reply;
  const utf8 = reply.toString('utf8');
  return Buffer.from(utf8).equals(reply) ? utf8 : `bytes ${reply.toString('hex')}`;
}
