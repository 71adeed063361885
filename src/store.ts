import { randomUUID } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import { checkBoolean, checkEntryId, checkMessageId, checkMilliseconds, checkObject, flat } from './arguments.ts';
import { type Connection, connect } from './connection.ts';
import * as library from './conversation.gen.ts';
import { invalidArgument } from './errors.ts';
import { conversations, inboxEntries, silentJobs } from './iterators.ts';
import { idsOf, parse, parseOrNull, serialize } from './json.ts';
import { inboxKey, jobKeys, keyBeside, pairKeys, referenceKeys, streamKeys } from './keys/conversation-keys.ts';
import { checkKeyspace, type Keyspace, newJobId } from './keys/prefix.ts';
import { type Log, log } from './log.ts';
import type {
  AnswerOptions,
  ClaimOptions,
  ConversationStoreOptions,
  DueOptions,
  GetByJobIdOptions,
  InboxOptions,
  ListOptions,
  NoStream,
  PublishOptions,
  RemoveOptions,
  UpdateOptions,
  WriteOptions,
} from './options.ts';
import type {
  AnswerResult,
  ChannelReference,
  ClaimResult,
  ConversationReference,
  DueJob,
  FencedReference,
  InboxEntry,
  NewConversationState,
  ConversationPatch as Patch,
  RemoveResult,
  StoredConversationState as Stored,
  UpdateResult,
} from './state.ts';
import { traced, tracedOutcome } from './trace.ts';

/** What a call returns where there is no conversation, or another job holds it. */
const GONE = { outcome: 'gone', state: null } as const;

type Stream = PublishOptions | NoStream;
type Updated<Extra extends object> = Promise<UpdateResult<Stored<Extra>>>;
type Answered<Extra extends object> = Promise<AnswerResult<Stored<Extra>>>;

/**
 * Answers which job runs for a channel, and which channel a job belongs to. `Extra` types the members that the
 * application adds to a state. All times are whole milliseconds. Every call is one command on the wire; on a cluster, a
 * call by channel alone or by job alone is two. `inbox`, `due` and `list` may send more.
 *
 * Every method throws ConversationError INVALID_ARGUMENT for what is wrong without asking the server. A method that asks
 * it throws the codes that it names, what `ready` throws, on a cluster CLUSTER_UNAVAILABLE, and the client's own error.
 * @example
 * const store = new ConversationStore(new Redis());
 * const { outcome, state } = await store.claim({ ...message, jobId, startedAt: new Date() }, { ttlMs: 60_000 });
 */
export class ConversationStore<Extra extends object = Record<never, never>> {
  readonly #connection: Connection;
  readonly #space: Keyspace;
  readonly #ttlMs: number | undefined;
  readonly #silentMs: number | undefined;
  readonly #log: Log;

  /**
   * Sends nothing yet.
   * @param client A `Redis` or `Cluster` of ioredis. It stays the caller's: the store never closes it.
   * @throws ConversationError INVALID_ARGUMENT, also on a cluster with neither a hash tag in the prefix nor `sharded`
   */
  constructor(client: Redis | Cluster, options: ConversationStoreOptions = {}) {
    const { prefix = '', sharded = false, logger, load = 'auto' } = checkObject('the options', options);
    this.#log = log(logger);
    this.#connection = connect(client, load, logger);
    this.#space = checkKeyspace({ prefix, sharded }, this.#connection.isCluster, this.#connection.keyPrefix);
    this.#ttlMs = checkMilliseconds('ttlMs', options.ttlMs);
    this.#silentMs = checkMilliseconds('silentAfterMs', options.silentAfterMs);
  }

  /**
   * Claims a channel for a job: of any number of claims, one is `claimed`, and only that changes deadlines. With `queue`,
   * a claim that comes while another job holds the channel adds those fields to that job's inbox.
   * @throws ConversationError CONVSTATE, CONVCORRUPT, CONVJOB, WRONGTYPE: do not start the job
   */
  async claim(state: NewConversationState<Extra>, options: ClaimOptions = {}): Promise<ClaimResult<Stored<Extra>>> {
    return this.#outcomeOf('claim', state, options, async ({ ttlMs, queue, replicas, timeoutMs = 1000 }) => {
      const keys = pairKeys(this.#space, state);
      const ids = queue === undefined ? ['claimId'] : ['claimId', 'deliveryId'];
      const args = {
        state: serialize('the state', state, (own) => idsOf(own, ids)),
        ttlMs: this.#ttl(ttlMs),
        silentMs: this.#silentMs,
        rest: queue === undefined ? undefined : flat('queue', queue),
      };
      const [{ outcome, state: text }, count] =
        replicas === undefined
          ? [await this.#connection.call(library.convClaim, keys, args)]
          : await this.#connection.callAndWait(library.convClaim, keys, args, { replicas, timeoutMs });
      if (outcome === 'duplicate') return { outcome, state: parseOrNull(text) };
      const stored = parse<Stored<Extra>>(text);
      if (outcome === 'claimed' || outcome === 'queued') this.#log.changed(outcome, state);
      if (outcome !== 'claimed') return { outcome, state: stored };
      return { outcome, state: stored, ...(count !== undefined && { replicas: count }) };
    });
  }

  /**
   * Stores a state whatever stood there: the last write wins. Returns what it replaced; null if nothing readable.
   * @throws ConversationError CONVSTATE, CONVJOB, WRONGTYPE
   */
  async set(state: NewConversationState<Extra>, options: WriteOptions = {}): Promise<Stored<Extra> | null> {
    return this.#call('set', state, options, async ({ ttlMs }) => {
      const keys = pairKeys(this.#space, state);
      const args = { state: serialize('the state', state), ttlMs: this.#ttl(ttlMs), silentMs: this.#silentMs };
      const replaced = await this.#connection.call(library.convSet, keys, args);
      this.#log.changed('stored', state);
      return replaced === null ? null : this.#log.ended(replaced, state);
    });
  }

  /**
   * Reads a conversation and changes nothing. Returns null where there is none, or the job of `jobId` does not hold the
   * channel. A cluster's client with `scaleReads` asks a replica.
   * @throws ConversationError CONVCORRUPT, WRONGTYPE: do not treat the channel as free
   */
  async get(ref: ConversationReference): Promise<Stored<Extra> | null> {
    return this.#call('get', ref, {}, async () =>
      parseOrNull(await this.#connection.get(referenceKeys(this.#space, ref), 'replica')),
    );
  }

  /**
   * Reads the conversation that a job holds and renews its deadlines: a message from a job is a sign of life. Returns
   * its state, or null where the job holds no channel any more: stop it.
   * @throws ConversationError CONVCORRUPT, WRONGTYPE
   */
  async getByJobId(jobId: string, options: GetByJobIdOptions = {}): Promise<Stored<Extra> | null> {
    return this.#call('getByJobId', { jobId }, options, async ({ ttlMs, renew = true }) => {
      const keys = jobKeys(this.#space, { jobId });
      const args = { ttlMs: this.#ttl(ttlMs), silentMs: this.#silentMs };
      if (!checkBoolean('renew', renew)) return parseOrNull(await this.#connection.get(keys, 'replica'));
      return parseOrNull(await this.#connection.call(library.convGetByJob, keys, args, null));
    });
  }

  /**
   * Puts members into the state and leaves every other byte of it alone. With `stream`, adds fields to a stream in the
   * same step, for the job to read: a stop, say. `ref` then has to name the job.
   * @throws ConversationError CONVSTATE, CONVCORRUPT, WRONGTYPE
   */
  update(ref: FencedReference, patch: Patch<Extra>, options: UpdateOptions & PublishOptions): Updated<Extra>;
  update(ref: ConversationReference, patch: Patch<Extra>, options?: UpdateOptions & NoStream): Updated<Extra>;
  async update(ref: ConversationReference, patch: Patch<Extra>, options: UpdateOptions & Stream = {}): Updated<Extra> {
    return this.#outcomeOf('update', ref, options, async ({ deliveryId, ttlMs, ...publish }) => {
      if (deliveryId !== undefined) checkMessageId('deliveryId', deliveryId);
      const { keys, rest } = streamKeys(this.#space, ref, publish);
      const args = { patch: serialize('the patch', patch), ttlMs: this.#ttl(ttlMs), deliveryId, rest };
      const { outcome, state } = await this.#connection.call(library.convUpdate, keys, args, GONE);
      if (outcome === 'gone') return GONE;
      if (outcome === 'updated') this.#log.changed(outcome, ref);
      return { outcome, state: parse(state) };
    });
  }

  /**
   * Stores which question is pending, that is, waits for an answer. While one is pending, no renewal makes the
   * conversation end sooner. Returns the new state, or null where `get` does.
   * @param questionId At most 1024 bytes without control characters. Each question has one of its own.
   * @throws ConversationError CONVSTATE (larger than 256 KiB), CONVCORRUPT, WRONGTYPE
   */
  async setPendingQuestion(
    ref: ConversationReference,
    questionId: string,
    options: WriteOptions = {},
  ): Promise<Stored<Extra> | null> {
    return this.#call('setPendingQuestion', ref, options, ({ ttlMs }) => {
      if (questionId === '') throw invalidArgument('questionId must not be empty: clearPendingQuestion clears');
      return this.#setPending(ref, checkMessageId('questionId', questionId), ttlMs);
    });
  }

  /** Clears the pending question without an answer. Returns and throws the same as `setPendingQuestion`. */
  async clearPendingQuestion(ref: ConversationReference, options: WriteOptions = {}): Promise<Stored<Extra> | null> {
    return this.#call('clearPendingQuestion', ref, options, ({ ttlMs }) => this.#setPending(ref, '', ttlMs));
  }

  /**
   * Answers the pending question: of any number of answers, one is `accepted`, again when it is sent again. With
   * `stream`, adds fields to a stream in the same step, once, for the job to read; `ref` then has to name the job.
   * @throws ConversationError CONVSTATE (larger than 256 KiB), CONVCORRUPT, WRONGTYPE
   */
  answerQuestion(ref: FencedReference, questionId: string, options: AnswerOptions & PublishOptions): Answered<Extra>;
  answerQuestion(ref: ConversationReference, questionId: string, options?: AnswerOptions & NoStream): Answered<Extra>;
  async answerQuestion(ref: ConversationReference, id: string, options: AnswerOptions & Stream = {}): Answered<Extra> {
    return this.#outcomeOf('answerQuestion', ref, options, async ({ answerId = randomUUID(), ttlMs, ...publish }) => {
      checkMessageId('questionId', id);
      if (answerId !== '') checkMessageId('answerId', answerId);
      const { keys, rest } = streamKeys(this.#space, ref, publish);
      const args = { questionId: id, answerId, ttlMs: this.#ttl(ttlMs), rest };
      const { outcome, state } = await this.#connection.call(library.convAnswer, keys, args, GONE);
      if (outcome === 'gone') return GONE;
      const found = parse<Stored<Extra>>(state);
      if (outcome === 'accepted') this.#log.changed('answered', found);
      return { outcome, state: found };
    });
  }

  /**
   * Removes a conversation, so that its channel is free. A reference with `jobId` removes only what that job still
   * holds. With `lastSeen`, nothing is removed while the inbox has an entry that the job has not read.
   * @throws ConversationError CONVCORRUPT (only with `jobId` in `ref`), WRONGTYPE
   */
  async remove(ref: ConversationReference, options: RemoveOptions = {}): Promise<RemoveResult<Stored<Extra>>> {
    return this.#outcomeOf('remove', ref, options, async ({ lastSeen, retry = false }) => {
      const keys = referenceKeys(this.#space, ref);
      if (lastSeen !== undefined) checkEntryId('lastSeen', lastSeen);
      const args = { lastSeen, retry: checkBoolean('retry', retry) ? ('1' as const) : undefined };
      const { outcome, state } = await this.#connection.call(library.convRemove, keys, args, GONE);
      if (outcome === 'lapsed') return { outcome, state: parseOrNull(state) };
      if (outcome === 'gone') return GONE;
      if (outcome !== 'removed') return { outcome, state: parse(state) };
      const removed = this.#log.ended<Stored<Extra>>(state ?? '', ref);
      this.#log.changed(outcome, removed ?? ref);
      return { outcome, state: removed };
    });
  }

  /**
   * Reads what is in the inbox now, the oldest first; with `jobId`, only while that job holds the channel. What comes
   * later is found by another call with `after`, or by XREAD BLOCK on `inboxKey`, through a client of its own.
   * @throws ConversationError CONVCORRUPT, WRONGTYPE, when it is iterated
   */
  inbox(ref: ConversationReference, options: InboxOptions = {}): AsyncGenerator<InboxEntry> {
    return inboxEntries(this.#connection, this.#space, this.#log, ref, options);
  }

  /** Returns the key of a channel's inbox, for a client that waits for entries; without the client's `keyPrefix`. */
  inboxKey(ref: ChannelReference): string {
    return inboxKey(this.#space, ref);
  }

  /**
   * Returns the jobs that gave no sign of life for `silentAfterMs`, the longest silent first, each to one caller within
   * `leaseMs`. Call `getByJobId` if the job runs, else `remove` it and tell the channel. Catch what one of them throws
   * (its state may be unreadable, and is null then), and go on with the next.
   * @throws ConversationError WRONGTYPE, when it is iterated
   */
  due(options: DueOptions = {}): AsyncGenerator<DueJob<Stored<Extra>>> {
    return silentJobs(this.#connection, this.#space, this.#log, options);
  }

  /**
   * Returns the state of every conversation that can be read, in no order, each once; one that starts or ends meanwhile
   * may be missing. It scans all keys, of every master: for people and clean-ups, not for every message.
   */
  list(options: ListOptions = {}): AsyncGenerator<Stored<Extra>> {
    return conversations(this.#connection, this.#space, this.#log, options);
  }

  /** Returns a new job id, fit for the name of a Kubernetes job. With `sharded`, it leads to this channel's keys. */
  newJobId(channel: ChannelReference): string {
    return newJobId(channel);
  }

  /**
   * Returns a key of the application, under the store's prefix and, on a cluster, in the slot of the conversation: for
   * the client that reads the `stream` that `update` or `answerQuestion` writes to, say.
   */
  key(ref: ConversationReference, name: string): string {
    return keyBeside(this.#space, ref, name);
  }

  /**
   * Loads or checks the library, once, as the first call of any other method does.
   * @throws ConversationError LIBRARY_MISSING, LIBRARY_OUTDATED (with `load: 'never'`), LIBRARY_TOO_NEW, LIBRARY_FOREIGN
   */
  async ready(): Promise<void> {
    return traced('ready', undefined, this.#connection.ready);
  }

  #ttl(ttlMs: number | undefined): number | undefined {
    return ttlMs === undefined ? this.#ttlMs : checkMilliseconds('ttlMs', ttlMs);
  }

  /** Runs a call in the tracing channel, with its options. What it cannot read is warned of. */
  #call<O extends object, T>(method: string, ref: ConversationReference, options: O, run: (options: O) => Promise<T>) {
    return traced(method, ref, () => this.#run(ref, options, run));
  }

  /** The same for a call with an outcome. */
  #outcomeOf<O extends object, T extends { outcome: string }>(
    method: string,
    ref: ConversationReference,
    options: O,
    run: (options: O) => Promise<T>,
  ): Promise<T> {
    return tracedOutcome(method, ref, () => this.#run(ref, options, run));
  }

  #run<O extends object, T>(ref: ConversationReference, options: O, run: (options: O) => Promise<T>): Promise<T> {
    return this.#log.reading(ref, () => run(checkObject('the options', options)));
  }

  async #setPending(ref: ConversationReference, questionId: string, ttlMs?: number): Promise<Stored<Extra> | null> {
    const [keys, args] = [referenceKeys(this.#space, ref), { questionId, ttlMs: this.#ttl(ttlMs) }];
    const text = await this.#connection.call(library.convSetPending, keys, args, null);
    if (text === null) this.#log.notThere(ref);
    return parseOrNull(text);
  }
}
