import { Redis } from 'ioredis';

const LIMIT_MS = 5_000;

/**
 * Makes sure that the server of a `REDIS_URL` answers and is version 7 or later.
 *
 * @returns the server in words, without user and password: `REDIS_URL redis://db:6379 (Redis 7.2.4)`
 * @throws Error whose message names the address and the reason, never the password
 */
export async function checkRedisUrl(url: string): Promise<string> {
  const address = addressOf(url);
  let info: string;
  try {
    info = await ask(url);
  } catch (error) {
    throw new Error(`REDIS_URL: ${address} can't be used: ${reason(error)}`);
  }
  const product = /^valkey_version:(\S+)/m.exec(info) ? 'Valkey' : 'Redis';
  // Valkey of any version calls itself Redis 7.2.4 for the sake of clients.
  const version = (/^valkey_version:(\S+)/m.exec(info) ?? /^redis_version:(\S+)/m.exec(info))?.[1] ?? 'unknown';
  if (!(Number.parseInt(version, 10) >= 7)) {
    throw new Error(
      `REDIS_URL: ${address} is ${product} ${version}, and functions need version 7 or later. ` +
        'Point REDIS_URL at a newer server, or unset it to have one started.',
    );
  }
  return `REDIS_URL ${address} (${product} ${version})`;
}

function addressOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isRedis = parsed?.hostname && ['redis:', 'rediss:'].includes(parsed.protocol);
  // A bare / or # in a password ends the address early, and what follows is the rest of the password.
  if (!isRedis || `${parsed.pathname}${parsed.search}${parsed.hash}`.includes('@')) {
    throw new Error(
      'REDIS_URL is not the URL of a Redis server. Wanted is redis://host:port/database or ' +
        'rediss://user:password@host:port; special characters of a password are written as %XX (/ is %2F, # is %23).',
    );
  }
  const database = /^\/\d+$/.test(parsed.pathname) ? parsed.pathname : '';
  return `${parsed.protocol}//${parsed.host}${database}`;
}

async function ask(url: string): Promise<string> {
  const client = new Redis(url, {
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: LIMIT_MS,
    disconnectTimeout: 1,
  });
  let first: unknown;
  client.on('error', (error) => {
    first ??= error;
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${LIMIT_MS / 1000} s`)), LIMIT_MS);
    });
    return await Promise.race([client.connect().then(() => client.info('server')), late]);
  } catch (error) {
    // The promise only says that the connection is closed; the event before it said why.
    throw first ?? error;
  } finally {
    clearTimeout(timer);
    client.disconnect();
  }
}

function reason(error: unknown): string {
  // A name with several addresses fails with one error for each.
  if (error instanceof AggregateError && error.errors.length > 0) return reason(error.errors[0]);
  const message = error instanceof Error ? error.message : String(error);
  if (/^NOAUTH/.test(message)) return 'it wants a password, and REDIS_URL has none';
  return /^Unknown RESP type/.test(message) ? 'what answers there is no Redis' : message;
}
