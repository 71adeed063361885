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
  prefix?: string;
  /**
   * True spreads the conversations over all slots of a cluster, each with its keys in one slot; job ids then come from
   * `newJobId`. False by default. Without a cluster the keys are the same, so that one program runs on both.
   */
  sharded?: boolean;
  /** The default TTL for writes, in whole milliseconds; 7200000 (2 h) if absent. */
  ttlMs?: number;
  /**
   * After how many whole milliseconds without `claim`, `set` or `getByJobId` a job counts as silent, for `due`. Absent by
   * default: jobs are not watched.
   */
  silentAfterMs?: number;
  /**
   * Is told what is stored, claimed, queued, updated, answered and removed, at info, and of values that cannot be read,
   * at warn: the platform, channel and job id, never a state. Without one, the store is silent.
   */
  logger?: Logger;
  /**
   * `auto` (default) loads the library where the server lacks it or has an older one, never over a newer one; `never`
   * leaves that to the deploy step.
   */
  load?: 'auto' | 'never';
}

/** Options of every call that writes. */
export interface WriteOptions {
  /** The TTL of the conversation from now on, in whole milliseconds; that of the store by default. */
  ttlMs?: number;
}

/** Text for an entry of a stream. */
export type Fields = Record<string, string | number>;

/** Options of `claim`. */
export interface ClaimOptions extends WriteOptions {
  /** The fields to add to the inbox of the job that holds the channel, if one does; at least one and at most 1024. */
  queue?: Fields;
  /**
   * Waits until this many replicas have the claim, so that it outlives the master; the result says how many do. Other
   * calls on the same connection wait too: claims that wait are best made through a client of their own.
   */
  replicas?: number;
  /** How long to wait for replicas, in whole milliseconds; 1000 by default. */
  timeoutMs?: number;
}

/** Options of `getByJobId`. */
export interface GetByJobIdOptions extends WriteOptions {
  /** False reads and leaves the deadlines alone; true by default, because a message from a job is a sign of life. */
  renew?: boolean;
}

/** A stream to write to in the same step as the state changes. The call then has to name its job. */
export interface PublishOptions {
  /** The stream's key; the store puts its prefix before it. `key` returns the whole key. */
  stream: string;
  /** The fields of the entry that is added, at least one and at most 1024. */
  fields: Fields;
}

/** Without a stream there are no fields. */
export interface NoStream {
  stream?: undefined;
  fields?: undefined;
}

/** Options of `update`. */
export interface UpdateOptions extends WriteOptions {
  /**
   * Names the message that this update handles, so that a redelivery of it is a `duplicate`; at most 1024 bytes. Without
   * one, a resend after a lost reply adds the fields to the stream a second time.
   */
  deliveryId?: string;
}

/** Options of `answerQuestion`. */
export interface AnswerOptions extends WriteOptions {
  /**
   * Names this one answer, so that a resend is recognised; at most 1024 bytes. A fresh UUID by default. Of an empty one,
   * no resend is recognised.
   */
  answerId?: string;
}

/** Options of `remove`. */
export interface RemoveOptions {
  /** The id of the last inbox entry that the job has read, or `0`. The removal is refused while there are later ones. */
  lastSeen?: string;
  /** True where the job never ran, so that a redelivery of its message may start it; false by default. */
  retry?: boolean;
}

/** Options of `inbox`. */
export interface InboxOptions {
  /** The id of the last entry that was read; `0`, the beginning, by default. */
  after?: string;
}

/** Options of `due`. */
export interface DueOptions {
  /** For how many whole milliseconds a job that was returned is not returned again, to anybody; 60000 by default. */
  leaseMs?: number;
  /** How many jobs to return at most, 1 to 1000, from each partition of a sharded store; 100 by default. */
  limit?: number;
}

/** Options of `list`. */
export interface ListOptions {
  /** Returns the conversations of this platform only; in any case. */
  platform?: string;
}
