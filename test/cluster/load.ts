import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Cluster } from 'ioredis';
import { slotOf } from '../../scripts/redis/slot.ts';
import { fromClient, isConversationError } from '../../src/errors.ts';
import { ConversationStore, type StoredConversationState } from '../../src/index.ts';
import { type ClientOptions, clientOf, type Node } from './nodes.ts';
import { playScene } from './scene.ts';

const WORKERS = 9;
const READERS = 6;
const PAUSE_MS = 20;
const READ_PAUSE_MS = 2;
const LIST_PAUSE_MS = 1_000;
/** Conversations that stand all the time, in each store: so many that the tenant's slot takes a while to move. */
const RESIDENTS = 1_000;
/** The store that has everything in one slot, and where. */
export const TENANT = '{shop}:';
const PROGRESS_MS = 15_000;
const SHOWN = 5;

/**
 * What docs/cluster.md advises for a client that is to sit out a failover, with more patience: a call waits for a slot
 * that moves key by key, 0.1 s a redirection, and on a busy machine that takes longer than 6 s.
 */
const PATIENT = { maxRedirections: 200, retryDelayOnFailover: 200, retryDelayOnClusterDown: 200 };
/** How often a call is made again that is UNAVAILABLE, of a client that lost its patience all the same. */
const REPEATS = 50;
/** What a store's jobs are given. None is silent before the load ends. */
const WATCHED = { silentAfterMs: 600_000 };
const SWEEP_PAUSE_MS = 1_000;
const NAMED_LIMIT_MS = 120_000;

type Resident = [store: ConversationStore, state: StoredConversationState];

/** The same calls all the time, from several places at once, each with what it must answer. */
export class Load {
  calls = 0;
  /** Calls that the client gave up, made again. */
  repeats = 0;
  /** What was answered wrongly, and what was expected. */
  readonly wrong: string[] = [];
  /** Whether connections break: then a call may be sent twice, and its answer be that of the second time. */
  resends = false;
  /** Slots of which an acknowledged write may be lost, so that nobody knows what a call has to answer. */
  avoid: (slot: number) => boolean = () => false;
  readonly stores: ConversationStore[];
  /** Who lists a store's conversations: the store itself, or another one that reads from replicas. */
  readonly #listers: [lister: ConversationStore, owner: ConversationStore][];
  readonly #clusters: Cluster[];
  readonly #residents: Resident[] = [];
  readonly #due = new Map<string, string>();
  #running: Promise<void>[] = [];
  #sweeping: Promise<void>[] = [];
  #state: 'running' | 'ending' | 'ended' = 'ended';
  #channels = 0;

  constructor(nodes: Node[]) {
    const plain = connect(nodes);
    const autopipelining = connect(nodes, { enableAutoPipelining: true });
    const scaled = connect(nodes, { scaleReads: 'slave' });
    this.#clusters = [plain, autopipelining, scaled];
    const sharded = new ConversationStore(plain, { sharded: true, ...WATCHED });
    const tenant = new ConversationStore(plain, { prefix: TENANT, ...WATCHED });
    this.stores = [
      sharded,
      tenant,
      new ConversationStore(autopipelining, { sharded: true, prefix: 'auto:', ...WATCHED }),
      // In the tenant's slot, which moves.
      new ConversationStore(autopipelining, { prefix: `${TENANT}auto:`, ...WATCHED }),
    ];
    this.#listers = [
      ...this.stores.map((store): [ConversationStore, ConversationStore] => [store, store]),
      [new ConversationStore(scaled, { sharded: true }), sharded],
      [new ConversationStore(scaled, { prefix: TENANT }), tenant],
    ];
  }

  /** Makes a call that must be answered in the end. */
  call = <T>(run: () => Promise<T>): Promise<T> => {
    this.calls++;
    return patiently(run, () => {
      this.calls++;
      this.repeats++;
    });
  };

  expect = (isRight: boolean, what: string, answer: unknown): void => {
    if (!isRight) this.wrong.push(`${what}; answered was ${JSON.stringify(answer)}`);
  };

  /** Whose answers to a question a stream holds. */
  published = async (key: string, question: string): Promise<string[]> => {
    const [cluster] = this.#clusters as [Cluster];
    const read = () =>
      cluster.xrange(key, '-', '+').catch((error: unknown) => {
        throw fromClient(error);
      });
    const entries = await this.call(read);
    return entries.flatMap(([, fields]) => (fields[1] === question ? [fields[3] ?? ''] : []));
  };

  /** Why a sweep named a job. */
  named = async (jobId: string): Promise<string> => {
    const limit = Date.now() + NAMED_LIMIT_MS;
    for (;;) {
      const reason = this.#due.get(jobId);
      if (reason) return reason;
      if (Date.now() > limit) return 'no sweep named it';
      await sleep(PAUSE_MS);
    }
  };

  /** Asks what is due. A lease is short, because the reply that gave it may be lost. */
  async #sweep(store: ConversationStore): Promise<void> {
    await patiently(async () => {
      for await (const { jobId, reason } of store.due({ leaseMs: 1_000 })) this.#due.set(jobId, reason);
    });
  }

  /** Claims the conversations that stand all the time. */
  async settle(): Promise<void> {
    for (const store of this.stores) {
      const claims = Array.from({ length: RESIDENTS }, async (_, n) => {
        const channel = { platform: 'teams', channelId: `resident-${n}` };
        const jobId = store.newJobId(channel);
        const given = { ...channel, jobId, userId: 'U1', project: 'web', ticketId: n, startedAt: new Date() };
        const { state } = await this.call(() => store.claim(given));
        if (state) this.#residents.push([store, state]);
      });
      await Promise.all(claims);
    }
  }

  /** Looks for every resident in a list. */
  async #checkLists(): Promise<void> {
    for (const [lister, store] of this.#listers) {
      const expected = this.#residents.flatMap(([owner, { jobId }]) => (owner === store ? [jobId] : []));
      const listed = await this.call(async () => {
        const jobs: string[] = [];
        for await (const { jobId } of lister.list({ platform: 'teams' })) jobs.push(jobId);
        return jobs;
      });
      this.expect(isDeepStrictEqual(listed.sort(), expected.sort()), `list gives all ${RESIDENTS} once`, listed.length);
    }
  }

  /** Ends it and says what it came to. */
  close(): void {
    console.log(`\n  in all ${this.calls} calls, ${this.repeats} of them repeated, ${this.wrong.length} wrong answers`);
    for (const cluster of this.#clusters) cluster.disconnect();
  }

  /**
   * Runs the load while a task does something to the cluster, prints how it goes, and ends with what has to be right
   * then: every resident is found, by every reference and in the list.
   * @returns what was answered wrongly
   */
  async under(name: string, nodes: Node[], task: () => Promise<unknown>): Promise<string[]> {
    process.stdout.write('\n');
    const began = Date.now();
    const [calls, repeats, wrong] = [this.calls, this.repeats, this.wrong.length];
    const before = await redirections(nodes);
    const say = (more = '') => {
      const seconds = `${((Date.now() - began) / 1000).toFixed(0)} s`;
      const figures = `${this.calls - calls} calls, ${this.wrong.length - wrong} wrong`;
      console.log(`  ${name.padEnd(30)} ${seconds.padStart(5)}   ${figures}${more}`);
    };
    const timer = setInterval(say, PROGRESS_MS);
    try {
      this.#start();
      await task();
      await this.#stop();
      await Promise.all(this.#residents.map((resident) => this.#find(resident)));
      await this.#checkLists();
    } finally {
      clearInterval(timer);
      await this.#stop();
    }
    const sent = Object.entries(await redirections(nodes)).map(([code, n]) => `${n - (before[code] ?? 0)} ${code}`);
    say(`, ${this.repeats - repeats} repeated by the caller; retried by the client: ${sent.join(', ')}`);
    const added = this.wrong.slice(wrong);
    for (const line of added.slice(0, SHOWN)) console.log(`    WRONG: ${line.slice(0, 1_000)}`);
    return added;
  }

  #start(): void {
    this.#state = 'running';
    this.#running = [
      ...Array.from({ length: WORKERS }, (_, n) => this.#repeatedly(() => this.#scene(n), PAUSE_MS)),
      ...Array.from({ length: READERS }, () => this.#repeatedly(() => this.#visit(), READ_PAUSE_MS)),
      this.#repeatedly(() => this.#checkLists(), LIST_PAUSE_MS),
    ];
    const isOver = () => this.#state === 'ended';
    this.#sweeping = this.stores.map((store) => this.#repeatedly(() => this.#sweep(store), SWEEP_PAUSE_MS, isOver));
  }

  /** The sweeps end last: a scene waits for what they name. */
  async #stop(): Promise<void> {
    this.#state = 'ending';
    await Promise.all(this.#running);
    this.#state = 'ended';
    await Promise.all(this.#sweeping);
  }

  async #repeatedly(task: () => Promise<void>, pauseMs: number, isOver = () => this.#state !== 'running') {
    while (!isOver()) {
      await task().catch((error: unknown) => this.wrong.push(`no answer at all: ${error}`));
      await sleep(pauseMs);
    }
  }

  async #scene(worker: number): Promise<void> {
    const store = this.stores[worker % this.stores.length];
    if (store) await playScene(this, store, this.#newChannel(store));
  }

  #newChannel(store: ConversationStore): { platform: string; channelId: string } {
    for (;;) {
      const channel = { platform: 'slack', channelId: `C${this.#channels++}` };
      if (!this.avoid(slotOf(store.inboxKey(channel)))) return channel;
    }
  }

  async #visit(): Promise<void> {
    const resident = this.#residents[Math.floor(Math.random() * this.#residents.length)];
    if (resident) await this.#find(resident);
  }

  async #find([store, state]: Resident): Promise<void> {
    const { platform, channelId, jobId } = state;
    const answers = await Promise.all([
      this.call(() => store.get({ platform, channelId })),
      this.call(() => store.get({ jobId })),
      this.call(() => store.getByJobId(jobId)),
    ]);
    this.expect(
      answers.every((answer) => isDeepStrictEqual(answer, state)),
      'a conversation stands',
      { state, answers },
    );
  }
}

/** Makes a call, and again where the client gave it up. */
export async function patiently<T>(run: () => Promise<T>, again: () => void = () => {}): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (!isConversationError(error, 'UNAVAILABLE') || attempt === REPEATS) throw error;
    }
    await sleep(100);
    again();
  }
}

export function connect(nodes: readonly Node[], options: ClientOptions = {}): Cluster {
  return clientOf(nodes, { ...PATIENT, ...options });
}

/** How often the servers sent a call elsewhere or asked for patience, by the first word of the error. */
async function redirections(nodes: readonly Node[]): Promise<Record<string, number>> {
  const sums: Record<string, number> = { MOVED: 0, ASK: 0, TRYAGAIN: 0, CLUSTERDOWN: 0 };
  for (const { admin } of nodes) {
    // They begin anew with a server that is restarted.
    const errors = await admin.info('errorstats');
    for (const name of Object.keys(sums)) {
      sums[name] = (sums[name] ?? 0) + Number(new RegExp(`errorstat_${name}:count=(\\d+)`).exec(errors)?.[1] ?? 0);
    }
  }
  return sums;
}
