import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { modeOf } from '../cluster/masters.ts';
import { type Connection, connect } from '../connection.ts';
import { isConversationError } from '../errors.ts';
import { checkKeyspace, type Keyspace } from '../keys/prefix.ts';
import { log } from '../log.ts';
import { type Address, readAddress } from './address.ts';
import type { Values } from './command.ts';
import { Failure, USAGE_ERROR } from './failure.ts';
import { failedMasters } from './masters.ts';
import { reasonOf, type Tried } from './reason.ts';
import { readSentinels } from './sentinel.ts';

/** How long a server may take to let us in, and then to answer each command. */
export const LIMIT_MS = 5_000;
/** How long each Sentinel may take, so that one that is dead is not all that there is time for. */
const SENTINEL_MS = 2_000;

/** Replies come as they do by default. */
type Options = Omit<RedisOptions, 'replyMapping'>;

const CLOSED = 'Connection is closed.';

/** What a task works on: a server, or the node of a cluster that was named. */
export interface Server {
  client: Redis;
  /** What it is called in messages, without its password: `host:port`. */
  name: string;
  tls: boolean;
}

/** What a task works on that deals with conversations. */
export interface Store {
  client: Redis | Cluster;
  connection: Connection;
  space: Keyspace;
}

/**
 * Connects, runs one task and disconnects.
 * @throws Failure that names the server and the reason; what the task throws as a Failure stays as it is
 */
export async function withServer<T>(values: Values, task: (server: Server) => Promise<T>): Promise<T> {
  const { name, tls, limitMs, options } = readServer(values);
  const { Redis } = await import('ioredis').catch(withoutClient);
  const client = new Redis(options);
  let first: unknown;
  client.on('error', (error) => {
    first ??= error;
  });
  let timer: NodeJS.Timeout | undefined;
  let isConnected = false;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(Object.assign(new Error('late'), { code: 'ETIMEDOUT' })), limitMs);
    });
    await Promise.race([client.connect(), late]);
    clearTimeout(timer);
    isConnected = true;
    return await Promise.race([task({ client, name, tls }), unheard()]);
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (isConversationError(error, 'INVALID_ARGUMENT')) throw new Failure(`${error.message}.`, USAGE_ERROR);
    // A promise often says only that the connection is closed; the event before it said why.
    const cause = error instanceof Error && error.message === CLOSED ? (first ?? error) : error;
    throw new Failure(`${name}: ${await explained(client, cause, { tls, limitMs: isConnected ? LIMIT_MS : limitMs })}`);
  } finally {
    clearTimeout(timer);
    client.disconnect();
  }
}

/** Fails with what the client tells nobody: that ASKING was refused, which it sends where a slot is on the move. */
function unheard(): Promise<never> {
  return new Promise((_, reject) => process.on('unhandledRejection', reject));
}

/** Connects to a server or to the whole cluster of a node, and finds the store on it that the options name. */
export function withStore<T>(values: Values, task: (store: Store) => Promise<T>): Promise<T> {
  const { prefix = '', sharded = false } = values;
  return withServer(values, async ({ client: entry, tls }) => {
    const isCluster = (await modeOf(entry)) === 'cluster';
    const space = checkKeyspace({ prefix, sharded }, isCluster, '');
    if (!isCluster) return task({ client: entry, connection: connect(entry, 'never', log(undefined)), space });
    const client = await clusterOf(entry);
    try {
      return await task({ client, connection: connect(client, 'never', log(undefined)), space });
    } catch (error) {
      throw await ofMasters(entry, error, tls);
    } finally {
      client.disconnect();
    }
  });
}

/** The error of a task on a cluster, in words that name the masters that failed, where there are any. */
async function ofMasters(entry: Redis, error: unknown, tls: boolean): Promise<unknown> {
  if (error instanceof Failure || (isConversationError(error) && error.code !== 'UNAVAILABLE')) return error;
  const failures = await failedMasters(entry);
  if (failures?.length === 0 && isLost(error)) {
    const { host, port } = entry.options;
    const reason = reasonOf(error, { tls, limitMs: LIMIT_MS });
    return new Failure(`the cluster of ${host}:${port}: ${reason} All its masters answer now: try again.`);
  }
  if (!failures?.length) return error;
  const lines = failures.map(({ address, error }) => `${address}: ${reasonOf(error, { tls, limitMs: LIMIT_MS })}`);
  return new Failure(lines.sort().join('\n'));
}

/** Whether a command had no answer at all. */
function isLost(error: unknown): boolean {
  return error instanceof Error && (error.message === 'Command timed out' || error.message === CLOSED);
}

/** A client for the whole cluster that a node belongs to. */
async function clusterOf(entry: Redis): Promise<Cluster> {
  // Where a right is missing this says which, and the client of the cluster only that no node is available.
  await entry.cluster('SLOTS');
  const { Cluster } = await import('ioredis');
  const { host, port, replyMapping: _, ...redisOptions } = entry.options;
  const cluster = new Cluster([{ host: host ?? '', port: port ?? 0 }], {
    redisOptions: { ...redisOptions, lazyConnect: true },
    lazyConnect: true,
    enableReadyCheck: false,
    clusterRetryStrategy: () => null,
    slotsRefreshTimeout: LIMIT_MS,
    // A host name that a certificate is for must not become an address.
    dnsLookup: (address, callback) => callback(null, address),
  });
  cluster.on('error', () => {});
  await cluster.connect();
  return cluster;
}

/** Why it failed. A Sentinel answers much as a server does, so its errors tell only half of it. */
async function explained(client: Redis, error: unknown, tried: Tried): Promise<string> {
  // One that gave no answer would be waited for once more.
  const mode = client.status === 'ready' && !isLost(error) ? await modeOf(client).catch(() => undefined) : undefined;
  if (mode === 'sentinel') {
    return (
      'this is a Sentinel, not the server that it watches. ' +
      'Name the server by it: --sentinel host:port --name NAME (SENTINEL MASTERS tells the name)'
    );
  }
  return reasonOf(error, tried);
}

/** `limitMs` is how long it may take to be connected. */
function readServer(values: Values): { name: string; tls: boolean; limitMs: number; options: Options } {
  const sentinels = readSentinels(values.sentinel, values.name);
  const files = certificates(values);
  if (!sentinels) {
    const address = readAddress(values.url);
    if (files && !address.tls) throw new Failure('TLS needs an address that begins with rediss://', USAGE_ERROR);
    return { name: address.name, tls: address.tls, limitMs: LIMIT_MS, options: clientOptions(address, files) };
  }
  if (values.url !== undefined) throw new Failure('--url and --sentinel name two servers: give one.', USAGE_ERROR);
  const { REDIS_USERNAME, REDIS_PASSWORD, SENTINEL_USERNAME, SENTINEL_PASSWORD } = process.env;
  return {
    name: `${sentinels.group} (by Sentinel)`,
    tls: files !== undefined,
    limitMs: sentinels.hosts.length * SENTINEL_MS + LIMIT_MS,
    options: {
      sentinels: sentinels.hosts,
      name: sentinels.group,
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

/** What `--tls-ca`, `--tls-cert` and `--tls-key` name, read. @throws Failure where a file cannot be read */
function certificates(values: Values): ConnectionOptions | undefined {
  const { 'tls-ca': ca, 'tls-cert': cert, 'tls-key': key } = values;
  if ((cert === undefined) !== (key === undefined))
    throw new Failure('--tls-cert and --tls-key go together.', USAGE_ERROR);
  if (ca === undefined && cert === undefined) return undefined;
  const read = (option: string, file: string | undefined) => {
    try {
      return file === undefined ? undefined : readFileSync(file);
    } catch (error) {
      throw new Failure(`The file of ${option} cannot be read: ${(error as NodeJS.ErrnoException).code}.`, USAGE_ERROR);
    }
  };
  const files = { ca: read('--tls-ca', ca), cert: read('--tls-cert', cert), key: read('--tls-key', key) };
  return Object.fromEntries(Object.entries(files).filter(([, file]) => file !== undefined));
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
} satisfies Options;

function clientOptions(address: Address, files: ConnectionOptions | undefined): Options {
  const { host, port, tls, username, password } = address;
  return {
    host,
    port,
    ...(tls ? { tls: files ?? {} } : {}),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...ONE_ATTEMPT,
  };
}

function withoutClient(error: NodeJS.ErrnoException): never {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  throw new Failure('ioredis is not installed, and conversation-state needs it: npm install ioredis');
}
