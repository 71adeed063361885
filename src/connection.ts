import type { Cluster, Redis } from 'ioredis';
import { checkClient, checkCount, checkMilliseconds } from './arguments.ts';
import { isCluster, readMaster } from './cluster/cluster.ts';
import { callAndWait } from './cluster/replicas.ts';
import { scanKeys } from './cluster/scan.ts';
import { functionsBy, readState, withWholeKeys } from './cluster/whole-keys.ts';
import { convGet, type FunctionClient, LIBRARY_NAME, LIBRARY_VERSION } from './conversation.gen.ts';
import { fromClient, invalidArgument, isFunctionMissing, rethrow } from './errors.ts';
import { type ReferenceKeys, withFurtherKeys } from './keys.ts';
import { prepareLibrary } from './library/loading.ts';
import { refusalOf } from './library/report.ts';
import type { Log } from './log.ts';
import type { ReplicaOptions } from './options.ts';

/** How often a call is made if the library is missing: on a cluster, one node after the other may lack it. */
const CALL_ATTEMPTS = 3;
const LOSING = 'the server, which has lost it again and again,';

/** A generated function. */
type Call<Keys, Args, Result> = (functions: FunctionClient, keys: Keys, args: Args) => Promise<Result>;

/** The way to a server or a cluster with the library on it. Calls are the same for both. */
export type Connection = ReturnType<typeof connect>;

/** @throws ConversationError INVALID_ARGUMENT */
export function connect(client: Redis | Cluster, load: 'auto' | 'never', log: Log) {
  checkClient(client);
  if (load !== 'auto' && load !== 'never') throw invalidArgument("load must be 'auto' or 'never'");
  let preparing: Promise<void> | undefined;
  let isReady = false;
  let missed = false;

  async function prepare(): Promise<void> {
    const loaded = await prepareLibrary(client, load, missed);
    if (loaded > 0) log.debug(`library ${LIBRARY_NAME} ${LIBRARY_VERSION} loaded`);
    isReady = true;
  }

  function ready(): Promise<void> {
    preparing ??= prepare().catch((error: unknown) => {
      preparing = undefined;
      rethrow(error);
    });
    return preparing;
  }

  async function run<T>(call: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      if (!isReady) await ready();
      try {
        return await call();
      } catch (error) {
        if (!isFunctionMissing(error)) throw fromClient(error);
        if (attempt === CALL_ATTEMPTS) throw refusalOf({ found: null, foreign: null }, LOSING);
      }
      // Of the calls that notice at once, the first one has the library loaded; the others wait for that.
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
  const functions = withLibrary(isCluster(client) ? functionsBy(client, 'fcall') : client);

  /** Calls a function, on a cluster with every key that it may touch; `gone` is for a reference that leads nowhere there. */
  async function call<Keys, Args, Result>(
    generated: Call<Keys, Args, Result>,
    keys: Keys & ReferenceKeys,
    args: Args,
    gone?: Result,
  ): Promise<Result> {
    if (!isCluster(client)) return generated(functions, keys, args);
    // What reads an index or asks a replica may need no function of the library.
    if (!isReady) await ready();
    return withWholeKeys(client, functions, keys, (whole) => generated(functions, whole, args), gone);
  }

  return {
    isCluster: isCluster(client),
    /** What the client puts before every key of a command, but not into a pattern. */
    keyPrefix: client.options.keyPrefix ?? '',
    /** Loads or checks the library, once. */
    ready,
    /** The functions. If the server turns out to have lost the library, it is loaded again, or LIBRARY_MISSING is thrown. */
    functions,
    call,
    /** Calls a function that starts a job and, if that is asked for, waits for replicas and returns how many have it. */
    async start<Keys, Args, Result>(
      generated: Call<Keys, Args, Result>,
      keys: Keys & ReferenceKeys,
      args: Args,
      { replicas, timeoutMs = 1000 }: ReplicaOptions,
    ): Promise<[result: Result, replicas: { replicas?: number }]> {
      checkCount('replicas', replicas);
      checkMilliseconds('timeoutMs', timeoutMs);
      if (replicas === undefined) return [await call(generated, keys, args), {}];
      const whole = isCluster(client) ? withFurtherKeys(keys) : keys;
      return callAndWait(client, [replicas, timeoutMs], (waiting) => generated(withLibrary(waiting), whole, args));
    },
    /** Reads the JSON of a state; from a replica if that was asked for and the client scales its reads. */
    async get(keys: ReferenceKeys, from: 'master' | 'replica'): Promise<string | null> {
      if (!isCluster(client)) return convGet(functions, keys);
      if (!isReady) await ready();
      return readState(client, functions, keys, from);
    },
    /** Sends a command that reads one key, to its master. */
    read: (command: string, ...args: string[]): Promise<unknown> =>
      (isCluster(client) ? readMaster(client, command, ...args) : client.call(command, ...args)).catch(rethrow),
    /** Every key that matches a pattern, in batches, each key once. */
    async *scan(pattern: string): AsyncGenerator<string[]> {
      try {
        yield* scanKeys(client, pattern);
      } catch (error) {
        throw fromClient(error);
      }
    },
  };
}
