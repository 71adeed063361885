// Generated from ../lua/conversation.lua by `npm run generate`. Do not edit: change the Lua and generate again.
// An argument that is left out is sent as the empty string where a later one is given.

/** The name of the library on the server. */
export const LIBRARY_NAME = 'conversation';

/** The version of the library, major.minor.patch. */
export const LIBRARY_VERSION = '1.0.0';

/** The functions, their flags, the keys that they may touch, and the parts of a reply. One part is no array. */
export const FUNCTIONS = [
  { name: 'conv_get', flags: ['no-writes'], keys: ['conversation', 'job'], reply: ['state'] },
  {
    name: 'conv_claim',
    flags: [],
    keys: ['conversation', 'job', 'inbox', 'handled', 'watch'],
    reply: ['outcome', 'state'],
  },
  { name: 'conv_set', flags: [], keys: ['conversation', 'job', 'inbox', 'handled', 'watch'], reply: ['state'] },
  {
    name: 'conv_hand_over',
    flags: [],
    keys: ['conversation', 'job', 'successor', 'inbox', 'handled', 'watch', 'stream'],
    reply: ['outcome', 'state'],
  },
  { name: 'conv_get_by_job', flags: ['allow-oom'], keys: ['conversation', 'job', 'inbox', 'watch'], reply: ['state'] },
  {
    name: 'conv_update',
    flags: [],
    keys: ['conversation', 'job', 'inbox', 'handled', 'watch', 'stream'],
    reply: ['outcome', 'state'],
  },
  { name: 'conv_set_pending', flags: [], keys: ['conversation', 'job', 'inbox', 'handled', 'watch'], reply: ['state'] },
  {
    name: 'conv_answer',
    flags: [],
    keys: ['conversation', 'job', 'inbox', 'handled', 'watch', 'stream'],
    reply: ['outcome', 'state'],
  },
  {
    name: 'conv_remove',
    flags: ['allow-oom'],
    keys: ['conversation', 'job', 'inbox', 'handled', 'watch'],
    reply: ['outcome', 'state'],
  },
  { name: 'conv_due', flags: ['allow-oom'], keys: ['watch'], reply: [''] },
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

/** The TTL of a call without one, in milliseconds. */
export const DEFAULT_TTL = 7200000;

/** The longest time that any argument can say, in milliseconds. */
export const MAX_MILLISECONDS = 999999999999;

/** The most bytes of a job or channel id. */
export const MAX_ID = 512;

/** The most bytes of a question, answer, claim or delivery id. */
export const MAX_MESSAGE_ID = 1024;

/** The most bytes of a key. */
export const MAX_KEY = 4096;

/** The most bytes of a state as JSON. */
export const MAX_STATE = 262144;

/**
 * The most values of a state or a patch, nested ones too, counted by the commas and opening brackets before them.
 * Decoding many more takes 50 ms and longer.
 */
export const MAX_VALUES = 32768;

/** The most members of a patch. */
export const MAX_PATCH = 1024;

/** The most fields of one entry of a stream. */
export const MAX_FIELDS = 1024;

/** The most bytes of all fields and values of one entry of a stream together. */
export const MAX_ENTRY = 262144;

/** The most entries of an inbox. */
export const INBOX_LENGTH = 1000;

/** About how many entries a stream keeps. */
export const STREAM_LENGTH = 10000;

/** The most jobs that one call returns as due. */
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

/** What a platform looks like: a Lua pattern and a regular expression alike. */
export const PLATFORM = '[A-Za-z0-9][A-Za-z0-9._-]*';

/** JSON of one ConversationState, at most 262144 bytes and 32768 values. */
export type State = string;

/**
 * A JSON object: the members to put into the state, each value byte for byte; at most 1024 of them. jobId, channelId,
 * platform, pendingQuestionId, lastAnswer, claimId, deliveryId, starting, silentAfterMs and answerBy cannot be patched.
 */
export type Patch = string;

/** The TTL, in whole milliseconds, 1 to 999999999999; empty or left out means 7200000 (2 h). */
export type Milliseconds = number;

/**
 * The time limit of the question, in whole milliseconds, 1 to 999999999999; empty or left out: the question has no
 * limit.
 */
export type Limit = number;

/** Whole milliseconds, 1 to 999999999999, for which the returned jobs are not returned again. */
export type Lease = number;

/** Names one asking in its channel; at most 1024 bytes without control characters. */
export type QuestionId = string;

/**
 * Names one answer, the same in every redelivery of it; at most 1024 bytes without control characters. Of an empty one,
 * no resend is recognised.
 */
export type AnswerId = string;

/**
 * Names a message, the same in every redelivery of it; at most 1024 bytes without control characters. Empty or left
 * out: the call is not tied to a message.
 */
export type DeliveryId = string;

/** The id of the last inbox entry that the job has read, such as `1700000000000-0`. */
export type EntryId = string;

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

/**
 * A conversation key, a job-index key, or both. With a job-index key the call works only while that job still holds the
 * channel. The other keys are for Redis Cluster and don't change what the call does.
 */
export interface WholeReference extends Reference {
  /** `{prefix}conversation-inbox:{platform, lower case}:{channelId}` */
  inbox?: string | undefined;
  /** `{prefix}conversation-handled:{platform, lower case}:{channelId}` */
  handled?: string | undefined;
  /** `{prefix}conversation-watch` */
  watch?: string | undefined;
}

/** A reference and the stream to which the fields are added. A stream needs the job named. */
export interface StreamReference extends WholeReference {
  /** A key of the application with the same prefix. */
  stream?: string | undefined;
}

/** A job-index key, alone or behind its conversation key. The other keys are for Redis Cluster. */
export interface JobReference {
  /** `{prefix}conversation:{platform, lower case}:{channelId}` */
  conversation?: string | undefined;
  /** `{prefix}job-index:{jobId}` */
  job: string;
  /** `{prefix}conversation-inbox:{platform, lower case}:{channelId}` */
  inbox?: string | undefined;
  /** `{prefix}conversation-watch` */
  watch?: string | undefined;
}

/** Both keys of a conversation. The other keys are for Redis Cluster. */
export interface Pair {
  /** `{prefix}conversation:{platform, lower case}:{channelId}` */
  conversation: string;
  /** `{prefix}job-index:{jobId}` */
  job: string;
  /** `{prefix}conversation-inbox:{platform, lower case}:{channelId}` */
  inbox?: string | undefined;
  /** `{prefix}conversation-handled:{platform, lower case}:{channelId}` */
  handled?: string | undefined;
  /** `{prefix}conversation-watch` */
  watch?: string | undefined;
}

/**
 * The conversation key, the job-index key of the outgoing job and that of its successor. Behind them, the stream to
 * which the fields are added, and keys for Redis Cluster.
 */
export interface Succession {
  /** `{prefix}conversation:{platform, lower case}:{channelId}` */
  conversation: string;
  /** `{prefix}job-index:{jobId}` of the outgoing job */
  job: string;
  /** `{prefix}job-index:{jobId}` of the successor */
  successor: string;
  /** `{prefix}conversation-inbox:{platform, lower case}:{channelId}` */
  inbox?: string | undefined;
  /** `{prefix}conversation-handled:{platform, lower case}:{channelId}` */
  handled?: string | undefined;
  /** `{prefix}conversation-watch` */
  watch?: string | undefined;
  /** A key of the application with the same prefix. */
  stream?: string | undefined;
}

/** The key of the jobs that are watched. */
export interface Watch {
  /** `{prefix}conversation-watch` */
  watch: string;
}

/**
 * Reads a conversation and changes nothing.
 *
 * @param keys A conversation key, a job-index key, or both. With a job-index key the call works only while that job
 *   still holds the channel.
 * @returns JSON of one ConversationState, at most 262144 bytes and 32768 values.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVKEY` or a code of Redis; a
 *   TypeError if the reply is not one of this function.
 */
export async function convGet(client: FunctionClient, keys: Reference): Promise<State | null> {
  const reply = await client.fcall_ro('conv_get', ...sent([keys.conversation, keys.job], []));
  if (typeof reply !== 'string' && !isNil(reply)) throw unexpected('conv_get', 'string | null as its reply');
  return isNil(reply) ? null : reply;
}

/**
 * Claims a channel for a job: of any number of simultaneous claims, one is `claimed`. `queued`: another job holds the
 * channel, and the fields were added to its inbox. `full`: 1000 entries are in that inbox. `held`: another job holds
 * the channel, and no fields were given. `duplicate`: the message that the state's deliveryId names has its outcome,
 * or is the one that started the job. `starting`: it is, and that job has given no sign of life yet, so the message
 * may have to come again. A call that is sent again, with the same claimId, returns the same again. Only `claimed`
 * changes deadlines, and only `queued` makes the message a duplicate.
 *
 * @param keys Both keys of a conversation. The other keys are for Redis Cluster.
 * @param args.state Without pendingQuestionId, answerBy and lastAnswer. JSON of one ConversationState, at most
 *   262144 bytes and 32768 values.
 * @param args.ttlMs The TTL, in whole milliseconds, 1 to 999999999999; empty or left out means 7200000 (2 h).
 * @param args.rest Field and value, in turn, for the inbox; at most 1024 of each and 262144 bytes together. The
 *   state then has a claimId and a deliveryId.
 * @returns `state`: What is stored now. Nil where the message is a duplicate and no job holds the channel. JSON of
 *   one ConversationState, at most 262144 bytes and 32768 values.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVJOB`, `CONVKEY`, `CONVSTATE` or a
 *   code of Redis; a TypeError if the reply is not one of this function.
 */
export async function convClaim(
  client: FunctionClient,
  keys: Pair,
  args: { state: State; ttlMs?: Milliseconds | undefined; rest?: readonly string[] | undefined },
): Promise<{ outcome: 'claimed' | 'held' | 'queued' | 'full' | 'duplicate' | 'starting'; state: State | null }> {
  const reply = await client.fcall(
    'conv_claim',
    ...sent(
      [keys.conversation, keys.job, keys.inbox, keys.handled, keys.watch],
      [args.state, args.ttlMs, ...(args.rest ?? [])],
    ),
  );
  const [outcome, state] = partsOf('conv_claim', reply, 2);
  if (
    outcome !== 'claimed' &&
    outcome !== 'held' &&
    outcome !== 'queued' &&
    outcome !== 'full' &&
    outcome !== 'duplicate' &&
    outcome !== 'starting'
  )
    throw unexpected('conv_claim', "'claimed' | 'held' | 'queued' | 'full' | 'duplicate' | 'starting' as outcome");
  if (typeof state !== 'string' && !isNil(state)) throw unexpected('conv_claim', 'string | null as state');
  return { outcome, state: isNil(state) ? null : state };
}

/**
 * Stores a state whatever stood there: the last write wins, and the job that stood there ends.
 *
 * @param keys Both keys of a conversation. The other keys are for Redis Cluster.
 * @param args.state With a pending question and answerBy, the conversation ends ttlMs after that. JSON of one
 *   ConversationState, at most 262144 bytes and 32768 values.
 * @param args.ttlMs The TTL, in whole milliseconds, 1 to 999999999999; empty or left out means 7200000 (2 h).
 * @returns What stood there. JSON of one ConversationState, at most 262144 bytes and 32768 values.
 * @throws The server's error, whose first word is `CONVARG`, `CONVJOB`, `CONVKEY`, `CONVSTATE` or a code of Redis; a
 *   TypeError if the reply is not one of this function.
 */
export async function convSet(
  client: FunctionClient,
  keys: Pair,
  args: { state: State; ttlMs?: Milliseconds | undefined },
): Promise<State | null> {
  const reply = await client.fcall(
    'conv_set',
    ...sent([keys.conversation, keys.job, keys.inbox, keys.handled, keys.watch], [args.state, args.ttlMs]),
  );
  if (typeof reply !== 'string' && !isNil(reply)) throw unexpected('conv_set', 'string | null as its reply');
  return isNil(reply) ? null : reply;
}

/**
 * Ends one job and gives the channel to another in one step. `claimed`: the outgoing job held the channel, or nobody
 * did and the outgoing job was on watch or unread messages wait; the successor holds it now, with the inbox. `held`:
 * a third job holds it. `duplicate` and `starting`: the message that the state's deliveryId names, as for a claim.
 * `gone`: there was nothing to hand over. A call that is sent again, with the same claimId, returns the same again.
 *
 * @param keys The conversation key, the job-index key of the outgoing job and that of its successor. Behind them,
 *   the stream to which the fields are added, and keys for Redis Cluster.
 * @param args.state The successor's, with a claimId and without pendingQuestionId, answerBy and lastAnswer. JSON of
 *   one ConversationState, at most 262144 bytes and 32768 values.
 * @param args.ttlMs The TTL, in whole milliseconds, 1 to 999999999999; empty or left out means 7200000 (2 h).
 * @param args.rest Field and value, in turn, for the stream; at most 1024 of each and 262144 bytes together.
 * @returns `state`: What is stored now. JSON of one ConversationState, at most 262144 bytes and 32768 values.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVJOB`, `CONVKEY`, `CONVSTATE` or a
 *   code of Redis; a TypeError if the reply is not one of this function.
 */
export async function convHandOver(
  client: FunctionClient,
  keys: Succession,
  args: { state: State; ttlMs?: Milliseconds | undefined; rest?: readonly string[] | undefined },
): Promise<{ outcome: 'claimed' | 'held' | 'duplicate' | 'starting' | 'gone'; state: State | null }> {
  const reply = await client.fcall(
    'conv_hand_over',
    ...sent(
      [keys.conversation, keys.job, keys.successor, keys.inbox, keys.handled, keys.watch, keys.stream],
      [args.state, args.ttlMs, ...(args.rest ?? [])],
    ),
  );
  const [outcome, state] = partsOf('conv_hand_over', reply, 2);
  if (
    outcome !== 'claimed' &&
    outcome !== 'held' &&
    outcome !== 'duplicate' &&
    outcome !== 'starting' &&
    outcome !== 'gone'
  )
    throw unexpected('conv_hand_over', "'claimed' | 'held' | 'duplicate' | 'starting' | 'gone' as outcome");
  if (typeof state !== 'string' && !isNil(state)) throw unexpected('conv_hand_over', 'string | null as state');
  return { outcome, state: isNil(state) ? null : state };
}

/**
 * Reads the conversation a job holds. It is a sign of life: both deadlines are renewed, the job is no longer starting,
 * and silence counts from now.
 *
 * @param keys A job-index key, alone or behind its conversation key. The other keys are for Redis Cluster.
 * @param args.ttlMs The TTL, in whole milliseconds, 1 to 999999999999; empty or left out means 7200000 (2 h).
 * @param args.lastSeen The job has read the entries of its inbox up to this one, and they are deleted. The id of the
 *   last inbox entry that the job has read, such as `1700000000000-0`.
 * @returns JSON of one ConversationState, at most 262144 bytes and 32768 values.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVKEY` or a code of Redis; a
 *   TypeError if the reply is not one of this function.
 */
export async function convGetByJob(
  client: FunctionClient,
  keys: JobReference,
  args: { ttlMs?: Milliseconds | undefined; lastSeen?: EntryId | undefined } = {},
): Promise<State | null> {
  const reply = await client.fcall(
    'conv_get_by_job',
    ...sent([keys.conversation, keys.job, keys.inbox, keys.watch], [args.ttlMs, args.lastSeen]),
  );
  if (typeof reply !== 'string' && !isNil(reply)) throw unexpected('conv_get_by_job', 'string | null as its reply');
  return isNil(reply) ? null : reply;
}

/**
 * Puts members into the state and leaves every other byte alone, in one step with a message to the job. It changes no
 * deadline. `updated`: the members are in the state and, where a stream is named, the fields are in it. `duplicate`:
 * the delivery was handled before, or started the job. `starting`: the job has given no sign of life yet, and the
 * delivery may come again. `gone`: there is no conversation, or another job holds it.
 *
 * @param keys A reference and the stream to which the fields are added. A stream needs the job named.
 * @param args.patch A JSON object: the members to put into the state, each value byte for byte; at most 1024 of
 *   them. jobId, channelId, platform, pendingQuestionId, lastAnswer, claimId, deliveryId, starting, silentAfterMs and
 *   answerBy cannot be patched.
 * @param args.deliveryId A stream needs one. Names a message, the same in every redelivery of it; at most 1024 bytes
 *   without control characters. Empty or left out: the call is not tied to a message.
 * @param args.rest Field and value, in turn, for the stream; at most 1024 of each and 262144 bytes together.
 * @returns `state`: The new state, or the one that stays. JSON of one ConversationState, at most 262144 bytes and
 *   32768 values.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVKEY`, `CONVSTATE` or a code of
 *   Redis; a TypeError if the reply is not one of this function.
 */
export async function convUpdate(
  client: FunctionClient,
  keys: StreamReference,
  args: { patch: Patch; deliveryId?: DeliveryId | undefined; rest?: readonly string[] | undefined },
): Promise<{ outcome: 'updated' | 'duplicate' | 'starting' | 'gone'; state: State | null }> {
  const reply = await client.fcall(
    'conv_update',
    ...sent(
      [keys.conversation, keys.job, keys.inbox, keys.handled, keys.watch, keys.stream],
      [args.patch, args.deliveryId, ...(args.rest ?? [])],
    ),
  );
  const [outcome, state] = partsOf('conv_update', reply, 2);
  if (outcome !== 'updated' && outcome !== 'duplicate' && outcome !== 'starting' && outcome !== 'gone')
    throw unexpected('conv_update', "'updated' | 'duplicate' | 'starting' | 'gone' as outcome");
  if (typeof state !== 'string' && !isNil(state)) throw unexpected('conv_update', 'string | null as state');
  return { outcome, state: isNil(state) ? null : state };
}

/**
 * Stores which question is pending, that is, waits for an answer. It is a sign of life. A question that was answered
 * last is not asked again: then the call is only the sign of life.
 *
 * @param keys A conversation key, a job-index key, or both. With a job-index key the call works only while that job
 *   still holds the channel. The other keys are for Redis Cluster and don't change what the call does.
 * @param args.questionId An empty one clears the question and its limit, which is not a sign of life. Names one
 *   asking in its channel; at most 1024 bytes without control characters.
 * @param args.ttlMs The TTL, in whole milliseconds, 1 to 999999999999; empty or left out means 7200000 (2 h).
 * @param args.withinMs The conversation ends ttlMs after the limit, and the job is due then and not sooner. The time
 *   limit of the question, in whole milliseconds, 1 to 999999999999; empty or left out: the question has no limit.
 * @returns The new state. JSON of one ConversationState, at most 262144 bytes and 32768 values.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVKEY` or a code of Redis; a
 *   TypeError if the reply is not one of this function.
 */
export async function convSetPending(
  client: FunctionClient,
  keys: WholeReference,
  args: { questionId: QuestionId; ttlMs?: Milliseconds | undefined; withinMs?: Limit | undefined },
): Promise<State | null> {
  const reply = await client.fcall(
    'conv_set_pending',
    ...sent(
      [keys.conversation, keys.job, keys.inbox, keys.handled, keys.watch],
      [args.questionId, args.ttlMs, args.withinMs],
    ),
  );
  if (typeof reply !== 'string' && !isNil(reply)) throw unexpected('conv_set_pending', 'string | null as its reply');
  return isNil(reply) ? null : reply;
}

/**
 * Answers a question. `accepted`: it was pending; it is cleared with its limit, `lastAnswer` is kept and, where a
 * stream is named, the fields are added to it in the same step. The same answerId again is `accepted` again and not
 * published twice. `answered`: another answer was first. `duplicate`: this answerId was handled before, as an answer
 * to another question or as a message. `stale`: another question is pending, or none. `gone`: there is no
 * conversation, or another job holds it.
 *
 * @param keys A reference and the stream to which the fields are added. A stream needs the job named.
 * @param args.questionId Names one asking in its channel; at most 1024 bytes without control characters.
 * @param args.answerId Names one answer, the same in every redelivery of it; at most 1024 bytes without control
 *   characters. Of an empty one, no resend is recognised.
 * @param args.ttlMs The TTL, in whole milliseconds, 1 to 999999999999; empty or left out means 7200000 (2 h).
 * @param args.rest Field and value, in turn, for the stream; at most 1024 of each and 262144 bytes together.
 * @returns `state`: JSON of one ConversationState, at most 262144 bytes and 32768 values.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVKEY` or a code of Redis; a
 *   TypeError if the reply is not one of this function.
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
): Promise<{ outcome: 'accepted' | 'answered' | 'duplicate' | 'stale' | 'gone'; state: State | null }> {
  const reply = await client.fcall(
    'conv_answer',
    ...sent(
      [keys.conversation, keys.job, keys.inbox, keys.handled, keys.watch, keys.stream],
      [args.questionId, args.answerId, args.ttlMs, ...(args.rest ?? [])],
    ),
  );
  const [outcome, state] = partsOf('conv_answer', reply, 2);
  if (
    outcome !== 'accepted' &&
    outcome !== 'answered' &&
    outcome !== 'duplicate' &&
    outcome !== 'stale' &&
    outcome !== 'gone'
  )
    throw unexpected('conv_answer', "'accepted' | 'answered' | 'duplicate' | 'stale' | 'gone' as outcome");
  if (typeof state !== 'string' && !isNil(state)) throw unexpected('conv_answer', 'string | null as state');
  return { outcome, state: isNil(state) ? null : state };
}

/**
 * Removes a conversation. `removed`: the channel is free now, and the job's message is handled. `waiting`: unread
 * messages are in the inbox of the job that holds the channel, or of a channel that nobody holds, and nothing was
 * changed. `lapsed`: the job no longer held the channel, and this is the first call to settle its end. `held`: another
 * job holds the channel, and only the caller's stale index goes; or, with `retry`, the job has given a sign of life,
 * and nothing was changed. `gone`: there was nothing to remove. By conversation key alone, a value that cannot be read
 * is removed too.
 *
 * @param keys A conversation key, a job-index key, or both. With a job-index key the call works only while that job
 *   still holds the channel. The other keys are for Redis Cluster and don't change what the call does.
 * @param args.how retry: the job never ran, and a redelivery of its message may start it. all: the inbox goes too,
 *   whatever it holds.
 * @returns `state`: What was removed or is still there, or the holder's. JSON of one ConversationState, at most
 *   262144 bytes and 32768 values.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVKEY` or a code of Redis; a
 *   TypeError if the reply is not one of this function.
 */
export async function convRemove(
  client: FunctionClient,
  keys: WholeReference,
  args: { how?: 'retry' | 'all' | '' | undefined } = {},
): Promise<{ outcome: 'removed' | 'waiting' | 'lapsed' | 'held' | 'gone'; state: State | null }> {
  const reply = await client.fcall(
    'conv_remove',
    ...sent([keys.conversation, keys.job, keys.inbox, keys.handled, keys.watch], [args.how]),
  );
  const [outcome, state] = partsOf('conv_remove', reply, 2);
  if (
    outcome !== 'removed' &&
    outcome !== 'waiting' &&
    outcome !== 'lapsed' &&
    outcome !== 'held' &&
    outcome !== 'gone'
  )
    throw unexpected('conv_remove', "'removed' | 'waiting' | 'lapsed' | 'held' | 'gone' as outcome");
  if (typeof state !== 'string' && !isNil(state)) throw unexpected('conv_remove', 'string | null as state');
  return { outcome, state: isNil(state) ? null : state };
}

/**
 * Returns the jobs that somebody has to look at, the longest due first, and puts each off, so that one caller at a
 * time looks into it.
 *
 * @param keys The key of the jobs that are watched.
 * @param args.leaseMs Whole milliseconds, 1 to 999999999999, for which the returned jobs are not returned again.
 * @param args.limit The most jobs to return, 1 to 1000; empty or left out means 100.
 * @returns Job id, conversation key and the milliseconds since 1970 from which on it was due, in turn. With a
 *   pending question whose answerBy is not later, that question's time is over; otherwise the job is silent.
 * @throws The server's error, whose first word is `CONVARG`, `CONVKEY` or a code of Redis; a TypeError if the reply
 *   is not one of this function.
 */
export async function convDue(
  client: FunctionClient,
  keys: Watch,
  args: { leaseMs: Lease; limit?: number | undefined },
): Promise<string[]> {
  const reply = await client.fcall('conv_due', ...sent([keys.watch], [args.leaseMs, args.limit]));
  if (!areStrings(reply)) throw unexpected('conv_due', 'string[] as its reply');
  return reply;
}

/**
 * Returns the library's version.
 *
 * @throws The server's error, whose first word is `CONVARG`, `CONVKEY` or a code of Redis; a TypeError if the reply
 *   is not one of this function.
 */
export async function convVersion(client: FunctionClient): Promise<string> {
  const reply = await client.fcall_ro('conv_version', ...sent([], []));
  if (typeof reply !== 'string') throw unexpected('conv_version', 'string as its reply');
  return reply;
}

/** What FCALL takes behind the name of the function. */
function sent(keys: (string | undefined)[], args: (string | number | undefined)[]): [number, ...string[]] {
  const given = keys.filter((key) => key !== undefined);
  while (args.length > 0 && args.at(-1) === undefined) args.pop();
  return [given.length, ...given, ...args.map((argument) => String(argument ?? ''))];
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
-- Tracks which long-running job owns which chat channel.
--
-- A conversation is one channel, or one thread of it, that at most one job holds. It is two keys. Every call updates
-- both with one shared deadline, or neither of them:
--   {prefix}conversation:{platform, lower case}:{channelId}           JSON of one ConversationState
--   {prefix}job-index:{jobId}                                         the conversation key, whole
-- Three more keys exist only where they are used:
--   {prefix}conversation-inbox:{platform, lower case}:{channelId}     stream: messages that no job has read yet
--   {prefix}conversation-handled:{platform, lower case}:{channelId}   sorted set: the deliveries that have an outcome
--   {prefix}conversation-watch                                        sorted set: when somebody has to look at a job
--
-- Contents
--   Limits and types       the constants, and the annotations from which the TypeScript client is generated
--   Errors                 how a command ends with an error
--   Ids and keys           what an id is; the keys of a call and what they must be
--   Arguments              TTLs, ids, fields
--   JSON text              strict JSON; changing members of a text and leaving every other byte alone
--   The state              what a valid state is
--   What is stored         finding a conversation and writing it
--   Watch and deliveries   when a job is due; which messages have been handled; entries of streams
--   The commands           one function each, the simplest first, then in the order of a conversation's life
--   Registrations          how Redis calls them
--
-- Redis keeps what was written before an error. So a command checks everything before its first write: its arguments,
-- what is stored, the types of the keys and, where it writes with several commands, the user's rights for all of them.

local VERSION = '1.0.0'

-- Limits and types -----------------------------------------------------------------------------------------------

--- The TTL of a call without one, in milliseconds.
local DEFAULT_TTL = 7200000
--- The longest time that any argument can say, in milliseconds.
local MAX_MILLISECONDS = 999999999999
--- The most bytes of a job or channel id.
local MAX_ID = 512
--- The most bytes of a question, answer, claim or delivery id.
local MAX_MESSAGE_ID = 1024
--- The most bytes of a key.
local MAX_KEY = 4096
--- The most bytes of a state as JSON.
local MAX_STATE = 262144
--- The most values of a state or a patch, nested ones too, counted by the commas and opening brackets before them.
--- Decoding many more takes 50 ms and longer.
local MAX_VALUES = 32768
--- The most members of a patch.
local MAX_PATCH = 1024
--- The most fields of one entry of a stream.
local MAX_FIELDS = 1024
--- The most bytes of all fields and values of one entry of a stream together.
local MAX_ENTRY = 262144
--- The most entries of an inbox.
local INBOX_LENGTH = 1000
--- About how many entries a stream keeps.
local STREAM_LENGTH = 10000
--- The most jobs that one call returns as due.
local MAX_DUE = 1000
local DEFAULT_DUE = 100
local HANDLED_LENGTH = 10000
local DAY = 86400000
local WEEK = 604800000
-- The latest moment that a state can name, in the year 2286.
local MAX_TIME = 9999999999999

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
--- What a platform looks like: a Lua pattern and a regular expression alike.
local PLATFORM = '[A-Za-z0-9][A-Za-z0-9._-]*'

---@alias State string JSON of one ConversationState, at most 262144 bytes and 32768 values.
---@alias Patch string A JSON object: the members to put into the state, each value byte for byte; at most 1024 of them.
--- jobId, channelId, platform, pendingQuestionId, lastAnswer, claimId, deliveryId, starting, silentAfterMs and answerBy
--- cannot be patched.
---@alias Milliseconds integer The TTL, in whole milliseconds, 1 to 999999999999; empty or left out means 7200000 (2 h).
---@alias Limit integer The time limit of the question, in whole milliseconds, 1 to 999999999999; empty or left out: the
--- question has no limit.
---@alias Lease integer Whole milliseconds, 1 to 999999999999, for which the returned jobs are not returned again.
---@alias QuestionId string Names one asking in its channel; at most 1024 bytes without control characters.
---@alias AnswerId string Names one answer, the same in every redelivery of it; at most 1024 bytes without control
--- characters. Of an empty one, no resend is recognised.
---@alias DeliveryId string Names a message, the same in every redelivery of it; at most 1024 bytes without control
--- characters. Empty or left out: the call is not tied to a message.
---@alias EntryId string The id of the last inbox entry that the job has read, such as \`1700000000000-0\`.

-- Each class lists the keys that its functions may touch. Redis Cluster wants all of them declared.

---@class Reference A conversation key, a job-index key, or both. With a job-index key the call works only while that
--- job still holds the channel.
---@field conversation? string \`{prefix}conversation:{platform, lower case}:{channelId}\`
---@field job? string \`{prefix}job-index:{jobId}\`

---@class WholeReference: Reference A conversation key, a job-index key, or both. With a job-index key the call works
--- only while that job still holds the channel. The other keys are for Redis Cluster and don't change what the call
--- does.
---@field inbox? string \`{prefix}conversation-inbox:{platform, lower case}:{channelId}\`
---@field handled? string \`{prefix}conversation-handled:{platform, lower case}:{channelId}\`
---@field watch? string \`{prefix}conversation-watch\`

---@class StreamReference: WholeReference A reference and the stream to which the fields are added. A stream needs the
--- job named.
---@field stream? string A key of the application with the same prefix.

---@class JobReference A job-index key, alone or behind its conversation key. The other keys are for Redis Cluster.
---@field conversation? string \`{prefix}conversation:{platform, lower case}:{channelId}\`
---@field job string \`{prefix}job-index:{jobId}\`
---@field inbox? string \`{prefix}conversation-inbox:{platform, lower case}:{channelId}\`
---@field watch? string \`{prefix}conversation-watch\`

---@class Pair Both keys of a conversation. The other keys are for Redis Cluster.
---@field conversation string \`{prefix}conversation:{platform, lower case}:{channelId}\`
---@field job string \`{prefix}job-index:{jobId}\`
---@field inbox? string \`{prefix}conversation-inbox:{platform, lower case}:{channelId}\`
---@field handled? string \`{prefix}conversation-handled:{platform, lower case}:{channelId}\`
---@field watch? string \`{prefix}conversation-watch\`

---@class Succession The conversation key, the job-index key of the outgoing job and that of its successor. Behind them,
--- the stream to which the fields are added, and keys for Redis Cluster.
---@field conversation string \`{prefix}conversation:{platform, lower case}:{channelId}\`
---@field job string \`{prefix}job-index:{jobId}\` of the outgoing job
---@field successor string \`{prefix}job-index:{jobId}\` of the successor
---@field inbox? string \`{prefix}conversation-inbox:{platform, lower case}:{channelId}\`
---@field handled? string \`{prefix}conversation-handled:{platform, lower case}:{channelId}\`
---@field watch? string \`{prefix}conversation-watch\`
---@field stream? string A key of the application with the same prefix.

---@class Watch The key of the jobs that are watched.
---@field watch string \`{prefix}conversation-watch\`

-- A library sees Redis, cjson and Lua's own functions only while one of its functions runs, so the first call fetches
-- them. Redis looks a global up in two tables: without those of Lua here, each call takes 1 to 2 % longer.
local call, try, parse, null
local type, pcall, unpack, select, ipairs

local function bind_redis()
  call, try, null = redis.call, redis.pcall, cjson.null
  type, pcall, unpack, select, ipairs = _G.type, _G.pcall, _G.unpack, _G.select, _G.ipairs
  local json = cjson.new()
  json.decode_invalid_numbers(false)
  parse = json.decode
end

-- Errors ---------------------------------------------------------------------------------------------------------

-- Leaves the command; \`handler\` answers with the message. The first word is the code.
local function fail(code, message)
  error(code .. ' ' .. message, 0)
end

-- Ids and keys ---------------------------------------------------------------------------------------------------

local BAD_ID = 'must be a non-empty string of at most %d bytes without control characters'

-- Printable ASCII, which most texts are, needs no second look at its characters.
local PRINTABLE = '^[ -~]*$'

-- Control characters are those of ASCII and, written in UTF-8, U+0080 to U+009F.
local function has_control(text)
  return text:find('%c') or text:find('\\194[\\128-\\159]')
end

local function is_id(value, limit)
  return type(value) == 'string' and value ~= '' and #value <= limit
    and (value:find(PRINTABLE) or not has_control(value))
end

local NAMES = { CONVERSATION, JOB_INDEX, INBOX, HANDLED, WATCH }

-- Whether a text holds one of the five names that keys are made of. A prefix and a stream hold none.
local function holds_name(text)
  for _, name in ipairs(NAMES) do
    if text:find(name, 1, true) then return true end
  end
  return false
end

-- The prefix and the id of a key; nothing where these are not a prefix and an id. An id may hold any of the names.
local function parts(prefix, id)
  if id and id ~= '' and #id <= MAX_ID and (id:find(PRINTABLE) or not has_control(id))
    and (prefix == '' or not holds_name(prefix)) then
    return prefix, id
  end
end

local function split_conversation(key)
  return parts(key:match('^(.-)conversation:[a-z0-9][a-z0-9._-]*:(.*)$'))
end

local function split_job(key)
  return parts(key:match('^(.-)job%-index:(.*)$'))
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
-- Conversation, job, successor, stream, inbox, handled, watch.
local MAX_KEYS = 7

-- How many keys were given, after looking at their number and lengths, before anything searches them.
local function count_keys(keys)
  if #keys > MAX_KEYS then fail('CONVKEY', 'at most ' .. MAX_KEYS .. ' keys are taken, ' .. #keys .. ' were given') end
  for at = 1, #keys do
    if #keys[at] > MAX_KEY then fail('CONVKEY', 'a key must have at most ' .. MAX_KEY .. ' bytes') end
  end
  return #keys
end

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

-- Reads what stands behind a reference, in any order: the conversation's own keys, which cluster clients declare and
-- which don't change what the call does, and for some functions a stream.
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

-- The id of the job whose index key stands behind a conversation key, or nil where another key does.
local function job_behind(prefix, key)
  local job_prefix, job_id = split_job(key or '')
  if job_prefix and job_prefix ~= prefix then fail('CONVKEY', 'the keys have different prefixes') end
  return job_id
end

-- Reads a conversation key and the index keys behind it, of which there are at least \`wanted\` jobs.
local function conversation_first(keys, prefix, wanted, takes_stream)
  local job_id = job_behind(prefix, keys[2])
  local ref = { prefix = prefix, conversation = keys[1], job_id = job_id, job = job_id and keys[2] }
  local first = job_id and 3 or 2
  if wanted >= 1 and not job_id then fail('CONVKEY', 'the second key must be ' .. JOB_KEY) end
  if wanted == 2 then
    ref.successor, ref.successor_id, first = keys[3], job_behind(prefix, keys[3]), 4
    if not ref.successor_id then fail('CONVKEY', 'the third key must be ' .. JOB_KEY) end
  end
  if keys[first] then read_further(ref, keys, first, takes_stream) end
  if ref.own then check_own(ref, ref.conversation) end
  return ref
end

local function exactly(keys, wanted, names, takes_stream)
  if count_keys(keys) < wanted + 1 then
    fail('CONVKEY', 'wanted ' .. wanted + 1 .. ' keys, ' .. names .. '; ' .. #keys .. ' were given')
  end
  local prefix = split_conversation(keys[1])
  if not prefix then fail('CONVKEY', 'the first key must be ' .. CONVERSATION_KEY) end
  return conversation_first(keys, prefix, wanted, takes_stream)
end

local BOTH_KEYS = CONVERSATION_KEY .. ' and ' .. JOB_KEY

local function pair(keys)
  return exactly(keys, 1, BOTH_KEYS)
end

local THREE_KEYS = BOTH_KEYS .. ' of the outgoing job and its successor'

local function succession(keys)
  local ref = exactly(keys, 2, THREE_KEYS, true)
  if ref.job == ref.successor then
    fail('CONVKEY', 'the successor needs a job id of its own: a job id names one run')
  end
  return ref
end

local function reference(keys, takes_stream)
  if count_keys(keys) == 0 then
    fail('CONVKEY', 'wanted ' .. CONVERSATION_KEY .. ', or ' .. JOB_KEY .. ', or both in that order; no key was given')
  end
  local prefix = split_conversation(keys[1])
  if prefix then return conversation_first(keys, prefix, 0, takes_stream) end
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
  local prefix = count_keys(keys) == 1 and keys[1]:match('^(.*)conversation%-watch$')
  if not prefix or holds_name(prefix) then fail('CONVKEY', 'wanted one key, ' .. WATCH_KEY) end
  return keys[1]
end

-- Arguments ------------------------------------------------------------------------------------------------------

-- Whole milliseconds, or nil where they are left out.
local function milliseconds(text, name)
  if text == nil or text == '' then return nil end
  local number = #text <= 12 and text:find('^[1-9]%d*$') and tonumber(text)
  if not number then fail('CONVARG', name .. ' must be whole milliseconds from 1 to 999999999999') end
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

local function is_message_id(text)
  return is_id(text, MAX_MESSAGE_ID) and (text:find(PRINTABLE) or is_utf8(text))
end

-- An id of a message, or nil where it is left out.
local function optional_id(text, name)
  if text == nil or text == '' then return nil end
  if not is_message_id(text) then
    fail('CONVARG', name .. ', where it is not empty, ' .. BAD_ID:format(MAX_MESSAGE_ID) .. ', in UTF-8')
  end
  return text
end

-- Fields come in pairs, and there is a limit to what one entry holds.
local function check_fields(...)
  local bytes = #table.concat({ ... })
  if select('#', ...) % 2 ~= 0 then fail('CONVARG', 'every field needs a value') end
  if bytes > MAX_ENTRY then
    fail('CONVARG', 'the fields have ' .. bytes .. ' bytes together; at most ' .. MAX_ENTRY .. ' are taken')
  end
end

-- Fields and the stream they go to are given together.
local function check_published(ref, ...)
  if select('#', ...) > 0 then
    check_fields(...)
    if not ref.stream then fail('CONVARG', 'fields need a stream key to go to') end
  elseif ref.stream then
    fail('CONVARG', 'a stream needs at least one field and its value')
  end
end

-- JSON text ------------------------------------------------------------------------------------------------------

-- From so many bytes on, one look at the whole text takes less time than one at each dot may.
local LONG = 8192

-- Whether a number such as 1. or -.5 may be in a text; a string may hold the same.
local function may_hold_odd_number(text)
  if #text > LONG then return text:find('%d%.%D') or text:find('-.', 1, true) end
  -- Looking at each dot takes 0.2 µs for a state of 280 bytes, the pattern without the anchor 3.5 µs.
  local dot = text:find('.', 1, true)
  while dot do
    local before, _, behind = text:byte(dot - 1, dot + 1)
    if before == 45 or before >= 48 and before <= 57 and (behind < 48 or behind > 57) then return true end
    dot = text:find('.', dot + 1, true)
  end
  return false
end

-- cjson reads more than JSON: control characters in strings, bytes that are not UTF-8, numbers such as 1. and -.5, and
-- it stops at a NUL. Texts without anything of the kind, which are most, pass at the first look.
local function is_json(text)
  if text:find(PRINTABLE) and not may_hold_odd_number(text) then return true end
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

-- The index of the last byte of the object or array that begins at \`from\`.
local function container_end(text, from)
  local depth, at = 0, from - 1
  repeat
    -- A string without an escape, and what stands before it, in one look.
    local next = text:match('^[^"{}%[%]]*"[^"\\\\]*"()', at + 1)
    if next then
      at = next - 1
    else
      at = text:find('["{}%[%]]', at + 1)
      local byte = text:byte(at)
      if byte == 34 then at = string_end(text, at)
      elseif byte == 123 or byte == 91 then depth = depth + 1
      else depth = depth - 1 end
    end
  until depth == 0
  return at
end

local function blank_brackets(text)
  return text:find('[%[%]{}]') and (' '):rep(#text) or nil
end

-- A copy of a text, as long as it is, in which brackets are those of objects and arrays alone.
local function without_strings(text)
  return (text:gsub('\\\\.', '  '):gsub('"[^"]*"', blank_brackets))
end

-- The index of the last byte of the value that begins at \`from\`, and the copy of a long text that it takes to find the
-- ends of its objects and arrays: 250 KB of brackets take 90 ms one by one and a few in a copy (Redis 7.0.15).
local function value_end(text, from, copy)
  local first = text:byte(from)
  if first == 34 then return string_end(text, from), copy end
  if first ~= 123 and first ~= 91 then return text:match('^[^%s,}]+()', from) - 1, copy end
  if #text <= LONG then return container_end(text, from) end
  copy = copy or without_strings(text)
  return copy:match(first == 91 and '^%b[]()' or '^%b{}()', from) - 1, copy
end

-- The name that stands between quotes: escapes may be in it.
local function name_of(inner)
  return inner:find('\\\\', 1, true) and parse('"' .. inner .. '"') or inner
end

-- Walks over the top-level members of an object: each name, where it is written without its quotes, and where its value
-- begins and ends.
local function members(text)
  local at, copy = text:find('{', 1, true), nil
  return function()
    -- Most names have no escape, and then one look finds name and value.
    local from, last, inner = text:find('^[%s,]*"([^"\\\\]*)"%s*:%s*', at + 1)
    if not from then
      from = text:find('"', at + 1, true)
      if not from then return nil end
      local to = string_end(text, from)
      inner = text:sub(from + 1, to - 1)
      last = text:match('^%s*:%s*()', to + 1) - 1
    end
    at, copy = value_end(text, last + 1, copy)
    return name_of(inner), inner, last + 1, at
  end
end

-- Where the value of a top-level member that is there begins and ends, or nil where a quick look cannot tell. A name
-- that occurs once is the member, unless it may be written with an escape, which letters are only as \\u0041 to \\u007a.
-- This look saves 20 to 35 % of a call that changes a member (Redis 7.0.15).
local function quick_place(text, name)
  local quoted = '"' .. name .. '"'
  local from, to = text:find(quoted, 1, true)
  if not from or text:find(quoted, to, true) then return nil end
  if text:find('\\\\', 1, true) and (name:find('%A') or text:find('\\\\u00[4-7]')) then return nil end
  local value = text:match('^%s*:%s*()', to + 1)
  return value, value_end(text, value)
end

-- The most members that are put into a text one by one.
local FEW = 3

-- The text with values in the place of members that it has. Of members with one name the last counts, as it does for
-- JSON parsers.
local function replace(text, values)
  local places, last = {}, {}
  for name, _, from, to in members(text) do
    if values[name] then
      places[#places + 1] = { name = name, from = from, to = to }
      last[name] = #places
    end
  end
  local pieces, at = {}, 1
  for number, place in ipairs(places) do
    if last[place.name] == number then
      pieces[#pieces + 1] = text:sub(at, place.from - 1) .. values[place.name]
      at = place.to + 1
    end
  end
  return table.concat(pieces) .. text:sub(at)
end

-- The text with each change, a name with its value as JSON, as a top-level member: in its place where the decoded
-- \`state\` has it, else as one of the last. Every other byte stays. The decoded state changes with it.
local function put(text, state, changes)
  local added, rest
  for _, change in ipairs(changes) do
    local name, value = change.name, change.value
    if state[name] == nil then
      added = added or {}
      added[#added + 1] = ',"' .. (change.written or name) .. '":' .. value
    else
      local from, to
      if #changes <= FEW then from, to = quick_place(text, name) end
      if from then
        text = text:sub(1, from - 1) .. value .. text:sub(to + 1)
      else
        rest = rest or {}
        rest[name] = value
      end
    end
    state[name] = change.decoded
  end
  if rest then text = replace(text, rest) end
  if not added then return text end
  -- Mostly the brace that closes it is the last character and close behind the last member.
  local at = text:find('%S}$', -2) and #text or text:match('^.*%S()%s*}%s*$')
  return text:sub(1, at - 1) .. table.concat(added) .. text:sub(at)
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

-- Of the optional members null means the same as absent, as .NET writes them.
local function is_there(value)
  return value ~= nil and value ~= null
end

local function is_whole(value, most)
  return type(value) == 'number' and value >= 1 and value <= most and value % 1 == 0
end

-- The value of an optional member of a stored state, where it is what it must be. Another program may have stored
-- anything there.
local function silence_of(state)
  return is_whole(state.silentAfterMs, MAX_MILLISECONDS) and state.silentAfterMs or nil
end

local function delivery_of(state)
  local id = state.deliveryId
  return id ~= nil and is_id(id, MAX_MESSAGE_ID) and id or nil
end

-- Until when the pending question can wait, if there is one with a time limit.
local function limit_of(state)
  return is_there(state.pendingQuestionId) and is_whole(state.answerBy, MAX_TIME) and state.answerBy or nil
end

-- Whether a decoded state is of the channel that a conversation key names. Then its platform and channelId are as
-- valid as the key is, of which the first colon ends the platform.
local function is_of_channel(state, prefix, conversation)
  return type(state.platform) == 'string' and type(state.channelId) == 'string'
    and prefix .. CONVERSATION .. state.platform:lower() .. ':' .. state.channelId == conversation
    and not state.platform:find(':', 1, true)
end

local WHOLE_PLATFORM = '^' .. PLATFORM .. '$'

-- What is wrong with the members that make the keys, or nil.
local function problem_of_identity(state)
  if not is_id(state.jobId, MAX_ID) then return 'jobId ' .. BAD_ID:format(MAX_ID) end
  if not is_id(state.channelId, MAX_ID) then return 'channelId ' .. BAD_ID:format(MAX_ID) end
  if type(state.platform) ~= 'string' or not state.platform:find(WHOLE_PLATFORM) then
    return 'platform must be a string of letters, digits, ".", "_" and "-" that begins with a letter or digit'
  end
  return nil
end

-- What is wrong with a member that is wanted, or nil.
local function problem_of_wanted(state)
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
  return nil
end

local function is_last_answer(value)
  return type(value) == 'table' and is_id(value.questionId, MAX_MESSAGE_ID)
    and (value.answerId == '' or is_id(value.answerId, MAX_MESSAGE_ID))
end

-- What is wrong with a member that may be absent, or nil.
local function problem_of_optional(state)
  local name, wanted
  local question, claim_id, delivery = state.pendingQuestionId, state.claimId, state.deliveryId
  local last, starting, silence, limit = state.lastAnswer, state.starting, state.silentAfterMs, state.answerBy
  -- A function in place of the pairs of comparisons would take 3 % more of a claim.
  if question ~= nil and question ~= null and not is_id(question, MAX_MESSAGE_ID) then name = 'pendingQuestionId'
  elseif claim_id ~= nil and claim_id ~= null and not is_id(claim_id, MAX_MESSAGE_ID) then name = 'claimId'
  elseif delivery ~= nil and delivery ~= null and not is_id(delivery, MAX_MESSAGE_ID) then name = 'deliveryId'
  elseif last ~= nil and last ~= null and not is_last_answer(last) then
    name, wanted = 'lastAnswer', 'must be {"questionId": string, "answerId": string}, each of at most 1024 bytes without '
      .. 'control characters'
  elseif starting ~= nil and starting ~= null and type(starting) ~= 'boolean' then
    name, wanted = 'starting', 'must be true or false'
  elseif silence ~= nil and silence ~= null and not is_whole(silence, MAX_MILLISECONDS) then
    name, wanted = 'silentAfterMs', 'must be whole milliseconds from 1 to 999999999999'
  elseif limit ~= nil and limit ~= null and not is_whole(limit, MAX_TIME) then
    name, wanted = 'answerBy', 'must be whole milliseconds since 1970'
  end
  return name and name .. ', where it is not null or absent, ' .. (wanted or BAD_ID:format(MAX_MESSAGE_ID))
end

local function check_size(bytes)
  if bytes > MAX_STATE then
    fail('CONVSTATE', 'the state would have ' .. bytes .. ' bytes; at most ' .. MAX_STATE .. ' are stored')
  end
end

-- Whether there are too many of the marks that stand before values.
local function has_too_many_marks(text)
  local count = 0
  for _, mark in ipairs({ ',', '[', '{' }) do
    local at = text:find(mark, 1, true)
    while at and count <= MAX_VALUES do
      count, at = count + 1, text:find(mark, at + 1, true)
    end
  end
  return count > MAX_VALUES
end

local function check_values(text)
  if has_too_many_marks(text) and has_too_many_marks(without_strings(text)) then
    fail('CONVSTATE', 'the state would have more than ' .. MAX_VALUES
      .. ' values, those in arrays and objects counted too')
  end
end

-- A JSON object that a call gives, decoded. \`what\` is the state or the patch.
local function read_object(what, text)
  if #text > LONG then
    check_size(#text)
    check_values(text)
  end
  local ok, object = pcall(parse, text)
  if not ok then fail('CONVSTATE', 'the ' .. what .. ' must be JSON: ' .. object) end
  if type(object) ~= 'table' or not text:find('^%s*{') then
    fail('CONVSTATE', 'the ' .. what .. ' must be a JSON object')
  end
  if not is_json(text) then
    fail('CONVSTATE', 'the ' .. what
      .. ' must be JSON: control characters in strings escaped, well-formed UTF-8 and numbers')
  end
  return object
end

-- The state that a call gives for a job, decoded.
local function read_given(ref, job_id, text)
  local state = read_object('state', text)
  -- Members that are those of the keys are as valid as the keys.
  local is_named = state.jobId == job_id and is_of_channel(state, ref.prefix, ref.conversation)
  local problem = not is_named and problem_of_identity(state) or problem_of_wanted(state) or problem_of_optional(state)
  if problem then fail('CONVSTATE', problem) end
  if not is_named then
    fail('CONVKEY', 'the keys are not those of the state: wanted ' .. CONVERSATION_KEY .. ' and ' .. JOB_KEY
      .. ' of its own platform, channelId and jobId')
  end
  return state
end

-- The state of a claim or a hand-over. A question of the job before, in a copied state, would be asked again.
local function read_new(ref, job_id, text)
  local state = read_given(ref, job_id, text)
  if state.claimId == null then state.claimId = nil end
  if state.deliveryId == null then state.deliveryId = nil end
  local name = (state.pendingQuestionId or null) ~= null and 'pendingQuestionId'
    or (state.answerBy or null) ~= null and 'answerBy' or (state.lastAnswer or null) ~= null and 'lastAnswer'
  if name then
    fail('CONVSTATE', name .. ' must be null or absent in the state of a new job, which asks for itself')
  end
  return state
end

-- Only the functions made for them change these members.
local FIXED = {
  jobId = true, channelId = true, platform = true, pendingQuestionId = true, lastAnswer = true, claimId = true,
  deliveryId = true, starting = true, silentAfterMs = true, answerBy = true,
}

-- The members of a patch, each with its value as JSON. Of members with one name the last counts.
local function read_patch(patch)
  local decoded = read_object('patch', patch)
  local changes, places = {}, {}
  for name, written, from, to in members(patch) do
    if FIXED[name] then
      fail('CONVSTATE', name .. ' cannot be patched; userId, project, ticketId, startedAt and further members can')
    end
    places[name] = places[name] or #changes + 1
    if places[name] > MAX_PATCH then fail('CONVSTATE', 'a patch must have at most ' .. MAX_PATCH .. ' members') end
    changes[places[name]] = { name = name, written = written, value = patch:sub(from, to), decoded = decoded[name] }
  end
  return changes
end

-- What is stored -------------------------------------------------------------------------------------------------

local BAD_INDEX = 'the job index holds no conversation key of its own prefix'

-- The conversation key that a reference leads to. Nil where there is no index to tell it.
local function locate(ref)
  if ref.conversation then return ref.conversation end
  local key = call('GET', ref.job)
  if not key then return nil end
  -- An index that leads out of its prefix would lead into another tenant's data.
  if #key > MAX_KEY or not begins(key, ref.prefix .. CONVERSATION) then fail('CONVCORRUPT', BAD_INDEX) end
  if ref.own then check_own(ref, key) end
  return key
end

-- What the library itself puts into a state, 6.3 KB at most, comes on top of the size that one may have. A state that
-- brings more of such members with it has that room once.
local ROOM = 8192
local MAX_STORED = MAX_STATE + 2 * ROOM
local UNREADABLE = 'what is stored for this conversation cannot be read: it is not the JSON of a state'

-- A stored text decoded, or nil where it names no job. An id that came with its key needs no second look.
local function readable(text, job_id)
  local ok, state = false, nil
  if #text <= MAX_STORED then ok, state = pcall(parse, text) end
  if ok and type(state) == 'table' and (job_id and state.jobId == job_id or is_id(state.jobId, MAX_ID)) then
    return state
  end
  return nil
end

-- The same where a call by channel overrules what stands there: nil for the state of another channel too.
local function readable_here(ref, key, text)
  local state = text and readable(text, ref.job_id)
  return state and is_of_channel(state, ref.prefix, key) and state or nil
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

-- The conversation that a reference leads to: its key, its text and its state. Nil where there is none or another job
-- than the one named holds it.
local function find(ref)
  local key = locate(ref)
  local text = key and call('GET', key)
  if not text then return nil end
  local state = read(ref, key, text)
  if ref.job and state.jobId ~= ref.job_id then return nil end
  return { prefix = ref.prefix, key = key, text = text, state = state, index = ref.job }
end

-- Milliseconds since 1970.
local function now()
  local time = call('TIME')
  local at = time[1] * 1000 + time[2] / 1000
  return at - at % 1
end

-- A moment as an argument: Redis writes a number from Lua with more care than that needs.
local function as_text(at)
  return ('%d'):format(at)
end

-- Asks for a right before the first write, for a command that comes behind it. Where the user lacks it, the command is
-- run at once, for Redis to refuse it in its own words.
local function require_right(...)
  if not redis.acl_check_cmd(...) then call(...) end
end

-- Runs the writes of a call, each a command with its arguments, after asking for the rights of those behind the first.
-- Every key has been read before, so none of them is of another type.
local function run_all(writes)
  for number = 2, #writes do require_right(unpack(writes[number])) end
  for number = 1, #writes do call(unpack(writes[number])) end
end

-- The same as \`find\`, for a call that writes both keys. The index is looked at too, so that one of another type is met
-- before the first write, and the right to write one that the call did not name is asked for.
local function find_to_renew(ref)
  local found = find(ref)
  if not found then return nil end
  found.index = found.index or ref.prefix .. JOB_INDEX .. found.state.jobId
  found.indexed = not ref.conversation or call('GET', found.index) == found.key
  if not ref.job then require_right('SET', found.index, '') end
  return found
end

-- The deadline that a renewal gives: it never makes the conversation end sooner.
local function renewed(found, at)
  local before = call('PEXPIRETIME', found.key)
  return before > at and before or at
end

-- Writes both keys of a conversation with one deadline, and before them whatever else the call changes. Without a text
-- only the deadlines move. The conversation key comes first: it is the one that a call by job has not named, and that a
-- user may have no right to.
local function commit(prefix, key, index, text, at, writes)
  local inbox = own_key(INBOX, prefix, key)
  local inbox_at = call('PEXPIRETIME', inbox)
  if inbox_at >= 0 and inbox_at < at + WEEK then writes[#writes + 1] = { 'PEXPIREAT', inbox, at + WEEK } end
  at = as_text(at)
  if writes[1] then
    require_right(text and 'SET' or 'PEXPIREAT', key, at)
    require_right(text and 'SET' or 'PEXPIREAT', index, at)
    run_all(writes)
  end
  if text then
    call('SET', key, text, 'PXAT', at)
    call('SET', index, key, 'PXAT', at)
  else
    call('PEXPIREAT', key, at)
    call('PEXPIREAT', index, at)
  end
end

-- The stored text with changes put into it, each a name, its value as JSON and what that is decoded. Nil where there is
-- nothing to change.
local function change(found, changes)
  if #changes == 0 then return nil end
  if not is_json(found.text) then fail('CONVCORRUPT', UNREADABLE) end
  return put(found.text, found.state, changes)
end

-- Watch and deliveries -------------------------------------------------------------------------------------------

-- What a command that reads a further key returns; nil where that key is of another type, for then there is nothing of
-- ours in it. A call that writes such a key is refused.
local function peek(...)
  local reply = try(...)
  if type(reply) ~= 'table' then return reply end
  if begins(reply.err, 'WRONGTYPE') then return nil end
  error(reply.err, 0)
end

-- Whether a job may be on watch. Most are not, and need no further look.
local function is_watched(state)
  return state.silentAfterMs ~= nil or state.answerBy ~= nil
end

-- The entry of a job in the watch.
local function watched(job_id, conversation)
  return job_id .. '\\n' .. conversation
end

-- From when on somebody has to look at a job, or nil where nobody watches it. \`silent_from\` is the moment from which
-- silence counts, \`deadline\` that of the conversation.
local function due_at(state, silent_from, deadline)
  local limit, silence = limit_of(state), silence_of(state)
  return limit or silence and (state.starting == true and deadline or silent_from + silence) or nil
end

-- Puts a job on watch.
local function put_on_watch(writes, prefix, entry, at)
  -- Redis refuses a key of another type here.
  call('ZCARD', prefix .. WATCH)
  writes[#writes + 1] = { 'ZADD', prefix .. WATCH, at, entry }
end

-- Takes a job off watch; returns whether it was on watch.
local function take_off_watch(writes, prefix, entry)
  if not peek('ZSCORE', prefix .. WATCH, entry) then return false end
  writes[#writes + 1] = { 'ZREM', prefix .. WATCH, entry }
  return true
end

-- Whether a delivery, or one call for it, was handled within the last 24 hours.
local function is_handled(handled, member, time)
  local at = call('ZSCORE', handled, member)
  return at and tonumber(at) > time - DAY
end

-- The writes after which a delivery is handled. One that was queued has a second member, with the call that queued it.
local function mark_handled(writes, handled, time, delivery, member)
  local length, score = call('ZCARD', handled), as_text(time)
  writes[#writes + 1] = { 'ZADD', handled, score, delivery, score, member or delivery }
  writes[#writes + 1] = { 'ZREMRANGEBYSCORE', handled, '-inf', as_text(time - DAY) }
  if length + 2 > HANDLED_LENGTH then
    writes[#writes + 1] = { 'ZREMRANGEBYRANK', handled, 0, -HANDLED_LENGTH - 1 }
  end
  writes[#writes + 1] = { 'PEXPIREAT', handled, as_text(time + DAY) }
end

-- The writes that add an entry to a stream. One that is created lives until \`at\`; one that is there never ends sooner
-- than before, and one without a deadline gets none.
local function append(writes, stream, at, ...)
  call('XLEN', stream)
  local before = call('PEXPIRETIME', stream)
  -- First of all writes, because Redis refuses an entry behind the last possible id.
  table.insert(writes, 1, { 'XADD', stream, 'MAXLEN', '~', STREAM_LENGTH, '*', ... })
  if before ~= -1 and before < at then writes[#writes + 1] = { 'PEXPIREAT', stream, at } end
end

-- The commands ---------------------------------------------------------------------------------------------------

--- Reads a conversation and changes nothing.
---@param ref Reference
---@return State? state
local function get(ref)
  local found = find(ref)
  return found and found.text
end

-- Answers a claim or a hand-over that has its outcome already: nil where it has none.
local function known_outcome(ref, given, text, holder, time)
  if text and given.claimId and holder.claimId == given.claimId and holder.jobId == given.jobId then
    -- Written once more as it is, so that a WAIT behind a call that was sent again covers it.
    call('SET', ref.conversation, text, 'KEEPTTL')
    return 'claimed'
  end
  local delivery = given.deliveryId
  if not delivery then return nil end
  if is_handled(own_key(HANDLED, ref.prefix, ref.conversation), delivery, time) then return 'duplicate' end
  if text and holder.deliveryId == delivery then return holder.starting == true and 'starting' or 'duplicate' end
  return nil
end

-- Refuses a job that is bound to another conversation. Returns whether its index is fit to be overwritten: that of no
-- job, or of this very conversation.
local function check_binding(ref, index)
  local key = call('GET', index)
  if not key or key == ref.conversation then return true end
  if #key <= MAX_KEY and split_conversation(key) == ref.prefix then
    fail('CONVJOB', 'this job is bound to another conversation; remove that one first, or use another job id')
  end
  return false
end

-- Stores the state of a job that holds the channel from now on.
local function start(ref, index, text, state, time, ttl, writes)
  local at = time + ttl
  if is_watched(state) then
    at = math.max(limit_of(state) or 0, time) + ttl
    local due = due_at(state, time, at)
    if due then put_on_watch(writes, ref.prefix, watched(state.jobId, ref.conversation), due) end
  end
  commit(ref.prefix, ref.conversation, index, text, at, writes)
end

-- Adds the fields of a claim that has not won to the inbox of the job that holds the channel.
local function queue(ref, given, time, ...)
  local inbox = own_key(INBOX, ref.prefix, ref.conversation)
  if call('XLEN', inbox) >= INBOX_LENGTH then return 'full' end
  local writes, deadline = {}, call('PEXPIRETIME', ref.conversation)
  append(writes, inbox, math.max(deadline, time) + WEEK, ...)
  mark_handled(writes, own_key(HANDLED, ref.prefix, ref.conversation), time, given.deliveryId,
    given.deliveryId .. '\\n' .. given.claimId)
  run_all(writes)
  return 'queued'
end

--- Claims a channel for a job: of any number of simultaneous claims, one is \`claimed\`. \`queued\`: another job holds the
--- channel, and the fields were added to its inbox. \`full\`: 1000 entries are in that inbox. \`held\`: another job holds
--- the channel, and no fields were given. \`duplicate\`: the message that the state's deliveryId names has its outcome,
--- or is the one that started the job. \`starting\`: it is, and that job has given no sign of life yet, so the message
--- may have to come again. A call that is sent again, with the same claimId, returns the same again. Only \`claimed\`
--- changes deadlines, and only \`queued\` makes the message a duplicate.
---@param ref Pair
---@param state State Without pendingQuestionId, answerBy and lastAnswer.
---@param ttlMs? Milliseconds
---@param ... string Field and value, in turn, for the inbox; at most 1024 of each and 262144 bytes together. The state
--- then has a claimId and a deliveryId.
---@return 'claimed'|'held'|'queued'|'full'|'duplicate'|'starting' outcome
---@return State? state What is stored now. Nil where the message is a duplicate and no job holds the channel.
local function claim(ref, state, ttlMs, ...)
  local ttl, has_fields = time_to_live(ttlMs), select('#', ...) > 0
  if has_fields then check_fields(...) end
  local given = read_new(ref, ref.job_id, state)
  if has_fields and not (given.deliveryId and given.claimId) then
    fail('CONVARG', 'fields for the inbox need a claimId and a deliveryId in the state')
  end
  if not check_binding(ref, ref.job) then fail('CONVCORRUPT', BAD_INDEX) end
  local text, time = call('GET', ref.conversation), now()
  local holder = text and read(ref, ref.conversation, text)
  local outcome = known_outcome(ref, given, text, holder, time)
  if outcome == 'duplicate' and text and given.claimId
    and is_handled(own_key(HANDLED, ref.prefix, ref.conversation), given.deliveryId .. '\\n' .. given.claimId, time) then
    return 'queued', text
  end
  if outcome then return outcome, text end
  if not text then
    start(ref, ref.job, state, given, time, ttl, {})
    return 'claimed', state
  end
  if not has_fields then return 'held', text end
  return queue(ref, given, time, ...), text
end

-- The writes that end a job: its message has its outcome, and its index and its watch entry go. An index of another
-- type is nobody's business here.
local function end_job(writes, ref, job_id, delivery, time)
  if delivery then mark_handled(writes, own_key(HANDLED, ref.prefix, ref.conversation), time, delivery) end
  take_off_watch(writes, ref.prefix, watched(job_id, ref.conversation))
  local index = ref.prefix .. JOB_INDEX .. job_id
  if peek('GET', index) == ref.conversation then writes[#writes + 1] = { 'DEL', index } end
end

-- Whether a stored text can be the state of no other job than this one, and of none that a message started. It saves
-- conv_set the decoding of what stood there, 15 % of the call.
local function is_surely_of(text, job_id)
  local from, to = text:find('jobId":"' .. job_id .. '"', 1, true)
  return from and from == text:find('jobId"', 1, true) and not text:find('jobId"', to, true)
    and not text:find('deliveryId"', 1, true) and not text:find('\\\\', 1, true)
end

--- Stores a state whatever stood there: the last write wins, and the job that stood there ends.
---@param ref Pair
---@param state State With a pending question and answerBy, the conversation ends ttlMs after that.
---@param ttlMs? Milliseconds
---@return State? state What stood there.
local function set(ref, state, ttlMs)
  local ttl = time_to_live(ttlMs)
  local given = read_given(ref, ref.job_id, state)
  check_binding(ref, ref.job)
  local text, time, writes = call('GET', ref.conversation), now(), {}
  local is_same_job = text and is_surely_of(text, ref.job_id)
  local before = not is_same_job and readable_here(ref, ref.conversation, text)
  if before then
    local delivery = delivery_of(before)
    if delivery == given.deliveryId then delivery = nil end
    is_same_job = before.jobId == ref.job_id
    if not is_same_job then
      end_job(writes, ref, before.jobId, delivery, time)
    elseif delivery then
      mark_handled(writes, own_key(HANDLED, ref.prefix, ref.conversation), time, delivery)
    end
  end
  if is_same_job then take_off_watch(writes, ref.prefix, watched(ref.job_id, ref.conversation)) end
  start(ref, ref.job, state, given, time, ttl, writes)
  return text or nil
end

--- Ends one job and gives the channel to another in one step. \`claimed\`: the outgoing job held the channel, or nobody
--- did and the outgoing job was on watch or unread messages wait; the successor holds it now, with the inbox. \`held\`:
--- a third job holds it. \`duplicate\` and \`starting\`: the message that the state's deliveryId names, as for a claim.
--- \`gone\`: there was nothing to hand over. A call that is sent again, with the same claimId, returns the same again.
---@param ref Succession
---@param state State The successor's, with a claimId and without pendingQuestionId, answerBy and lastAnswer.
---@param ttlMs? Milliseconds
---@param ... string Field and value, in turn, for the stream; at most 1024 of each and 262144 bytes together.
---@return 'claimed'|'held'|'duplicate'|'starting'|'gone' outcome
---@return State? state What is stored now.
local function hand_over(ref, state, ttlMs, ...)
  local ttl = time_to_live(ttlMs)
  check_published(ref, ...)
  local given = read_new(ref, ref.successor_id, state)
  if not given.claimId then fail('CONVARG', 'a hand-over needs a claimId in the state') end
  if not check_binding(ref, ref.successor) then fail('CONVCORRUPT', BAD_INDEX) end
  local text, time = call('GET', ref.conversation), now()
  local holder = text and read(ref, ref.conversation, text)
  local outcome = known_outcome(ref, given, text, holder, time)
  if outcome then return outcome, text end
  if text and holder.jobId ~= ref.job_id then return 'held', text end
  local entry = watched(ref.job_id, ref.conversation)
  if not text and not peek('ZSCORE', ref.prefix .. WATCH, entry)
    and (peek('XLEN', own_key(INBOX, ref.prefix, ref.conversation)) or 0) == 0 then return 'gone', false end
  local writes = {}
  end_job(writes, ref, ref.job_id, text and delivery_of(holder), time)
  if ref.stream then append(writes, ref.stream, time + math.max(ttl, DAY), ...) end
  start(ref, ref.successor, state, given, time, ttl, writes)
  return 'claimed', state
end

-- Writes changes to the state of a found conversation, with its deadline, and moves its watch entry. Returns the new
-- state. A question's time limit that stays keeps its entry, which may be leased to somebody.
local function save(found, changes, time, at, writes)
  local state, was_watched = found.state, is_watched(found.state)
  local limit = was_watched and limit_of(state)
  local text = change(found, changes)
  if was_watched or state.answerBy ~= nil then
    local entry, due = watched(state.jobId, found.key), due_at(state, time, at)
    if not due then
      if limit then take_off_watch(writes, found.prefix, entry) end
    elseif due ~= limit then
      put_on_watch(writes, found.prefix, entry, due)
    end
  end
  commit(found.prefix, found.key, found.index, text or not found.indexed and found.text, at, writes)
  return text or found.text
end

-- A sign of life: the job is no longer starting, and the conversation lives at least until \`at\`.
local function keep_alive(found, changes, time, at, writes)
  if found.state.starting == true then
    changes[#changes + 1] = { name = 'starting', value = 'false', decoded = false }
  end
  return save(found, changes, time, renewed(found, at), writes)
end

-- The smallest id behind that of an entry; nil where none is given.
local function behind(entry_id)
  if entry_id == nil or entry_id == '' then return nil end
  local time, number
  if #entry_id <= 31 then time, number = entry_id:match('^(%d+)%-(%d+)$') end
  if not time or #time > 15 or #number > 15 then
    fail('CONVARG', 'lastSeen must be the id of an inbox entry, such as 1700000000000-0')
  end
  return ('%s-%d'):format(time, number + 1)
end

--- Reads the conversation a job holds. It is a sign of life: both deadlines are renewed, the job is no longer starting,
--- and silence counts from now.
---@param ref JobReference
---@param ttlMs? Milliseconds
---@param lastSeen? EntryId The job has read the entries of its inbox up to this one, and they are deleted.
---@return State? state
local function get_by_job(ref, ttlMs, lastSeen)
  local ttl, unread = time_to_live(ttlMs), behind(lastSeen)
  local found = find_to_renew(ref)
  if not found then return nil end
  local writes, time = {}, now()
  if unread then
    local inbox = own_key(INBOX, found.prefix, found.key)
    call('XLEN', inbox)
    writes[1] = { 'XTRIM', inbox, 'MINID', unread }
  end
  return keep_alive(found, {}, time, time + ttl, writes)
end

-- The bytes of a text without what the library has put into it, which comes on top of the size that a state may have.
local function own_size(text)
  local size = #text
  for name, written, from, to in members(text) do
    if name == 'pendingQuestionId' or name == 'lastAnswer' or name == 'answerBy' or name == 'starting' then
      size = size - (to - from + 1) - #written - 4
    end
  end
  return size
end

--- Puts members into the state and leaves every other byte alone, in one step with a message to the job. It changes no
--- deadline. \`updated\`: the members are in the state and, where a stream is named, the fields are in it. \`duplicate\`:
--- the delivery was handled before, or started the job. \`starting\`: the job has given no sign of life yet, and the
--- delivery may come again. \`gone\`: there is no conversation, or another job holds it.
---@param ref StreamReference
---@param patch Patch
---@param deliveryId? DeliveryId A stream needs one.
---@param ... string Field and value, in turn, for the stream; at most 1024 of each and 262144 bytes together.
---@return 'updated'|'duplicate'|'starting'|'gone' outcome
---@return State? state The new state, or the one that stays.
local function update(ref, patch, deliveryId, ...)
  local delivery = optional_id(deliveryId, 'deliveryId')
  check_published(ref, ...)
  if ref.stream and not delivery then
    fail('CONVARG', 'a stream needs a deliveryId, so that a call that is sent again publishes once')
  end
  local changes = read_patch(patch)
  local found = find(ref)
  if not found then return 'gone', false end
  local state, time, writes = found.state, now(), {}
  if delivery then
    local handled = own_key(HANDLED, found.prefix, found.key)
    if is_handled(handled, delivery, time) then return 'duplicate', found.text end
    if state.starting == true then return 'starting', found.text end
    if state.deliveryId == delivery then return 'duplicate', found.text end
    mark_handled(writes, handled, time, delivery)
  end
  local text = change(found, changes) or found.text
  if #text > MAX_STATE then check_size(math.max(own_size(text), #text - ROOM)) end
  if #text > LONG then check_values(text) end
  local problem = problem_of_wanted(state) or problem_of_optional(state)
  if problem then fail('CONVSTATE', problem) end
  if ref.stream then append(writes, ref.stream, math.max(time + DAY, call('PEXPIRETIME', found.key)), ...) end
  writes[#writes + 1] = { 'SET', found.key, text, 'KEEPTTL' }
  run_all(writes)
  return 'updated', text
end

local function clear_question(state, changes)
  if is_there(state.pendingQuestionId) then
    changes[#changes + 1] = { name = 'pendingQuestionId', value = 'null' }
  end
  if is_there(state.answerBy) then changes[#changes + 1] = { name = 'answerBy', value = 'null' } end
  return changes
end

local NO_ANSWER = {}

local function last_answer(state)
  return type(state.lastAnswer) == 'table' and state.lastAnswer or NO_ANSWER
end

--- Stores which question is pending, that is, waits for an answer. It is a sign of life. A question that was answered
--- last is not asked again: then the call is only the sign of life.
---@param ref WholeReference
---@param questionId QuestionId An empty one clears the question and its limit, which is not a sign of life.
---@param ttlMs? Milliseconds
---@param withinMs? Limit The conversation ends ttlMs after the limit, and the job is due then and not sooner.
---@return State? state The new state.
local function set_pending(ref, questionId, ttlMs, withinMs)
  local ttl, within = time_to_live(ttlMs), milliseconds(withinMs, 'withinMs')
  optional_id(questionId, 'questionId')
  if questionId == '' and within then
    fail('CONVARG', 'withinMs needs a questionId: an empty one clears the question')
  end
  local found = find_to_renew(ref)
  if not found then return nil end
  local state, time, changes = found.state, now(), {}
  if questionId == '' then return save(found, clear_question(state, changes), time, time + ttl, {}) end
  local limit
  if last_answer(state).questionId ~= questionId then
    if state.pendingQuestionId ~= questionId then
      changes[1] = { name = 'pendingQuestionId', value = quote(questionId), decoded = questionId }
    end
    limit = within and time + within
    if limit then
      changes[#changes + 1] = { name = 'answerBy', value = ('%d'):format(limit), decoded = limit }
    elseif is_there(state.answerBy) then
      changes[#changes + 1] = { name = 'answerBy', value = 'null' }
    end
  end
  return keep_alive(found, changes, time, (limit or time) + ttl, {})
end

--- Answers a question. \`accepted\`: it was pending; it is cleared with its limit, \`lastAnswer\` is kept and, where a
--- stream is named, the fields are added to it in the same step. The same answerId again is \`accepted\` again and not
--- published twice. \`answered\`: another answer was first. \`duplicate\`: this answerId was handled before, as an answer
--- to another question or as a message. \`stale\`: another question is pending, or none. \`gone\`: there is no
--- conversation, or another job holds it.
---@param ref StreamReference
---@param questionId QuestionId
---@param answerId AnswerId
---@param ttlMs? Milliseconds
---@param ... string Field and value, in turn, for the stream; at most 1024 of each and 262144 bytes together.
---@return 'accepted'|'answered'|'duplicate'|'stale'|'gone' outcome
---@return State? state
local function answer(ref, questionId, answerId, ttlMs, ...)
  local ttl = time_to_live(ttlMs)
  if not is_message_id(questionId) then
    fail('CONVARG', 'questionId ' .. BAD_ID:format(MAX_MESSAGE_ID) .. ', in UTF-8')
  end
  local delivery = optional_id(answerId, 'answerId')
  check_published(ref, ...)
  local found = find_to_renew(ref)
  if not found then return 'gone', false end
  local state, last, time, writes = found.state, last_answer(found.state), now(), {}
  if last.questionId == questionId then
    return delivery and last.answerId == delivery and 'accepted' or 'answered', found.text
  end
  local handled = delivery and own_key(HANDLED, found.prefix, found.key)
  if delivery and (state.deliveryId == delivery or is_handled(handled, delivery, time)) then
    return 'duplicate', found.text
  end
  if state.pendingQuestionId ~= questionId then return 'stale', found.text end
  if delivery then mark_handled(writes, handled, time, delivery) end
  if ref.stream then append(writes, ref.stream, time + math.max(ttl, DAY), ...) end
  local changes = clear_question(state, {})
  local value = '{"questionId":' .. quote(questionId) .. ',"answerId":' .. quote(answerId) .. '}'
  changes[#changes + 1] = { name = 'lastAnswer', value = value }
  return 'accepted', save(found, changes, time, time + ttl, writes)
end

--- Removes a conversation. \`removed\`: the channel is free now, and the job's message is handled. \`waiting\`: unread
--- messages are in the inbox of the job that holds the channel, or of a channel that nobody holds, and nothing was
--- changed. \`lapsed\`: the job no longer held the channel, and this is the first call to settle its end. \`held\`: another
--- job holds the channel, and only the caller's stale index goes; or, with \`retry\`, the job has given a sign of life,
--- and nothing was changed. \`gone\`: there was nothing to remove. By conversation key alone, a value that cannot be read
--- is removed too.
---@param ref WholeReference
---@param how? 'retry'|'all'|'' retry: the job never ran, and a redelivery of its message may start it. all: the inbox
--- goes too, whatever it holds.
---@return 'removed'|'waiting'|'lapsed'|'held'|'gone' outcome
---@return State? state What was removed or is still there, or the holder's.
local function remove(ref, how)
  if how and how ~= '' and how ~= 'retry' and how ~= 'all' then
    fail('CONVARG', 'the argument must be retry or all, or empty')
  end
  local key = locate(ref)
  if not key then return 'gone', false end
  local text, state = call('GET', key), nil
  if ref.job and text then state = read(ref, key, text) else state = readable_here(ref, key, text) end
  local is_holder = text and (not ref.job or state.jobId == ref.job_id)
  if how == 'retry' and is_holder and state and state.starting == false then return 'held', text end
  local writes, inbox = {}, nil
  if is_holder or not text then
    local own = own_key(INBOX, ref.prefix, key)
    -- In an inbox of another type nothing can wait.
    local length = peek('XLEN', own)
    if length == 0 or length and how == 'all' then inbox = own
    elseif length and (state or not text) then return 'waiting', text end
  end
  local job_id, index = ref.job_id, ref.job
  if state and not job_id then job_id, index = state.jobId, ref.prefix .. JOB_INDEX .. state.jobId end
  if index and peek('GET', index) ~= key then index = nil end
  local was_watched = job_id and take_off_watch(writes, ref.prefix, watched(job_id, key))
  local delivery = is_holder and state and how ~= 'retry' and delivery_of(state)
  if delivery then mark_handled(writes, own_key(HANDLED, ref.prefix, key), now(), delivery) end
  local last = is_holder and key or index or inbox
  if writes[1] then
    if last then require_right('DEL', inbox or last, index or last, last) end
    run_all(writes)
  end
  -- Redis deletes a key once that is named twice.
  if last then call('DEL', inbox or last, index or last, last) end
  if is_holder then return 'removed', text end
  return ref.job and was_watched and 'lapsed' or text and 'held' or 'gone', text
end

--- Returns the jobs that somebody has to look at, the longest due first, and puts each off, so that one caller at a
--- time looks into it.
---@param watch Watch
---@param leaseMs Lease
---@param limit? integer The most jobs to return, 1 to 1000; empty or left out means 100.
---@return string[] # Job id, conversation key and the milliseconds since 1970 from which on it was due, in turn. With a
--- pending question whose answerBy is not later, that question's time is over; otherwise the job is silent.
local function due(watch, leaseMs, limit)
  local lease = milliseconds(leaseMs, 'leaseMs')
  if not lease then fail('CONVARG', 'leaseMs must be whole milliseconds from 1 to 999999999999') end
  local most = DEFAULT_DUE
  if limit and limit ~= '' then
    most = #limit <= 4 and limit:find('^[1-9]%d*$') and tonumber(limit)
    if not most or most > MAX_DUE then fail('CONVARG', 'limit must be a whole number from 1 to 1000') end
  end
  local at, jobs = now(), {}
  -- Redis keeps a key to the end of the millisecond of its deadline. A claim that is due then is due once it has
  -- lapsed: whoever removed it before would make its message a duplicate.
  local found = call('ZRANGEBYSCORE', watch, '-inf', ('(%d'):format(at), 'WITHSCORES', 'LIMIT', 0, most)
  for place = 1, #found, 2 do
    local entry, since = found[place], found[place + 1]
    local job_id, conversation = entry:match('^(.-)\\n(.*)$')
    if job_id then
      jobs[#jobs + 1] = job_id
      jobs[#jobs + 1] = conversation
      jobs[#jobs + 1] = ('%d'):format(since)
    end
    call('ZADD', watch, at + lease, entry)
  end
  return jobs
end

--- Returns the library's version.
---@return string version
local function version()
  return VERSION
end

-- Registrations --------------------------------------------------------------------------------------------------

-- Field and value, in turn, behind the other arguments.
local FIELDS = 2 * MAX_FIELDS

local function run(body, keys_of, fewest, most, keys, args)
  if #args < fewest or #args > most then
    local wanted = fewest == most and fewest or fewest .. ' to ' .. most
    fail('CONVARG', 'wanted ' .. wanted .. ' arguments, ' .. #args .. ' were given')
  end
  return body(keys_of(keys), unpack(args))
end

-- A command as Redis calls it, with the fewest and the most arguments that it takes. It returns an error, one value, or
-- an outcome and a state as an array, in which false stands for a state that is not there.
local function handler(body, keys_of, fewest, most)
  return function(keys, args)
    if not parse then bind_redis() end
    local ok, first, second = pcall(run, body, keys_of, fewest, most, keys, args)
    if not ok then return redis.error_reply(first) end
    if second == nil then return first end
    return { first, second }
  end
end

redis.register_function({
  function_name = 'conv_get', callback = handler(get, reference, 0, 0), flags = { 'no-writes' },
})
redis.register_function({ function_name = 'conv_claim', callback = handler(claim, pair, 1, 2 + FIELDS) })
redis.register_function({ function_name = 'conv_set', callback = handler(set, pair, 1, 2) })
redis.register_function({ function_name = 'conv_hand_over', callback = handler(hand_over, succession, 1, 2 + FIELDS) })
redis.register_function({
  function_name = 'conv_get_by_job', callback = handler(get_by_job, job_reference, 0, 2), flags = { 'allow-oom' },
})
redis.register_function({ function_name = 'conv_update', callback = handler(update, stream_reference, 1, 2 + FIELDS) })
redis.register_function({ function_name = 'conv_set_pending', callback = handler(set_pending, reference, 1, 3) })
redis.register_function({ function_name = 'conv_answer', callback = handler(answer, stream_reference, 2, 3 + FIELDS) })
redis.register_function({
  function_name = 'conv_remove', callback = handler(remove, reference, 0, 1), flags = { 'allow-oom' },
})
redis.register_function({
  function_name = 'conv_due', callback = handler(due, watch_key, 1, 2), flags = { 'allow-oom' },
})
redis.register_function({
  function_name = 'conv_version', callback = handler(version, no_keys, 0, 0), flags = { 'no-writes' },
})
`;
