import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { RedisOptions } from 'ioredis';
import { Failure, USAGE_ERROR } from './failure.ts';
import type { Values } from './values.ts';

/** How long a server may take to let us in, and then to answer each command. */
export const LIMIT_MS = 5_000;
/** How long each Sentinel may take, so that one that is dead is not all that there is time for. */
const SENTINEL_MS = 2_000;
const SENTINEL_PORT = 26_379;

/** Where a server is and how it is reached. */
export interface Target {
  /** What it is called in messages, without its password: `host:port`. */
  name: string;
  tls: boolean;
  /** How long it may take to be connected. */
  limitMs: number;
  /** Replies come as they do by default. */
  options: Omit<RedisOptions, 'replyMapping'>;
}

/** One attempt without retries, and no command but those that the deployer's rights allow: no INFO, CLIENT or SELECT. */
const ONE_ATTEMPT = {
  protocol: 2,
  lazyConnect: true,
  enableReadyCheck: false,
  disableClientInfo: true,
  retryStrategy: () => null,
  maxRetriesPerRequest: 0,
  commandTimeout: LIMIT_MS,
  disconnectTimeout: 1,
} satisfies Target['options'];

/** The server that the options or the environment name. @throws Failure */
export function targetOf(values: Values, env: NodeJS.ProcessEnv = process.env): Target {
  const { url, sentinel, name } = values;
  const files = certificates(values);
  if (sentinel === undefined && name === undefined) {
    const { place, tls, ...options } = readAddress(url, env);
    if (files && !tls) throw new Failure('TLS needs an address that begins with rediss://', USAGE_ERROR);
    const server = { ...options, ...(tls && { tls: files ?? {} }), ...ONE_ATTEMPT };
    return { name: place, tls, limitMs: LIMIT_MS, options: server };
  }
  if (url !== undefined) throw new Failure('--url and --sentinel name two servers: give one.', USAGE_ERROR);
  const hosts = readSentinels(sentinel, name);
  const { REDIS_USERNAME, REDIS_PASSWORD, SENTINEL_USERNAME, SENTINEL_PASSWORD } = env;
  return {
    name: `${name} (by Sentinel)`,
    tls: files !== undefined,
    limitMs: hosts.length * SENTINEL_MS + LIMIT_MS,
    options: {
      sentinels: hosts,
      name: name ?? '',
      ...(REDIS_USERNAME && { username: REDIS_USERNAME }),
      ...(REDIS_PASSWORD && { password: REDIS_PASSWORD }),
      ...(SENTINEL_USERNAME && { sentinelUsername: SENTINEL_USERNAME }),
      ...(SENTINEL_PASSWORD && { sentinelPassword: SENTINEL_PASSWORD }),
      ...(files && { tls: files, sentinelTLS: files, enableTLSForSentinelMode: true }),
      // One round over all of them.
      sentinelRetryStrategy: () => null,
      sentinelCommandTimeout: SENTINEL_MS,
      connectTimeout: SENTINEL_MS,
      ...ONE_ATTEMPT,
    },
  };
}

const FORM =
  'Write redis://host:port or rediss://user:password@host:port; special characters of a password are written as ' +
  '%XX (/ is %2F, # is %23, % is %25).';

/**
 * The address in `--url`, or in REDIS_URL where there is none. A database number is allowed and left alone: a library
 * belongs to the whole server, and SELECT would be one more right to have.
 * @throws Failure that never shows what was given, because a password may be anywhere in it
 */
export function readAddress(url: string | undefined, { REDIS_URL }: NodeJS.ProcessEnv) {
  const [name, text] = url === undefined ? ['REDIS_URL', REDIS_URL] : ['--url', url];
  if (!text) throw new Failure('No server is named. Give --url redis://host:port, or set REDIS_URL.', USAGE_ERROR);
  const unusable = new Failure(`${name} is not the address of a Redis server. ${FORM}`, USAGE_ERROR);
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (!parsed?.hostname || !/^rediss?:$/.test(parsed.protocol)) throw unusable;
  // A bare / ? or # in a password ends the host early, and the rest of the password follows.
  if (!/^\/?\d*$/.test(parsed.pathname) || parsed.search || parsed.hash || parsed.port === '0') throw unusable;
  const port = Number(parsed.port || 6379);
  const hasUser = parsed.username !== '' || parsed.password !== '';
  try {
    return {
      place: `${parsed.hostname}:${port}`,
      host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
      port,
      tls: parsed.protocol === 'rediss:',
      ...(parsed.username && { username: decodeURIComponent(parsed.username) }),
      // A user without a password still has to be named to the server.
      ...(hasUser && { password: decodeURIComponent(parsed.password) }),
    };
  } catch {
    throw unusable;
  }
}

/** The places of the Sentinels. @throws Failure */
export function readSentinels(sentinel: string | undefined, name: string | undefined) {
  if (!sentinel || !name) {
    throw new Failure(
      '--sentinel host:port,… and --name NAME, of the server that they know, go together.',
      USAGE_ERROR,
    );
  }
  return sentinel.split(',').map((place) => {
    const url = `redis://${place.trim()}`;
    const { hostname = '', port = '', href = '' } = URL.canParse(url) ? new URL(url) : {};
    if (hostname === '' || href !== `redis://${hostname}${port && `:${port}`}`) {
      throw new Failure('--sentinel must be host:port, with commas between several: a:26379,b:26379', USAGE_ERROR);
    }
    return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || SENTINEL_PORT) };
  });
}

/** What `--tls-ca`, `--tls-cert` and `--tls-key` name, read. @throws Failure where a file cannot be read */
function certificates({ tlsCa, tlsCert, tlsKey }: Values): ConnectionOptions | undefined {
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new Failure('--tls-cert and --tls-key go together.', USAGE_ERROR);
  }
  const files = Object.entries({ ca: tlsCa, cert: tlsCert, key: tlsKey }).flatMap(([name, file]) => {
    try {
      return file === undefined ? [] : [[name, readFileSync(file)]];
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new Failure(`The file of --tls-${name} cannot be read: ${code}.`, USAGE_ERROR);
    }
  });
  return files.length === 0 ? undefined : Object.fromEntries(files);
}
