import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { RedisOptions } from 'ioredis';
import { misuse, type Values } from './command.ts';

/** How long a server, or a Sentinel, may take to let us in, and then to answer each command. */
export const LIMIT_MS = 5_000;
const SENTINEL_PORT = 26_379;

/** Where a server is and how it is reached. */
export interface Target {
  /** What it is called in messages, without its password: `host:port`. */
  name: string;
  tls: boolean;
  /** Without one, Sentinels tell. */
  url?: string;
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
  connectTimeout: LIMIT_MS,
  commandTimeout: LIMIT_MS,
  disconnectTimeout: 1,
} satisfies Target['options'];

/** The server that the options or the environment name. @throws Failure */
export function targetOf(values: Values): Target {
  const { url, sentinel, name } = values;
  const files = certificates(values);
  if (sentinel === undefined && name === undefined) {
    const { href, host, protocol } = readAddress(url, process.env);
    const tls = protocol === 'rediss:';
    if (files && !tls) throw misuse('TLS needs an address that begins with rediss://');
    return { name: host, tls, url: href, options: { ...(files && { tls: files }), ...ONE_ATTEMPT } };
  }
  if (url !== undefined) throw misuse('--url and --sentinel name two servers: give one.');
  const hosts = readSentinels(sentinel, name);
  const { REDIS_USERNAME, REDIS_PASSWORD, SENTINEL_USERNAME, SENTINEL_PASSWORD } = process.env;
  return {
    name: `${name} (by Sentinel)`,
    tls: files !== undefined,
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
      sentinelCommandTimeout: LIMIT_MS,
      ...ONE_ATTEMPT,
    },
  };
}

const FORM =
  'Write redis://host:port or rediss://user:password@host:port; special characters of a password are written as ' +
  '%XX (/ is %2F, # is %23, % is %25).';

/**
 * The address in `--url`, or in REDIS_URL. A database number is left out: SELECT would be one more right to have.
 * @throws Failure that never shows what was given, because a password may be anywhere in it
 */
export function readAddress(url: string | undefined, { REDIS_URL }: NodeJS.ProcessEnv): URL {
  const [name, text] = url === undefined ? ['REDIS_URL', REDIS_URL] : ['--url', url];
  if (!text) throw misuse('No server is named. Give --url redis://host:port, or set REDIS_URL.');
  const unusable = misuse(`${name} is not the address of a Redis server. ${FORM}`);
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (!parsed?.hostname || !/^rediss?:$/.test(parsed.protocol)) throw unusable;
  // A bare / ? or # in a password ends the host early, and the rest of the password follows.
  if (!/^\/?\d*$/.test(parsed.pathname) || parsed.search || parsed.hash || parsed.port === '0') throw unusable;
  try {
    // A bare % in a password is the beginning of no escape.
    decodeURIComponent(parsed.href);
  } catch {
    throw unusable;
  }
  return Object.assign(parsed, { port: parsed.port || '6379', pathname: '' });
}

export function readSentinels(sentinel: string | undefined, name: string | undefined) {
  const both = '--sentinel host:port,… and --name NAME, of the server that they know, go together.';
  if (!sentinel || !name) throw misuse(both);
  return sentinel.split(',').map((place) => {
    const url = `redis://${place.trim()}`;
    const { hostname = '', port = '', href = '' } = URL.canParse(url) ? new URL(url) : {};
    if (hostname === '' || href !== `redis://${hostname}${port && `:${port}`}`) {
      throw misuse('--sentinel must be host:port, with commas between several: a:26379,b:26379');
    }
    // An IPv6 address has brackets in a URL only.
    return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || SENTINEL_PORT) };
  });
}

/** What `--tls-ca`, `--tls-cert` and `--tls-key` name, read. @throws Failure where a file cannot be read */
function certificates({ tlsCa, tlsCert, tlsKey }: Values): ConnectionOptions | undefined {
  if ((tlsCert === undefined) !== (tlsKey === undefined)) throw misuse('--tls-cert and --tls-key go together.');
  const files = Object.entries({ ca: tlsCa, cert: tlsCert, key: tlsKey }).flatMap(([name, file]) => {
    try {
      return file === undefined ? [] : [[name, readFileSync(file)]];
    } catch (error) {
      throw misuse(`The file of --tls-${name} cannot be read: ${(error as NodeJS.ErrnoException).code}.`);
    }
  });
  return files.length === 0 ? undefined : Object.fromEntries(files);
}
