/** The answer that was accepted last. */
export interface LastAnswer {
  /** The question that it answered. */
  questionId: string;
  /** The `answerId` of that call; empty if it was given an empty one. */
  answerId: string;
}

/** What is stored for one conversation, with whatever further members the application adds. */
export interface ConversationState {
  /** Names the job; at most 512 bytes without control characters. */
  jobId: string;
  /** Names the channel on its platform; at most 512 bytes without control characters. */
  channelId: string;
  /** Who started the job; not empty. */
  userId: string;
  /** `slack`, `teams`, …: letters, digits, `.`, `_` and `-`, in any case. */
  platform: string;
  /** What the job works on; not empty. */
  project: string;
  /** An integer, or a non-empty string for trackers with keys such as WEB-12. */
  ticketId: number | string;
  /** ISO 8601, as it is stored. */
  startedAt: string;
  /** The question that waits for an answer, if any. */
  pendingQuestionId?: string | null;
  /** Until when the pending question can wait, in milliseconds since 1970; absent if it has no time limit. */
  answerBy?: number | null;
  /** Absent until a question was answered. */
  lastAnswer?: LastAnswer | null;
  /** Names the call that started the job, so that a resend of it is recognised; at most 1024 bytes. */
  claimId?: string | null;
  /** Names the message that started the job, the same in every redelivery of it; at most 1024 bytes. */
  deliveryId?: string | null;
  /** True until the first sign of life of the job, false from then on; absent without `startWithinMs`. */
  starting?: boolean | null;
  /** After how many whole milliseconds without a sign of life the job counts as silent; absent if it is not watched. */
  silentAfterMs?: number | null;
}

/** What JSON leaves out of an object, and writes as null in a list. */
type Unwritten = ((...args: never[]) => unknown) | symbol;

/**
 * A value as it comes back after it was stored as JSON: a Date, or anything else with `toJSON`, as what that returns; a
 * Map or Set as an empty object; an object without its functions. A bigint cannot be stored.
 */
export type Json<T> = unknown extends T
  ? T
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends { toJSON(): infer Written }
      ? Json<Written>
      : T extends Unwritten
        ? undefined
        : T extends ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
          ? Record<string, never>
          : T extends readonly unknown[]
            ? { [Index in keyof T]: T[Index] extends Unwritten | undefined ? null : Json<T[Index]> }
            : T extends object
              ? { [Name in keyof T as T[Name] extends Unwritten ? never : Name]: Json<T[Name]> }
              : never;

/** The members that the application adds to a state. It redefines none of the library's. */
export type Members = object & { [Name in keyof ConversationState]?: never };

/** A member that may be left out may be undefined too. */
type Given<State> = { [Name in keyof State]: object extends Pick<State, Name> ? State[Name] | undefined : State[Name] };

/** A state as it is given: `startedAt` may be a Date. */
export type NewConversationState<Extra extends Members = Record<never, never>> = Given<
  Omit<ConversationState, 'startedAt'>
> & { startedAt: string | Date } & Extra;

/** A state as it comes back. */
export type StoredConversationState<Extra extends Members = Record<never, never>> = ConversationState & Json<Extra>;

/** The members that `update` puts into a state. The others have methods of their own. */
export type ConversationPatch<Extra extends Members = Record<never, never>> = Partial<
  Pick<NewConversationState, 'userId' | 'project' | 'ticketId' | 'startedAt'>
> &
  Partial<Extra>;

/** Names a conversation by its channel, whichever job holds it. */
export interface ChannelReference {
  platform: string;
  channelId: string;
}

/** Names a conversation by its job. The call works only while that job still holds the channel. */
export interface JobReference {
  jobId: string;
}

/**
 * Names a conversation by its channel, by its job, or by both, as a state does. With `jobId`, the call is fenced: it
 * works only while that job still holds the channel; otherwise it returns `gone`, `held`, `lapsed` or null.
 */
export type ConversationReference = ChannelReference | FencedReference;

/** Names a conversation by its job, or by its channel and its job. */
export type FencedReference = JobReference | (ChannelReference & JobReference);

/** One member of a union for each outcome. */
type Result<Outcome extends string, State> = Outcome extends string ? { outcome: Outcome; state: State } : never;

/**
 * What became of a claim.
 * - `claimed`: the channel is the job's: start it. `replicas`: how many replicas have the claim, if it waited for them.
 * - `held`: another job holds the channel; `state` is that job's. Nothing was decided: the message may come again.
 * - `queued`: the same, but the message is in the inbox of that job.
 * - `full`: the inbox of that job has no room; nothing was added.
 * - `starting`: the message started a job that has given no sign of life yet. Do not acknowledge the message.
 * - `duplicate`: the message was handled before: do nothing. `state` is that of the job that holds the channel, if any.
 */
export type ClaimResult<State> =
  | { outcome: 'claimed'; state: State; replicas?: number }
  | Result<'held' | 'queued' | 'full' | 'starting', State>
  | Result<'duplicate', State | null>;

/**
 * What became of a hand-over.
 * - `claimed`: the channel and its inbox are the successor's: start it. `replicas` as for a claim.
 * - `held`: another job than the outgoing one holds the channel; `state` is that job's.
 * - `starting`, `duplicate`: as for a claim.
 * - `gone`: nobody holds the channel, the outgoing job was not on watch, and nothing waits in the inbox.
 */
export type HandOverResult<State> =
  | { outcome: 'claimed'; state: State; replicas?: number }
  | Result<'held' | 'starting', State>
  | Result<'duplicate', State | null>
  | Result<'gone', null>;

/**
 * What became of an update.
 * - `updated`: the members are in the state, and the fields in the stream.
 * - `duplicate`: the delivery was handled before, and nothing was changed.
 * - `starting`: the job has given no sign of life yet, and nothing was changed: the delivery may come again.
 * - `gone`: there is no conversation, or another job holds it.
 */
export type UpdateResult<State> =
  | Result<'updated' | 'starting', State>
  | Result<'duplicate', State | null>
  | Result<'gone', null>;

/**
 * What became of an answer.
 * - `accepted`: the question was pending. The same `answerId` again is `accepted` again.
 * - `answered`: somebody else's answer was first.
 * - `duplicate`: the message that the `answerId` names had another outcome before, and nothing was changed.
 * - `stale`: another question is pending, or none.
 * - `gone`: there is no conversation, or another job holds it.
 */
export type AnswerResult<State> =
  | Result<'accepted' | 'answered' | 'stale', State>
  | Result<'duplicate', State | null>
  | Result<'gone', null>;

/**
 * What became of a removal.
 * - `removed`: the conversation is removed. `state` is null if it could not be read.
 * - `waiting`: the inbox has messages, and nothing was changed: read them, or hand the channel over. `state` is null if
 *   nobody holds the channel any more.
 * - `lapsed`: the job had already lost its channel, and you are the first to report its end: tell the channel. `state` is
 *   that of the job that holds the channel now, if any.
 * - `held`: another job holds the channel, and `state` is that job's; or, with `retry`, the job gave a sign of life.
 * - `gone`: there is no such conversation.
 */
export type RemoveResult<State> =
  | Result<'removed' | 'waiting' | 'lapsed', State | null>
  | Result<'held', State>
  | Result<'gone', null>;

/** One entry of an inbox. */
export interface InboxEntry {
  /** Its id, to be given to `getByJobId` as `lastSeen` once it was read. */
  id: string;
  fields: Record<string, string>;
}

/** A job that somebody has to look at. */
export interface DueJob<State> extends ChannelReference, JobReference {
  /**
   * `question`: the time limit of its pending question is over. `silent`: it gave no sign of life for too long, or
   * gave one or got its answer while it was returned: check whether it is alive before you end it.
   */
  reason: 'silent' | 'question';
  /** Since when it is due, in milliseconds since 1970. */
  dueAt: number;
  /** Null if the conversation has ended, another job holds the channel, or the state cannot be read. */
  state: State | null;
}
