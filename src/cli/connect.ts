import type { Redis, RedisOptions } from 'ioredis';
import type { Address } from './address.ts';
import { Failure } from './failure.ts';
import { reasonOf } from './reason.ts';

/** How long a server may take to let us in, and then to answer each command. */
export const LIMIT_MS = 5_000;

const CLOSED = 'Connection is closed.';

/**
 * Connects, runs one task and disconnects.
 * @throws Failure that names the address and the reason; what the task throws as a Failure stays as it is
 */
export async function withServer<T>(address: Address, task: (client: Redis) => Promise<T>): Promise<T> {
  const { Redis } = await import('ioredis').catch(withoutClient);
  const client = new Redis(clientOptions(address));
  let first: unknown;
  client.on('error', (error) => {
    first ??= error;
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(Object.assign(new Error('late'), { code: 'ETIMEDOUT' })), LIMIT_MS);
    });
    await Promise.race([client.connect(), late]);
    clearTimeout(timer);
    return await task(client);
  } catch (error) {
    if (error instanceof Failure) throw error;
    // A promise often says only that the connection is closed; the event before it said why.
    const cause = error instanceof Error && error.message === CLOSED ? (first ?? error) : error;
    throw new Failure(`${address.name}: ${reasonOf(cause, { tls: address.tls, limitMs: LIMIT_MS })}`);
  } finally {
    clearTimeout(timer);
    client.disconnect();
  }
}

/** One attempt without retries, and no command but those that the deployer's rights allow: no INFO, CLIENT or SELECT. */
export function clientOptions({ host, port, tls, username, password }: Address) {
  return {
    host,
    port,
    ...(tls ? { tls: {} } : {}),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    protocol: 2,
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    commandTimeout: LIMIT_MS,
    disconnectTimeout: 1,
  } satisfies RedisOptions;
}

function withoutClient(error: NodeJS.ErrnoException): never {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  throw new Failure('ioredis is not installed. Beside conversation-state it is wanted: npm install ioredis');
}
