import type { Cluster, Redis } from 'ioredis';
import { CONVERSATION, FUNCTIONS, type FunctionClient, JOB_INDEX } from '../conversation.gen.ts';
import { ConversationError, fromClient } from '../errors.ts';
import { furtherKeys, jobIndexKey } from '../keys/conversation-keys.ts';

/** How often a conversation may change hands under a call before the call gives up. */
const ATTEMPTS = 16;

export function isCluster(client: Redis | Cluster): client is Cluster {
  return client.isCluster;
}

/**
 * The functions on a cluster. A call that touches a key it has not declared reads nil where that key is on the move, so
 * every call declares all keys it may touch. What a reference leaves out is read first.
 */
export function clusterFunctions(cluster: Cluster): FunctionClient {
  return {
    fcall: (name, numkeys, ...sent) => call(cluster, name, sent.slice(0, numkeys), sent.slice(numkeys)),
    fcall_ro: (name, numkeys, ...sent) => read(cluster, name, sent.slice(0, numkeys)),
  };
}

function fcall(cluster: Cluster, name: string, numkeys: number, ...sent: string[]): Promise<unknown> {
  return send(cluster, 'fcall', name, String(numkeys), ...sent);
}

/** The two keys that a call may name its conversation by, and the stream behind them. */
interface Named {
  prefix: string;
  conversation: string | undefined;
  job: string | undefined;
  rest: string[];
}

function named(keys: string[]): Named | undefined {
  const [first, second] = keys as [string, string?];
  // A prefix holds none of these names, an id may hold any: the first in a key is the one that counts.
  const found = new RegExp(`^(.*?)(${CONVERSATION}|${JOB_INDEX})`, 's').exec(first);
  if (!found) return undefined;
  const [, prefix, kind] = found as unknown as [whole: string, prefix: string, kind: string];
  if (kind === JOB_INDEX) return { prefix, conversation: undefined, job: first, rest: keys.slice(1) };
  const job = second?.startsWith(prefix + JOB_INDEX) ? second : undefined;
  return { prefix, conversation: first, job, rest: keys.slice(job === undefined ? 1 : 2) };
}

async function call(cluster: Cluster, name: string, keys: string[], args: string[]): Promise<unknown> {
  const given = named(keys);
  if (!given) return fcall(cluster, name, keys.length, ...keys, ...args);
  let before: string | undefined;
  let lapsed: unknown;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const found = await completed(cluster, given);
    // Of a job that lapsed and is off the watch now, nobody else will hear.
    if (found === null) return lapsed ?? goneReply(name);
    const { conversation } = found;
    const declared = declaredKeys(name, found);
    const reply = await fcall(cluster, name, declared.length, ...declared, ...args);
    const isWhole = given.conversation !== undefined && given.job !== undefined;
    // An index that leads to the same conversation again is one that its job does not hold.
    if (isWhole || !hasMissed(reply, given) || (given.job && conversation === before)) return reply;
    before = conversation;
    if (outcomeOf(reply) === 'lapsed') lapsed = reply;
  }
  throw new ConversationError(
    'CONVKEY',
    `the conversation changed hands ${ATTEMPTS} times while this call looked for its keys; name channel and job`,
  );
}

/**
 * Every key that a function may touch, and no other: while a slot moves, a call waits where some of its keys are there
 * and others are not.
 */
function declaredKeys(name: string, { prefix, conversation, job, rest }: Named): string[] {
  const pair = [conversation, job].filter((key) => key !== undefined);
  return [...pair, ...(conversation === undefined ? [] : furtherKeysOf(name, prefix, conversation)), ...rest];
}

/** The keys that a function may touch besides those of its reference and a stream. */
export function furtherKeysOf(name: string, prefix: string, conversation: string): string[] {
  const touched: readonly string[] = FUNCTIONS.find((known) => known.name === name)?.keys ?? [];
  return Object.entries(furtherKeys(prefix, conversation)).flatMap(([kind, key]) =>
    touched.includes(kind) ? [key] : [],
  );
}

/** What a function replies where there is no conversation: it is not called, because nobody could declare its keys. */
function goneReply(name: string): unknown {
  const parts = FUNCTIONS.find((known) => known.name === name)?.reply.length ?? 1;
  return parts === 1 ? null : ['gone', null];
}

/** Whether a call may have missed its conversation, because it changed hands after its keys were read. */
function hasMissed(reply: unknown, given: Named): boolean {
  const outcome = outcomeOf(reply);
  if (outcome === null || outcome === 'gone') return true;
  // Where the caller named no job, these are of the one that was read.
  return given.job === undefined && (outcome === 'held' || outcome === 'lapsed');
}

function outcomeOf(reply: unknown): unknown {
  return Array.isArray(reply) ? reply[0] : reply;
}

/** A reference with both its keys, as far as they can be found; null where there is no conversation. */
async function completed(cluster: Cluster, given: Named): Promise<Named | null> {
  if (given.conversation === undefined) {
    const conversation = await conversationOf(cluster, given, true);
    return conversation === null ? null : { ...given, conversation };
  }
  if (given.job !== undefined) return given;
  const job = await jobOf(cluster, given.prefix, given.conversation);
  return job === null ? null : { ...given, job };
}

/** The conversation key that a job's index holds; undefined where it holds anything else, which the function refuses. */
async function conversationOf(
  cluster: Cluster,
  { prefix, job }: Named,
  master: boolean,
): Promise<string | undefined | null> {
  // GETEX is GET for the master alone: a command that may write is not sent to a replica.
  const found = await send(cluster, master ? 'getex' : 'get', job ?? '');
  if (typeof found !== 'string') return null;
  const clientKeyPrefix = cluster.options.keyPrefix ?? '';
  return found.startsWith(`${clientKeyPrefix}${prefix}${CONVERSATION}`)
    ? found.slice(clientKeyPrefix.length)
    : undefined;
}

/** The index key of the job that holds a channel; undefined where nobody can read which one does. */
async function jobOf(cluster: Cluster, prefix: string, conversation: string): Promise<string | undefined | null> {
  try {
    const text = await fcall(cluster, 'conv_get', 1, conversation);
    return typeof text === 'string' ? jobIndexKey(prefix, JSON.parse(text).jobId) : null;
  } catch (error) {
    // Its call then touches no index.
    if (error instanceof SyntaxError || /^CONVCORRUPT /.test((error as Error).message)) return undefined;
    throw error;
  }
}

/**
 * Reads from a replica where the client scales its reads, and from the master where the replica has nothing or cannot
 * answer, so that a replica that lags behind, or whose slots move, never hides a conversation.
 */
async function read(cluster: Cluster, name: string, keys: string[]): Promise<unknown> {
  const given = named(keys);
  if (given && cluster.options.scaleReads !== 'master') {
    const reply = await readFrom(cluster, name, given, false).catch(() => null);
    if (reply !== null) return reply;
  }
  return given ? readFrom(cluster, name, given, true) : fcall(cluster, name, keys.length, ...keys);
}

async function readFrom(cluster: Cluster, name: string, given: Named, master: boolean): Promise<unknown> {
  const conversation = given.conversation ?? (await conversationOf(cluster, given, master));
  if (conversation === null) return null;
  const keys = [conversation, given.job].filter((key) => key !== undefined);
  return send(cluster, master ? 'fcall' : 'fcall_ro', name, String(keys.length), ...keys);
}

/**
 * Sends a command to the node of its keys. ioredis waits for a slot that moves, but not for a command that
 * autopipelining put into a pipeline: that one did nothing, and is sent again alone.
 */
export async function send(cluster: Cluster, name: string, ...args: string[]): Promise<unknown> {
  try {
    return await cluster.call(name, ...args);
  } catch (error) {
    if (!isMisdirected(error)) throw error;
    if (redirectionsExhausted(error)) throw unavailable(error);
  }
  return sendAlone(cluster, name, args);
}

/** Sends a command that reads to the master of its key: a replica may not have what has just come. */
export function readMaster(cluster: Cluster, name: string, ...args: string[]): Promise<unknown> {
  // ioredis sends to replicas what it knows, by a name in lower case, as a command that only reads.
  return sendAlone(cluster, name.toUpperCase(), args);
}

async function sendAlone(cluster: Cluster, name: string, args: string[]): Promise<unknown> {
  const { keyPrefix = '' } = cluster.options;
  // Not at the top: who has the package without its client is told so by the command line.
  const { Command } = await import('ioredis');
  try {
    return await cluster.sendCommand(new Command(name, args, { keyPrefix, replyEncoding: 'utf8' }));
  } catch (error) {
    throw isMisdirected(error) ? unavailable(error) : error;
  }
}

/** Whether ioredis has waited for as long as it was told to. */
function redirectionsExhausted(error: unknown): boolean {
  return (error as Error).message.startsWith('Too many Cluster redirections');
}

export function unavailable(error: unknown): ConversationError {
  return new ConversationError(
    'CLUSTER_UNAVAILABLE',
    'the slot of the conversation is still moving, or no node serves it, and the client has used up its ' +
      'maxRedirections; try again later, or give the Cluster client more of them',
    fromClient(error),
  );
}

/** Whether a command did nothing because its slot is elsewhere, is on the move, or is served by nobody yet. */
export function isMisdirected(error: unknown): boolean {
  const misdirected = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN) |^All keys in the pipeline |^Too many Cluster redirections/;
  return misdirected.test((error as Error).message);
}
