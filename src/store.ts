import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import {
  convAnswer,
  convClaim,
  convGet,
  convGetByJob,
  convRemove,
  convSet,
  convSetPending,
  convVersion,
  LIBRARY_NAME,
  LIBRARY_VERSION,
} from './conversation.gen.ts';
import { ConversationError, fromClient, invalidArgument, isConversationError, isFunctionMissing } from './errors.ts';
import {
  checkPrefix,
  conversationKey,
  jobIndexKey,
  platformPrefix,
  type ReferenceKeys,
  referenceKeys,
} from './keys.ts';
import { loadLibrary, standing } from './library.ts';
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

/** What hears of the store's work: console, pino, or anything with these four. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

export interface ConversationStoreOptions {
  /** Before every key the store touches: a tenant, an environment. Empty by default. */
  prefix?: string;
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
 * Every call is one command on the wire. Every method throws ConversationError, or the client's own error where the
 * server or the connection failed.
 * @example
 * const store = new ConversationStore(new Redis());
 * const { outcome, state } = await store.claim({ ...message, jobId, startedAt: new Date() }, { ttlMs: 60_000 });
 */
export class ConversationStore<Extra extends object = Record<never, never>> {
  readonly #client: Redis;
  readonly #prefix: string;
  readonly #ttlMs: number | undefined;
  readonly #logger: Logger | undefined;
  readonly #load: 'auto' | 'never';
  #ready: Promise<void> | undefined;
  #isReady = false;

  /**
   * @param client stays the caller's: the store never closes it.
   * @throws ConversationError INVALID_ARGUMENT
   */
  constructor(client: Redis, { prefix = '', ttlMs, logger, load = 'auto' }: ConversationStoreOptions = {}) {
    if (load !== 'auto' && load !== 'never') throw invalidArgument("load must be 'auto' or 'never'");
    this.#client = client;
    this.#prefix = checkPrefix(prefix);
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
    { ttlMs = this.#ttlMs }: WriteOptions = {},
  ): Promise<ClaimResult<StoredConversationState<Extra>>> {
    const keys = this.#pair(state);
    const args = { state: serialize(state), ttlMs };
    const reply = await this.#call(() => convClaim(this.#client, keys, args));
    if (reply.outcome === 'claimed') this.#logger?.info(`conversation claimed: ${describe(state)}`);
    return { outcome: reply.outcome, state: this.#parse(reply.state) };
  }

  /** Stores a state whatever stood there: the last write wins. Gives the state it replaced, or null. */
  async set(
    state: NewConversationState<Extra>,
    { ttlMs = this.#ttlMs }: WriteOptions = {},
  ): Promise<StoredConversationState<Extra> | null> {
    const keys = this.#pair(state);
    const args = { state: serialize(state), ttlMs };
    const replaced = await this.#call(() => convSet(this.#client, keys, args));
    this.#logger?.info(`conversation stored: ${describe(state)}`);
    return replaced === null ? null : this.#parseOrNull(replaced, state);
  }

  /** Reads a conversation and changes nothing. */
  async get(ref: ConversationReference): Promise<StoredConversationState<Extra> | null> {
    const keys = referenceKeys(this.#prefix, ref);
    return this.#read(ref, () => convGet(this.#client, keys));
  }

  /** Reads the conversation a job holds and renews its deadlines. */
  async getByJobId(
    jobId: string,
    { ttlMs = this.#ttlMs, renew = true }: GetByJobIdOptions = {},
  ): Promise<StoredConversationState<Extra> | null> {
    const keys = { job: jobIndexKey(this.#prefix, jobId) };
    return this.#read({ jobId }, () =>
      renew ? convGetByJob(this.#client, keys, { ttlMs }) : convGet(this.#client, keys),
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
    const keys: ReferenceKeys & { stream?: string } = referenceKeys(this.#prefix, ref);
    if (stream !== undefined) {
      requireString('stream', stream);
      keys.stream = this.#prefix + stream;
    }
    const args = { questionId, answerId, ttlMs, rest: Object.entries(fields).flat().map(String) };
    const reply = await this.#call(() => convAnswer(this.#client, keys, args));
    if (reply.outcome === 'gone' || reply.state === null) return { outcome: 'gone', state: null };
    const state = this.#parse(reply.state);
    if (reply.outcome === 'accepted') this.#logger?.info(`question answered: ${describe(state)}`);
    return { outcome: reply.outcome, state };
  }

  /** Forgets a conversation. One that names a job removes only what that job still holds. */
  async remove(ref: ConversationReference): Promise<RemoveResult<StoredConversationState<Extra>>> {
    const keys = referenceKeys(this.#prefix, ref);
    const reply = await this.#call(() => convRemove(this.#client, keys));
    if (reply.outcome === 'gone' || reply.state === null) return { outcome: 'gone', state: null };
    if (reply.outcome === 'held') return { outcome: 'held', state: this.#parse(reply.state) };
    const state = this.#parseOrNull(reply.state, ref);
    this.#logger?.info(`conversation removed: ${describe(state ?? ref)}`);
    return { outcome: 'removed', state };
  }

  /**
   * Every readable conversation, in no order, each once. One that comes or goes meanwhile may or may not be seen. Costs
   * a scan of the server's keys: for a person or a clean-up, not for the path of a message.
   */
  async *list({ platform }: { platform?: string } = {}): AsyncGenerator<StoredConversationState<Extra>> {
    // ioredis puts its own keyPrefix before the keys of a call, but not into a pattern.
    const outer = this.#client.options.keyPrefix ?? '';
    const start = platform === undefined ? `${this.#prefix}conversation:` : platformPrefix(this.#prefix, platform);
    const pattern = `${escapeGlob(outer + start)}*`;
    const seen = new Set<string>();
    let cursor = '0';
    do {
      const [next, found] = await this.#call(() =>
        this.#client.scan(cursor, 'MATCH', pattern, 'COUNT', 1000, 'TYPE', 'string'),
      );
      const fresh = found.map((key) => key.slice(outer.length)).filter((key) => !seen.has(key) && seen.add(key));
      const states = await Promise.all(fresh.map((conversation) => this.#listed(conversation)));
      for (const state of states) if (state !== null) yield state;
      cursor = next;
    } while (cursor !== '0');
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
    const found = await convVersion(this.#client).catch((error: unknown) => {
      if (isFunctionMissing(error)) return null;
      throw error;
    });
    const state = standing(found);
    if (state === 'too new') {
      throw new ConversationError(
        'LIBRARY_TOO_NEW',
        `the server has ${LIBRARY_NAME} ${found}, this client is of ${LIBRARY_VERSION}; update the client`,
      );
    }
    if (state !== 'serving') {
      if (this.#load === 'never') {
        throw new ConversationError(
          state === 'missing' ? 'LIBRARY_MISSING' : 'LIBRARY_OUTDATED',
          `the server has ${found === null ? 'no' : `an older (${found})`} library ${LIBRARY_NAME}, this client needs ` +
            `${LIBRARY_VERSION}; load it with: npx conversation-state load --url redis://…`,
        );
      }
      await loadLibrary(this.#client);
      this.#logger?.debug(`library ${LIBRARY_NAME} ${LIBRARY_VERSION} loaded`);
    }
    this.#isReady = true;
  }

  /** Runs a call on a server that has the library, and once more where the server turns out to have lost it. */
  async #call<T>(run: () => Promise<T>): Promise<T> {
    if (!this.#isReady) await this.ready();
    try {
      return await run();
    } catch (error) {
      if (!isFunctionMissing(error)) throw fromClient(error);
    }
    // Of the calls that notice at once, the first has the library loaded; the others wait for that.
    if (this.#isReady) {
      this.#isReady = false;
      this.#ready = undefined;
    }
    await this.ready();
    try {
      return await run();
    } catch (error) {
      throw fromClient(error);
    }
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

  async #listed(conversation: string): Promise<StoredConversationState<Extra> | null> {
    try {
      const text = await this.#call(() => convGet(this.#client, { conversation }));
      return text === null ? null : this.#parse(text);
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
    const keys = referenceKeys(this.#prefix, ref);
    const text = await this.#call(() => convSetPending(this.#client, keys, { questionId, ttlMs }));
    if (text !== null) return this.#parse(text);
    this.#logger?.warn(`pending question for a conversation that is not there: ${describe(ref)}`);
    return null;
  }

  #pair(state: ChannelReference & JobReference): { conversation: string; job: string } {
    if (typeof state !== 'object' || state === null) throw invalidArgument('the state must be an object');
    const { platform, channelId, jobId } = state;
    return { conversation: conversationKey(this.#prefix, platform, channelId), job: jobIndexKey(this.#prefix, jobId) };
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
      referenceKeys(this.#prefix, state);
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

function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]^-]/g, '\\$&');
}

function describe(ref: ConversationReference): string {
  const { platform, channelId, jobId } = ref as Partial<ChannelReference & JobReference>;
  return [platform && `${platform} ${channelId}`, jobId && `job ${jobId}`].filter(Boolean).join(', ');
}
