import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import { modeOf, openMasters } from '../cluster/masters.ts';
import { type Connection, connect } from '../connection.ts';
import { isConversationError } from '../errors.ts';
import { checkKeyspace, type Keyspace } from '../keys/prefix.ts';
import { log } from '../log.ts';
import { LIMIT_MS, type Target, targetOf } from './address.ts';
import { Failure, type Values } from './command.ts';
import { CLOSED, causeOf, isLost, reasonOf } from './reason.ts';

/** How long a master may take to say that it is there, once a command has failed. */
const BLAME_MS = 2_000;

/** What a task works on: a server, or the node of a cluster that was named. */
export interface Server extends Target {
  client: Redis;
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
  const target = targetOf(values);
  const { Redis } = await import('ioredis').catch(withoutClient);
  const client = new Redis(target.options);
  let first: unknown;
  client.on('error', (error) => {
    first ??= error;
  });
  const tried = { tls: target.tls, limitMs: target.limitMs };
  try {
    const late = sleep(target.limitMs, undefined, { ref: false }).then(() => {
      throw Object.assign(new Error('late'), { code: 'ETIMEDOUT' });
    });
    await Promise.race([client.connect(), late]);
    tried.limitMs = LIMIT_MS;
    return await task({ client, ...target });
  } catch (error) {
    if (error instanceof Failure || isConversationError(error, 'INVALID_ARGUMENT')) throw error;
    // A promise often says only that the connection is closed; the event before it said why.
    const said = causeOf(error);
    const cause = said instanceof Error && said.message === CLOSED ? (first ?? said) : error;
    const reason = (await isSentinel(client, cause)) ? SENTINEL : reasonOf(cause, tried);
    throw new Failure(`${target.name}: ${reason}`, 1, cause);
  } finally {
    client.disconnect();
  }
}

/** Connects to a server or to the whole cluster of a node, and finds the store on it that the options name. */
export function withStore<T>(values: Values, task: (store: Store) => Promise<T>): Promise<T> {
  const { prefix = '', sharded = false } = values;
  const storeOf = (client: Redis | Cluster, space: Keyspace) =>
    task({ client, connection: connect(client, 'never', log(undefined)), space });
  return withServer(values, async (server) => {
    const isCluster = (await modeOf(server.client)) === 'cluster';
    const space = checkKeyspace({ prefix, sharded }, isCluster, '');
    if (!isCluster) return storeOf(server.client, space);
    const { cluster, refused } = await clusterOf(server.client);
    try {
      return await Promise.race([storeOf(cluster, space), refused]);
    } catch (error) {
      throw await ofMasters(server, error);
    } finally {
      cluster.disconnect();
    }
  });
}

const SENTINEL =
  'this is a Sentinel, not the server that it watches. ' +
  'Name the server by it: --sentinel host:port --name NAME (SENTINEL MASTERS tells the name)';

/** Whether a Sentinel was taken for a server: it answers much as one does, so its errors tell only half of it. */
async function isSentinel(client: Redis, error: unknown): Promise<boolean> {
  // One that gave no answer would be waited for once more.
  if (client.status !== 'ready' || isLost(error)) return false;
  return (await modeOf(client).catch(() => undefined)) === 'sentinel';
}

/**
 * The error of a task on a cluster, in words that name the masters that cannot be asked, if there are any: what the
 * client of a cluster says of a command that failed does not tell on which node that was.
 */
async function ofMasters({ client: entry, tls }: Server, error: unknown): Promise<unknown> {
  if (error instanceof Failure || (isConversationError(error) && error.code !== 'UNAVAILABLE')) return error;
  const asker = entry.duplicate({ commandTimeout: BLAME_MS, connectTimeout: BLAME_MS });
  asker.on('error', () => {});
  try {
    const { masters, close } = await openMasters(asker);
    close();
    const tried = { tls, limitMs: LIMIT_MS };
    const lines = masters.flatMap(({ address, error }) => (error ? `${address}: ${reasonOf(error, tried)}` : []));
    if (lines.length > 0) return new Failure(lines.sort().join('\n'), 1, error);
    if (!isLost(error)) return error;
    const { host, port } = entry.options;
    const reason = `${reasonOf(error, tried)} All its masters answer now: try again.`;
    return new Failure(`the cluster of ${host}:${port}: ${reason}`, 1, error);
  } catch {
    return error;
  } finally {
    asker.disconnect();
  }
}

/** A client for the whole cluster that a node belongs to, and what it tells nobody: that a node refused ASKING. */
async function clusterOf(entry: Redis): Promise<{ cluster: Cluster; refused: Promise<never> }> {
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
  const refused = new Promise<never>((_, reject) => {
    cluster.on('+node', (node: Redis) => {
      const ask = node.asking.bind(node);
      node.asking = () => {
        const asked = ask();
        asked.catch(reject);
        return asked;
      };
    });
  });
  await cluster.connect();
  return { cluster, refused };
}

function withoutClient(error: NodeJS.ErrnoException): never {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  throw new Failure('ioredis is not installed, and conversation-state needs it: npm install ioredis');
}
