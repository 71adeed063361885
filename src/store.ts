import { randomUUID } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import { clusterFunctions, isCluster, readConversation, withBothKeys } from './cluster/cluster.ts';
import { checkDurability, onReplicas } from './cluster/replicas.ts';
import { scanKeys } from './cluster/scan.ts';
import {
  convAnswer,
  convClaim,
  convGet,
  convGetByJob,
  convRemove,
  convSet,
  convSetPending,
  type FunctionClient,
  LIBRARY_NAME,
  LIBRARY_VERSION,
} from './conversation.gen.ts';
import { ConversationError, fromClient, invalidArgument, isConversationError, isFunctionMissing } from './errors.ts';
import { checkChannel, checkJobId } from './keys/ids.ts';
import { conversationKey, pairKeys, type ReferenceKeys, referenceKeys } from './keys/keys.ts';
import { checkKeyspace, conversationPattern, type Keyspace, newJobId, prefixOf } from './keys/keyspace.ts';
import { prepareLibrary } from './library/prepare.ts';
import type {
  AnswerResult,
  ChannelReference,
  ClaimResult,
  ConversationReference,
  JobReference,
  NewConversationState,
  RemoveResult,
  StoredConversationState,
} from './state.ts';

/** How often a call is made where the library is found missing: on a cluster one node after the other may lack it. */
const CALL_ATTEMPTS = 3;

/** What hears of the store's work: console, pino, or anything with these four. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

export interface ConversationStoreOptions {
  /**
   * Before every key the store touches: a tenant, an environment. Empty by default. On a cluster one with a hash tag,
   * such as `{agentsmith}:`, has everything under it in one slot.
   */
  prefix?: string;
  /**
   * True spreads the conversations over all slots of a cluster, each with its keys in one slot; job ids then come from
   * `newJobId`. False by default. Without a cluster the keys are the same, so that one program runs on both.
   */
  sharded?: boolean;
  /** Time to live in whole milliseconds of every write that is not told otherwise; 7200000 (2 h) by default. */
  ttlMs?: number;
  /** Hears at info what is stored, claimed, answered and removed, at warn what is unreadable; never a state. */
  logger?: Logger;
  /**
   * `auto` (default) loads the library where the server lacks it or has an older one, never over a newer one; `never`
   * leaves that to the deploy step.
   */
  load?: 'auto' | 'never';
}

export interface WriteOptions {
  /** Time to live in whole milliseconds from now on, of all keys of the conversation. */
  ttlMs?: number;
}

export interface ClaimOptions extends WriteOptions {
  /**
   * Waits until this many replicas have the claim, so that it outlives the master; the result says how many do. Other
   * calls on the same connection wait too: claims that wait are best made through a client of their own.
   */
  replicas?: number;
  /** How long to wait for them, in whole milliseconds; 1000 by default. */
  timeoutMs?: number;
}

export interface GetByJobIdOptions extends WriteOptions {
  /** False reads and leaves the deadlines alone; true by default, because a message from a job is a sign of life. */
  renew?: boolean;
}

export interface AnswerOptions extends WriteOptions {
  /** Names this one answer, so that a resend is recognised; at most 1024 bytes. A fresh UUID by default. */
  answerId?: string;
  /** The stream, under the store's prefix, that hears an accepted answer in the same step. */
  stream?: string;
  /** What the stream hears. */
  fields?: Record<string, string | number>;
}

/**
 * Which job runs for a channel, and which channel a job belongs to. `Extra` types the members the application adds.
 *
 * Every call is one command on the wire; on a cluster one by channel alone or job alone is two. Every method throws ConversationError, or the client's own error where the
 * server or the connection failed.
 * @example
 * const store = new ConversationStore(new Redis());
 * const { outcome, state } = await store.claim({ ...message, jobId, startedAt: new Date() }, { ttlMs: 60_000 });
 */
export class ConversationStore<Extra extends object = Record<never, never>> {
  readonly #client: Redis | Cluster;
  readonly #functions: FunctionClient;
  readonly #space: Keyspace;
  readonly #ttlMs: number | undefined;
  readonly #logger: Logger | undefined;
  readonly #load: 'auto' | 'never';
  #ready: Promise<void> | undefined;
  #isReady = false;

  /**
   * @param client stays the caller's: the store never closes it.
   * @throws ConversationError INVALID_ARGUMENT
   */
  constructor(
    client: Redis | Cluster,
    { prefix = '', sharded = false, ttlMs, logger, load = 'auto' }: ConversationStoreOptions = {},
  ) {
    if (load !== 'auto' && load !== 'never') throw invalidArgument("load must be 'auto' or 'never'");
    this.#client = client;
    this.#functions = isCluster(client) ? clusterFunctions(client) : client;
    this.#space = checkKeyspace({ prefix, sharded }, isCluster(client), client.options.keyPrefix ?? '');
    this.#ttlMs = ttlMs;
    this.#logger = logger;
    this.#load = load;
  }

  /**
   * Claims a channel for a job: the first claim wins. The holder claiming again is `claimed` too, its stored state kept
   * and its deadlines renewed.
   */
  async claim(
    state: NewConversationState<Extra>,
    { ttlMs = this.#ttlMs, replicas, timeoutMs = 1000 }: ClaimOptions = {},
  ): Promise<ClaimResult<StoredConversationState<Extra>>> {
    const keys = pairKeys(this.#space, state);
    const args = { state: serialize(state), ttlMs };
    if (replicas === undefined) {
      return this.#claimed(state, await this.#call(() => convClaim(this.#functions, keys, args)));
    }
    const durability = checkDurability({ replicas, timeoutMs });
    const { reply, replicas: count } = await this.#call(() =>
      onReplicas(this.#client, keys, durability, (functions) => convClaim(functions, keys, args)),
    );
    const result = this.#claimed(state, reply);
    return result.outcome === 'claimed' ? { ...result, replicas: count } : result;
  }

  /** Stores a state whatever stood there: the last write wins. Gives the state it replaced, or null. */
  async set(
    state: NewConversationState<Extra>,
    { ttlMs = this.#ttlMs }: WriteOptions = {},
  ): Promise<StoredConversationState<Extra> | null> {
    const keys = pairKeys(this.#space, state);
    const args = { state: serialize(state), ttlMs };
    const replaced = await this.#call(() => convSet(this.#functions, keys, args));
    this.#logger?.info(`conversation stored: ${describe(state)}`);
    return replaced === null ? null : this.#parseOrNull(replaced, state);
  }

  /** Reads a conversation and changes nothing. A cluster's client that scales its reads asks a replica. */
  async get(ref: ConversationReference): Promise<StoredConversationState<Extra> | null> {
    const keys = referenceKeys(this.#space, ref);
    return this.#read(ref, () => this.#get(keys));
  }

  /** Reads the conversation a job holds and renews its deadlines. */
  async getByJobId(
    jobId: string,
    { ttlMs = this.#ttlMs, renew = true }: GetByJobIdOptions = {},
  ): Promise<StoredConversationState<Extra> | null> {
    const keys = referenceKeys(this.#space, { jobId });
    if (!renew) return this.#read({ jobId }, () => this.#get(keys));
    return this.#read({ jobId }, () =>
      this.#onKeys(
        keys,
        ({ conversation, job = '' }) => convGetByJob(this.#functions, { conversation, job }, { ttlMs }),
        (text) => text === null,
      ),
    );
  }

  /** Remembers which question waits for an answer. Gives the new state, or null where there is no conversation. */
  async setPendingQuestion(
    ref: ConversationReference,
    questionId: string,
    options: WriteOptions = {},
  ): Promise<StoredConversationState<Extra> | null> {
    if (typeof questionId !== 'string' || questionId === '') {
      throw invalidArgument('questionId must be a non-empty string; clearPendingQuestion clears');
    }
    return this.#setPending(ref, questionId, options);
  }

  /** Forgets which question waited. Gives the new state, or null where there is no conversation. */
  async clearPendingQuestion(
    ref: ConversationReference,
    options: WriteOptions = {},
  ): Promise<StoredConversationState<Extra> | null> {
    return this.#setPending(ref, '', options);
  }

  /**
   * Answers the pending question: of any number of answers, one is `accepted`, and where a stream is named its fields
   * are added to it in the same step. The same `answerId` again is `accepted` again and not published twice.
   */
  async answerQuestion(
    ref: ConversationReference,
    questionId: string,
    { answerId = randomUUID(), stream, fields = {}, ttlMs = this.#ttlMs }: AnswerOptions = {},
  ): Promise<AnswerResult<StoredConversationState<Extra>>> {
    requireString('questionId', questionId);
    requireString('answerId', answerId);
    const keys = referenceKeys(this.#space, ref);
    if (stream !== undefined) requireString('stream', stream);
    const streamKey = stream === undefined ? {} : { stream: keys.prefix + stream };
    const args = { questionId, answerId, ttlMs, rest: Object.entries(fields).flat().map(String) };
    const reply = await this.#call(() =>
      this.#onKeys(
        keys,
        (declared) => convAnswer(this.#functions, { ...declared, ...streamKey }, args),
        ({ outcome }) => outcome === 'gone',
      ),
    );
    if (reply === null) return { outcome: 'gone', state: null };
    if (reply.outcome === 'gone' || reply.state === null) return { outcome: 'gone', state: null };
    const state = this.#parse(reply.state);
    if (reply.outcome === 'accepted') this.#logger?.info(`question answered: ${describe(state)}`);
    return { outcome: reply.outcome, state };
  }

  /** Forgets a conversation. One that names a job removes only what that job still holds. */
  async remove(ref: ConversationReference): Promise<RemoveResult<StoredConversationState<Extra>>> {
    const keys = referenceKeys(this.#space, ref);
    const reply = await this.#call(() =>
      this.#onKeys(
        keys,
        (declared) => convRemove(this.#functions, declared),
        // Of a job that lost the channel, that is the answer; of a channel, somebody else took it meanwhile.
        ({ outcome }) => outcome === 'held' && keys.job === undefined,
      ),
    );
    if (reply === null || reply.outcome === 'gone' || reply.state === null) return { outcome: 'gone', state: null };
    if (reply.outcome === 'held') return { outcome: 'held', state: this.#parse(reply.state) };
    const state = this.#parseOrNull(reply.state, ref);
    this.#logger?.info(`conversation removed: ${describe(state ?? ref)}`);
    return { outcome: 'removed', state };
  }

  /**
   * Every readable conversation, in no order, each once. One that comes or goes meanwhile may or may not be seen. Costs
   * a scan of all keys, on a cluster of every master: for a person or a clean-up, not for the path of a message.
   */
  async *list({ platform }: { platform?: string } = {}): AsyncGenerator<StoredConversationState<Extra>> {
    // ioredis puts its own keyPrefix before the keys of a call, but not into a pattern.
    const outer = this.#client.options.keyPrefix ?? '';
    const pattern = conversationPattern({ ...this.#space, prefix: outer + this.#space.prefix }, platform);
    if (!this.#isReady) await this.ready();
    for await (const keys of scanKeys(this.#client, pattern)) {
      const states = await Promise.all(keys.map((key) => this.#listed(key.slice(outer.length))));
      for (const state of states) if (state !== null) yield state;
    }
  }

  /** A new job id for a channel, fit for the name of a Kubernetes job. With `sharded`, it leads to the channel's keys. */
  newJobId(channel: ChannelReference): string {
    return newJobId(channel);
  }

  /** A further key of a conversation, beside the others on a cluster: of `answerQuestion`'s `stream`, for its reader. */
  key(ref: ConversationReference, name: string): string {
    requireString('name', name);
    return referenceKeys(this.#space, ref).prefix + name;
  }

  /**
   * Loads or checks the library, once; the first call does it too.
   * @throws ConversationError LIBRARY_MISSING, LIBRARY_OUTDATED, LIBRARY_TOO_NEW
   */
  async ready(): Promise<void> {
    this.#ready ??= this.#prepare().catch((error: unknown) => {
      this.#ready = undefined;
      throw fromClient(error);
    });
    return this.#ready;
  }

  async #prepare(): Promise<void> {
    const loaded = await prepareLibrary(this.#client, this.#load);
    if (loaded > 0) this.#logger?.debug(`library ${LIBRARY_NAME} ${LIBRARY_VERSION} loaded`);
    this.#isReady = true;
  }

  /** Runs a call on a server that has the library, and again where the server turns out to have lost it. */
  async #call<T>(run: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      if (!this.#isReady) await this.ready();
      try {
        return await run();
      } catch (error) {
        if (attempt === CALL_ATTEMPTS || !isFunctionMissing(error)) throw fromClient(error);
      }
      // Of the calls that notice at once, the first has the library loaded; the others wait for that.
      if (this.#isReady) {
        this.#isReady = false;
        this.#ready = undefined;
      }
    }
  }

  /** Makes a call, on a cluster with both keys; null where there is no conversation to declare the second one of. */
  #onKeys<T>(
    keys: ReferenceKeys,
    call: (keys: ReferenceKeys) => Promise<T>,
    missed: (reply: T) => boolean,
  ): Promise<T | null> {
    return isCluster(this.#client) ? withBothKeys(this.#client, keys, call, missed) : call(keys);
  }

  #get(keys: ReferenceKeys): Promise<string | null> {
    return isCluster(this.#client) ? readConversation(this.#client, keys) : convGet(this.#client, keys);
  }

  async #read(
    ref: ConversationReference,
    run: () => Promise<string | null>,
  ): Promise<StoredConversationState<Extra> | null> {
    try {
      const text = await this.#call(run);
      return text === null ? null : this.#parse(text);
    } catch (error) {
      if (!isConversationError(error, 'CONVCORRUPT')) throw error;
      this.#logger?.warn(`unreadable conversation: ${describe(ref)}`);
      return null;
    }
  }

  #claimed(
    given: NewConversationState<Extra>,
    { outcome, state }: { outcome: 'claimed' | 'held'; state: string },
  ): ClaimResult<StoredConversationState<Extra>> {
    if (outcome === 'claimed') this.#logger?.info(`conversation claimed: ${describe(given)}`);
    return { outcome, state: this.#parse(state) };
  }

  async #listed(conversation: string): Promise<StoredConversationState<Extra> | null> {
    try {
      const text = await this.#call(() => convGet(this.#functions, { conversation }));
      if (text === null) return null;
      const state = this.#parse(text);
      const { platform, channelId } = state;
      // In the partition of another channel no call looks for it.
      const own = conversationKey(prefixOf(this.#space, { platform, channelId }), platform, channelId);
      return own === conversation ? state : null;
    } catch (error) {
      // The pattern finds keys of other programs too, which are no conversation keys.
      if (isConversationError(error, 'CONVKEY', 'WRONGTYPE')) return null;
      if (!isConversationError(error, 'CONVCORRUPT')) throw error;
      this.#logger?.warn(`unreadable conversation: ${conversation}`);
      return null;
    }
  }

  async #setPending(
    ref: ConversationReference,
    questionId: string,
    { ttlMs = this.#ttlMs }: WriteOptions,
  ): Promise<StoredConversationState<Extra> | null> {
    const keys = referenceKeys(this.#space, ref);
    const text = await this.#call(() =>
      this.#onKeys(
        keys,
        (declared) => convSetPending(this.#functions, declared, { questionId, ttlMs }),
        (reply) => reply === null,
      ),
    );
    if (text !== null) return this.#parse(text);
    this.#logger?.warn(`pending question for a conversation that is not there: ${describe(ref)}`);
    return null;
  }

  #parse(text: string): StoredConversationState<Extra> {
    try {
      return JSON.parse(text) as StoredConversationState<Extra>;
    } catch {
      // The parser's own error quotes the text.
      throw new ConversationError('CONVCORRUPT', 'what is stored for this conversation is not JSON');
    }
  }

  /** What was replaced or removed, which is gone whether it could be read or not. */
  #parseOrNull(text: string, ref: ConversationReference): StoredConversationState<Extra> | null {
    try {
      const state = this.#parse(text);
      checkChannel(state.platform, state.channelId);
      checkJobId(state.jobId);
      return state;
    } catch {
      this.#logger?.warn(`unreadable conversation replaced or removed: ${describe(ref)}`);
      return null;
    }
  }
}

function serialize(state: object): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(state);
  } catch (error) {
    throw invalidArgument(`the state cannot be written as JSON: ${(error as Error).message.split('\n')[0]}`);
  }
  // That is what a toJSON of its own can make of it.
  if (text === undefined) throw invalidArgument('the state cannot be written as JSON');
  return text;
}

function requireString(name: string, value: string): void {
  if (typeof value !== 'string') throw invalidArgument(`${name} must be a string`);
}

function describe(ref: ConversationReference): string {
  const { platform, channelId, jobId } = ref as Partial<ChannelReference & JobReference>;
  return [platform && `${platform} ${channelId}`, jobId && `job ${jobId}`].filter(Boolean).join(', ');
}
