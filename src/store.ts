import { randomUUID } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import { checkChannel, checkJobId, checkMilliseconds, checkText } from './arguments.ts';
import { isCluster } from './cluster/cluster.ts';
import { checkDurability, functionsOnReplicas } from './cluster/replicas.ts';
import { type Connection, checkClient, connect } from './connection.ts';
import {
  convAnswer,
  convClaim,
  convGet,
  convGetByJob,
  convRemove,
  convSet,
  convSetPending,
  convUpdate,
  MAX_DUE,
} from './conversation.gen.ts';
import { invalidArgument, isConversationError } from './errors.ts';
import { furtherKeys, pairKeys, referenceKeys } from './keys/keys.ts';
import { checkKeyspace, type Keyspace, newJobId } from './keys/prefix.ts';
import { conversations, inboxEntries, silentJobs } from './many.ts';
import type {
  AnswerOptions,
  ClaimOptions,
  ConversationStoreOptions,
  DueOptions,
  Fields,
  GetByJobIdOptions,
  InboxOptions,
  Logger,
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
  ConversationPatch,
  ConversationReference,
  DueJob,
  FencedReference,
  InboxEntry,
  JobReference,
  NewConversationState,
  RemoveResult,
  StoredConversationState,
  UpdateResult,
} from './state.ts';
import { describe, flat, parse, platformOf, serialize, withIds } from './text.ts';
import { traced } from './trace.ts';

/**
 * Answers which job runs for a channel, and which channel a job belongs to. `Extra` types the members that the
 * application adds to a state.
 *
 * Every call is one command on the wire; on a cluster, a call by channel alone or by job alone is two. Every method
 * throws ConversationError, or the client's own error where the server or the connection failed.
 * @example
 * const store = new ConversationStore(new Redis());
 * const { outcome, state } = await store.claim({ ...message, jobId, startedAt: new Date() }, { ttlMs: 60_000 });
 */
export class ConversationStore<Extra extends object = Record<never, never>> {
  readonly #client: Redis | Cluster;
  readonly #connection: Connection;
  readonly #space: Keyspace;
  readonly #ttlMs: number | undefined;
  readonly #silentMs: number | undefined;
  readonly #logger: Logger | undefined;

  /**
   * @param client stays the caller's: the store never closes it.
   * @throws ConversationError INVALID_ARGUMENT
   */
  constructor(
    client: Redis | Cluster,
    { prefix = '', sharded = false, ttlMs, silentAfterMs, logger, load = 'auto' }: ConversationStoreOptions = {},
  ) {
    checkClient(client);
    if (load !== 'auto' && load !== 'never') throw invalidArgument("load must be 'auto' or 'never'");
    this.#client = client;
    this.#space = checkKeyspace({ prefix, sharded }, isCluster(client), client.options.keyPrefix ?? '');
    this.#ttlMs = checkMilliseconds('ttlMs', ttlMs);
    this.#silentMs = checkMilliseconds('silentAfterMs', silentAfterMs);
    this.#logger = logger;
    this.#connection = connect(client, load, logger);
  }

  /**
   * Claims a channel for a job: of any number of claims, one is told `claimed`. With `queue`, a claim that comes while
   * another job holds the channel adds those fields to that job's inbox. Only `claimed` changes a deadline.
   */
  async claim(
    state: NewConversationState<Extra>,
    { ttlMs, queue, replicas, timeoutMs = 1000 }: ClaimOptions = {},
  ): Promise<ClaimResult<StoredConversationState<Extra>>> {
    const keys = pairKeys(this.#space, state);
    const ids = queue === undefined ? ['claimId'] : ['claimId', 'deliveryId'];
    const args = {
      state: withIds(serialize('the state', state), state, ids),
      ttlMs: this.#ttl(ttlMs),
      silentMs: this.#silentMs,
      rest: queue && flat('queue', queue),
    };
    let count: number | undefined;
    const functions =
      replicas === undefined
        ? this.#connection.functions
        : this.#connection.careful(
            functionsOnReplicas(this.#client, keys, checkDurability({ replicas, timeoutMs }), (heard) => {
              count = heard;
            }),
          );
    return traced('claim', state.platform, async () => {
      const { outcome, state: text } = await convClaim(functions, keys, args);
      if (outcome === 'duplicate' || text === null) return { outcome: 'duplicate', state: this.#orNull(text) };
      if (outcome === 'claimed' || outcome === 'queued') this.#log(outcome, state);
      const stored = parse<StoredConversationState<Extra>>(text);
      if (outcome !== 'claimed') return { outcome, state: stored };
      return { outcome, state: stored, ...(count !== undefined && { replicas: count }) };
    });
  }

  /** Stores a state whatever stood there: the last write wins. Returns the state it replaced, or null. */
  async set(
    state: NewConversationState<Extra>,
    { ttlMs }: WriteOptions = {},
  ): Promise<StoredConversationState<Extra> | null> {
    const keys = pairKeys(this.#space, state);
    const args = { state: serialize('the state', state), ttlMs: this.#ttl(ttlMs), silentMs: this.#silentMs };
    return traced('set', state.platform, async () => {
      const replaced = await convSet(this.#connection.functions, keys, args);
      this.#log('stored', state);
      return replaced === null ? null : this.#ended(replaced, state);
    });
  }

  /** Reads a conversation and changes nothing. A cluster's client that scales its reads asks a replica. */
  async get(ref: ConversationReference): Promise<StoredConversationState<Extra> | null> {
    const keys = referenceKeys(this.#space, ref);
    return this.#warned(
      ref,
      traced('get', platformOf(ref), async () => this.#orNull(await convGet(this.#connection.functions, keys))),
    );
  }

  /** Reads the conversation that a job holds and renews its deadlines: a message from a job is a sign of life. */
  async getByJobId(
    jobId: string,
    { ttlMs, renew = true }: GetByJobIdOptions = {},
  ): Promise<StoredConversationState<Extra> | null> {
    const { prefix } = referenceKeys(this.#space, { jobId });
    const { functions } = this.#connection;
    const keys = { job: referenceKeys(this.#space, { jobId }).job ?? '', prefix };
    const args = { ttlMs: this.#ttl(ttlMs), silentMs: this.#silentMs };
    return this.#warned(
      { jobId },
      traced('getByJobId', undefined, async () =>
        this.#orNull(await (renew ? convGetByJob(functions, keys, args) : convGet(functions, keys))),
      ),
    );
  }

  /**
   * Puts members into the state and leaves every other byte of it alone. With `stream`, adds fields to a stream in the
   * same step, for the job to read: a stop, say. `ref` then has to name the job.
   */
  async update(
    ref: FencedReference,
    patch: ConversationPatch<Extra>,
    options: UpdateOptions & PublishOptions,
  ): Promise<UpdateResult<StoredConversationState<Extra>>>;
  async update(
    ref: ConversationReference,
    patch: ConversationPatch<Extra>,
    options?: UpdateOptions & NoStream,
  ): Promise<UpdateResult<StoredConversationState<Extra>>>;
  async update(
    ref: ConversationReference,
    patch: ConversationPatch<Extra>,
    { stream, fields, deliveryId, ttlMs }: UpdateOptions & (PublishOptions | NoStream) = {},
  ): Promise<UpdateResult<StoredConversationState<Extra>>> {
    if (deliveryId !== undefined) checkText('deliveryId', deliveryId);
    const { keys, rest } = this.#publishing(ref, stream, fields);
    const args = { patch: serialize('the patch', patch), ttlMs: this.#ttl(ttlMs), deliveryId, rest };
    return traced('update', platformOf(ref), async () => {
      const { outcome, state } = await convUpdate(this.#connection.functions, keys, args);
      if (outcome === 'gone' || state === null) return { outcome: 'gone', state: null };
      if (outcome === 'updated') this.#log(outcome, ref);
      return { outcome, state: parse(state) };
    });
  }

  /** Remembers which question waits for an answer. Returns the new state, or null where there is no conversation. */
  async setPendingQuestion(
    ref: ConversationReference,
    questionId: string,
    options: WriteOptions = {},
  ): Promise<StoredConversationState<Extra> | null> {
    if (typeof questionId !== 'string' || questionId === '') {
      throw invalidArgument('questionId must be a non-empty string; clearPendingQuestion clears');
    }
    return this.#setPending('setPendingQuestion', ref, questionId, options);
  }

  /** Forgets which question waited. Returns the new state, or null where there is no conversation. */
  async clearPendingQuestion(
    ref: ConversationReference,
    options: WriteOptions = {},
  ): Promise<StoredConversationState<Extra> | null> {
    return this.#setPending('clearPendingQuestion', ref, '', options);
  }

  /**
   * Answers the pending question: of any number of answers, one is `accepted`. With `stream`, its fields are added to a
   * stream in the same step; `ref` then has to name the job. The same `answerId` again is `accepted` again and is not
   * published twice.
   */
  async answerQuestion(
    ref: FencedReference,
    questionId: string,
    options: AnswerOptions & PublishOptions,
  ): Promise<AnswerResult<StoredConversationState<Extra>>>;
  async answerQuestion(
    ref: ConversationReference,
    questionId: string,
    options?: AnswerOptions & NoStream,
  ): Promise<AnswerResult<StoredConversationState<Extra>>>;
  async answerQuestion(
    ref: ConversationReference,
    questionId: string,
    { answerId = randomUUID(), stream, fields, ttlMs }: AnswerOptions & (PublishOptions | NoStream) = {},
  ): Promise<AnswerResult<StoredConversationState<Extra>>> {
    checkText('questionId', questionId);
    checkText('answerId', answerId);
    const { keys, rest } = this.#publishing(ref, stream, fields);
    const args = { questionId, answerId, ttlMs: this.#ttl(ttlMs), rest };
    return traced('answerQuestion', platformOf(ref), async () => {
      const { outcome, state } = await convAnswer(this.#connection.functions, keys, args);
      if (outcome === 'gone' || state === null) return { outcome: 'gone', state: null };
      const found = parse<StoredConversationState<Extra>>(state);
      if (outcome === 'accepted') this.#log('answered', found);
      return { outcome, state: found };
    });
  }

  /**
   * Forgets a conversation. A reference with `jobId` removes only what that job still holds. With `lastSeen`, nothing
   * is removed while the inbox has something that the job has not read.
   */
  async remove(
    ref: ConversationReference,
    { lastSeen, retry = false }: RemoveOptions = {},
  ): Promise<RemoveResult<StoredConversationState<Extra>>> {
    const keys = referenceKeys(this.#space, ref);
    if (lastSeen !== undefined) checkText('lastSeen', lastSeen);
    if (lastSeen === '') throw invalidArgument('lastSeen must be the id of an inbox entry, or 0');
    if (typeof retry !== 'boolean') throw invalidArgument('retry must be true or false');
    const args = { lastSeen, retry: retry ? ('1' as const) : undefined };
    return traced('remove', platformOf(ref), async () => {
      const { outcome, state } = await convRemove(this.#connection.functions, keys, args);
      if (outcome === 'lapsed') return { outcome, state: this.#orNull(state) };
      if (outcome === 'gone' || state === null) return { outcome: 'gone', state: null };
      if (outcome !== 'removed') return { outcome, state: parse(state) };
      const removed = this.#ended(state, ref);
      this.#log(outcome, removed ?? ref);
      return { outcome, state: removed };
    });
  }

  /**
   * Reads what waits in the inbox now, the oldest first. What comes later is found by another call with `after`, or by
   * XREAD BLOCK on `inboxKey`, through a client of its own.
   */
  async *inbox(ref: ConversationReference, { after = '0' }: InboxOptions = {}): AsyncGenerator<InboxEntry> {
    checkText('after', after);
    const channel = 'platform' in ref || 'channelId' in ref ? ref : await this.get(ref);
    if (channel === null) return;
    yield* inboxEntries(this.#connection, channel, this.inboxKey(channel as ChannelReference), after);
  }

  /** Returns the key of a conversation's inbox, for a client that waits for entries. The client's `keyPrefix` is not in it. */
  inboxKey(ref: ChannelReference): string {
    const { prefix, conversation } = referenceKeys(this.#space, ref);
    if (conversation === undefined) throw invalidArgument('an inbox is named by { platform, channelId }');
    return furtherKeys(prefix, conversation).inbox;
  }

  /**
   * Names the jobs that gave no sign of life for as long as they were watched (`silentAfterMs`), the longest silent
   * first, and puts each off by `leaseMs`, so that one caller at a time looks into it. Look at the job; then call
   * `getByJobId` if it lives, or `remove` and tell the channel.
   */
  async *due({ leaseMs = 60_000, limit }: DueOptions = {}): AsyncGenerator<DueJob<StoredConversationState<Extra>>> {
    checkMilliseconds('leaseMs', leaseMs);
    if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1 && limit <= MAX_DUE)) {
      throw invalidArgument(`limit must be a whole number from 1 to ${MAX_DUE}`);
    }
    for await (const job of silentJobs(this.#connection, this.#space, { leaseMs, limit })) {
      yield { ...job, state: await this.#stateOf(job) };
    }
  }

  /**
   * Returns every readable conversation, in no order, each once. One that comes or goes meanwhile may or may not be
   * seen. Costs a scan of all keys, on a cluster of every master: for a person or a clean-up, not for every message.
   */
  async *list({ platform }: { platform?: string } = {}): AsyncGenerator<StoredConversationState<Extra>> {
    yield* conversations<StoredConversationState<Extra>>(
      this.#client,
      this.#connection,
      this.#space,
      platform,
      this.#logger,
    );
  }

  /** Returns a new job id for a channel, fit for the name of a Kubernetes job. With `sharded`, it leads to the channel's keys. */
  newJobId(channel: ChannelReference): string {
    return newJobId(channel);
  }

  /** Returns a further key of a conversation, beside the others on a cluster: the `stream` of an answer, for its reader. */
  key(ref: ConversationReference, name: string): string {
    return referenceKeys(this.#space, ref).prefix + checkText('name', name);
  }

  /**
   * Loads or checks the library, once; the first call does it too.
   * @throws ConversationError LIBRARY_MISSING, LIBRARY_OUTDATED, LIBRARY_TOO_NEW, LIBRARY_FOREIGN
   */
  async ready(): Promise<void> {
    return this.#connection.ready();
  }

  #ttl(ttlMs: number | undefined): number | undefined {
    return ttlMs === undefined ? this.#ttlMs : checkMilliseconds('ttlMs', ttlMs);
  }

  #log(what: string, ref: ConversationReference): void {
    this.#logger?.info(
      `${what === 'answered' ? 'question' : what === 'queued' ? 'message' : 'conversation'} ${what}: ${describe(ref)}`,
    );
  }

  #publishing(ref: ConversationReference, stream: string | undefined, fields: Fields | undefined) {
    const { prefix, ...keys } = referenceKeys(this.#space, ref);
    if (stream === undefined && fields === undefined) return { keys, rest: undefined };
    if (stream === undefined || fields === undefined) throw invalidArgument('stream and fields go together');
    if (keys.job === undefined) throw invalidArgument('a call with a stream must name the job: a reference with jobId');
    return { keys: { ...keys, stream: prefix + checkText('stream', stream) }, rest: flat('fields', fields) };
  }

  async #setPending(
    method: string,
    ref: ConversationReference,
    questionId: string,
    { ttlMs }: WriteOptions,
  ): Promise<StoredConversationState<Extra> | null> {
    const keys = referenceKeys(this.#space, ref);
    const args = { questionId, ttlMs: this.#ttl(ttlMs) };
    return traced(method, platformOf(ref), async () => {
      const text = await convSetPending(this.#connection.functions, keys, args);
      if (text === null) this.#logger?.warn(`pending question for a conversation that is not there: ${describe(ref)}`);
      return this.#orNull(text);
    });
  }

  /** The state of a silent job, or null where it lapsed or cannot be read. */
  async #stateOf(job: ChannelReference & JobReference): Promise<StoredConversationState<Extra> | null> {
    try {
      return await this.get(job);
    } catch (error) {
      if (isConversationError(error, 'CONVCORRUPT')) return null;
      throw error;
    }
  }

  async #warned<T>(ref: ConversationReference, call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      if (isConversationError(error, 'CONVCORRUPT')) this.#logger?.warn(`unreadable conversation: ${describe(ref)}`);
      throw error;
    }
  }

  #orNull(text: string | null): StoredConversationState<Extra> | null {
    return text === null ? null : parse(text);
  }

  /** What was replaced or removed, which is gone whether it could be read or not. */
  #ended(text: string, ref: ConversationReference): StoredConversationState<Extra> | null {
    try {
      const state = parse<StoredConversationState<Extra>>(text);
      checkChannel(state.platform, state.channelId);
      checkJobId(state.jobId);
      return state;
    } catch {
      this.#logger?.warn(`unreadable conversation replaced or removed: ${describe(ref)}`);
      return null;
    }
  }
}
