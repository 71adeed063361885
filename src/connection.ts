import type { Cluster, Redis } from 'ioredis';
import { checkClient, checkCount, checkMilliseconds } from './arguments.ts';
import { isCluster, readMaster } from './cluster/cluster.ts';
import { callAndWait, type Durability } from './cluster/replicas.ts';
import { scanKeys } from './cluster/scan.ts';
import { masterFunctions, readState, withWholeKeys } from './cluster/whole-keys.ts';
import { convGet, type FunctionClient, LIBRARY_NAME, LIBRARY_VERSION } from './conversation.gen.ts';
import { fromClient, invalidArgument, isFunctionMissing } from './errors.ts';
import { type ReferenceKeys, withFurtherKeys } from './keys/conversation-keys.ts';
import { isAbsent } from './library/decision.ts';
import { prepareLibrary } from './library/loading.ts';
import type { Log } from './log.ts';

/** How often a call is made where the library is found missing: on a cluster one node after the other may lack it. */
const CALL_ATTEMPTS = 3;

/** A generated function. */
type Call<Keys, Args, Result> = (functions: FunctionClient, keys: Keys, args: Args) => Promise<Result>;

/** The way to a server or a cluster with the library on it. Calls are the same for both. */
export interface Connection {
  /** The functions. Where the server turns out to have lost the library, it is loaded again, or LIBRARY_MISSING is thrown. */
  functions: FunctionClient;
  /**
   * Calls a function, on a cluster with every key that it may touch. There, `gone` is returned where the key that `keys`
   * leaves out leads to no conversation.
   */
  call<Keys, Args, Result>(
    call: Call<Keys, Args, Result>,
    keys: Keys & ReferenceKeys,
    args: Args,
    gone?: Result,
  ): Promise<Result>;
  /** Calls a function with both its keys, waits for replicas to have what it wrote, and returns how many have it. */
  callAndWait<Keys, Args, Result>(
    call: Call<Keys, Args, Result>,
    keys: Keys & ReferenceKeys,
    args: Args,
    durability: Durability,
  ): Promise<[result: Result, count: number]>;
  /** Reads the JSON of a state; from a replica where that was asked for and the client scales its reads. */
  get(keys: ReferenceKeys, from: 'master' | 'replica'): Promise<string | null>;
  /** Sends a command that reads one key, to its master. */
  read(command: string, ...args: string[]): Promise<unknown>;
  /** Every key that matches a pattern, in batches, each key once. */
  scan(pattern: string): AsyncGenerator<string[]>;
  isCluster: boolean;
  /** What the client puts before every key of a command, but not into a pattern. */
  keyPrefix: string;
  /** Loads or checks the library, once. */
  ready(): Promise<void>;
}

/** @throws ConversationError INVALID_ARGUMENT */
export function connect(client: Redis | Cluster, load: 'auto' | 'never', log: Log): Connection {
  checkClient(client);
  if (load !== 'auto' && load !== 'never') throw invalidArgument("load must be 'auto' or 'never'");
  let preparing: Promise<void> | undefined;
  let isReady = false;
  let missed = false;

  async function prepare(): Promise<void> {
    const loaded = await prepareLibrary(client, { load, missed });
    if (loaded > 0) log.debug(`library ${LIBRARY_NAME} ${LIBRARY_VERSION} loaded`);
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
        if (!isFunctionMissing(error)) throw fromClient(error);
        if (attempt === CALL_ATTEMPTS) throw isAbsent(null, 'the server, which has lost it again and again,');
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
  const functions = withLibrary(isCluster(client) ? masterFunctions(client) : client);
  return {
    functions,
    call: (call, keys, args, gone) =>
      isCluster(client)
        ? withWholeKeys(client, functions, keys, (whole) => call(functions, whole, args), gone)
        : call(functions, keys, args),
    callAndWait(call, keys, args, durability) {
      const whole = isCluster(client) ? withFurtherKeys(keys) : keys;
      checkCount('replicas', durability.replicas);
      checkMilliseconds('timeoutMs', durability.timeoutMs);
      return callAndWait(client, durability, (waiting) => call(withLibrary(waiting), whole, args));
    },
    get: (keys, from) => (isCluster(client) ? readState(client, functions, keys, from) : convGet(functions, keys)),
    async *scan(pattern) {
      try {
        yield* scanKeys(client, pattern);
      } catch (error) {
        throw fromClient(error);
      }
    },
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
