import type { Cluster, Redis } from 'ioredis';
import { convGet, type FunctionClient } from '../conversation.gen.ts';
import { ConversationError } from '../errors.ts';
import { jobIndexKey, type ReferenceKeys } from '../keys/keys.ts';

/** How often a conversation may change hands under a call before the call gives up. */
const ATTEMPTS = 16;

export function isCluster(client: Redis | Cluster): client is Cluster {
  return client.isCluster;
}

/** The functions on a cluster. With `master`, those that only read are not sent to a replica either. */
export function clusterFunctions(cluster: Cluster, { master = false } = {}): FunctionClient {
  const fcall = (name: string, numkeys: number, ...args: string[]) =>
    send(cluster, 'fcall', name, String(numkeys), ...args);
  const fcall_ro = (name: string, numkeys: number, ...args: string[]) =>
    send(cluster, 'fcall_ro', name, String(numkeys), ...args);
  return { fcall, fcall_ro: master ? fcall : fcall_ro };
}

/**
 * Reads a conversation: from a replica where the client scales its reads, and from the master where the replica has
 * none or cannot answer, so that a replica that lags behind, or whose slots move, never hides a conversation.
 */
export async function readConversation(cluster: Cluster, keys: ReferenceKeys): Promise<string | null> {
  if (cluster.options.scaleReads !== 'master') {
    const text = await readFrom(cluster, keys, false).catch(() => null);
    if (text !== null) return text;
  }
  return readFrom(cluster, keys, true);
}

async function readFrom(cluster: Cluster, keys: ReferenceKeys, master: boolean): Promise<string | null> {
  const declared = keys.conversation === undefined ? await withConversation(cluster, keys, master) : keys;
  return declared && convGet(clusterFunctions(cluster, { master }), declared);
}

/**
 * Makes a call that declares both keys: one that touches a key it has not declared reads nil where that key is on the
 * move. What a reference of one key leaves out is read first, by that key alone; where the call then `missed` because
 * the conversation changed hands in between, both again.
 * @returns null where there is no conversation
 */
export async function withBothKeys<T>(
  cluster: Cluster,
  keys: ReferenceKeys,
  call: (keys: ReferenceKeys) => Promise<T>,
  missed: (reply: T) => boolean,
): Promise<T | null> {
  if (keys.conversation !== undefined && keys.job !== undefined) return call(keys);
  let before: string | undefined;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const both =
      keys.conversation === undefined
        ? await withConversation(cluster, keys, true)
        : await withJob(cluster, keys as ReferenceKeys & { conversation: string });
    if (both === null) return null;
    const reply = await call(both);
    // An index that leads to the same conversation again is one that its job does not hold.
    if (!missed(reply) || (keys.job !== undefined && both.conversation === before)) return reply;
    before = both.conversation;
  }
  throw new ConversationError(
    'CONVKEY',
    `the conversation changed hands ${ATTEMPTS} times while this call looked for its keys; name channel and job`,
  );
}

/** A reference by job with the conversation that its index leads to. */
async function withConversation(cluster: Cluster, keys: ReferenceKeys, master: boolean): Promise<ReferenceKeys | null> {
  // GETEX is GET for the master alone: a command that may write is not sent to a replica.
  const found = await send(cluster, master ? 'getex' : 'get', keys.job ?? '');
  if (typeof found !== 'string') return null;
  const outer = cluster.options.keyPrefix ?? '';
  if (!found.startsWith(`${outer}${keys.prefix}conversation:`)) {
    throw new ConversationError('CONVCORRUPT', 'the job index holds no conversation key of its own prefix');
  }
  return { ...keys, conversation: found.slice(outer.length) };
}

/** A reference by channel with the job that holds it. */
async function withJob(
  cluster: Cluster,
  keys: ReferenceKeys & { conversation: string },
): Promise<ReferenceKeys | null> {
  const { prefix, conversation } = keys;
  try {
    const text = await convGet(clusterFunctions(cluster, { master: true }), { conversation });
    return text === null ? null : { prefix, conversation, job: jobIndexKey(prefix, JSON.parse(text).jobId) };
  } catch (error) {
    // What cannot be read names no job, and its call touches no other key.
    if (error instanceof SyntaxError || (error instanceof Error && error.message.startsWith('CONVCORRUPT ')))
      return keys;
    throw error;
  }
}

/**
 * Sends a command to the node of its keys. ioredis follows a slot that moves, but not for a command in a pipeline, also
 * one of autopipelining, in which another command succeeded: such a command did nothing, and is sent again alone.
 */
async function send(cluster: Cluster, command: string, ...args: string[]): Promise<unknown> {
  try {
    return await cluster.call(command, ...args);
  } catch (error) {
    if (!isMisdirected(error)) throw error;
  }
  const [[error, reply] = [null, null]] =
    (await cluster
      .pipeline()
      .call(command, ...args)
      .exec()) ?? [];
  if (error) throw error;
  return reply;
}

/** Whether a command did nothing because its slot is elsewhere, is on the move, or is served by nobody yet. */
export function isMisdirected(error: unknown): boolean {
  return error instanceof Error && /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN) |^All keys in the pipeline /.test(error.message);
}
