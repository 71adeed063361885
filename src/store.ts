import { randomUUID } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import {
  checkBoolean,
  checkEntryId,
  checkMessageId,
  checkMilliseconds,
  checkOptions,
  flat,
  type OPTIONS,
} from './arguments.ts';
import { type Connection, connect } from './connection.ts';
import * as library from './conversation.gen.ts';
import { invalidArgument } from './errors.ts';
import { conversations, dueJobs, inboxEntries } from './iterators.ts';
import { idsOf, parse, parseOrNull, serialize } from './json.ts';
import {
  checkKeyspace,
  handOverKeys,
  inboxKey,
  jobKeys,
  type Keyspace,
  keyBeside,
  newJobId,
  pairKeys,
  type ReferenceKeys,
  referenceKeys,
  withStream,
} from './keys.ts';
import { type Log, log } from './log.ts';
import type {
  AnswerOptions,
  ClaimOptions,
  ConversationStoreOptions,
  DueOptions,
  GetByJobIdOptions,
  HandOverOptions,
  InboxOptions,
  ListOptions,
  QuestionOptions,
  RemoveOptions,
  StartOptions,
  StreamOptions,
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
  HandOverResult,
  InboxEntry,
  Members,
  NewConversationState,
  ConversationPatch as Patch,
  RemoveResult,
  StoredConversationState as Stored,
  UpdateResult,
} from './state.ts';
import { traced } from './trace.ts';

/** What a call returns where there is no conversation, or another job holds it. */
const GONE = { outcome: 'gone', state: null } as const;

/**
 * Tracks which job owns which chat channel. `Extra` types the members that the application adds to a state. All times are
 * whole milliseconds. Every call is one command on the wire; on a cluster, a call by channel alone or by job alone is two.
 * `inbox`, `due` and `list` may send more.
 *
 * Every method throws ConversationError INVALID_ARGUMENT for what is wrong without asking the server. A method that asks
 * it throws the codes that it names, what `ready` throws, UNAVAILABLE if the server cannot take the call or does not
 * answer, and any other error of the client.
 * @example
 * const store = new ConversationStore(new Redis());
 * const { outcome, state } = await store.claim({ ...message, jobId, startedAt: new Date() }, { startWithinMs: 60_000 });
 */
export class ConversationStore<Extra extends Members = Record<never, never>> {
  readonly #connection: Connection;
  readonly #space: Keyspace;
  readonly #ttlMs: number | undefined;
  readonly #silentAfterMs: number | undefined;
  readonly #log: Log;

  /**
   * Sends nothing yet.
   * @param client A `Redis` or `Cluster` of ioredis. It stays the caller's: the store never closes it.
   * @throws ConversationError INVALID_ARGUMENT, also on a cluster with neither a hash tag in the prefix nor `sharded`
   */
  constructor(client: Redis | Cluster, options: ConversationStoreOptions = {}) {
    const { logger, load = 'auto' } = checkOptions('new ConversationStore', options);
    this.#log = log(logger);
    this.#connection = connect(client, load, this.#log);
    this.#space = checkKeyspace(options, this.#connection.isCluster, this.#connection.keyPrefix);
    this.#ttlMs = checkMilliseconds('ttlMs', options.ttlMs);
    this.#silentAfterMs = checkMilliseconds('silentAfterMs', options.silentAfterMs);
  }

  /**
   * Claims a channel for a job: of any number of claims, one is `claimed`, and only that changes deadlines. With `queue`,
   * a claim that comes while another job holds the channel adds those fields to that job's inbox.
   * @param state Has a new `jobId` for every claim that is not a resend; no pending question and no `lastAnswer`.
   * @throws ConversationError CONVSTATE, CONVCORRUPT, CONVJOB, WRONGTYPE: do not start the job
   */
  async claim(state: NewConversationState<Extra>, options: ClaimOptions = {}): Promise<ClaimResult<Stored<Extra>>> {
    return this.#call('claim', state, options, async ({ queue, ...start }) => {
      if (queue !== undefined && this.#silentAfterMs === undefined) {
        throw invalidArgument(
          'queue needs a store with silentAfterMs: without it, nobody finds what is queued when the job dies',
        );
      }
      const ids = queue === undefined ? ['claimId'] : ['claimId', 'deliveryId'];
      const args = { ...this.#start(state, ids, start), rest: queue === undefined ? undefined : flat('queue', queue) };
      const keys = pairKeys(this.#space, state);
      const [reply, replicas] = await this.#connection.start(library.convClaim, keys, args, start);
      const result = resultOf<ClaimResult<Stored<Extra>>>(reply);
      if (result.outcome === 'claimed' || result.outcome === 'queued') this.#log.changed(result.outcome, result.state);
      return result.outcome === 'claimed' ? { ...result, ...replicas } : result;
    });
  }

  /**
   * Ends one job and gives its channel and inbox to another: of any number of hand-overs from one job, one is `claimed`.
   * With `stream`, adds fields to a stream in the same step, for the outgoing job to read.
   * @param job The outgoing job, which holds the channel or did: a state, or its `jobId`.
   * @param next The successor's state, as for `claim`. It has no `deliveryId` if it works on a message that was queued.
   * @throws ConversationError CONVSTATE, CONVCORRUPT, CONVJOB, CONVKEY (one job id for both), WRONGTYPE: do not start it
   */
  async handOver(
    job: FencedReference,
    next: NewConversationState<Extra>,
    options: HandOverOptions = {},
  ): Promise<HandOverResult<Stored<Extra>>> {
    return this.#call('handOver', next, options, async ({ stream, fields, ...start }) => {
      const { keys, rest } = withStream(handOverKeys(this.#space, job, next), { stream, fields });
      const args = { ...this.#start(next, ['claimId'], start), rest };
      const [reply, replicas] = await this.#connection.start(library.convHandOver, keys, args, start);
      const result = resultOf<HandOverResult<Stored<Extra>>>(reply);
      if (result.outcome !== 'claimed') return result;
      this.#log.changed('handedOver', result.state);
      return { ...result, ...replicas };
    });
  }

  /**
   * Stores a state whatever stood there: the last write wins, and the job that stood there ends. Returns what it
   * replaced; null if nothing readable.
   * @throws ConversationError CONVSTATE, CONVJOB, WRONGTYPE
   */
  async set(state: NewConversationState<Extra>, options: WriteOptions = {}): Promise<Stored<Extra> | null> {
    return this.#call('set', state, options, async ({ ttlMs }) => {
      const args = { state: serialize('the state', state, this.#watched), ttlMs: this.#ttl(ttlMs) };
      const replaced = await this.#connection.call(library.convSet, pairKeys(this.#space, state), args);
      this.#log.changed('stored', state);
      return replaced === null ? null : this.#log.ended(replaced, state);
    });
  }

  /**
   * Reads a conversation and changes nothing. Returns null if there is none, or the job of `jobId` does not hold the
   * channel. A cluster's client with `scaleReads` asks a replica.
   * @throws ConversationError CONVCORRUPT, WRONGTYPE: do not treat the channel as free
   */
  async get(ref: ConversationReference): Promise<Stored<Extra> | null> {
    return this.#call('get', ref, {}, async () => this.#read(referenceKeys(this.#space, ref)));
  }

  /**
   * Reads the conversation that a job holds. It is a sign of life: the conversation ends no sooner than after `ttlMs`,
   * the job is no longer starting, and it is not silent. Returns the state, or null if the job no longer holds a channel:
   * stop it. Act on an inbox entry that was read (`lastSeen`) only if the state came back.
   * @throws ConversationError CONVCORRUPT, WRONGTYPE
   */
  async getByJobId(jobId: string, options: GetByJobIdOptions = {}): Promise<Stored<Extra> | null> {
    return this.#call('getByJobId', { jobId }, options, async ({ ttlMs, lastSeen, renew = true }) => {
      const keys = jobKeys(this.#space, jobId);
      if (lastSeen !== undefined) checkEntryId('lastSeen', lastSeen);
      const args = { ttlMs: this.#ttl(ttlMs), lastSeen };
      if (checkBoolean('renew', renew)) {
        return parseOrNull(await this.#connection.call(library.convGetByJob, keys, args, null));
      }
      if (lastSeen !== undefined) throw invalidArgument('lastSeen is a sign of life: it does not go with renew: false');
      return this.#read(keys);
    });
  }

  /**
   * Puts members into the state and leaves every other byte of it, and its deadline, alone. With `stream`, adds fields to
   * a stream in the same step, once, for the job to read: a stop, say. `ref` then has to name the job.
   * @throws ConversationError CONVSTATE, CONVCORRUPT, WRONGTYPE
   */
  async update<Reference extends ConversationReference>(
    ref: Reference,
    patch: Patch<Extra>,
    options: UpdateOptions & StreamOptions<Reference> = {} as UpdateOptions & StreamOptions<Reference>,
  ): Promise<UpdateResult<Stored<Extra>>> {
    return this.#call('update', ref, options, async ({ deliveryId, stream, fields }) => {
      const { keys, rest } = withStream(referenceKeys(this.#space, ref), { stream, fields });
      const id = deliveryId === undefined ? rest && randomUUID() : checkMessageId('deliveryId', deliveryId);
      const args = { patch: serialize('the patch', patch), deliveryId: id, rest };
      const result = resultOf<UpdateResult<Stored<Extra>>>(
        await this.#connection.call(library.convUpdate, keys, args, GONE),
      );
      if (result.outcome === 'updated') this.#log.changed(result.outcome, ref);
      return result;
    });
  }

  /**
   * Stores which question is pending, that is, waits for an answer. It is a sign of life, as `getByJobId`. With
   * `answerWithinMs`, the conversation ends `ttlMs` after that time. Returns the new state, or null as `get` does. A
   * question that was answered last is not asked again: then `lastAnswer` of the state says so.
   * @param questionId At most 1024 bytes without control characters. It names this one asking, not a kind of question.
   * @throws ConversationError CONVSTATE (larger than 256 KiB), CONVCORRUPT, WRONGTYPE
   */
  async setPendingQuestion(
    ref: ConversationReference,
    questionId: string,
    options: QuestionOptions = {},
  ): Promise<Stored<Extra> | null> {
    return this.#call('setPendingQuestion', ref, options, ({ ttlMs, answerWithinMs }) => {
      if (questionId === '') throw invalidArgument('questionId must not be empty: clearPendingQuestion clears');
      const withinMs = checkMilliseconds('answerWithinMs', answerWithinMs);
      return this.#setPending(ref, { questionId: checkMessageId('questionId', questionId), ttlMs, withinMs });
    });
  }

  /** Clears the pending question without an answer. Returns and throws the same as `setPendingQuestion`. */
  async clearPendingQuestion(ref: ConversationReference, options: WriteOptions = {}): Promise<Stored<Extra> | null> {
    return this.#call('clearPendingQuestion', ref, options, ({ ttlMs }) =>
      this.#setPending(ref, { questionId: '', ttlMs }),
    );
  }

  /**
   * Answers the pending question: of any number of answers, one is `accepted`, again when it is sent again. With
   * `stream`, adds fields to a stream in the same step, once, for the job to read; `ref` then has to name the job.
   * @throws ConversationError CONVSTATE (larger than 256 KiB), CONVCORRUPT, WRONGTYPE
   */
  async answerQuestion<Reference extends ConversationReference>(
    ref: Reference,
    questionId: string,
    options: AnswerOptions & StreamOptions<Reference> = {} as AnswerOptions & StreamOptions<Reference>,
  ): Promise<AnswerResult<Stored<Extra>>> {
    return this.#call('answerQuestion', ref, options, async ({ answerId = randomUUID(), ttlMs, stream, fields }) => {
      checkMessageId('questionId', questionId);
      if (answerId !== '') checkMessageId('answerId', answerId);
      const { keys, rest } = withStream(referenceKeys(this.#space, ref), { stream, fields });
      const args = { questionId, answerId, ttlMs: this.#ttl(ttlMs), rest };
      const result = resultOf<AnswerResult<Stored<Extra>>>(
        await this.#connection.call(library.convAnswer, keys, args, GONE),
      );
      if (result.outcome === 'accepted') this.#log.changed('answered', result.state);
      return result;
    });
  }

  /**
   * Removes a conversation, so that its channel is free. A reference with `jobId` removes only what that job still
   * holds. Nothing is removed while the inbox has entries, unless `discardInbox` says that they may go.
   * @throws ConversationError CONVCORRUPT (only with `jobId` in `ref`), WRONGTYPE
   */
  async remove(ref: ConversationReference, options: RemoveOptions = {}): Promise<RemoveResult<Stored<Extra>>> {
    return this.#call('remove', ref, options, async ({ retry = false, discardInbox = false }) => {
      const all = checkBoolean('discardInbox', discardInbox);
      if (checkBoolean('retry', retry) && all) throw invalidArgument('retry and discardInbox do not go together');
      const keys = referenceKeys(this.#space, ref);
      const how = retry ? 'retry' : all ? 'all' : undefined;
      // By channel alone a free channel is asked too: its inbox may have entries.
      const gone = keys.job === undefined ? undefined : GONE;
      const reply = await this.#connection.call(library.convRemove, keys, { how }, gone);
      if (reply.outcome !== 'removed') return resultOf(reply);
      const state = this.#log.ended<Stored<Extra>>(reply.state ?? '', ref);
      this.#log.changed('removed', state ?? ref);
      return { outcome: 'removed', state };
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
   * Returns the jobs that somebody has to look at, the longest due first in each partition, each to one caller within
   * `leaseMs`: those that gave no sign of life for `silentAfterMs`, and those whose question's time is over. One that
   * cannot be handled (its state may be unreadable) must not keep you from the next.
   * @throws ConversationError WRONGTYPE, when it is iterated; an error about some jobs, behind the others
   */
  due(options: DueOptions = {}): AsyncGenerator<DueJob<Stored<Extra>>> {
    return dueJobs(this.#connection, this.#space, this.#log, options);
  }

  /**
   * Returns the state of every conversation that can be read, in no order, each once; one that starts or ends while it
   * runs may be missing. It scans all keys, of every master: for people and clean-ups, not for every message.
   * @throws ConversationError UNAVAILABLE, when it is iterated, also if slots of a cluster keep moving
   */
  list(options: ListOptions = {}): AsyncGenerator<Stored<Extra>> {
    return conversations(this.#connection, this.#space, this.#log, options);
  }

  /** Returns a new job id, fit for the name of a Kubernetes job. With `sharded`, it leads to this channel's keys. */
  newJobId(channel: ChannelReference): string {
    return newJobId(channel);
  }

  /**
   * Returns a key of the application, under the store's prefix and, on a cluster, in the slot of the conversation: the
   * `stream` that `update`, `answerQuestion` and `handOver` write to, and that its reader gives to XREAD.
   */
  key(ref: ConversationReference, name: string): string {
    return keyBeside(this.#space, ref, name);
  }

  /**
   * Loads or checks the library, once, as the first call of any other method does.
   * @throws ConversationError LIBRARY_MISSING, LIBRARY_OUTDATED (with `load: 'never'`, or if this client may not load), LIBRARY_TOO_NEW, LIBRARY_FOREIGN
   */
  async ready(): Promise<void> {
    return traced('ready', undefined, this.#connection.ready);
  }

  #ttl(ttlMs: number | undefined): number | undefined {
    return ttlMs === undefined ? this.#ttlMs : checkMilliseconds('ttlMs', ttlMs);
  }

  /** What puts a state's job on watch. */
  #watched = (own: Record<string, unknown>) => {
    const silentAfterMs = own['silentAfterMs'] ?? this.#silentAfterMs;
    return silentAfterMs === undefined ? {} : { silentAfterMs };
  };

  /** The arguments of a call that starts a job. */
  #start(state: object, ids: string[], { ttlMs, startWithinMs }: StartOptions) {
    if (ttlMs !== undefined && startWithinMs !== undefined) {
      throw invalidArgument('startWithinMs takes the place of ttlMs: give one of them');
    }
    checkMilliseconds('startWithinMs', startWithinMs);
    const added = (own: Record<string, unknown>) => ({
      ...this.#watched(own),
      ...idsOf(own, ids),
      ...(startWithinMs !== undefined && { starting: true }),
    });
    return { state: serialize('the state', state, added), ttlMs: startWithinMs ?? this.#ttl(ttlMs) };
  }

  async #read(keys: ReferenceKeys): Promise<Stored<Extra> | null> {
    return parseOrNull(await this.#connection.get(keys, 'replica'));
  }

  async #setPending(
    ref: ConversationReference,
    { ttlMs, ...question }: { questionId: string; ttlMs: number | undefined; withinMs?: number | undefined },
  ): Promise<Stored<Extra> | null> {
    const [keys, args] = [referenceKeys(this.#space, ref), { ...question, ttlMs: this.#ttl(ttlMs) }];
    const text = await this.#connection.call(library.convSetPending, keys, args, null);
    if (text === null) this.#log.notThere(ref);
    return parseOrNull(text);
  }

  /** Runs a call in the tracing channel, with its options. What it cannot read is warned of. */
  #call<O extends object, T>(
    method: keyof typeof OPTIONS,
    ref: ConversationReference,
    options: O,
    run: (options: O) => Promise<T>,
  ): Promise<T> {
    return traced(method, ref, () => this.#log.reading(ref, () => run(checkOptions(method, options))));
  }
}

/** The outcomes that may come without a state. */
const STATELESS = ['duplicate', 'gone', 'lapsed', 'waiting'];

/** A function's reply as the store returns it. @throws ConversationError CONVCORRUPT, also where the state is missing */
function resultOf<Result extends { outcome: string }>(reply: { outcome: Result['outcome']; state: string | null }) {
  const state = STATELESS.includes(reply.outcome) ? parseOrNull(reply.state) : parse(reply.state);
  return { ...reply, state } as unknown as Result;
}
