/** The answer that was accepted last. */
export interface LastAnswer {
  /** The question that it answered. */
  questionId: string;
  /** The `answerId` that the answer was given; empty where it was given an empty one. */
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
  /** The question that waits for an answer; null or absent where none is pending. */
  pendingQuestionId?: string | null;
  /** Absent until a question was answered. */
  lastAnswer?: LastAnswer | null;
  /** Names the call of `claim` that stored this state, so that a resend of it is recognised; at most 1024 bytes. */
  claimId?: string;
  /** Names the message that started the job, the same in every redelivery of it; at most 1024 bytes. */
  deliveryId?: string;
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

/** A state as it is given: `startedAt` may be a Date. */
export type NewConversationState<Extra extends object = Record<never, never>> = Omit<ConversationState, 'startedAt'> & {
  startedAt: string | Date;
} & Extra;

/** A state as it comes back. */
export type StoredConversationState<Extra extends object = Record<never, never>> = ConversationState & Json<Extra>;

/** The members that `update` puts into a state. The others have methods of their own. */
export type ConversationPatch<Extra extends object = Record<never, never>> = Partial<
  Pick<NewConversationState, 'userId' | 'project' | 'ticketId' | 'startedAt'> & Extra
>;

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

/** One member of a union for each outcome, so that each can be picked by its name. */
type Result<Outcome extends string, State> = Outcome extends string ? { outcome: Outcome; state: State } : never;

/**
 * What became of a claim.
 * - `claimed`: the channel is the job's: start it. `replicas`: how many replicas have the claim, where it waited for them.
 * - `held`: another job holds the channel; `state` is that job's.
 * - `queued`: the same, and the message is in the inbox of that job.
 * - `full`: the same, but the inbox has no room; nothing was added.
 * - `duplicate`: the message was handled before: do nothing. `state` is that of the job that holds the channel, if any.
 */
export type ClaimResult<State> =
  | { outcome: 'claimed'; state: State; replicas?: number }
  | Result<'held' | 'queued' | 'full', State>
  | Result<'duplicate', State | null>;

/**
 * What became of an update.
 * - `updated`: the members are in the state and, where a stream was named, the fields are in it.
 * - `duplicate`: the delivery was handled before, and nothing was changed.
 * - `gone`: there is no conversation, or another job holds it.
 */
export type UpdateResult<State> = Result<'updated' | 'duplicate', State> | Result<'gone', null>;

/**
 * What became of an answer.
 * - `accepted`: the question was pending. The same `answerId` again is `accepted` again.
 * - `answered`: somebody else's answer was first.
 * - `stale`: another question is pending, or none.
 * - `gone`: there is no conversation, or another job holds it.
 */
export type AnswerResult<State> = Result<'accepted' | 'answered' | 'stale', State> | Result<'gone', null>;

/**
 * What became of a removal.
 * - `removed`: it is gone now. `state` is null where what was removed could not be read.
 * - `waiting`: something came into the inbox after `lastSeen`, and nothing was changed: read on.
 * - `lapsed`: the job no longer held the channel, and this call is the one that settles its end: tell the channel.
 *   `state` is that of the job that holds the channel now, if any.
 * - `held`: another job holds the channel; `state` is that job's.
 * - `gone`: there was none.
 */
export type RemoveResult<State> =
  | Result<'removed' | 'lapsed', State | null>
  | Result<'waiting' | 'held', State>
  | Result<'gone', null>;

/** One entry of an inbox. */
export interface InboxEntry {
  /** Its id, to be given to `remove` as `lastSeen` once it was read. */
  id: string;
  fields: Record<string, string>;
}

/** A job that gave no sign of life for as long as it was watched. */
export interface DueJob<State> extends ChannelReference, JobReference {
  /** Null where the conversation has ended, another job holds the channel, or the state cannot be read. */
  state: State | null;
}
