import { checkChannel, checkId, checkObject, flat } from '../arguments.ts';
import { CONVERSATION, HANDLED, INBOX, JOB_INDEX, WATCH } from '../conversation.gen.ts';
import { invalidArgument } from '../errors.ts';
import type { Fields } from '../options.ts';
import type { ChannelReference, ConversationReference, FencedReference, JobReference } from '../state.ts';
import { type Keyspace, prefixOf } from './prefix.ts';

/** The keys that a call declares, and what stands before them. */
export interface ReferenceKeys {
  prefix: string;
  conversation?: string;
  job?: string;
  successor?: string;
  stream?: string;
}

/** `{prefix}conversation:{platform, lower case}:{channelId}` */
export function conversationKey(prefix: string, platform: string, channelId: string): string {
  checkChannel(platform, channelId);
  return `${prefix}${CONVERSATION}${platform.toLowerCase()}:${channelId}`;
}

/** `{prefix}job-index:{jobId}` */
export function jobIndexKey(prefix: string, jobId: string): string {
  return `${prefix}${JOB_INDEX}${checkId('jobId', jobId)}`;
}

/** `{prefix}conversation-watch` */
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
