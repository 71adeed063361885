import type { JobReference } from './state.ts';

/** Receives the store's log lines: console, pino, or anything with these four methods. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** Options of a `ConversationStore`. */
export interface ConversationStoreOptions {
  /**
   * Stands before every key the store touches: a tenant, an environment. Empty by default. On a cluster, a prefix with a
   * hash tag such as `{agentsmith}:` keeps everything under it in one slot.
   */
  prefix?: string | undefined;
  /**
   * True spreads the conversations over all slots of a cluster, each with its keys in one slot; job ids then come from
   * `newJobId`. False by default. Without a cluster the keys are the same, so that one program runs on both.
   */
  sharded?: boolean | undefined;
  /** The default TTL for writes, in whole milliseconds; 7200000 (2 h) if absent. */
  ttlMs?: number | undefined;
  /**
   * After how many whole milliseconds without a sign of life a job counts as silent, for `due`. `claim`, `set` and
   * `handOver` put it into states that have no `silentAfterMs` of their own. Absent by default: jobs are not watched.
   */
  silentAfterMs?: number | undefined;
  /**
   * Gets what is stored, claimed, handed over, queued, updated, answered and removed, at info, and values that cannot be
   * read, at warn: the platform, channel and job id, never a state. Without one, the store is silent.
   */
  logger?: Logger | undefined;
  /**
   * `auto` (default) loads the library if the server lacks it or has an older one of the same major version, never over a
   * newer one; `never` leaves that to the deploy step.
   */
  load?: 'auto' | 'never' | undefined;
}

/** Options of calls that set or renew the deadline. */
export interface WriteOptions {
  /** The TTL of the conversation, in whole milliseconds; that of the store by default. */
  ttlMs?: number | undefined;
}

/** Text for an entry of a stream. */
export type Fields = Record<string, string | number>;

/** How a call that starts a job waits for replicas. */
export interface ReplicaOptions {
  /**
   * Waits until this many replicas have what was written, so that it outlives the master; the result says how many do.
   * Other calls on the same connection wait too, so use a client of its own.
   */
  replicas?: number | undefined;
  /** How long to wait for replicas, in whole milliseconds; 1000 by default. */
  timeoutMs?: number | undefined;
}

/** Options of every call that starts a job. */
export interface StartOptions extends WriteOptions, ReplicaOptions {
  /**
   * Within how many whole milliseconds the job must give a sign of life, in place of `ttlMs`: otherwise the claim
   * lapses. A redelivery of its message is `starting` until then. The job's first `getByJobId` or `setPendingQuestion` gives the
   * conversation the TTL of that call.
   */
  startWithinMs?: number | undefined;
}

/** Options of `claim`. */
export interface ClaimOptions extends StartOptions {
  /**
   * The fields to add to the inbox of the job that holds the channel, if one does; at least one and at most 1024, of at
   * most 256 KiB together. The store needs `silentAfterMs`.
   */
  queue?: Fields | undefined;
}

/** Options of `getByJobId`. */
export interface GetByJobIdOptions extends WriteOptions {
  /** The id of the last inbox entry that the job has read: the entries up to it are deleted. */
  lastSeen?: string | undefined;
  /** False reads and leaves the deadlines alone; true by default, because a message from a job is a sign of life. */
  renew?: boolean | undefined;
}

/** A stream to write to in the same step as the state changes. The call must then name its job. */
export interface PublishOptions {
  /** The stream's whole key, as `key` returns it. */
  stream: string;
  /** The fields of the entry that is added, at least one and at most 1024, of at most 256 KiB together. */
  fields: Fields;
}

/** Without a stream there are no fields. */
export interface NoStream {
  stream?: undefined;
  fields?: undefined;
}

/** The stream options of a call by this reference. */
export type StreamOptions<Reference> = [Reference] extends [JobReference]
  ? PublishOptions | NoStream
  : { stream?: 'a call with a stream must name the job: use a reference with jobId' | undefined; fields?: undefined };

/** Options of `handOver`. */
export type HandOverOptions = StartOptions & (PublishOptions | NoStream);

/** Options of `update`. */
export interface UpdateOptions {
  /**
   * Names the message that this update handles, so that a redelivery of it is a `duplicate`; at most 1024 bytes. With a
   * stream, a fresh UUID by default.
   */
  deliveryId?: string | undefined;
}

/** Options of `setPendingQuestion`. */
export interface QuestionOptions extends WriteOptions {
  /**
   * For how many whole milliseconds the question can wait for its answer. Then `due` names the job, with the reason
   * `question`; before that, the job is not silent. Without it, the question has no time limit.
   */
  answerWithinMs?: number | undefined;
}

/** Options of `answerQuestion`. */
export interface AnswerOptions extends WriteOptions {
  /**
   * Names this one answer, so that a resend or a redelivery is recognised; at most 1024 bytes. A fresh UUID by default.
   * With an empty one, no resend is recognised.
   */
  answerId?: string | undefined;
}

/** Options of `remove`; one of the two, or neither. */
export interface RemoveOptions {
  /** True if the job never ran, so that a redelivery of its message may start it; false by default. */
  retry?: boolean | undefined;
  /** True removes what waits in the inbox too; false by default, and then the outcome is `waiting`. */
  discardInbox?: boolean | undefined;
}

/** Options of `inbox`. */
export interface InboxOptions {
  /** The id of the last entry that was read; `0`, the beginning, by default. */
  after?: string | undefined;
}

/** Options of `due`. */
export interface DueOptions {
  /** For how many whole milliseconds a job that was returned is not returned again, to anybody; 60000 by default. */
  leaseMs?: number | undefined;
  /** How many jobs to return at most, 1 to 1000, from each partition of a sharded store; 100 by default. */
  limit?: number | undefined;
}

/** Options of `list`. */
export interface ListOptions {
  /** Returns the conversations of this platform only; in any case. */
  platform?: string | undefined;
}
