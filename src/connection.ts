import type { Cluster, Redis } from 'ioredis';
import { clusterFunctions, isCluster, readMaster } from './cluster/cluster.ts';
import { type Durability, functionsOnReplicas, type Waiting } from './cluster/replicas.ts';
import { scanKeys } from './cluster/scan.ts';
import { type FunctionClient, LIBRARY_NAME, LIBRARY_VERSION } from './conversation.gen.ts';
import { fromClient, invalidArgument, isFunctionMissing } from './errors.ts';
import type { PairKeys } from './keys/conversation-keys.ts';
import { prepareLibrary } from './library/every-server.ts';
import type { Logger } from './options.ts';

/** How often a call is made where the library is found missing: on a cluster one node after the other may lack it. */
const CALL_ATTEMPTS = 3;

/** The way to a server or a cluster with the library on it. Calls are the same for both. */
export interface Connection {
  /** The functions. Where the server turns out to have lost the library, it is loaded again, or LIBRARY_MISSING is thrown. */
  functions: FunctionClient;
  /** The functions for a claim that waits for replicas to have it. */
  waiting(keys: PairKeys, durability: Durability): Waiting;
  /** Sends a command that reads one key, to its master. */
  read(command: string, ...args: string[]): Promise<unknown>;
  /** Every key of a type that matches a pattern, in batches, each key once. */
  scan(pattern: string, type: 'string' | 'stream'): AsyncGenerator<string[]>;
  isCluster: boolean;
  /** What the client puts before every key of a command, but not into a pattern. */
  keyPrefix: string;
  /** Loads or checks the library, once. */
  ready(): Promise<void>;
}

/** @throws ConversationError INVALID_ARGUMENT */
export function connect(client: Redis | Cluster, load: 'auto' | 'never', logger: Logger | undefined): Connection {
  checkClient(client);
  if (load !== 'auto' && load !== 'never') throw invalidArgument("load must be 'auto' or 'never'");
  let preparing: Promise<void> | undefined;
  let isReady = false;
  let missed = false;

  async function prepare(): Promise<void> {
    const loaded = await prepareLibrary(client, { load, missed });
    if (loaded > 0) logger?.debug(`library ${LIBRARY_NAME} ${LIBRARY_VERSION} loaded`);
    isReady = true;
  }

  function ready(): Promise<void> {
    preparing ??= prepare().catch((error: unknown) => {
      preparing = undefined;
      throw fromClient(error);
    });
    return preparing;
  }

  async function run<T>(call: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      if (!isReady) await ready();
      try {
        return await call();
      } catch (error) {
        if (attempt === CALL_ATTEMPTS || !isFunctionMissing(error)) throw fromClient(error);
      }
      // Of the calls that notice at once, the first has the library loaded; the others wait for that.
      if (isReady) {
        isReady = false;
        missed = true;
        preparing = undefined;
      }
    }
  }

  const withLibrary = (functions: FunctionClient): FunctionClient => ({
    fcall: (...sent) => run(() => functions.fcall(...sent)),
    fcall_ro: (...sent) => run(() => functions.fcall_ro(...sent)),
  });
  return {
    functions: withLibrary(isCluster(client) ? clusterFunctions(client) : client),
    waiting(keys, durability) {
      const { functions, count } = functionsOnReplicas(client, keys, durability);
      return { functions: withLibrary(functions), count };
    },
    scan: (pattern, type) => scanKeys(client, pattern, type),
    isCluster: isCluster(client),
    keyPrefix: client.options.keyPrefix ?? '',
    ready,
    async read(command, ...args) {
      try {
        return await (isCluster(client) ? readMaster(client, command, ...args) : client.call(command, ...args));
      } catch (error) {
        throw fromClient(error);
      }
    },
  };
}

/** @throws ConversationError INVALID_ARGUMENT where this is no client of ioredis. */
function checkClient(client: Redis | Cluster): void {
  // A pipeline has the commands and the options of its client.
  const isPipeline = typeof client === 'object' && client !== null && 'isPipeline' in client;
  if (typeof client?.fcall === 'function' && typeof client.options === 'object' && !isPipeline) return;
  const isNodeRedis = typeof client === 'object' && client !== null && 'fCall' in client;
  const what = isNodeRedis
    ? 'this is a client of the package redis (node-redis)'
    : `this is ${isPipeline ? 'a pipeline' : 'none'}`;
  throw invalidArgument(`client must be a Redis or Cluster of ioredis 5.11 or later, new Redis(url); ${what}`);
}
