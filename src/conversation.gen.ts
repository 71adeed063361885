// Generated from ../lua/conversation.lua by `npm run generate`. Do not edit: change the Lua and generate again.
// An argument that is left out is sent as the empty string where a later one is given.

/** The name of the library on the server. */
export const LIBRARY_NAME = 'conversation';

/** The version of the library, major.minor.patch. */
export const LIBRARY_VERSION = '1.0.0';

/** The functions, their flags, the keys that they may touch, and the parts of a reply. One part is no array. */
export const FUNCTIONS = [
  {
    name: 'conv_claim',
    flags: [],
    keys: ['conversation', 'job', 'watch', 'inbox', 'handled'],
    reply: ['outcome', 'state'],
  },
  { name: 'conv_set', flags: [], keys: ['conversation', 'job', 'watch'], reply: ['state'] },
  { name: 'conv_get', flags: ['no-writes'], keys: ['conversation', 'job'], reply: ['state'] },
  { name: 'conv_get_by_job', flags: [], keys: ['conversation', 'job', 'watch'], reply: ['state'] },
  { name: 'conv_update', flags: [], keys: ['conversation', 'job', 'stream', 'handled'], reply: ['outcome', 'state'] },
  { name: 'conv_set_pending', flags: [], keys: ['conversation', 'job'], reply: ['state'] },
  { name: 'conv_answer', flags: [], keys: ['conversation', 'job', 'stream'], reply: ['outcome', 'state'] },
  {
    name: 'conv_remove',
    flags: ['allow-oom'],
    keys: ['conversation', 'job', 'inbox', 'handled', 'watch'],
    reply: ['outcome', 'state'],
  },
  { name: 'conv_due', flags: [], keys: ['watch'], reply: [''] },
  { name: 'conv_version', flags: ['no-writes'], keys: [], reply: ['version'] },
] as const;

/** The codes of the library's own errors: the first words of its error replies. */
export const ERROR_CODES = ['CONVARG', 'CONVCORRUPT', 'CONVJOB', 'CONVKEY', 'CONVSTATE'] as const;

/** A code of the library's own errors. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** What the functions below need of a client. `Redis` and `Cluster` of ioredis have it. */
export interface FunctionClient {
  fcall(name: string, numkeys: number, ...args: string[]): Promise<unknown>;
  fcall_ro(name: string, numkeys: number, ...args: string[]): Promise<unknown>;
}

/** The TTL of a call that names none, in milliseconds. */
export const DEFAULT_TTL = 7200000;

/** The longest time that any argument can say, in milliseconds. */
export const MAX_MILLISECONDS = 999999999999;

/** The most bytes of a job or channel id. */
export const MAX_ID = 512;

/** The most bytes of a question, answer, claim or delivery id. */
export const MAX_QUESTION_ID = 1024;

/** The most bytes of a state as JSON. */
export const MAX_STATE = 262144;

/** The most fields of one entry of a stream. */
export const MAX_FIELDS = 1024;

/** The most entries of an inbox. */
export const INBOX_LENGTH = 1000;

/** The most jobs that one call names as due. */
export const MAX_DUE = 1000;

/** What a conversation key begins with, behind its prefix. */
export const CONVERSATION = 'conversation:';

/** What the key of a job begins with, behind its prefix. */
export const JOB_INDEX = 'job-index:';

/** What the key of an inbox begins with, behind its prefix. */
export const INBOX = 'conversation-inbox:';

/** What the key of the handled deliveries begins with, behind its prefix. */
export const HANDLED = 'conversation-handled:';

/** The key of the watch, behind its prefix. */
export const WATCH = 'conversation-watch';

/** JSON of one ConversationState, at most 262144 bytes. */
export type State = string;

/**
 * A JSON object: the members to put into the state, each value byte for byte. jobId, channelId, platform,
 * pendingQuestionId, lastAnswer, claimId and deliveryId cannot be patched.
 */
export type Patch = string;

/** Whole milliseconds to live, 1 to 999999999999; empty or left out means 7200000 (2 h). */
export type Milliseconds = number;

/**
 * Whole milliseconds without a sign of life after which the job counts as silent, 1 to 999999999999; empty or left out:
 * this call does not change when the job counts as silent.
 */
export type Silence = number;

/** Whole milliseconds, 1 to 999999999999, for which the jobs that are returned are put off. */
export type Lease = number;

/** At most 1024 bytes without control characters. */
export type QuestionId = string;

/**
 * Names this one answer, so that a resend is recognised; at most 1024 bytes without control characters. An empty one is
 * nobody's.
 */
export type AnswerId = string;

/**
 * Names a message, the same in every redelivery of it; at most 1024 bytes without control characters. Empty or left
 * out: the call is not tied to a message.
 */
export type DeliveryId = string;

/** The id of the last inbox entry that the job has read, or `0` where it has read none. */
export type StreamId = string;

/** Both keys of a conversation. */
export interface SetKeys {
  /** `{prefix}conversation:{platform, lower case}:{channelId}` */
  conversation: string;
  /** `{prefix}job-index:{jobId}` */
  job: string;
  /** `{prefix}conversation-watch` */
  watch?: string | undefined;
}

/** Both keys of a conversation. */
export interface ClaimKeys extends SetKeys {
  /** `{prefix}conversation-inbox:{platform, lower case}:{channelId}` */
  inbox?: string | undefined;
  /** `{prefix}conversation-handled:{platform, lower case}:{channelId}` */
  handled?: string | undefined;
}

/**
 * A conversation key, a job-index key, or both. With a job-index key the call works only while that job still holds the
 * channel.
 */
export interface Reference {
  /** `{prefix}conversation:{platform, lower case}:{channelId}` */
  conversation?: string | undefined;
  /** `{prefix}job-index:{jobId}` */
  job?: string | undefined;
}

/** A conversation key, a job-index key, or both. With a job-index key only what that job still holds is removed. */
export interface RemoveReference extends Reference {
  /** `{prefix}conversation-inbox:{platform, lower case}:{channelId}` */
  inbox?: string | undefined;
  /** `{prefix}conversation-handled:{platform, lower case}:{channelId}` */
  handled?: string | undefined;
  /** `{prefix}conversation-watch` */
  watch?: string | undefined;
}

/** A job-index key, alone or behind its conversation key. */
export interface JobReference {
  /** `{prefix}conversation:{platform, lower case}:{channelId}` */
  conversation?: string | undefined;
  /** `{prefix}job-index:{jobId}` */
  job: string;
  /** `{prefix}conversation-watch` */
  watch?: string | undefined;
}

/** A reference and, behind it, the stream that the fields are added to. A stream needs the job named. */
export interface StreamReference extends Reference {
  /** A key of the same prefix. */
  stream?: string | undefined;
}

/** A reference and, behind it, the stream that the fields are added to. A stream needs the job named. */
export interface UpdateReference extends StreamReference {
  /** `{prefix}conversation-handled:{platform, lower case}:{channelId}` */
  handled?: string | undefined;
}

/** The key of the jobs that are watched. */
export interface Watch {
  /** `{prefix}conversation-watch` */
  watch: string;
}

/**
 * Claims a channel for a job: of any number of simultaneous claims, one is told `claimed`. `duplicate`: the message
 * that the state's deliveryId names was handled before, or is the one that started the job. `held`: another claim
 * holds the channel. `queued`: the same, and the fields were added to its inbox. `full`: 1000 entries are in the
 * inbox, and nothing was added. A call that is sent again, with the same claimId, is told the same again. Only
 * `claimed` changes deadlines.
 *
 * @param keys Both keys of a conversation.
 * @param args.state JSON of one ConversationState, at most 262144 bytes.
 * @param args.ttlMs Whole milliseconds to live, 1 to 999999999999; empty or left out means 7200000 (2 h).
 * @param args.silentMs Whole milliseconds without a sign of life after which the job counts as silent, 1 to
 *   999999999999; empty or left out: this call does not change when the job counts as silent.
 * @param args.rest Field and value, in turn, for the inbox; at most 1024 of each. The state then has a claimId and a
 *   deliveryId.
 * @returns `state`: What is stored now. Nil where the message is a duplicate and no job holds the channel. JSON of
 *   one ConversationState, at most 262144 bytes.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVJOB`, `CONVKEY`, `CONVSTATE` or a
 *   code of Redis; a TypeError where the reply is none that this function gives.
 */
export async function convClaim(
  client: FunctionClient,
  keys: ClaimKeys,
  args: {
    state: State;
    ttlMs?: Milliseconds | undefined;
    silentMs?: Silence | undefined;
    rest?: readonly string[] | undefined;
  },
): Promise<{ outcome: 'claimed' | 'held' | 'queued' | 'full' | 'duplicate'; state: State | null }> {
  const sent: string[] = [keys.conversation, keys.job];
  if (keys.watch !== undefined) sent.push(keys.watch);
  if (keys.inbox !== undefined) sent.push(keys.inbox);
  if (keys.handled !== undefined) sent.push(keys.handled);
  const numkeys = sent.length;
  sent.push(args.state);
  if (args.ttlMs !== undefined || args.silentMs !== undefined || args.rest?.length) {
    sent.push(args.ttlMs === undefined ? '' : String(args.ttlMs));
  }
  if (args.silentMs !== undefined || args.rest?.length) {
    sent.push(args.silentMs === undefined ? '' : String(args.silentMs));
  }
  if (args.rest !== undefined) sent.push(...args.rest);
  const reply = await client.fcall('conv_claim', numkeys, ...sent);
  const [outcome, state] = partsOf('conv_claim', reply, 2);
  if (outcome !== 'claimed' && outcome !== 'held' && outcome !== 'queued' && outcome !== 'full' && outcome !== 'duplicate') {
    throw unexpected('conv_claim', "'claimed' | 'held' | 'queued' | 'full' | 'duplicate' as outcome");
  }
  if (typeof state !== 'string' && !isNil(state)) throw unexpected('conv_claim', 'string | null as state');
  return { outcome, state: isNil(state) ? null : state };
}

/**
 * Stores a state whatever stood there: the last write wins, and the index and the watch entry of a displaced job go.
 *
 * @param keys Both keys of a conversation.
 * @param args.state JSON of one ConversationState, at most 262144 bytes.
 * @param args.ttlMs Whole milliseconds to live, 1 to 999999999999; empty or left out means 7200000 (2 h).
 * @param args.silentMs Whole milliseconds without a sign of life after which the job counts as silent, 1 to
 *   999999999999; empty or left out: this call does not change when the job counts as silent.
 * @returns What stood there. JSON of one ConversationState, at most 262144 bytes.
 * @throws The server's error, whose first word is `CONVARG`, `CONVJOB`, `CONVKEY`, `CONVSTATE` or a code of Redis; a
 *   TypeError where the reply is none that this function gives.
 */
export async function convSet(
  client: FunctionClient,
  keys: SetKeys,
  args: { state: State; ttlMs?: Milliseconds | undefined; silentMs?: Silence | undefined },
): Promise<State | null> {
  const sent: string[] = [keys.conversation, keys.job];
  if (keys.watch !== undefined) sent.push(keys.watch);
  const numkeys = sent.length;
  sent.push(args.state);
  if (args.ttlMs !== undefined || args.silentMs !== undefined) {
    sent.push(args.ttlMs === undefined ? '' : String(args.ttlMs));
  }
  if (args.silentMs !== undefined) sent.push(String(args.silentMs));
  const reply = await client.fcall('conv_set', numkeys, ...sent);
  if (typeof reply !== 'string' && !isNil(reply)) throw unexpected('conv_set', 'string | null as its reply');
  return isNil(reply) ? null : reply;
}

/**
 * Reads a conversation and changes nothing.
 *
 * @param keys A conversation key, a job-index key, or both. With a job-index key the call works only while that job
 *   still holds the channel.
 * @returns JSON of one ConversationState, at most 262144 bytes.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVKEY` or a code of Redis; a
 *   TypeError where the reply is none that this function gives.
 */
export async function convGet(client: FunctionClient, keys: Reference): Promise<State | null> {
  const sent: string[] = [];
  if (keys.conversation !== undefined) sent.push(keys.conversation);
  if (keys.job !== undefined) sent.push(keys.job);
  const numkeys = sent.length;
  const reply = await client.fcall_ro('conv_get', numkeys, ...sent);
  if (typeof reply !== 'string' && !isNil(reply)) throw unexpected('conv_get', 'string | null as its reply');
  return isNil(reply) ? null : reply;
}

/**
 * Reads the conversation a job holds and renews both deadlines: a message from a job is a sign of life.
 *
 * @param keys A job-index key, alone or behind its conversation key.
 * @param args.ttlMs Whole milliseconds to live, 1 to 999999999999; empty or left out means 7200000 (2 h).
 * @param args.silentMs Whole milliseconds without a sign of life after which the job counts as silent, 1 to
 *   999999999999; empty or left out: this call does not change when the job counts as silent.
 * @returns JSON of one ConversationState, at most 262144 bytes.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVKEY` or a code of Redis; a
 *   TypeError where the reply is none that this function gives.
 */
export async function convGetByJob(
  client: FunctionClient,
  keys: JobReference,
  args: { ttlMs?: Milliseconds | undefined; silentMs?: Silence | undefined } = {},
): Promise<State | null> {
  const sent: string[] = [];
  if (keys.conversation !== undefined) sent.push(keys.conversation);
  sent.push(keys.job);
  if (keys.watch !== undefined) sent.push(keys.watch);
  const numkeys = sent.length;
  if (args.ttlMs !== undefined || args.silentMs !== undefined) {
    sent.push(args.ttlMs === undefined ? '' : String(args.ttlMs));
  }
  if (args.silentMs !== undefined) sent.push(String(args.silentMs));
  const reply = await client.fcall('conv_get_by_job', numkeys, ...sent);
  if (typeof reply !== 'string' && !isNil(reply)) throw unexpected('conv_get_by_job', 'string | null as its reply');
  return isNil(reply) ? null : reply;
}

/**
 * Puts members into the state, in one step with a message to the job. `updated`: the members are in the state and,
 * where a stream is named, the fields are in it. `duplicate`: the delivery was handled before or started the job, and
 * nothing was changed.
 * `gone`: there is no conversation, or another job holds it.
 *
 * @param keys A reference and, behind it, the stream that the fields are added to. A stream needs the job named.
 * @param args.patch A JSON object: the members to put into the state, each value byte for byte. jobId, channelId,
 *   platform, pendingQuestionId, lastAnswer, claimId and deliveryId cannot be patched.
 * @param args.ttlMs Whole milliseconds to live, 1 to 999999999999; empty or left out means 7200000 (2 h).
 * @param args.deliveryId Names a message, the same in every redelivery of it; at most 1024 bytes without control
 *   characters. Empty or left out: the call is not tied to a message.
 * @param args.rest Field and value, in turn, for the stream; at most 1024 of each.
 * @returns `state`: The new state. JSON of one ConversationState, at most 262144 bytes.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVJOB`, `CONVKEY`, `CONVSTATE` or a
 *   code of Redis; a TypeError where the reply is none that this function gives.
 */
export async function convUpdate(
  client: FunctionClient,
  keys: UpdateReference,
  args: {
    patch: Patch;
    ttlMs?: Milliseconds | undefined;
    deliveryId?: DeliveryId | undefined;
    rest?: readonly string[] | undefined;
  },
): Promise<{ outcome: 'updated' | 'duplicate' | 'gone'; state: State | null }> {
  const sent: string[] = [];
  if (keys.conversation !== undefined) sent.push(keys.conversation);
  if (keys.job !== undefined) sent.push(keys.job);
  if (keys.stream !== undefined) sent.push(keys.stream);
  if (keys.handled !== undefined) sent.push(keys.handled);
  const numkeys = sent.length;
  sent.push(args.patch);
  if (args.ttlMs !== undefined || args.deliveryId !== undefined || args.rest?.length) {
    sent.push(args.ttlMs === undefined ? '' : String(args.ttlMs));
  }
  if (args.deliveryId !== undefined || args.rest?.length) sent.push(args.deliveryId ?? '');
  if (args.rest !== undefined) sent.push(...args.rest);
  const reply = await client.fcall('conv_update', numkeys, ...sent);
  const [outcome, state] = partsOf('conv_update', reply, 2);
  if (outcome !== 'updated' && outcome !== 'duplicate' && outcome !== 'gone') {
    throw unexpected('conv_update', "'updated' | 'duplicate' | 'gone' as outcome");
  }
  if (typeof state !== 'string' && !isNil(state)) throw unexpected('conv_update', 'string | null as state');
  return { outcome, state: isNil(state) ? null : state };
}

/**
 * Stores which question is pending, that is, waits for an answer.
 *
 * @param keys A conversation key, a job-index key, or both. With a job-index key the call works only while that job
 *   still holds the channel.
 * @param args.questionId An empty one clears. At most 1024 bytes without control characters.
 * @param args.ttlMs Whole milliseconds to live, 1 to 999999999999; empty or left out means 7200000 (2 h).
 * @returns The new state. JSON of one ConversationState, at most 262144 bytes.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVKEY`, `CONVSTATE` or a code of
 *   Redis; a TypeError where the reply is none that this function gives.
 */
export async function convSetPending(
  client: FunctionClient,
  keys: Reference,
  args: { questionId: QuestionId; ttlMs?: Milliseconds | undefined },
): Promise<State | null> {
  const sent: string[] = [];
  if (keys.conversation !== undefined) sent.push(keys.conversation);
  if (keys.job !== undefined) sent.push(keys.job);
  const numkeys = sent.length;
  sent.push(args.questionId);
  if (args.ttlMs !== undefined) sent.push(String(args.ttlMs));
  const reply = await client.fcall('conv_set_pending', numkeys, ...sent);
  if (typeof reply !== 'string' && !isNil(reply)) throw unexpected('conv_set_pending', 'string | null as its reply');
  return isNil(reply) ? null : reply;
}

/**
 * Answers a question. `accepted`: it was pending; it is cleared, `lastAnswer` is kept and, where a stream is named,
 * the fields are added to it in the same step. `answered`: somebody else's answer was first. `stale`: another
 * question or none is pending. `gone`: there is no conversation, or another job holds it. The same answerId again is
 * `accepted` again and not published twice.
 *
 * @param keys A reference and, behind it, the stream that the fields are added to. A stream needs the job named.
 * @param args.questionId At most 1024 bytes without control characters.
 * @param args.answerId Names this one answer, so that a resend is recognised; at most 1024 bytes without control
 *   characters. An empty one is nobody's.
 * @param args.ttlMs Whole milliseconds to live, 1 to 999999999999; empty or left out means 7200000 (2 h).
 * @param args.rest Field and value, in turn, for the stream; at most 1024 of each.
 * @returns `state`: JSON of one ConversationState, at most 262144 bytes.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVKEY`, `CONVSTATE` or a code of
 *   Redis; a TypeError where the reply is none that this function gives.
 */
export async function convAnswer(
  client: FunctionClient,
  keys: StreamReference,
  args: {
    questionId: QuestionId;
    answerId: AnswerId;
    ttlMs?: Milliseconds | undefined;
    rest?: readonly string[] | undefined;
  },
): Promise<{ outcome: 'accepted' | 'answered' | 'stale' | 'gone'; state: State | null }> {
  const sent: string[] = [];
  if (keys.conversation !== undefined) sent.push(keys.conversation);
  if (keys.job !== undefined) sent.push(keys.job);
  if (keys.stream !== undefined) sent.push(keys.stream);
  const numkeys = sent.length;
  sent.push(args.questionId, args.answerId);
  if (args.ttlMs !== undefined || args.rest?.length) sent.push(args.ttlMs === undefined ? '' : String(args.ttlMs));
  if (args.rest !== undefined) sent.push(...args.rest);
  const reply = await client.fcall('conv_answer', numkeys, ...sent);
  const [outcome, state] = partsOf('conv_answer', reply, 2);
  if (outcome !== 'accepted' && outcome !== 'answered' && outcome !== 'stale' && outcome !== 'gone') {
    throw unexpected('conv_answer', "'accepted' | 'answered' | 'stale' | 'gone' as outcome");
  }
  if (typeof state !== 'string' && !isNil(state)) throw unexpected('conv_answer', 'string | null as state');
  return { outcome, state: isNil(state) ? null : state };
}

/**
 * Removes a conversation. `removed`: it is gone now, and its delivery is handled. `waiting`: something came into the
 * inbox after `lastSeen`; nothing was changed, read on. `lapsed`: the job no longer held the channel, and this is the
 * first call to settle its end. `held`: another job took the channel over; only the caller's stale index goes. `gone`:
 * there was none. By conversation key alone, a value that cannot be read is removed too.
 *
 * @param keys A conversation key, a job-index key, or both. With a job-index key only what that job still holds is
 *   removed.
 * @param args.lastSeen Where it is given and the conversation goes, the inbox goes too. The id of the last inbox
 *   entry that the job has read, or `0` where it has read none.
 * @param args.retry 1: the job never ran, and a redelivery of its message may start it.
 * @returns `state`: What was removed or is still there, or the holder's. JSON of one ConversationState, at most
 *   262144 bytes.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVJOB`, `CONVKEY`, `CONVSTATE` or a
 *   code of Redis; a TypeError where the reply is none that this function gives.
 */
export async function convRemove(
  client: FunctionClient,
  keys: RemoveReference,
  args: { lastSeen?: StreamId | undefined; retry?: '1' | '' | undefined } = {},
): Promise<{ outcome: 'removed' | 'waiting' | 'lapsed' | 'held' | 'gone'; state: State | null }> {
  const sent: string[] = [];
  if (keys.conversation !== undefined) sent.push(keys.conversation);
  if (keys.job !== undefined) sent.push(keys.job);
  if (keys.inbox !== undefined) sent.push(keys.inbox);
  if (keys.handled !== undefined) sent.push(keys.handled);
  if (keys.watch !== undefined) sent.push(keys.watch);
  const numkeys = sent.length;
  if (args.lastSeen !== undefined || args.retry !== undefined) sent.push(args.lastSeen ?? '');
  if (args.retry !== undefined) sent.push(args.retry);
  const reply = await client.fcall('conv_remove', numkeys, ...sent);
  const [outcome, state] = partsOf('conv_remove', reply, 2);
  if (outcome !== 'removed' && outcome !== 'waiting' && outcome !== 'lapsed' && outcome !== 'held' && outcome !== 'gone') {
    throw unexpected('conv_remove', "'removed' | 'waiting' | 'lapsed' | 'held' | 'gone' as outcome");
  }
  if (typeof state !== 'string' && !isNil(state)) throw unexpected('conv_remove', 'string | null as state');
  return { outcome, state: isNil(state) ? null : state };
}

/**
 * Names the jobs that count as silent, the longest silent first, and puts each off, so that one caller at a time looks
 * into it.
 *
 * @param keys The key of the jobs that are watched.
 * @param args.leaseMs Whole milliseconds, 1 to 999999999999, for which the jobs that are returned are put off.
 * @param args.limit The most jobs to name, 1 to 1000; empty or left out means 100.
 * @returns Job id and conversation key, in turn.
 * @throws The server's error, whose first word is `CONVARG`, `CONVKEY` or a code of Redis; a TypeError where the
 *   reply is none that this function gives.
 */
export async function convDue(
  client: FunctionClient,
  keys: Watch,
  args: { leaseMs: Lease; limit?: number | undefined },
): Promise<string[]> {
  const sent: string[] = [keys.watch];
  const numkeys = sent.length;
  sent.push(String(args.leaseMs));
  if (args.limit !== undefined) sent.push(String(args.limit));
  const reply = await client.fcall('conv_due', numkeys, ...sent);
  if (!areStrings(reply)) throw unexpected('conv_due', 'string[] as its reply');
  return reply;
}

/**
 * The library's version.
 *
 * @throws The server's error, whose first word is `CONVARG`, `CONVKEY` or a code of Redis; a TypeError where the
 *   reply is none that this function gives.
 */
export async function convVersion(client: FunctionClient): Promise<string> {
  const sent: string[] = [];
  const numkeys = sent.length;
  const reply = await client.fcall_ro('conv_version', numkeys, ...sent);
  if (typeof reply !== 'string') throw unexpected('conv_version', 'string as its reply');
  return reply;
}

function partsOf(name: string, reply: unknown, length: number): readonly unknown[] {
  if (Array.isArray(reply) && reply.length === length) return reply;
  throw unexpected(name, `an array of ${length}`);
}

/** Lua's false stands for nil in an array; it may arrive as either. */
function isNil(value: unknown): value is null | false {
  return value === null || value === false;
}

function areStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** Names the function and what was wanted, never the reply: what is stored belongs in no message. */
function unexpected(name: string, wanted: string): TypeError {
  const library = `${LIBRARY_NAME} ${LIBRARY_VERSION}`;
  return new TypeError(`${name} answered something else than ${wanted}; is ${library} loaded on this server?`);
}

/** The whole library, byte for byte, as FUNCTION LOAD takes it. */
export const LIBRARY_SOURCE: string = `#!lua name=conversation
--
-- Which job is running for this chat channel, and which channel does this job belong to?
--
-- A conversation is one channel, or one thread of it, that at most one job holds. It is two keys. Every call changes
-- both of them with one deadline, or it changes nothing:
--   {prefix}conversation:{platform, lower case}:{channelId}           JSON of one ConversationState
--   {prefix}job-index:{jobId}                                         the conversation key, whole
-- Three more keys are there only where they are used:
--   {prefix}conversation-inbox:{platform, lower case}:{channelId}     stream: what came while a job held the channel
--   {prefix}conversation-handled:{platform, lower case}:{channelId}   sorted set: the deliveries that have an outcome
--   {prefix}conversation-watch                                        sorted set: when each job counts as silent
--
-- Contents
--   Limits and types       the constants, and the annotations from which the TypeScript client is generated
--   Errors                 how a command ends with an error
--   Ids and keys           what an id is; the keys of a call and what they must be
--   Arguments              times to live, ids, fields
--   JSON text              strict JSON; changing one member of a text and leaving every other byte alone
--   The state              what a valid state is
--   What is stored         finding a conversation, its deadlines, and writing it
--   Deliveries             which messages have been handled
--   The commands           one function each, in the order of a conversation's life
--   Registrations          how Redis calls them
--
-- Redis keeps what was written before an error. So a command checks everything before its first write: its arguments,
-- what is stored, the types of the keys and, where it writes with several commands, the user's rights for all of them.

local VERSION = '1.0.0'

-- Limits and types -----------------------------------------------------------------------------------------------

--- The TTL of a call that names none, in milliseconds.
local DEFAULT_TTL = 7200000
--- The longest time that any argument can say, in milliseconds.
local MAX_MILLISECONDS = 999999999999
--- The most bytes of a job or channel id.
local MAX_ID = 512
--- The most bytes of a question, answer, claim or delivery id.
local MAX_QUESTION_ID = 1024
--- The most bytes of a state as JSON.
local MAX_STATE = 262144
--- The most fields of one entry of a stream.
local MAX_FIELDS = 1024
--- The most entries of an inbox.
local INBOX_LENGTH = 1000
--- The most jobs that one call names as due.
local MAX_DUE = 1000
local DEFAULT_DUE = 100
local STREAM_LENGTH = 1000
local HANDLED_LENGTH = 1000
local DAY = 86400000

--- What a conversation key begins with, behind its prefix.
local CONVERSATION = 'conversation:'
--- What the key of a job begins with, behind its prefix.
local JOB_INDEX = 'job-index:'
--- What the key of an inbox begins with, behind its prefix.
local INBOX = 'conversation-inbox:'
--- What the key of the handled deliveries begins with, behind its prefix.
local HANDLED = 'conversation-handled:'
--- The key of the watch, behind its prefix.
local WATCH = 'conversation-watch'

---@alias State string JSON of one ConversationState, at most 262144 bytes.
---@alias Patch string A JSON object: the members to put into the state, each value byte for byte. jobId, channelId,
--- platform, pendingQuestionId, lastAnswer, claimId and deliveryId cannot be patched.
---@alias Milliseconds integer Whole milliseconds to live, 1 to 999999999999; empty or left out means 7200000 (2 h).
---@alias Silence integer Whole milliseconds without a sign of life after which the job counts as silent, 1 to
--- 999999999999; empty or left out: this call does not change when the job counts as silent.
---@alias Lease integer Whole milliseconds, 1 to 999999999999, for which the jobs that are returned are put off.
---@alias QuestionId string At most 1024 bytes without control characters.
---@alias AnswerId string Names this one answer, so that a resend is recognised; at most 1024 bytes without control
--- characters. An empty one is nobody's.
---@alias DeliveryId string Names a message, the same in every redelivery of it; at most 1024 bytes without control
--- characters. Empty or left out: the call is not tied to a message.
---@alias StreamId string The id of the last inbox entry that the job has read, or \`0\` where it has read none.

-- Each class lists the keys that its functions may touch. A cluster wants all of them declared.

---@class SetKeys Both keys of a conversation.
---@field conversation string \`{prefix}conversation:{platform, lower case}:{channelId}\`
---@field job string \`{prefix}job-index:{jobId}\`
---@field watch? string \`{prefix}conversation-watch\`

---@class ClaimKeys: SetKeys Both keys of a conversation.
---@field inbox? string \`{prefix}conversation-inbox:{platform, lower case}:{channelId}\`
---@field handled? string \`{prefix}conversation-handled:{platform, lower case}:{channelId}\`

---@class Reference A conversation key, a job-index key, or both. With a job-index key the call works only while that
--- job still holds the channel.
---@field conversation? string \`{prefix}conversation:{platform, lower case}:{channelId}\`
---@field job? string \`{prefix}job-index:{jobId}\`

---@class RemoveReference: Reference A conversation key, a job-index key, or both. With a job-index key only what that
--- job still holds is removed.
---@field inbox? string \`{prefix}conversation-inbox:{platform, lower case}:{channelId}\`
---@field handled? string \`{prefix}conversation-handled:{platform, lower case}:{channelId}\`
---@field watch? string \`{prefix}conversation-watch\`

---@class JobReference A job-index key, alone or behind its conversation key.
---@field conversation? string \`{prefix}conversation:{platform, lower case}:{channelId}\`
---@field job string \`{prefix}job-index:{jobId}\`
---@field watch? string \`{prefix}conversation-watch\`

---@class StreamReference: Reference A reference and, behind it, the stream that the fields are added to. A stream needs
--- the job named.
---@field stream? string A key of the same prefix.

---@class UpdateReference: StreamReference A reference and, behind it, the stream that the fields are added to. A stream
--- needs the job named.
---@field handled? string \`{prefix}conversation-handled:{platform, lower case}:{channelId}\`

---@class Watch The key of the jobs that are watched.
---@field watch string \`{prefix}conversation-watch\`

-- A library sees Redis and cjson only while one of its functions runs, so the first call fetches them.
local call, parse

local function wake()
  call = redis.call
  local json = cjson.new()
  json.decode_invalid_numbers(false)
  parse = json.decode
end

-- Errors ---------------------------------------------------------------------------------------------------------

-- Leaves the command; \`served\` answers with the message. The first word is the code.
local function fail(code, message)
  error(code .. ' ' .. message, 0)
end

-- Ids and keys ---------------------------------------------------------------------------------------------------

local BAD_ID = 'must be a non-empty string of at most %d bytes without control characters'

-- Printable ASCII, which most texts are, needs no second look at its characters.
local function is_printable(text)
  return text:find('^[ -~]*$') ~= nil
end

-- Control characters are those of ASCII and, written in UTF-8, U+0080 to U+009F.
local function has_control(text)
  return not is_printable(text) and (text:find('%c') or text:find('\\194[\\128-\\159]')) ~= nil
end

local function is_id(value, limit)
  return type(value) == 'string' and value ~= '' and #value <= limit and not has_control(value)
end

-- Whether a text holds one of the five names that keys are made of. A prefix and a stream hold none.
local function holds_name(text)
  if text:find(JOB_INDEX, 1, true) then return true end
  return text:find('conversation', 1, true) and (text:find(CONVERSATION, 1, true) or text:find(INBOX, 1, true)
    or text:find(HANDLED, 1, true) or text:find(WATCH, 1, true)) ~= nil
end

-- The prefix and the id of a key; nothing for a key that is none. An id may hold any of the names.
-- The id comes as the printable ASCII that it begins with, which most ids are to their end, and the rest: that saves a
-- call 2 to 3 % (November 2026, Redis 7.0.15, as all such figures here).
local function parts(prefix, id, rest)
  if not prefix or rest ~= '' and has_control(rest) then return nil end
  if prefix ~= '' and holds_name(prefix) then return nil end
  id = id .. rest
  if id == '' or #id > MAX_ID then return nil end
  return prefix, id
end

local function split_conversation(key)
  return parts(key:match('^(.-)conversation:[a-z0-9][a-z0-9._-]*:([ -~]*)(.*)$'))
end

local function split_job(key)
  return parts(key:match('^(.-)job%-index:([ -~]*)(.*)$'))
end

local function begins(text, start)
  return text:sub(1, #start) == start
end

-- The inbox or handled key of a conversation.
local function own_key(name, prefix, conversation)
  return prefix .. name .. conversation:sub(#prefix + #CONVERSATION + 1)
end

local CONVERSATION_KEY = '{prefix}conversation:{platform, lower case}:{channelId}'
local JOB_KEY = '{prefix}job-index:{jobId}'
local WATCH_KEY = '{prefix}conversation-watch'

local function no_keys(keys)
  if #keys > 0 then fail('CONVKEY', 'this function takes no keys, ' .. #keys .. ' were given') end
end

-- Refuses a key that is not a stream of the application, fit for a call on this reference.
local function check_stream(ref, key)
  if ref.stream then fail('CONVKEY', 'only one stream can be named') end
  if not begins(key, ref.prefix) or key == ref.prefix then
    fail('CONVKEY', 'the stream must have the prefix of the other keys')
  end
  if holds_name(key) then
    fail('CONVKEY', 'the stream must be a key of the application, not one of a conversation or a job')
  end
  if not ref.job then fail('CONVKEY', 'a stream needs the job named: ' .. JOB_KEY .. ' before it') end
end

-- Reads what stands behind a reference, in any order: the conversation's own keys, which are declared for a cluster's
-- sake and tell the call nothing, and for some functions a stream.
local function read_further(ref, keys, from, takes_stream)
  for at = from, #keys do
    local key = keys[at]
    if begins(key, ref.prefix .. INBOX) or begins(key, ref.prefix .. HANDLED) then
      ref.own = ref.own or {}
      ref.own[#ref.own + 1] = key
    elseif key ~= ref.prefix .. WATCH then
      if not takes_stream then
        fail('CONVKEY', 'a job is named by ' .. JOB_KEY .. ', and behind the reference only its own inbox, handled and '
          .. 'watch keys may stand')
      end
      check_stream(ref, key)
      ref.stream = key
    end
  end
end

-- Refuses inbox and handled keys of another conversation, as soon as it is known which one is meant.
local function check_own(ref, conversation)
  for _, key in ipairs(ref.own) do
    if key ~= own_key(INBOX, ref.prefix, conversation) and key ~= own_key(HANDLED, ref.prefix, conversation) then
      fail('CONVKEY', 'the inbox and handled keys must be those of the conversation, with its prefix')
    end
  end
end

-- Reads a conversation key and, where it is the second key or \`both\` are wanted, a job-index key.
local function conversation_first(keys, prefix, both, takes_stream)
  local ref = { prefix = prefix, conversation = keys[1] }
  local job_prefix, job_id
  if keys[2] then job_prefix, job_id = split_job(keys[2]) end
  if job_prefix then
    if prefix ~= job_prefix then fail('CONVKEY', 'the two keys have different prefixes') end
    ref.job, ref.job_id = keys[2], job_id
  elseif both then
    fail('CONVKEY', 'the second key must be ' .. JOB_KEY)
  end
  local first = job_prefix and 3 or 2
  if keys[first] then read_further(ref, keys, first, takes_stream) end
  if ref.own then check_own(ref, ref.conversation) end
  return ref
end

local function pair(keys)
  if #keys < 2 then
    fail('CONVKEY', 'wanted 2 keys, ' .. CONVERSATION_KEY .. ' and ' .. JOB_KEY .. '; ' .. #keys .. ' were given')
  end
  local prefix = split_conversation(keys[1])
  if not prefix then fail('CONVKEY', 'the first key must be ' .. CONVERSATION_KEY) end
  return conversation_first(keys, prefix, true, false)
end

local function reference(keys, takes_stream)
  if #keys == 0 then
    fail('CONVKEY', 'wanted ' .. CONVERSATION_KEY .. ', or ' .. JOB_KEY .. ', or both in that order; no key was given')
  end
  local prefix = split_conversation(keys[1])
  if prefix then return conversation_first(keys, prefix, false, takes_stream) end
  local job_prefix, job_id = split_job(keys[1])
  if not job_prefix then fail('CONVKEY', 'the first key must be ' .. CONVERSATION_KEY .. ' or ' .. JOB_KEY) end
  local ref = { prefix = job_prefix, job = keys[1], job_id = job_id }
  if keys[2] then read_further(ref, keys, 2, takes_stream) end
  return ref
end

local function job_reference(keys)
  local ref = reference(keys)
  if not ref.job then fail('CONVKEY', 'a job must be named: ' .. JOB_KEY .. ', alone or as second key') end
  return ref
end

local function stream_reference(keys)
  return reference(keys, true)
end

local function watch_key(keys)
  local prefix = #keys == 1 and keys[1]:match('^(.*)conversation%-watch$')
  if not prefix or holds_name(prefix) then fail('CONVKEY', 'wanted one key, ' .. WATCH_KEY) end
  return keys[1]
end

-- Arguments ------------------------------------------------------------------------------------------------------

-- Whole milliseconds, or nil where they are left out.
local function milliseconds(text, name)
  if text == nil or text == '' then return nil end
  local number = text:find('^[1-9]%d*$') and tonumber(text)
  if not number or number > MAX_MILLISECONDS then
    fail('CONVARG', name .. ' must be whole milliseconds from 1 to 999999999999')
  end
  return number
end

local function time_to_live(text)
  return milliseconds(text, 'ttlMs') or DEFAULT_TTL
end

-- Well-formed sequences of more than one byte (The Unicode Standard, table 3-7).
local UTF8 = {
  '[\\194-\\223][\\128-\\191]',
  '\\224[\\160-\\191][\\128-\\191]', '[\\225-\\236\\238\\239][\\128-\\191][\\128-\\191]', '\\237[\\128-\\159][\\128-\\191]',
  '\\240[\\144-\\191][\\128-\\191][\\128-\\191]', '[\\241-\\243][\\128-\\191][\\128-\\191][\\128-\\191]',
  '\\244[\\128-\\143][\\128-\\191][\\128-\\191]',
}

local function is_utf8(text)
  -- A blank stands for what was taken out, so that its neighbours do not become a sequence.
  for _, sequence in ipairs(UTF8) do
    if not text:find('[\\128-\\255]') then return true end
    text = text:gsub(sequence, ' ')
  end
  return not text:find('[\\128-\\255]')
end

local function is_question_id(text)
  return is_id(text, MAX_QUESTION_ID) and (is_printable(text) or is_utf8(text))
end

-- An id that may be left out, or nil.
local function optional_id(text, name)
  if text == nil or text == '' then return nil end
  if not is_question_id(text) then
    fail('CONVARG', name .. ', where it is not empty, ' .. BAD_ID:format(MAX_QUESTION_ID) .. ', in UTF-8')
  end
  return text
end

-- Fields come in pairs, and for a stream there must be some.
local function check_fields(ref, count)
  if count % 2 ~= 0 then fail('CONVARG', 'every field needs a value') end
  if ref.stream and count == 0 then fail('CONVARG', 'a stream needs at least one field and its value') end
  if count > 0 and not ref.stream then fail('CONVARG', 'fields need a stream key to go to') end
end

-- JSON text ------------------------------------------------------------------------------------------------------

local function decode(text)
  return pcall(parse, text)
end

-- cjson reads more than JSON: control characters in strings, bytes that are no UTF-8, numbers such as 1. and -.5,
-- and it stops at a NUL. Texts without anything of the kind, which are most, pass at the first look.
local function is_json(text)
  local doubtful = not is_printable(text)
  local dot = not doubtful and text:find('.', 1, true)
  while dot do
    -- A minus before the dot, or a digit before it and none behind it.
    local before, _, after = text:byte(dot - 1, dot + 1)
    doubtful = before == 45 or before >= 48 and before <= 57 and (after < 48 or after > 57)
    if doubtful then break end
    dot = text:find('.', dot + 1, true)
  end
  if not doubtful then return true end
  -- What is left without its escapes and strings has no quote unless a string held a control character.
  local bare = text:gsub('\\\\.', ''):gsub('"[^"%z\\1-\\31]*"', '')
  return not (bare:find('["%z]') or bare:find('%d%.%D') or bare:find('-.', 1, true)) and is_utf8(text)
end

-- A string without control characters as JSON.
local function quote(text)
  return '"' .. text:gsub('["\\\\]', '\\\\%0') .. '"'
end

-- The index of the closing quote of the string that opens at \`from\`.
local function string_end(text, from)
  local at = text:find('["\\\\]', from + 1)
  while text:byte(at) == 92 do at = text:find('["\\\\]', at + 2) end
  return at
end

-- The index of the last byte of the value that begins at \`from\`.
local function value_end(text, from)
  local first = text:sub(from, from)
  if first == '"' then return string_end(text, from) end
  if first ~= '{' and first ~= '[' then return text:match('^[^%s,}]+()', from) - 1 end
  local depth, at = 0, from - 1
  repeat
    at = text:find('["{}%[%]]', at + 1)
    local byte = text:sub(at, at)
    if byte == '"' then at = string_end(text, at)
    elseif byte == '{' or byte == '[' then depth = depth + 1
    else depth = depth - 1 end
  until depth == 0
  return at
end

-- Walks over the top-level members of an object: each name as it is written, and where its value begins and ends.
local function members(text)
  local at = text:find('{', 1, true)
  return function()
    local from = text:find('"', at + 1, true)
    if not from then return nil end
    local to = string_end(text, from)
    local first = text:match('^%s*:%s*()', to + 1)
    at = value_end(text, first)
    return text:sub(from, to), first, at
  end
end

-- The name that a quoted text stands for: escapes may be in it.
local function name_of(quoted)
  return quoted:find('\\\\', 1, true) and parse(quoted) or quoted:sub(2, -2)
end

-- Where the value of a top-level member that is there begins and ends. Of members with one name the last counts,
-- as it does for JSON parsers.
local function value_of(text, name)
  local quoted = '"' .. name .. '"'
  -- A name that occurs once is the member, unless it may be written with an escape, which letters are only as \\u0041 to
  -- \\u007a. This look saves 20 to 35 % of a call that changes a member.
  local from, to = text:find(quoted, 1, true)
  if from and not text:find(quoted, to, true)
    and not (text:find('\\\\', 1, true) and (name:find('%A') or text:find('\\\\u00[4-7]'))) then
    local value = text:match('^%s*:%s*()', to + 1)
    return value, value_end(text, value)
  end
  local first, last
  for member, begin, stop in members(text) do
    if name_of(member) == name then first, last = begin, stop end
  end
  return first, last
end

-- The text with \`value\`, itself JSON, as its top-level member of this name: in its place where it is there, else as
-- the last one, its name \`quoted\` where that needs escapes. Every other byte stays.
local function put(text, is_there, name, value, quoted)
  if is_there then
    local from, to = value_of(text, name)
    return text:sub(1, from - 1) .. value .. text:sub(to + 1)
  end
  -- Mostly the brace that closes it is the last character and close behind the last member.
  local at = text:find('%S}$', -2) and #text or text:match('^.*%S()%s*}%s*$')
  return text:sub(1, at - 1) .. ',' .. (quoted or '"' .. name .. '"') .. ':' .. value .. text:sub(at)
end

-- The most members that are put into a text one by one, which for one or a few takes half the time of a walk.
local FEW = 8

-- The same for any number of members, in one walk. One by one, 3000 of them would keep the server for many seconds.
local function put_many(text, changes)
  local values, last, places = {}, {}, {}
  for _, change in ipairs(changes) do values[change.name] = change.value end
  for quoted, from, to in members(text) do
    local name = name_of(quoted)
    if values[name] then
      local place = { name = name, from = from, to = to }
      places[#places + 1], last[name] = place, place
    end
  end
  local pieces, at, further = {}, 1, {}
  for _, place in ipairs(places) do
    if last[place.name] == place then
      pieces[#pieces + 1] = text:sub(at, place.from - 1) .. values[place.name]
      at = place.to + 1
    end
  end
  text = table.concat(pieces) .. text:sub(at)
  for _, change in ipairs(changes) do
    if not last[change.name] then
      further[#further + 1] = ',' .. change.quoted .. ':' .. values[change.name]
      last[change.name] = change
    end
  end
  at = text:match('^.*%S()%s*}%s*$')
  return text:sub(1, at - 1) .. table.concat(further) .. text:sub(at)
end

-- The state ------------------------------------------------------------------------------------------------------

-- ISO 8601, date and time: seconds, their fraction and the offset may be left out.
local function is_date_time(value)
  if type(value) ~= 'string' then return false end
  local month, day, hour, rest = value:match('^%d%d%d%d%-([01]%d)%-([0-3]%d)T([0-2]%d):[0-5]%d(.*)$')
  if not month or month == '00' or month > '12' or day == '00' or day > '31' then return false end
  if hour > '23' and not value:find('^T24:00', 11) then return false end
  local offset = rest:match('^:[0-5]%d%.%d+(.*)$') or rest:match('^:[0-5]%d(.*)$')
    or rest:match('^:60(.*)$') or rest
  return offset == 'Z' or offset == '' or offset:find('^[+-][01]%d:?[0-5]%d$') ~= nil
    or offset:find('^[+-][01]%d$') ~= nil
end

local function is_last_answer(value)
  return type(value) == 'table' and is_id(value.questionId, MAX_QUESTION_ID)
    and (value.answerId == '' or is_id(value.answerId, MAX_QUESTION_ID))
end

-- Whether a decoded state is of the channel that a conversation key names. Then its platform and channelId are as
-- valid as the key is, of which the first colon ends the platform.
local function is_of_channel(state, prefix, conversation)
  return type(state.platform) == 'string' and type(state.channelId) == 'string'
    and prefix .. CONVERSATION .. state.platform:lower() .. ':' .. state.channelId == conversation
    and not state.platform:find(':', 1, true)
end

-- What is wrong with the members that make the keys, or nil.
local function problem_of_identity(state)
  if not is_id(state.jobId, MAX_ID) then return 'jobId ' .. BAD_ID:format(MAX_ID) end
  if not is_id(state.channelId, MAX_ID) then return 'channelId ' .. BAD_ID:format(MAX_ID) end
  if type(state.platform) ~= 'string' or not state.platform:find('^%w[%w._-]*$') then
    return 'platform must be a string of letters, digits, ".", "_" and "-" that begins with a letter or digit'
  end
  return nil
end

-- What is wrong with the other members, or nil.
local function problem_of_content(state)
  if type(state.userId) ~= 'string' or state.userId == '' then return 'userId must be a non-empty string' end
  if type(state.project) ~= 'string' or state.project == '' then return 'project must be a non-empty string' end
  local ticket = state.ticketId
  local kind = type(ticket)
  if kind == 'number' and ticket % 1 ~= 0 or kind ~= 'number' and kind ~= 'string' or ticket == '' then
    return 'ticketId must be an integer or a non-empty string'
  end
  if not is_date_time(state.startedAt) then
    return 'startedAt must be an ISO 8601 date and time, such as 2026-01-31T09:30:00.000Z'
  end
  local pending, last = state.pendingQuestionId, state.lastAnswer
  if pending ~= nil and pending ~= cjson.null and not is_id(pending, MAX_QUESTION_ID) then
    return 'pendingQuestionId, where it is not null or absent, ' .. BAD_ID:format(MAX_QUESTION_ID)
  end
  if last ~= nil and last ~= cjson.null and not is_last_answer(last) then
    return 'lastAnswer, where it is not null or absent, must be {"questionId": string, "answerId": string}, '
      .. 'each of at most 1024 bytes without control characters'
  end
  if state.claimId ~= nil and not is_id(state.claimId, MAX_QUESTION_ID) then
    return 'claimId, where it is not absent, ' .. BAD_ID:format(MAX_QUESTION_ID)
  end
  if state.deliveryId ~= nil and not is_id(state.deliveryId, MAX_QUESTION_ID) then
    return 'deliveryId, where it is not absent, ' .. BAD_ID:format(MAX_QUESTION_ID)
  end
  return nil
end

local function check_size(text)
  if #text > MAX_STATE then
    fail('CONVSTATE', 'the state would have ' .. #text .. ' bytes; at most ' .. MAX_STATE .. ' are stored')
  end
end

local NOT_STRICT = 'must be JSON: control characters in strings escaped, well-formed UTF-8 and numbers'

-- The state that a call gives, decoded.
local function read_given(ref, text)
  check_size(text)
  local ok, state = decode(text)
  if not ok then fail('CONVSTATE', 'the state must be JSON: ' .. state) end
  -- With the ids of the keys, the members that make the keys need no further look. That saves 6 to 8 % of a call.
  local fits = type(state) == 'table' and state.jobId == ref.job_id
    and is_of_channel(state, ref.prefix, ref.conversation)
  if not fits and (type(state) ~= 'table' or text:find('^%s*%[')) then
    fail('CONVSTATE', 'the state must be a JSON object')
  end
  if not is_json(text) then fail('CONVSTATE', 'the state ' .. NOT_STRICT) end
  local problem = not fits and problem_of_identity(state) or problem_of_content(state)
  if problem then fail('CONVSTATE', problem) end
  if not fits then
    fail('CONVKEY', 'the keys are not those of the state: wanted ' .. CONVERSATION_KEY .. ' and ' .. JOB_KEY
      .. ' of its own platform, channelId and jobId')
  end
  return state
end

-- Only the functions made for them change these members.
local FIXED = {
  jobId = true, channelId = true, platform = true, pendingQuestionId = true, lastAnswer = true, claimId = true,
  deliveryId = true,
}

-- The members of a patch: each name as it is written, with its value as JSON.
local function read_patch(patch)
  check_size(patch)
  local ok, decoded = decode(patch)
  if not ok then fail('CONVSTATE', 'the patch must be JSON: ' .. decoded) end
  if type(decoded) ~= 'table' or not patch:find('^%s*{') then fail('CONVSTATE', 'the patch must be a JSON object') end
  if not is_json(patch) then fail('CONVSTATE', 'the patch ' .. NOT_STRICT) end
  local changes = {}
  for quoted, from, to in members(patch) do
    local name = name_of(quoted)
    if FIXED[name] then
      fail('CONVSTATE', name .. ' cannot be patched; userId, project, ticketId, startedAt and further members can')
    end
    changes[#changes + 1] = { name = name, quoted = quoted, value = patch:sub(from, to) }
  end
  return changes
end

-- What is stored -------------------------------------------------------------------------------------------------

local BAD_INDEX = 'the job index holds no conversation key of its own prefix'

-- The conversation key that a reference leads to, and whether a job's index has told it. Nil where there is none.
local function locate(ref)
  if ref.conversation then return ref.conversation, false end
  local key = call('GET', ref.job)
  if not key then return nil end
  -- An index that leads out of its prefix would lead into another tenant's data.
  if not begins(key, ref.prefix .. CONVERSATION) then fail('CONVCORRUPT', BAD_INDEX) end
  if ref.own then check_own(ref, key) end
  return key, true
end

local UNREADABLE = 'what is stored for this conversation cannot be read: it is not the JSON of a state'

-- A stored text decoded, or nil where it names no job. An id that came with a key need not be checked again, which
-- saves 2 to 4 % of a call.
local function readable(text, checked)
  local ok, state = decode(text)
  if not ok or type(state) ~= 'table' then return nil end
  if checked and state.jobId == checked or is_id(state.jobId, MAX_ID) then return state end
  return nil
end

-- Whether a stored text can name no other job than this one. It saves conv_set a decode, 12 % of the call. With no
-- letter written as \\u0041 to \\u007a, a single "jobId" is the member, if the text is of a state at all.
local function names_only(text, job_id)
  local from, to = text:find('"jobId"', 1, true)
  return from and text:match('^:"([^"\\\\]*)"', to + 1) == job_id
    and not text:find('jobId"', to, true) and not text:find('\\\\u', 1, true)
end

-- A stored text decoded, for an answer to the caller. The text was checked when it was given, or is another program's;
-- what must hold to answer rightly is that it names a job and is of this conversation.
local function read(ref, key, text)
  local state = readable(text, ref.job_id)
  if not state then fail('CONVCORRUPT', UNREADABLE) end
  if not is_of_channel(state, ref.prefix, key) then
    fail('CONVCORRUPT', 'what is stored for this conversation is the state of another channel')
  end
  return state
end

-- The conversation that a reference leads to: its key, its text, its state and whether an index told the key. Nil where
-- there is none or another job than the one named holds it.
local function find(ref)
  local key, indexed = locate(ref)
  local text = key and call('GET', key)
  if not text then return nil end
  local state = read(ref, key, text)
  if ref.job and state.jobId ~= ref.job_id then return nil end
  return { key = key, text = text, state = state, index = ref.job, indexed = indexed }
end

-- Asks for a right before the first write, for a command that comes behind it. Where the user lacks it, the command is
-- run at once, for Redis to refuse it in its own words.
local function permit(...)
  if not redis.acl_check_cmd(...) then call(...) end
end

-- The same as \`find\`, for a change: the index is looked at too, so that a key of another type is met before the first
-- write, and a key that the call did not name is asked for.
local function find_to_change(ref)
  local found = find(ref)
  if not found then return nil end
  if found.indexed then
    permit('SET', found.key, '')
    return found
  end
  if not found.index then
    found.index = ref.prefix .. JOB_INDEX .. found.state.jobId
    permit('SET', found.index, '')
  end
  found.indexed = call('GET', found.index) == found.key
  return found
end

-- Runs the writes of a call, each a command with its arguments, after asking for the rights of all of them. \`first\` is
-- run before the others: with it Redis refuses a key of another type. Every other key has been read, or is a string's.
local function commit(writes, first, ...)
  for _, write in ipairs(writes) do permit(unpack(write)) end
  if first then first(...) end
  for _, write in ipairs(writes) do call(unpack(write)) end
end

-- Milliseconds since 1970.
local function now()
  local time = call('TIME')
  return time[1] * 1000 + (time[2] - time[2] % 1000) / 1000
end

-- The deadline of a call that renews. While a question is pending, no renewal makes the conversation end sooner.
local function renewed(found, at)
  local pending = found.state.pendingQuestionId
  if pending == nil or pending == cjson.null then return at end
  local before = call('PEXPIRETIME', found.key)
  return before > at and before or at
end

-- As text, because Redis writes a number from Lua with more care than a deadline needs: 3 to 5 % of a call.
local function text_of(at)
  return ('%d'):format(at)
end

local function write(key, index, text, at)
  at = text_of(at)
  call('SET', index, key, 'PXAT', at)
  call('SET', key, text, 'PXAT', at)
end

local function renew(found, at)
  if not found.indexed then return write(found.key, found.index, found.text, at) end
  at = text_of(at)
  call('PEXPIREAT', found.index, at)
  call('PEXPIREAT', found.key, at)
end

-- The same two as lists of writes, for a call that writes more than the two keys.
local function writing(key, index, text, at)
  return { { 'SET', index, key, 'PXAT', at }, { 'SET', key, text, 'PXAT', at } }
end

local function renewing(found, at)
  if not found.indexed then return writing(found.key, found.index, found.text, at) end
  return { { 'PEXPIREAT', found.index, at }, { 'PEXPIREAT', found.key, at } }
end

-- The stored text with one or two members changed, fit to be stored.
local function change(found, name, value, second, second_value)
  local text, state = found.text, found.state
  if not is_json(text) then fail('CONVCORRUPT', UNREADABLE) end
  text = put(text, state[name] ~= nil, name, value)
  if second then text = put(text, state[second] ~= nil, second, second_value) end
  check_size(text)
  return text
end

-- The stored text with the members of a patch put into it. The result is a valid state.
local function patched(found, changes)
  local text, state = found.text, found.state
  if not is_json(text) then fail('CONVCORRUPT', UNREADABLE) end
  if #changes > FEW then
    text = put_many(text, changes)
  else
    for _, member in ipairs(changes) do
      text = put(text, state[member.name] ~= nil, member.name, member.value, member.quoted)
      state[member.name] = true
    end
  end
  check_size(text)
  local problem = problem_of_content(parse(text))
  if problem then fail('CONVSTATE', problem) end
  return text
end

-- Adds fields to a stream of the application, as the first write of a call. A stream that is created here gets the
-- conversation's deadline. One that is there never ends sooner than before, and one without a deadline gets none.
local function publish(stream, at, ...)
  at = text_of(at)
  permit('PEXPIREAT', stream, at)
  local was_there = call('EXISTS', stream) == 1
  call('XADD', stream, 'MAXLEN', '~', STREAM_LENGTH, '*', ...)
  -- GT takes a stream without a deadline for one that lives for ever.
  if was_there then call('PEXPIREAT', stream, at, 'GT') else call('PEXPIREAT', stream, at) end
end

-- What the index of a job that is given holds: false, or what the caller has to look at, for it can only be this
-- conversation's key or no conversation key of this prefix.
local function bound(ref)
  local key = call('GET', ref.job)
  if key and key ~= ref.conversation and split_conversation(key) == ref.prefix then
    fail('CONVJOB', 'this job is bound to another conversation; remove that one first, or use another job id')
  end
  return key
end

-- The entry of a job in the watch set.
local function watched(job_id, conversation)
  return job_id .. '\\n' .. conversation
end

-- Takes a job off watch; nothing where it is not on watch.
local function unwatch(writes, prefix, entry)
  if not call('ZSCORE', prefix .. WATCH, entry) then return false end
  writes[#writes + 1] = { 'ZREM', prefix .. WATCH, entry }
  return true
end

-- Deliveries -----------------------------------------------------------------------------------------------------

-- Whether a delivery, or one call for it, was handled within the last 24 hours.
local function is_handled(handled, member, time)
  local at = call('ZSCORE', handled, member)
  return at and tonumber(at) > time - DAY
end

-- The writes after which a delivery is handled. Each delivery has two members, its id and the call that handled it, so
-- that the oldest deliveries can be counted off. The claim is empty where no claim did it.
local function handle(writes, handled, time, delivery, claim)
  writes[#writes + 1] = { 'ZADD', handled, time, delivery, time, delivery .. '\\n' .. claim }
  writes[#writes + 1] = { 'ZREMRANGEBYSCORE', handled, '-inf', time - DAY }
  writes[#writes + 1] = { 'ZREMRANGEBYRANK', handled, 0, -2 * HANDLED_LENGTH - 1 }
  writes[#writes + 1] = { 'PEXPIREAT', handled, time + DAY }
end

-- The commands ---------------------------------------------------------------------------------------------------

-- Answers a claim that has not won. If it has fields, they go into the inbox of the job that holds the channel.
local function refuse_claim(ref, holder, time, given, ...)
  if not given.deliveryId then return 'held', holder end
  local writes, outcome = {}, 'held'
  if select('#', ...) > 0 then
    local inbox = own_key(INBOX, ref.prefix, ref.conversation)
    if call('XLEN', inbox) >= INBOX_LENGTH then return 'full', holder end
    writes = { { 'XADD', inbox, '*', ... }, { 'PEXPIREAT', inbox, time + DAY } }
    outcome = 'queued'
  end
  handle(writes, own_key(HANDLED, ref.prefix, ref.conversation), time, given.deliveryId, given.claimId or '')
  commit(writes)
  return outcome, holder
end

-- Stores a state for a job, which is put on watch where \`silence\` is given, after further \`writes\` if there are any.
local function start(ref, state, time, ttl, silence, writes)
  if not silence and not writes then return write(ref.conversation, ref.job, state, time + ttl) end
  writes = writes or {}
  for _, one in ipairs(writing(ref.conversation, ref.job, state, time + ttl)) do writes[#writes + 1] = one end
  if not silence then return commit(writes) end
  commit(writes, call, 'ZADD', ref.prefix .. WATCH, time + silence, watched(ref.job_id, ref.conversation))
end

--- Claims a channel for a job: of any number of simultaneous claims, one is told \`claimed\`. \`duplicate\`: the message
--- that the state's deliveryId names was handled before, or is the one that started the job. \`held\`: another claim
--- holds the channel. \`queued\`: the same, and the fields were added to its inbox. \`full\`: 1000 entries are in the
--- inbox, and nothing was added. A call that is sent again, with the same claimId, is told the same again. Only
--- \`claimed\` changes deadlines.
---@param ref ClaimKeys
---@param state State
---@param ttlMs? Milliseconds
---@param silentMs? Silence
---@param ... string Field and value, in turn, for the inbox; at most 1024 of each. The state then has a claimId and a
--- deliveryId.
---@return 'claimed'|'held'|'queued'|'full'|'duplicate' outcome
---@return State? state What is stored now. Nil where the message is a duplicate and no job holds the channel.
local function claim(ref, state, ttlMs, silentMs, ...)
  local ttl, silence, fields = time_to_live(ttlMs), milliseconds(silentMs, 'silentMs'), select('#', ...)
  if fields % 2 ~= 0 then fail('CONVARG', 'every field needs a value') end
  local given = read_given(ref, state)
  local delivery, claim_id = given.deliveryId, given.claimId
  if fields > 0 and not (delivery and claim_id) then
    fail('CONVARG', 'fields for the inbox need a claimId and a deliveryId in the state')
  end
  local index = bound(ref)
  if index and index ~= ref.conversation then fail('CONVCORRUPT', BAD_INDEX) end
  local text, time = call('GET', ref.conversation), now()
  local holder = text and read(ref, ref.conversation, text)
  if delivery then
    local handled = own_key(HANDLED, ref.prefix, ref.conversation)
    if is_handled(handled, delivery, time) then
      -- A call that was told \`held\` or \`queued\` and is sent again. Without a holder there is nothing to tell it again.
      local resent = text and claim_id and is_handled(handled, delivery .. '\\n' .. claim_id, time)
      if not resent then return 'duplicate', text end
      return fields > 0 and 'queued' or 'held', text
    end
  end
  if not text then
    start(ref, state, time, ttl, silence)
    return 'claimed', state
  end
  if claim_id and holder.claimId == claim_id and holder.jobId == given.jobId then return 'claimed', text end
  if delivery and holder.deliveryId == delivery then return 'duplicate', text end
  return refuse_claim(ref, text, time, given, ...)
end

--- Stores a state whatever stood there: the last write wins, and the index and the watch entry of a displaced job go.
---@param ref SetKeys
---@param state State
---@param ttlMs? Milliseconds
---@param silentMs? Silence
---@return State? state What stood there.
local function set(ref, state, ttlMs, silentMs)
  local ttl, silence = time_to_live(ttlMs), milliseconds(silentMs, 'silentMs')
  read_given(ref, state)
  bound(ref)
  local text, writes = call('GET', ref.conversation), nil
  local before = text and not names_only(text, ref.job_id) and readable(text)
  if before and before.jobId ~= ref.job_id then
    writes = {}
    unwatch(writes, ref.prefix, watched(before.jobId, ref.conversation))
    local index = ref.prefix .. JOB_INDEX .. before.jobId
    if call('GET', index) == ref.conversation then writes[#writes + 1] = { 'DEL', index } end
  end
  start(ref, state, now(), ttl, silence, writes)
  return text or nil
end

--- Reads a conversation and changes nothing.
---@param ref Reference
---@return State? state
local function get(ref)
  local found = find(ref)
  return found and found.text
end

--- Reads the conversation a job holds and renews both deadlines: a message from a job is a sign of life.
---@param ref JobReference
---@param ttlMs? Milliseconds
---@param silentMs? Silence
---@return State? state
local function get_by_job(ref, ttlMs, silentMs)
  local ttl, silence = time_to_live(ttlMs), milliseconds(silentMs, 'silentMs')
  local found = find_to_change(ref)
  if not found then return nil end
  local time = now()
  local at = renewed(found, time + ttl)
  if silence then
    local entry = watched(ref.job_id, found.key)
    commit(renewing(found, at), call, 'ZADD', ref.prefix .. WATCH, time + silence, entry)
  else
    renew(found, at)
  end
  return found.text
end

--- Puts members into the state, in one step with a message to the job. \`updated\`: the members are in the state and,
--- where a stream is named, the fields are in it. \`duplicate\`: the delivery was handled before or started the job, and
--- nothing was changed.
--- \`gone\`: there is no conversation, or another job holds it.
---@param ref UpdateReference
---@param patch Patch
---@param ttlMs? Milliseconds
---@param deliveryId? DeliveryId
---@param ... string Field and value, in turn, for the stream; at most 1024 of each.
---@return 'updated'|'duplicate'|'gone' outcome
---@return State? state The new state.
local function update(ref, patch, ttlMs, deliveryId, ...)
  local ttl, delivery = time_to_live(ttlMs), optional_id(deliveryId, 'deliveryId')
  check_fields(ref, select('#', ...))
  local changes = read_patch(patch)
  local found = find_to_change(ref)
  if not found then return 'gone', false end
  local handled, time = own_key(HANDLED, ref.prefix, found.key), now()
  -- The message that started the job has its outcome already.
  if delivery and (delivery == found.state.deliveryId or is_handled(handled, delivery, time)) then
    return 'duplicate', found.text
  end
  local text, at = patched(found, changes), renewed(found, time + ttl)
  local writes = writing(found.key, found.index, text, at)
  if delivery then handle(writes, handled, time, delivery, '') end
  commit(writes, ref.stream and publish, ref.stream, at, ...)
  return 'updated', text
end

--- Stores which question is pending, that is, waits for an answer.
---@param ref Reference
---@param questionId QuestionId An empty one clears.
---@param ttlMs? Milliseconds
---@return State? state The new state.
local function set_pending(ref, questionId, ttlMs)
  local ttl = time_to_live(ttlMs)
  optional_id(questionId, 'questionId')
  local found = find_to_change(ref)
  if not found then return nil end
  local pending = found.state.pendingQuestionId
  if pending == cjson.null then pending = nil end
  if (pending or '') == questionId then
    renew(found, renewed(found, now() + ttl))
    return found.text
  end
  local text = change(found, 'pendingQuestionId', questionId == '' and 'null' or quote(questionId))
  write(found.key, found.index, text, now() + ttl)
  return text
end

--- Answers a question. \`accepted\`: it was pending; it is cleared, \`lastAnswer\` is kept and, where a stream is named,
--- the fields are added to it in the same step. \`answered\`: somebody else's answer was first. \`stale\`: another
--- question or none is pending. \`gone\`: there is no conversation, or another job holds it. The same answerId again is
--- \`accepted\` again and not published twice.
---@param ref StreamReference
---@param questionId QuestionId
---@param answerId AnswerId
---@param ttlMs? Milliseconds
---@param ... string Field and value, in turn, for the stream; at most 1024 of each.
---@return 'accepted'|'answered'|'stale'|'gone' outcome
---@return State? state
local function answer(ref, questionId, answerId, ttlMs, ...)
  local ttl = time_to_live(ttlMs)
  if not is_question_id(questionId) then
    fail('CONVARG', 'questionId ' .. BAD_ID:format(MAX_QUESTION_ID) .. ', in UTF-8')
  end
  optional_id(answerId, 'answerId')
  check_fields(ref, select('#', ...))
  local found = find_to_change(ref)
  if not found then return 'gone', false end
  local state = found.state
  local last = type(state.lastAnswer) == 'table' and state.lastAnswer or {}
  local same_question = last.questionId == questionId
  local again = same_question and last.answerId == answerId and answerId ~= ''
  if state.pendingQuestionId ~= questionId then
    return again and 'accepted' or same_question and 'answered' or 'stale', found.text
  end
  local text = change(found, 'pendingQuestionId', 'null', 'lastAnswer',
    '{"questionId":' .. quote(questionId) .. ',"answerId":' .. quote(answerId) .. '}')
  local at = now() + ttl
  -- A question that was asked again, by a resend perhaps, is not answered twice by one answer.
  if ref.stream and not again then
    permit('SET', found.key, '')
    publish(ref.stream, at, ...)
  end
  write(found.key, found.index, text, at)
  return 'accepted', text
end

-- The id of the last entry read, as the start of what came after it; nil where none is given.
local function read_last_seen(text)
  if text == nil or text == '' then return nil end
  local time, number = text:match('^(%d+)%-?(%d*)$')
  if not time or #time > 15 or #number > 15 or text:find('%-$') then
    fail('CONVARG', 'lastSeen must be the id of an inbox entry, such as 1700000000000-0, or 0')
  end
  return '(' .. text
end

-- Removes a job that is named and does not hold the channel. It was on watch if nobody has settled its end yet.
local function settle(ref, key, text, indexed)
  local writes = {}
  local lapsed = unwatch(writes, ref.prefix, watched(ref.job_id, key))
  if indexed then writes[#writes + 1] = { 'DEL', ref.job } end
  commit(writes)
  return lapsed and 'lapsed' or text and 'held' or 'gone', text
end

-- Deletes a conversation with what else there is of it. Its delivery is handled from now on.
local function forget(prefix, key, index, inbox, delivery, entry)
  local writes, keys = {}, { 'DEL', key, inbox or key, index or key }
  if delivery then
    local handled = own_key(HANDLED, prefix, key)
    -- Redis refuses a key of another type here, before anything is written.
    call('ZCARD', handled)
    handle(writes, handled, now(), delivery, '')
  end
  if entry then writes[#writes + 1] = { 'ZREM', prefix .. WATCH, entry } end
  writes[#writes + 1] = keys
  commit(writes)
end

--- Removes a conversation. \`removed\`: it is gone now, and its delivery is handled. \`waiting\`: something came into the
--- inbox after \`lastSeen\`; nothing was changed, read on. \`lapsed\`: the job no longer held the channel, and this is the
--- first call to settle its end. \`held\`: another job took the channel over; only the caller's stale index goes. \`gone\`:
--- there was none. By conversation key alone, a value that cannot be read is removed too.
---@param ref RemoveReference
---@param lastSeen? StreamId Where it is given and the conversation goes, the inbox goes too.
---@param retry? '1'|'' 1: the job never ran, and a redelivery of its message may start it.
---@return 'removed'|'waiting'|'lapsed'|'held'|'gone' outcome
---@return State? state What was removed or is still there, or the holder's.
local function remove(ref, lastSeen, retry)
  local after = read_last_seen(lastSeen)
  if retry and retry ~= '' and retry ~= '1' then fail('CONVARG', 'retry must be 1, or empty') end
  local key, indexed = locate(ref)
  if not key then return 'gone', false end
  local text = call('GET', key)
  local state
  if text then
    if ref.job then state = read(ref, key, text) else state = readable(text) end
  end
  local index = ref.job or state and ref.prefix .. JOB_INDEX .. state.jobId
  indexed = indexed or index and call('GET', index) == key
  if not text or ref.job and state.jobId ~= ref.job_id then
    if not ref.job then return 'gone', false end
    return settle(ref, key, text, indexed)
  end
  local inbox, delivery
  if after then
    inbox = own_key(INBOX, ref.prefix, key)
    if call('XRANGE', inbox, after, '+', 'COUNT', 1)[1] then return 'waiting', text end
  end
  if state and retry ~= '1' and is_id(state.deliveryId, MAX_QUESTION_ID) then delivery = state.deliveryId end
  local entry = state and watched(state.jobId, key)
  local on_watch = entry and call('ZSCORE', ref.prefix .. WATCH, entry)
  if inbox or delivery or on_watch then
    forget(ref.prefix, key, indexed and index, inbox, delivery, on_watch and entry)
  -- Both in one command: a user who may not delete one of them deletes neither.
  elseif indexed then call('DEL', key, index)
  else call('DEL', key) end
  return 'removed', text
end

--- Names the jobs that count as silent, the longest silent first, and puts each off, so that one caller at a time looks
--- into it.
---@param watch Watch
---@param leaseMs Lease
---@param limit? integer The most jobs to name, 1 to 1000; empty or left out means 100.
---@return string[] # Job id and conversation key, in turn.
local function due(watch, leaseMs, limit)
  local lease = milliseconds(leaseMs, 'leaseMs')
  if not lease then fail('CONVARG', 'leaseMs must be whole milliseconds from 1 to 999999999999') end
  local most = DEFAULT_DUE
  if limit and limit ~= '' then
    most = #limit <= 4 and limit:find('^[1-9]%d*$') and tonumber(limit)
    if not most or most > MAX_DUE then fail('CONVARG', 'limit must be a whole number from 1 to 1000') end
  end
  local at, jobs = now(), {}
  for _, entry in ipairs(call('ZRANGEBYSCORE', watch, '-inf', at, 'LIMIT', 0, most)) do
    local job_id, conversation = entry:match('^(.-)\\n(.*)$')
    if job_id then
      jobs[#jobs + 1] = job_id
      jobs[#jobs + 1] = conversation
    end
    call('ZADD', watch, at + lease, entry)
  end
  return jobs
end

--- The library's version.
---@return string version
local function version()
  return VERSION
end

-- Registrations --------------------------------------------------------------------------------------------------

-- Lua unpacks a bounded number of values. Every function that takes fields has three arguments before them.
local MAX_ARGUMENTS = 3 + 2 * MAX_FIELDS

local function run(body, keys_of, fewest, most, keys, args)
  if #args < fewest or most and #args > most then
    local wanted = fewest == most and fewest or most and fewest .. ' to ' .. most or 'at least ' .. fewest
    fail('CONVARG', 'wanted ' .. wanted .. ' arguments, ' .. #args .. ' were given')
  end
  if #args > MAX_ARGUMENTS then fail('CONVARG', 'at most ' .. MAX_FIELDS .. ' fields are taken') end
  return body(keys_of(keys), unpack(args))
end

-- What a command returned, as Redis takes it: an error, one value, or an outcome and a state as an array, in which
-- false stands for a state that is not there.
local function reply(ok, first, second)
  if not ok then return redis.error_reply(first) end
  if second == nil then return first end
  return { first, second }
end

-- A command as Redis calls it.
local function served(body, keys_of, fewest, most)
  return function(keys, args)
    if not parse then wake() end
    return reply(pcall(run, body, keys_of, fewest, most, keys, args))
  end
end

redis.register_function({ function_name = 'conv_claim', callback = served(claim, pair, 1) })
redis.register_function({ function_name = 'conv_set', callback = served(set, pair, 1, 3) })
redis.register_function({
  function_name = 'conv_get', callback = served(get, reference, 0, 0), flags = { 'no-writes' },
})
redis.register_function({ function_name = 'conv_get_by_job', callback = served(get_by_job, job_reference, 0, 2) })
redis.register_function({ function_name = 'conv_update', callback = served(update, stream_reference, 1) })
redis.register_function({ function_name = 'conv_set_pending', callback = served(set_pending, reference, 1, 2) })
redis.register_function({ function_name = 'conv_answer', callback = served(answer, stream_reference, 2) })
redis.register_function({
  function_name = 'conv_remove', callback = served(remove, reference, 0, 2), flags = { 'allow-oom' },
})
redis.register_function({ function_name = 'conv_due', callback = served(due, watch_key, 1, 2) })
redis.register_function({
  function_name = 'conv_version', callback = served(version, no_keys, 0, 0), flags = { 'no-writes' },
})
`;
