import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from 'ioredis';
import * as assert from 'uvu/assert';
import { slotOf } from '../../scripts/redis/slot.ts';
import { fromClient, isConversationError } from '../../src/errors.ts';
import { type ChannelReference, ConversationStore, type StoredConversationState } from '../../src/index.ts';
import { SOON } from '../model/arbitrary.ts';
import { documentOf } from '../model/document.ts';
import { anyCalls, describe } from '../model/histories.ts';
import { type Happened, isLinearizable } from '../model/linearizable.ts';
import { type Call, EMPTY } from '../model/model.ts';
import { FOR_EVER, performerOf, withEntry } from '../model/perform.ts';
import { all } from '../store/store.ts';
import { STATE } from '../support/library.ts';
import { type ClientOptions, clientOf, type Node } from './nodes.ts';

const WORKERS = 9;
const READERS = 6;
/** How many calls a conversation meets, and from how many places. */
const CALLS = 15;
const PLACES = 3;
/** Conversations that stand all the time, in each store: so many that the tenant's slot takes a while to move. */
const RESIDENTS = 1_000;
/** The prefix of the stores that have everything in one slot. */
export const TENANT = '{shop}:';
const NAMED_LIMIT_MS = 120_000;
/** How often a call is made again that is UNAVAILABLE. */
const REPEATS = 50;

/**
 * What docs/cluster.md advises for a client that is to sit out a failover, with more patience: a call waits for a slot
 * that moves key by key, 0.1 s a redirection, and on a busy machine that takes longer than 6 s.
 */
export function connect(nodes: readonly Node[], options: ClientOptions = {}): Cluster {
  return clientOf(nodes, { maxRedirections: 200, retryDelayOnFailover: 200, retryDelayOnClusterDown: 200, ...options });
}

/** Makes a call, and again where the client lost its patience all the same. */
export async function patiently<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (!isConversationError(error, 'UNAVAILABLE') || attempt === REPEATS) throw error;
    }
    await sleep(100);
  }
}

/** Calls all the time, from several places at once, each with what it may answer. */
export class Load {
  /** Whether connections break: then a call may be sent twice, and its answer be that of the second time. */
  resends = false;
  /** Slots of which an acknowledged write may be lost, so that nobody knows what a call has to answer. */
  avoid: (slot: number) => boolean = () => false;
  readonly #wrong: unknown[] = [];
  readonly #cluster: Cluster;
  readonly #stores: ConversationStore[];
  /** Who lists a store's conversations: the store itself, or another one that reads from replicas. */
  readonly #listers: [lister: ConversationStore, owner: ConversationStore][];
  readonly #residents: [store: ConversationStore, state: StoredConversationState][] = [];
  readonly #due = new Map<string, string>();
  #calls = 0;
  #channels = 0;

  constructor(nodes: Node[]) {
    // No job is silent before the load ends.
    const options = { silentAfterMs: 600_000 };
    this.#cluster = connect(nodes);
    const autopipelining = connect(nodes, { enableAutoPipelining: true });
    const scaled = connect(nodes, { scaleReads: 'slave' });
    const sharded = new ConversationStore(this.#cluster, { sharded: true, ...options });
    const tenant = new ConversationStore(this.#cluster, { prefix: TENANT, ...options });
    this.#stores = [
      sharded,
      tenant,
      new ConversationStore(autopipelining, { sharded: true, prefix: 'auto:', ...options }),
      // In the tenant's slot, which moves.
      new ConversationStore(autopipelining, { prefix: `${TENANT}auto:`, ...options }),
    ];
    this.#listers = [
      ...this.#stores.map((store): [ConversationStore, ConversationStore] => [store, store]),
      [new ConversationStore(scaled, { sharded: true }), sharded],
      [new ConversationStore(scaled, { prefix: TENANT }), tenant],
    ];
  }

  /** Makes a call that must be answered in the end. */
  #call<T>(run: () => Promise<T>): Promise<T> {
    return patiently(() => {
      this.#calls++;
      return run().catch((error) => Promise.reject(fromClient(error)));
    });
  }

  /** Why a sweep named a job. */
  async #named(jobId: string): Promise<string | undefined> {
    const limit = Date.now() + NAMED_LIMIT_MS;
    while (!this.#due.has(jobId) && Date.now() < limit) await sleep(20);
    return this.#due.get(jobId);
  }

  /** Claims the conversations that stand all the time. */
  async settle(): Promise<void> {
    for (const store of this.#stores) {
      const claims = Array.from({ length: RESIDENTS }, async (_, ticketId) => {
        const channel = { platform: 'teams', channelId: `resident-${ticketId}` };
        const jobId = store.newJobId(channel);
        const { state } = await this.#call(() =>
          store.claim({ ...STATE, ...channel, jobId, claimId: jobId, ticketId }),
        );
        if (state) this.#residents.push([store, state]);
      });
      await Promise.all(claims);
    }
  }

  /**
   * Runs the load while a task does something to the cluster. No call may have been answered wrongly then, and every
   * resident is found, by every reference and in the lists.
   */
  async under(name: string, task: () => Promise<unknown>): Promise<void> {
    const calls = this.#calls;
    const [load, sweeps] = [new AbortController(), new AbortController()];
    const running = [
      ...Array.from({ length: WORKERS }, (_, n) => this.#repeatedly(load.signal, 20, () => this.#scene(n))),
      ...Array.from({ length: READERS }, () =>
        this.#repeatedly(load.signal, 2, () => this.#find(randomInt(this.#residents.length))),
      ),
      this.#repeatedly(load.signal, 1_000, () => this.#checkLists()),
    ];
    const sweeping = this.#stores.map((store) => this.#repeatedly(sweeps.signal, 1_000, () => this.#sweep(store)));
    const figures = () => console.log(`\n  ${name}: ${this.#calls - calls} calls, ${this.#wrong.length} wrong`);
    // A file that prints nothing for three minutes is ended.
    const heartbeat = setInterval(figures, 60_000);
    try {
      await task();
    } finally {
      clearInterval(heartbeat);
      load.abort();
      await Promise.all(running);
      // The sweeps end last: a scene waits for what they name.
      sweeps.abort();
      await Promise.all(sweeping);
    }
    figures();
    const [first] = this.#wrong.splice(0);
    if (first) throw first;
    await Promise.all([...this.#residents.keys()].map((n) => this.#find(n)));
    await this.#checkLists();
  }

  async #repeatedly(signal: AbortSignal, pauseMs: number, task: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      await task().catch((error) => this.#wrong.push(error));
      await sleep(pauseMs);
    }
  }

  async #scene(worker: number): Promise<void> {
    const store = this.#stores[worker % this.#stores.length] as ConversationStore;
    for (;;) {
      const channel = { platform: 'slack', channelId: `C${this.#channels++}` };
      if (!this.avoid(slotOf(store.inboxKey(channel)))) return this.#converse(store, channel);
    }
  }

  /**
   * Jobs that claim a channel at once, a message that waits and a question whose time is over, then calls of every kind
   * from several places at once. Only they touch the channel, so the model can tell whether some order explains all
   * replies.
   */
  async #converse(store: ConversationStore, place: ChannelReference): Promise<void> {
    const [channel, prefix, perform] = [`slack:${place.channelId}`, store.key(place, ''), performerOf(store)];
    const jobIds = [1, 2, 3].map(() => store.newJobId(place));
    const stream = `heard:${place.channelId}`;
    const happened: Happened[] = [];
    let clock = 0;
    const make = async (given: Call) => {
      const from = clock++;
      let call = given;
      const found = await this.#call(async () => {
        call = await withEntry(this.#cluster, prefix, given);
        return perform(call);
      });
      const to = clock++;
      happened.push({ call, found, from, to });
      if (this.resends) happened.push({ call, found: undefined, from, to, isUnsure: true });
    };
    const claim = (jobId: string, more: object = {}) => {
      const state = { ...STATE, ...place, jobId, claimId: jobId, silentAfterMs: FOR_EVER, ...more };
      return { name: 'claim' as const, channel, job: jobId, state: documentOf(state) };
    };
    await Promise.all(jobIds.map((jobId) => make(claim(jobId))));
    const { jobId: job } = (await this.#call(() => store.get(place))) as StoredConversationState;
    const other = jobIds.find((jobId) => jobId !== job) as string;
    await make({ ...claim(other, { deliveryId: 'd' }), queue: 'd' });
    await make({ name: 'set_pending', channel, job, questionId: 'q1', withinMs: SOON });
    assert.is(await this.#named(job), 'question');
    const inbox = await this.#call(() => all(store.inbox({ jobId: job })));
    assert.equal(
      inbox.map(({ fields }) => fields),
      [{ text: 'd' }],
    );
    const cast = { platform: 'slack', channelIds: [place.channelId], jobIds };
    const any = anyCalls({ ...cast, questionIds: ['q1', 'q2'], answerIds: ['a', 'd'] }, randomInt(2 ** 31), CALLS);
    // A removal by the job alone reads the channel first, and is held where that changes hands in between.
    const calls = any
      .filter(({ name, channel }) => name !== 'due' && (name !== 'remove' || channel))
      .map((call, n) => (call.stream === undefined ? call : { ...call, stream, text: `${n}` }));
    const places = Array.from({ length: PLACES }, async (_, at) => {
      for (const call of calls.filter((_, n) => n % PLACES === at)) await make(call);
    });
    await Promise.all(places);
    for (const ref of [{ channel }, ...jobIds.map((job) => ({ job }))]) await make({ name: 'get', ...ref });
    const entries = await this.#call(() => this.#cluster.xrange(prefix + stream, '-', '+'));
    const heard = entries.map(([, [, text]]) => String(text));
    const isExplained = isLinearizable(happened, EMPTY, heard);
    assert.ok(isExplained, `no order explains this, heard as ${heard}:\n${happened.map(describe).join('\n')}`);
  }

  async #find(resident: number): Promise<void> {
    const [store, state] = this.#residents[resident] as [ConversationStore, StoredConversationState];
    const { platform, channelId, jobId } = state;
    const answers = await Promise.all([
      this.#call(() => store.get({ platform, channelId })),
      this.#call(() => store.get({ jobId })),
      this.#call(() => store.getByJobId(jobId)),
    ]);
    assert.equal(answers, [state, state, state]);
  }

  async #checkLists(): Promise<void> {
    for (const [lister, store] of this.#listers) {
      const listed = await this.#call(() => all(lister.list({ platform: 'teams' })));
      const expected = this.#residents.flatMap(([owner, { jobId }]) => (owner === store ? [jobId] : []));
      assert.is(listed.length, expected.length, 'as many are listed as there are');
      assert.equal(listed.map(({ jobId }) => jobId).sort(), expected.sort());
    }
  }

  /** Asks what is due. A lease is short, because the reply that gave it may be lost. */
  #sweep(store: ConversationStore): Promise<void> {
    return this.#call(async () => {
      for await (const { jobId, reason } of store.due({ leaseMs: 1_000 })) this.#due.set(jobId, reason);
    });
  }
}
