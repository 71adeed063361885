import { createHash, randomUUID } from 'node:crypto';
import { checkBoolean, checkChannel, checkId, checkObject, checkPlatform, checkPrefix, flat } from './arguments.ts';
import { CONVERSATION, HANDLED, INBOX, JOB_INDEX, WATCH } from './conversation.gen.ts';
import { invalidArgument } from './errors.ts';
import type { Fields } from './options.ts';
import type { ChannelReference, ConversationReference, FencedReference, JobReference } from './state.ts';

/** Where a store's keys are. */
export interface Keyspace {
  /** Before every key. */
  prefix: string;
  /** Whether the hash tag of the conversation's partition follows it. */
  sharded: boolean;
}

/** Checks that the kinds of keys can be told apart and that, on a cluster, the keys of a conversation are in one slot. */
export function checkKeyspace(
  { prefix = '', sharded = false }: { prefix?: string | undefined; sharded?: boolean | undefined },
  cluster: boolean,
  clientKeyPrefix = '',
): Keyspace {
  checkPrefix('prefix', prefix);
  checkPrefix("the client's keyPrefix with the prefix behind it", clientKeyPrefix + prefix);
  checkBoolean('sharded', sharded);
  if (sharded && (clientKeyPrefix + prefix).includes('{')) {
    throw invalidArgument(
      'prefix must not contain "{" if sharded is true: each conversation has a hash tag of its own',
    );
  }
  if (cluster && !sharded && !/^[^{]*\{[^}]+\}/.test(clientKeyPrefix + prefix)) {
    throw invalidArgument(
      'a cluster needs the keys of a conversation in one slot: give a prefix with a hash tag, such as "{agentsmith}:", ' +
        'to have everything under it in one slot, or sharded: true to spread the conversations over all slots',
    );
  }
  return { prefix, sharded };
}

/** What stands before the keys of a conversation. */
export function prefixOf({ prefix, sharded }: Keyspace, ref: Partial<ChannelReference & JobReference>): string {
  if (!sharded) return prefix;
  const byJob = ref.jobId === undefined ? undefined : JOB_ID.exec(checkId('jobId', ref.jobId))?.[1];
  if (ref.jobId !== undefined && byJob === undefined) throw invalidArgument(`jobId was not made by newJobId; ${MAKE}`);
  if (ref.platform === undefined || ref.channelId === undefined) return `${prefix}{${byJob}}:`;
  checkChannel(ref.platform, ref.channelId);
  const byChannel = partitionOf(ref.platform, ref.channelId);
  if (byJob !== undefined && byJob !== byChannel) throw invalidArgument(`jobId was made for another channel; ${MAKE}`);
  return `${prefix}{${byChannel}}:`;
}

const MAKE = 'with sharded: true, make job ids with newJobId({ platform, channelId }) of their channel';

/** A new job id for a channel, which carries its partition: 45 lower-case letters, digits and hyphens. */
export function newJobId(channel: ChannelReference): string {
  const { platform, channelId } = checkObject('the channel', channel);
  checkChannel(platform, channelId);
  return `job-${partitionOf(platform, channelId)}-${randomUUID()}`;
}

/** Every prefix that a conversation of a store can have, as many at a time as are asked at once. */
export function* prefixesOf({ prefix, sharded }: Keyspace): Generator<string[]> {
  if (!sharded) return yield [prefix];
  for (let first = 0; first < PARTITIONS; first += 64) {
    yield Array.from({ length: 64 }, (_, n) => `${prefix}{${partitionName(first + n)}}:`);
  }
}

/** What SCAN finds the conversations by, of one platform or all. */
export function conversationPattern(space: Keyspace, platform: string | undefined): string {
  if (platform === undefined) return keyPattern(space, CONVERSATION);
  checkPlatform(platform);
  return keyPattern(space, `${CONVERSATION}${platform.toLowerCase()}:`);
}

/** What SCAN finds the keys by that begin with a name behind the store's prefix. */
export function keyPattern({ prefix, sharded }: Keyspace, name: string): string {
  const before = prefix.replace(/[\\*?[\]^-]/g, '\\$&') + (sharded ? '{[0-1][0-7][0-7][0-7]}:' : '');
  return `${before}${name}*`;
}

/** How many partitions there are: one for every 16 slots of a Redis Cluster. */
export const PARTITIONS = 1024;

/** The first two bytes of the SHA-256 of `{platform, lower case}:{channelId}`, modulo 1024, name the partition. */
export function partitionOf(platform: string, channelId: string): string {
  const hash = createHash('sha256').update(`${platform.toLowerCase()}:${channelId}`).digest();
  return partitionName(hash.readUInt16BE(0) % PARTITIONS);
}

/**
 * The name of a partition by its number from 0 to 1023: four octal digits. As hash tags these names spread evenly, one
 * for every 16 slots: the CRC16 of a key is linear in its bits, and the ten in which they differ reach the ten upper bits.
 */
export function partitionName(number: number): string {
  return number.toString(8).padStart(4, '0');
}

const JOB_ID = /^job-([01][0-7]{3})-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The keys that a call declares, and what stands before them. */
export interface ReferenceKeys {
  prefix: string;
  conversation?: string;
  job?: string;
  successor?: string;
  stream?: string;
}

export function conversationKey(prefix: string, platform: string, channelId: string): string {
  checkChannel(platform, channelId);
  return `${prefix}${CONVERSATION}${platform.toLowerCase()}:${channelId}`;
}

export function jobIndexKey(prefix: string, jobId: string): string {
  return `${prefix}${JOB_INDEX}${checkId('jobId', jobId)}`;
}

export function watchKey(prefix: string): string {
  return `${prefix}${WATCH}`;
}

/** An entry of the watch: `{jobId}` newline `{conversation key}`. An id holds no newline. */
export function watchMember(jobId: string, conversation: string): string {
  return `${jobId}\n${conversation}`;
}

/** The further keys of a conversation, by the prefix and the conversation key. */
export function furtherKeys(prefix: string, conversation: string) {
  const channel = conversation.slice(prefix.length + CONVERSATION.length);
  return { inbox: `${prefix}${INBOX}${channel}`, handled: `${prefix}${HANDLED}${channel}`, watch: watchKey(prefix) };
}

/** The keys of a call and, where it names the channel, all others that any function may touch for it. */
export function withFurtherKeys<Keys extends ReferenceKeys>(keys: Keys): Keys {
  return keys.conversation === undefined ? keys : { ...keys, ...furtherKeys(keys.prefix, keys.conversation) };
}

export function inboxKey(space: Keyspace, ref: ConversationReference): string {
  const { prefix, conversation } = referenceKeys(space, ref);
  if (conversation === undefined) throw invalidArgument('an inbox is named by { platform, channelId }');
  return furtherKeys(prefix, conversation).inbox;
}

/** The channel that a conversation key of this prefix names, its platform in lower case. */
export function channelOf(prefix: string, conversation: string): ChannelReference | undefined {
  const begin = `${prefix}${CONVERSATION}`;
  const [, platform, channelId] = /^([^:]+):(.+)$/s.exec(conversation.slice(begin.length)) ?? [];
  if (!conversation.startsWith(begin) || platform === undefined || channelId === undefined) return undefined;
  return { platform, channelId };
}

export function pairKeys(space: Keyspace, state: ChannelReference & JobReference) {
  const { platform, channelId, jobId } = checkObject('the state', state);
  const prefix = prefixOf(space, { platform, channelId, jobId });
  return { prefix, conversation: conversationKey(prefix, platform, channelId), job: jobIndexKey(prefix, jobId) };
}

/** The keys of a hand-over, from a job to the job of a state. */
export function handOverKeys(space: Keyspace, job: FencedReference, next: ChannelReference & JobReference) {
  const { prefix, conversation, job: successor } = pairKeys(space, next);
  const outgoing = referenceKeys(space, job);
  if (outgoing.job === undefined) throw invalidArgument('job must name the outgoing job by its jobId');
  if (outgoing.prefix !== prefix || (outgoing.conversation ?? conversation) !== conversation) {
    throw invalidArgument('job and next must be of one channel');
  }
  return { prefix, conversation, job: outgoing.job, successor };
}

/**
 * The keys of a reference: one for each of channel and job that it names. A member that is there but undefined is an
 * error, because leaving out the job would lift the fence.
 */
export function referenceKeys(space: Keyspace, ref: ConversationReference): ReferenceKeys {
  if (typeof ref !== 'object' || ref === null) throw invalidArgument(WANTED);
  const { platform, channelId, jobId } = ref as ChannelReference & JobReference;
  const byChannel = 'platform' in ref || 'channelId' in ref;
  const byJob = 'jobId' in ref;
  if (!byChannel && !byJob) throw invalidArgument(WANTED);
  const keys: ReferenceKeys = { prefix: prefixOf(space, ref) };
  if (byChannel) keys.conversation = conversationKey(keys.prefix, platform, channelId);
  if (byJob) keys.job = jobIndexKey(keys.prefix, jobId);
  return keys;
}

export function jobKeys(space: Keyspace, jobId: string) {
  const prefix = prefixOf(space, { jobId });
  return { prefix, job: jobIndexKey(prefix, jobId) };
}

export function keyBeside(space: Keyspace, ref: ConversationReference, name: string): string {
  if (typeof name !== 'string') throw invalidArgument('name must be a string');
  return referenceKeys(space, ref).prefix + name;
}

/** The keys of a call that may write to a stream, and the fields for that stream. */
export function withStream<Keys extends ReferenceKeys>(
  keys: Keys,
  { stream, fields }: { stream?: string | undefined; fields?: Fields | undefined },
): { keys: Keys; rest: string[] | undefined } {
  if (stream === undefined && fields === undefined) return { keys, rest: undefined };
  if (stream === undefined || fields === undefined) throw invalidArgument('stream and fields go together');
  if (keys.job === undefined) {
    throw invalidArgument('a call with a stream must name the job: use a reference with jobId');
  }
  if (typeof stream !== 'string' || !stream.startsWith(keys.prefix) || stream === keys.prefix) {
    throw invalidArgument(
      `stream must be a whole key that begins with ${JSON.stringify(keys.prefix)}, as store.key(ref, name) returns it`,
    );
  }
  checkPrefix('stream', stream);
  return { keys: { ...keys, stream }, rest: flat('fields', fields) };
}

/**
 * The job that an entry of the watch under this prefix names; undefined if no call of the store can name it.
 * `clientKeyPrefix` is what the client puts before every key, which the entry has too.
 */
export function watchedJob(
  space: Keyspace,
  clientKeyPrefix: string,
  prefix: string,
  { jobId, conversation }: { jobId: string; conversation: string },
): (ChannelReference & JobReference) | undefined {
  const channel = channelOf(clientKeyPrefix + prefix, conversation);
  if (!channel) return undefined;
  const job = { jobId, ...channel };
  try {
    return clientKeyPrefix + referenceKeys(space, job).conversation === conversation ? job : undefined;
  } catch {
    // What a sweep finds is not a mistake of its caller.
    return undefined;
  }
}

const WANTED = 'a reference is { platform, channelId }, { jobId }, or all three';
