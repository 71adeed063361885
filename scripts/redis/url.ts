import { Redis } from 'ioredis';

const LIMIT_MS = 15_000;

/**
 * Makes sure that the server of a `REDIS_URL` answers and is version 7 or later.
 *
 * @returns the server in words, without user and password: `REDIS_URL redis://db:6379 (Redis 7.2.4)`
 * @throws Error whose message names the address and the reason, never the password
 */
export async function checkRedisUrl(url: string): Promise<string> {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isRedis = parsed?.hostname && ['redis:', 'rediss:'].includes(parsed.protocol);
  // A bare / or # in a password ends the address early, and what follows is the rest of the password.
  if (!isRedis || `${parsed.pathname}${parsed.search}${parsed.hash}`.includes('@')) {
    throw new Error(
      'REDIS_URL is not the URL of a Redis server. Wanted is redis://host:port/database or ' +
        'rediss://user:password@host:port; special characters of a password are written as %XX (/ is %2F, # is %23).',
    );
  }
  const address = `${parsed.protocol}//${parsed.host}${/^\/\d+$/.test(parsed.pathname) ? parsed.pathname : ''}`;
  const info = await ask(url).catch((error) => {
    throw new Error(`REDIS_URL: ${address} can't be used: ${reason(error)}`);
  });
  // Valkey of any version calls itself Redis 7.2.4 for the sake of clients.
  const [, product = '', version = ''] =
    /^(valkey)_version:(\S+)/m.exec(info) ?? /^(redis)_version:(\S+)/m.exec(info) ?? [];
  const named = `${product === 'valkey' ? 'Valkey' : 'Redis'} ${version}`;
  if (Number.parseInt(version, 10) >= 7) return `REDIS_URL ${address} (${named})`;
  throw new Error(
    `REDIS_URL: ${address} is ${named}, and functions need version 7 or later. ` +
      'Point REDIS_URL at a newer server, or unset it to have one started.',
  );
}

async function ask(url: string): Promise<string> {
  const client = new Redis(url, {
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: LIMIT_MS,
    commandTimeout: LIMIT_MS,
    disconnectTimeout: 1,
  });
  const errors: unknown[] = [];
  client.on('error', (error) => errors.push(error));
  try {
    await client.connect();
    return await client.info('server');
  } catch (error) {
    // The promise only says that the connection is closed; the event before it said why.
    throw errors[0] ?? error;
  } finally {
    client.disconnect();
  }
}

function reason(error: unknown): string {
  // A name with several addresses fails with one error for each.
  if (error instanceof AggregateError && error.errors.length > 0) return reason(error.errors[0]);
  const message = error instanceof Error ? error.message : String(error);
  if (/^NOAUTH/.test(message)) return 'it needs a password, and REDIS_URL has none';
  return /^Unknown RESP type/.test(message) ? 'what answers there is not a Redis' : message;
}
