import type { Cluster } from 'ioredis';
import { CONVERSATION, convGet, type FunctionClient } from '../conversation.gen.ts';
import { ConversationError, isConversationError, rethrow } from '../errors.ts';
import { jobIndexKey, type ReferenceKeys, withFurtherKeys } from '../keys.ts';
import { send } from './cluster.ts';

// A call that touches a key it has not declared reads nil where that key is on the move, so on a cluster every call
// declares all keys that it may touch. What a reference leaves out, the job or the channel, is read first.

/** How often a conversation may change hands under a call before the call gives up. */
const ATTEMPTS = 16;

/** The functions, by FCALL on the master of their keys, or by FCALL_RO wherever the client sends reads. */
export function functionsBy(cluster: Cluster, command: 'fcall' | 'fcall_ro'): FunctionClient {
  const fcall: FunctionClient['fcall'] = (name, numkeys, ...sent) =>
    send(cluster, command, name, String(numkeys), ...sent);
  return { fcall, fcall_ro: fcall };
}

/**
 * Runs a call with both keys of its conversation and all others that it may touch. `gone` is returned if there is no
 * conversation to find the other key by; without it, the call is made with the keys that are known.
 * @throws ConversationError CONVKEY if the conversation changes hands again and again
 */
export async function withWholeKeys<Keys extends ReferenceKeys, Result>(
  cluster: Cluster,
  functions: FunctionClient,
  given: Keys,
  run: (keys: Keys) => Promise<Result>,
  gone: Result | undefined,
): Promise<Result> {
  if (given.conversation !== undefined && given.job !== undefined) return run(withFurtherKeys(given));
  let before: string | undefined;
  // Nobody else will report a job that lapsed and is off the watch now.
  let lapsed: Result | undefined;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const found = await otherKey(cluster, functions, given);
    if (found === null && gone !== undefined) return lapsed ?? gone;
    const result = await run(withFurtherKeys({ ...given, ...found }));
    const other = given.conversation === undefined ? found?.conversation : found?.job;
    // A job whose index leads to the same channel twice does not hold it.
    const isSettled = other === undefined || (given.conversation === undefined && other === before);
    if (isSettled || !hasMissed(result, given, other)) {
      return lapsed && partsOf(result).outcome === 'gone' ? lapsed : result;
    }
    before = other;
    if (partsOf(result).outcome === 'lapsed') lapsed = result;
  }
  throw new ConversationError(
    'CONVKEY',
    `the conversation changed hands ${ATTEMPTS} times while this call looked for its keys; name channel and job`,
  );
}

/** Whether a call may have missed its conversation, because it changed hands after its keys were read. */
function hasMissed(result: unknown, given: ReferenceKeys, read: string): boolean {
  const { outcome, state } = partsOf(result);
  if (result === null || outcome === 'gone') return true;
  if (given.job !== undefined) return false;
  // Where the caller named no job, these are of the one that was read. That one itself is `held` where it has given a sign
  // of life and `retry` is asked for.
  return outcome === 'lapsed' || (outcome === 'held' && keyOfJob(given, state) !== read);
}

function partsOf(result: unknown): { outcome?: unknown; state?: unknown } {
  return result && typeof result === 'object' ? result : {};
}

function keyOfJob({ prefix }: ReferenceKeys, state: unknown): string {
  return jobIndexKey(prefix, JSON.parse(String(state)).jobId);
}

/** The key that a reference leaves out: null if there is no conversation, empty if it cannot be read. */
async function otherKey(
  cluster: Cluster,
  functions: FunctionClient,
  given: ReferenceKeys,
): Promise<Partial<ReferenceKeys> | null> {
  if (given.conversation === undefined) return readIndex(cluster, given, 'getex');
  try {
    const text = await convGet(functions, given);
    return text === null ? null : { job: keyOfJob(given, text) };
  } catch (error) {
    // Its call then touches no index.
    if (isConversationError(error, 'CONVCORRUPT')) return {};
    throw error;
  }
}

/**
 * The conversation key that a job's index holds; empty if it holds anything else, which the function refuses. GETEX is
 * GET for the master alone: a command that may write is not sent to a replica.
 */
async function readIndex(
  cluster: Cluster,
  { prefix, job = '' }: ReferenceKeys,
  command: 'get' | 'getex',
): Promise<Partial<ReferenceKeys> | null> {
  const found = await send(cluster, command, job).catch(rethrow);
  if (typeof found !== 'string') return null;
  const { keyPrefix = '' } = cluster.options;
  const isKey = found.startsWith(`${keyPrefix}${prefix}${CONVERSATION}`);
  return isKey ? { conversation: found.slice(keyPrefix.length) } : {};
}

/**
 * Reads a conversation from a replica if the client scales its reads, and from the master if the replica has nothing or
 * cannot answer: a replica that lags behind, or whose slots move, must not hide a conversation.
 */
export async function readState(
  cluster: Cluster,
  functions: FunctionClient,
  keys: ReferenceKeys,
  from: 'master' | 'replica',
): Promise<string | null> {
  const read = async (command: 'get' | 'getex', reader: FunctionClient) => {
    const found = keys.conversation === undefined ? await readIndex(cluster, keys, command) : {};
    return found && convGet(reader, { ...keys, ...found });
  };
  if (from === 'replica' && cluster.options.scaleReads !== 'master') {
    const text = await read('get', functionsBy(cluster, 'fcall_ro')).catch(() => null);
    if (text !== null) return text;
  }
  return read('getex', functions);
}
