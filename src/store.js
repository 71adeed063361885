import { randomUUID } from 'node:crypto';
import { clusterFunctions, isCluster, readConversation, withBothKeys } from './cluster/cluster.ts';
import { checkDurability, onReplicas } from './cluster/replicas.ts';
import { scanKeys } from './cluster/scan.ts';
import { convAnswer, convClaim, convGet, convGetByJob, convRemove, convSet, convSetPending, LIBRARY_NAME, LIBRARY_VERSION, } from './conversation.gen.ts';
import { ConversationError, fromClient, invalidArgument, isConversationError, isFunctionMissing } from './errors.ts';
import { checkChannel, checkJobId } from './keys/ids.ts';
import { conversationKey, pairKeys, referenceKeys } from './keys/keys.ts';
import { checkKeyspace, conversationPattern, newJobId, prefixOf } from './keys/keyspace.ts';
import { prepareLibrary } from './library/prepare.ts';
/** How often a call is made where the library is found missing: on a cluster one node after the other may lack it. */
const CALL_ATTEMPTS = 3;
/**
 * Which job runs for a channel, and which channel a job belongs to. `Extra` types the members the application adds.
 *
 * Every call is one command on the wire; on a cluster one by channel alone or job alone is two. Every method throws ConversationError, or the client's own error where the
 * server or the connection failed.
 * @example
 * const store = new ConversationStore(new Redis());
 * const { outcome, state } = await store.claim({ ...message, jobId, startedAt: new Date() }, { ttlMs: 60_000 });
 */
export class ConversationStore {
    #client;
    #functions;
    #space;
    #ttlMs;
    #logger;
    #load;
    #ready;
    #isReady = false;
    /**
     * @param client stays the caller's: the store never closes it.
     * @throws ConversationError INVALID_ARGUMENT
     */
    constructor(client, { prefix = '', sharded = false, ttlMs, logger, load = 'auto' } = {}) {
        if (load !== 'auto' && load !== 'never')
            throw invalidArgument("load must be 'auto' or 'never'");
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
    async claim(state, { ttlMs = this.#ttlMs, replicas, timeoutMs = 1000 } = {}) {
        const keys = pairKeys(this.#space, state);
        const args = { state: serialize(state), ttlMs };
        if (replicas === undefined) {
            return this.#claimed(state, await this.#call(() => convClaim(this.#functions, keys, args)));
        }
        const durability = checkDurability({ replicas, timeoutMs });
        const { reply, replicas: count } = await this.#call(() => onReplicas(this.#client, keys, durability, (functions) => convClaim(functions, keys, args)));
        const result = this.#claimed(state, reply);
        return result.outcome === 'claimed' ? { ...result, replicas: count } : result;
    }
    /** Stores a state whatever stood there: the last write wins. Gives the state it replaced, or null. */
    async set(state, { ttlMs = this.#ttlMs } = {}) {
        const keys = pairKeys(this.#space, state);
        const args = { state: serialize(state), ttlMs };
        const replaced = await this.#call(() => convSet(this.#functions, keys, args));
        this.#logger?.info(`conversation stored: ${describe(state)}`);
        return replaced === null ? null : this.#parseOrNull(replaced, state);
    }
    /** Reads a conversation and changes nothing. A cluster's client that scales its reads asks a replica. */
    async get(ref) {
        const keys = referenceKeys(this.#space, ref);
        return this.#read(ref, () => this.#get(keys));
    }
    /** Reads the conversation a job holds and renews its deadlines. */
    async getByJobId(jobId, { ttlMs = this.#ttlMs, renew = true } = {}) {
        const keys = referenceKeys(this.#space, { jobId });
        if (!renew)
            return this.#read({ jobId }, () => this.#get(keys));
        return this.#read({ jobId }, () => this.#onKeys(keys, ({ conversation, job = '' }) => convGetByJob(this.#functions, { conversation, job }, { ttlMs }), (text) => text === null));
    }
    /** Remembers which question waits for an answer. Gives the new state, or null where there is no conversation. */
    async setPendingQuestion(ref, questionId, options = {}) {
        if (typeof questionId !== 'string' || questionId === '') {
            throw invalidArgument('questionId must be a non-empty string; clearPendingQuestion clears');
        }
        return this.#setPending(ref, questionId, options);
    }
    /** Forgets which question waited. Gives the new state, or null where there is no conversation. */
    async clearPendingQuestion(ref, options = {}) {
        return this.#setPending(ref, '', options);
    }
    /**
     * Answers the pending question: of any number of answers, one is `accepted`, and where a stream is named its fields
     * are added to it in the same step. The same `answerId` again is `accepted` again and not published twice.
     */
    async answerQuestion(ref, questionId, { answerId = randomUUID(), stream, fields = {}, ttlMs = this.#ttlMs } = {}) {
        requireString('questionId', questionId);
        requireString('answerId', answerId);
        const keys = referenceKeys(this.#space, ref);
        if (stream !== undefined)
            requireString('stream', stream);
        const streamKey = stream === undefined ? {} : { stream: keys.prefix + stream };
        const args = { questionId, answerId, ttlMs, rest: Object.entries(fields).flat().map(String) };
        const reply = await this.#call(() => this.#onKeys(keys, (declared) => convAnswer(this.#functions, { ...declared, ...streamKey }, args), ({ outcome }) => outcome === 'gone'));
        if (reply === null)
            return { outcome: 'gone', state: null };
        if (reply.outcome === 'gone' || reply.state === null)
            return { outcome: 'gone', state: null };
        const state = this.#parse(reply.state);
        if (reply.outcome === 'accepted')
            this.#logger?.info(`question answered: ${describe(state)}`);
        return { outcome: reply.outcome, state };
    }
    /** Forgets a conversation. One that names a job removes only what that job still holds. */
    async remove(ref) {
        const keys = referenceKeys(this.#space, ref);
        const reply = await this.#call(() => this.#onKeys(keys, (declared) => convRemove(this.#functions, declared), 
        // Of a job that lost the channel, that is the answer; of a channel, somebody else took it meanwhile.
        ({ outcome }) => outcome === 'held' && keys.job === undefined));
        if (reply === null || reply.outcome === 'gone' || reply.state === null)
            return { outcome: 'gone', state: null };
        if (reply.outcome === 'held')
            return { outcome: 'held', state: this.#parse(reply.state) };
        const state = this.#parseOrNull(reply.state, ref);
        this.#logger?.info(`conversation removed: ${describe(state ?? ref)}`);
        return { outcome: 'removed', state };
    }
    /**
     * Every readable conversation, in no order, each once. One that comes or goes meanwhile may or may not be seen. Costs
     * a scan of all keys, on a cluster of every master: for a person or a clean-up, not for the path of a message.
     */
    async *list({ platform } = {}) {
        // ioredis puts its own keyPrefix before the keys of a call, but not into a pattern.
        const outer = this.#client.options.keyPrefix ?? '';
        const pattern = conversationPattern({ ...this.#space, prefix: outer + this.#space.prefix }, platform);
        if (!this.#isReady)
            await this.ready();
        for await (const keys of scanKeys(this.#client, pattern)) {
            const states = await Promise.all(keys.map((key) => this.#listed(key.slice(outer.length))));
            for (const state of states)
                if (state !== null)
                    yield state;
        }
    }
    /** A new job id for a channel, fit for the name of a Kubernetes job. With `sharded`, it leads to the channel's keys. */
    newJobId(channel) {
        return newJobId(channel);
    }
    /** A further key of a conversation, beside the others on a cluster: of `answerQuestion`'s `stream`, for its reader. */
    key(ref, name) {
        requireString('name', name);
        return referenceKeys(this.#space, ref).prefix + name;
    }
    /**
     * Loads or checks the library, once; the first call does it too.
     * @throws ConversationError LIBRARY_MISSING, LIBRARY_OUTDATED, LIBRARY_TOO_NEW
     */
    async ready() {
        this.#ready ??= this.#prepare().catch((error) => {
            this.#ready = undefined;
            throw fromClient(error);
        });
        return this.#ready;
    }
    async #prepare() {
        const loaded = await prepareLibrary(this.#client, this.#load);
        if (loaded > 0)
            this.#logger?.debug(`library ${LIBRARY_NAME} ${LIBRARY_VERSION} loaded`);
        this.#isReady = true;
    }
    /** Runs a call on a server that has the library, and again where the server turns out to have lost it. */
    async #call(run) {
        for (let attempt = 1;; attempt++) {
            if (!this.#isReady)
                await this.ready();
            try {
                return await run();
            }
            catch (error) {
                if (attempt === CALL_ATTEMPTS || !isFunctionMissing(error))
                    throw fromClient(error);
            }
            // Of the calls that notice at once, the first has the library loaded; the others wait for that.
            if (this.#isReady) {
                this.#isReady = false;
                this.#ready = undefined;
            }
        }
    }
    /** Makes a call, on a cluster with both keys; null where there is no conversation to declare the second one of. */
    #onKeys(keys, call, missed) {
        return isCluster(this.#client) ? withBothKeys(this.#client, keys, call, missed) : call(keys);
    }
    #get(keys) {
        return isCluster(this.#client) ? readConversation(this.#client, keys) : convGet(this.#client, keys);
    }
    async #read(ref, run) {
        try {
            const text = await this.#call(run);
            return text === null ? null : this.#parse(text);
        }
        catch (error) {
            if (!isConversationError(error, 'CONVCORRUPT'))
                throw error;
            this.#logger?.warn(`unreadable conversation: ${describe(ref)}`);
            return null;
        }
    }
    #claimed(given, { outcome, state }) {
        if (outcome === 'claimed')
            this.#logger?.info(`conversation claimed: ${describe(given)}`);
        return { outcome, state: this.#parse(state) };
    }
    async #listed(conversation) {
        try {
            const text = await this.#call(() => convGet(this.#functions, { conversation }));
            if (text === null)
                return null;
            const state = this.#parse(text);
            const { platform, channelId } = state;
            // In the partition of another channel no call looks for it.
            const own = conversationKey(prefixOf(this.#space, { platform, channelId }), platform, channelId);
            return own === conversation ? state : null;
        }
        catch (error) {
            // The pattern finds keys of other programs too, which are no conversation keys.
            if (isConversationError(error, 'CONVKEY', 'WRONGTYPE'))
                return null;
            if (!isConversationError(error, 'CONVCORRUPT'))
                throw error;
            this.#logger?.warn(`unreadable conversation: ${conversation}`);
            return null;
        }
    }
    async #setPending(ref, questionId, { ttlMs = this.#ttlMs }) {
        const keys = referenceKeys(this.#space, ref);
        const text = await this.#call(() => this.#onKeys(keys, (declared) => convSetPending(this.#functions, declared, { questionId, ttlMs }), (reply) => reply === null));
        if (text !== null)
            return this.#parse(text);
        this.#logger?.warn(`pending question for a conversation that is not there: ${describe(ref)}`);
        return null;
    }
    #parse(text) {
        try {
            return JSON.parse(text);
        }
        catch {
            // The parser's own error quotes the text.
            throw new ConversationError('CONVCORRUPT', 'what is stored for this conversation is not JSON');
        }
    }
    /** What was replaced or removed, which is gone whether it could be read or not. */
    #parseOrNull(text, ref) {
        try {
            const state = this.#parse(text);
            checkChannel(state.platform, state.channelId);
            checkJobId(state.jobId);
            return state;
        }
        catch {
            this.#logger?.warn(`unreadable conversation replaced or removed: ${describe(ref)}`);
            return null;
        }
    }
}
function serialize(state) {
    let text;
    try {
        text = JSON.stringify(state);
    }
    catch (error) {
        throw invalidArgument(`the state cannot be written as JSON: ${error.message.split('\n')[0]}`);
    }
    // That is what a toJSON of its own can make of it.
    if (text === undefined)
        throw invalidArgument('the state cannot be written as JSON');
    return text;
}
function requireString(name, value) {
    if (typeof value !== 'string')
        throw invalidArgument(`${name} must be a string`);
}
function describe(ref) {
    const { platform, channelId, jobId } = ref;
    return [platform && `${platform} ${channelId}`, jobId && `job ${jobId}`].filter(Boolean).join(', ');
}
