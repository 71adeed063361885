import type { Cluster, Redis } from 'ioredis';
import { modeOf, onMasters } from '../cluster/masters.ts';
import { type Connection, connect } from '../connection.ts';
import { isConversationError } from '../errors.ts';
import { checkKeyspace, type Keyspace } from '../keys.ts';
import { log } from '../log.ts';
import { LIMIT_MS, type Target, targetOf } from './address.ts';
import { Failure, type Values } from './command.ts';
import { CLOSED, causeOf, reasonOf } from './reason.ts';

/** What a task works on: a server, or the node of a cluster that was named. */
export interface Server extends Target {
  client: Redis;
  isCluster: boolean;
}

const SENTINEL =
  'this is a Sentinel, not the server that it watches. ' +
  'Name the server by it: --sentinel host:port --name NAME (SENTINEL MASTERS tells the name)';

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
  const { url, options } = target;
  const client = url === undefined ? new Redis(options) : new Redis(url, options);
  let first: unknown;
  client.on('error', (error) => {
    first ??= error;
  });
  try {
    await client.connect();
    const mode = await modeOf(client);
    if (mode === 'sentinel') throw new Failure(`${target.name}: ${SENTINEL}`);
    return await task({ client, isCluster: mode === 'cluster', ...target });
  } catch (error) {
    if (error instanceof Failure || isConversationError(error, 'INVALID_ARGUMENT')) throw error;
    // A promise often says only that the connection is closed; the event before it said why.
    const said = causeOf(error);
    const cause = said instanceof Error && said.message === CLOSED ? (first ?? said) : error;
    throw new Failure(`${target.name}: ${reasonOf(cause, target.tls)}`, 1, cause);
  } finally {
    client.disconnect();
  }
}

/** Connects to a server or to the whole cluster of a node, and finds the store on it that the options name. */
export function withStore<T>(values: Values, task: (store: Store) => Promise<T>): Promise<T> {
  return withServer(values, async (server) => {
    const space = checkKeyspace(values, server.isCluster);
    const client = server.isCluster ? await clusterOf(server.client) : server.client;
    try {
      return await task({ client, connection: connect(client, 'never', log(undefined)), space });
    } catch (error) {
      throw server.isCluster ? await ofMasters(server, error) : error;
    } finally {
      client.disconnect();
    }
  });
}

/**
 * The error of a task on a cluster, in words that name the masters that cannot be asked, if there are any: what the
 * client of a cluster says of a command that failed does not tell on which node that was.
 */
async function ofMasters({ client, tls }: Server, error: unknown): Promise<unknown> {
  if (error instanceof Failure || (isConversationError(error) && error.code !== 'UNAVAILABLE')) return error;
  const masters = await onMasters(client, async () => ({ error: undefined })).catch(() => []);
  const lines = masters.flatMap(({ address, error }) => (error ? `${address}: ${reasonOf(error, tls)}` : []));
  return lines.length === 0 ? error : new Failure(lines.join('\n'), 1, error);
}

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

function withoutClient(error: NodeJS.ErrnoException): never {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  throw new Failure('ioredis is not installed, and conversation-state needs it: npm install ioredis');
}
