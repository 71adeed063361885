import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { loadLibrary } from '../../src/index.ts';
import { type RunningRedis, startRedis } from '../redis/start.ts';

/** A Redis with the library loaded, and what of it may be used. */
export interface Server {
  redis: RunningRedis;
  client: Redis;
  /** Before every key: empty on a server of our own, unique on one that belongs to somebody. */
  prefix: string;
  /** Leaves nothing behind: ends the server, or removes the keys under the prefix from one that is shared. */
  close(options: { keepKeys: boolean }): Promise<void>;
}

/** @throws Error with a message for people */
export async function openServer(): Promise<Server> {
  const redis = await startRedis();
  // A story takes seconds: a server that is away for longer is gone.
  const client = new Redis(redis.url, { maxRetriesPerRequest: 3, retryStrategy: (times) => (times > 3 ? null : 100) });
  // The commands that fail for it say so themselves.
  client.on('error', () => {});
  const prefix = redis.shared ? `demo:${randomBytes(3).toString('hex')}:` : '';
  try {
    await loadLibrary(client);
    return { redis, client, prefix, close };
  } catch (error) {
    await close({ keepKeys: true });
    throw new Error(`The library can't be loaded on ${redis.origin}: ${(error as Error).message}`);
  }

  async function close({ keepKeys }: { keepKeys: boolean }): Promise<void> {
    if (redis.shared && !keepKeys && client.status === 'ready') await removeKeys(client, prefix);
    client.disconnect();
    await redis.stop();
  }
}

async function removeKeys(client: Redis, prefix: string): Promise<void> {
  for await (const keys of client.scanStream({ match: `${prefix}*`, count: 1000 })) {
    if (keys.length > 0) await client.unlink(...keys);
  }
}
