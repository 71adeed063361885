// What every design keeps and is asked for: the conversations, the calls on them, and what a design has to offer. Then the
// store, and two designs of one's own that people write in its place.
import { Redis } from 'ioredis';
import { type ConversationState, ConversationStore, type InboxEntry } from '../../src/index.ts';

/** What is measured, in the order of a conversation's life. */
export const OPERATION_NAMES = {
  claim: 'claim a free channel',
  set: 'set over a state',
  lookup: 'look up by job',
  pending: 'set pending question',
  answer: 'answer it',
  remove: 'remove',
};
export type Operation = keyof typeof OPERATION_NAMES;
export const OPERATIONS = Object.keys(OPERATION_NAMES) as Operation[];

export const TTL_MS = 7_200_000;
export const QUESTION = 'q-5b0c7d';

export type BenchState = ConversationState & { title: string; thread: string };

/** What a caller knows: a state, the two keys that most designs share, and which answer it gives. */
export type Entry = { conversation: string; job: string; state: BenchState; answerId?: string };

/** What a caller gets: true where its call took effect; from a look-up, the id of the job in the state it found. */
export type Told = boolean | string | null;
export type Call = (entry: Entry, caller: number) => Promise<Told>;

/** What a design can do; it plays the contests for which it has all the calls. */
export interface Session extends Partial<Record<Operation, Call>> {
  /**
   * Takes in a message for the channel and, where that starts a job, runs the job to its end. `read` is called for each message
   * that a job reads.
   */
  receive?(entry: Entry, message: string, read: (message: string) => void): Promise<void>;
  close(): unknown;
}

/** A way to keep conversations, as a program would. `what` describes it to a reader of the tables. */
export interface Design {
  name: string;
  what: string;
  /** What stands before both keys of a conversation. */
  prefix?: string;
  open(url: string, callers: number): Promise<Session>;
}

export async function connect(url: string): Promise<Redis> {
  const client = new Redis(url, { lazyConnect: true });
  await client.connect();
  return client;
}

/** The calls of a design that makes all of them in one way. */
export function callsOf(call: (operation: Operation, ...args: Parameters<Call>) => Promise<Told>) {
  const calls = OPERATIONS.map((operation): [Operation, Call] => [operation, (...args) => call(operation, ...args)]);
  return Object.fromEntries(calls) as Record<Operation, Call>;
}

/** A conversation of 0.3 KiB of JSON, as a dispatcher keeps it. `player` makes another job on the same channel. */
export function entryOf(index: number, player = 0): Entry {
  const id = String(index).padStart(7, '0');
  const state: BenchState = {
    jobId: `agent-${player}-${id}`,
    channelId: `C0${id}`,
    userId: 'U042ABCDE',
    platform: 'slack',
    project: 'agentsmith',
    ticketId: 4821,
    startedAt: '2026-01-31T09:30:00.000Z',
    pendingQuestionId: null,
    title: 'Fix the login page that forgets its password field after a reload of the whole page',
    thread: '1700000000.123456',
  };
  return { conversation: `conversation:slack:${state.channelId}`, job: `job-index:${state.jobId}`, state };
}

/** Puts conversations where an operation starts from. What was there of them before is overwritten or deleted. */
export async function prepare(client: Redis, operation: Operation, all: readonly Entry[], prefix = ''): Promise<void> {
  const pipeline = client.pipeline();
  for (const { conversation, job, state } of all) {
    const text = JSON.stringify({ ...state, pendingQuestionId: operation === 'answer' ? QUESTION : null });
    if (operation === 'claim') pipeline.del(prefix + conversation, prefix + job);
    else pipeline.set(prefix + conversation, text, 'PX', TTL_MS).set(prefix + job, conversation, 'PX', TTL_MS);
  }
  await pipeline.exec();
}

export const storeDesign: Design = {
  name: 'store',
  what: 'this package, one connection for all callers; its messages wait in the inbox',
  async open(url) {
    const client = await connect(url);
    const store = new ConversationStore<{ title: string; thread: string }>(client);
    const watched = new ConversationStore(client, { silentAfterMs: 300_000 });
    return {
      claim: async ({ state }) => (await store.claim(state)).outcome === 'claimed',
      set: ({ state }) => store.set(state).then(() => true),
      lookup: async ({ state }) => (await store.getByJobId(state.jobId))?.jobId ?? null,
      pending: async ({ state }) => (await store.setPendingQuestion(state, QUESTION)) !== null,
      answer: async ({ state, answerId }) =>
        (await store.answerQuestion(state, QUESTION, answerId ? { answerId } : {})).outcome === 'accepted',
      remove: async ({ state }) => (await store.remove(state)).outcome === 'removed',
      async receive({ state }, message, read) {
        if ((await watched.claim(state, { queue: { message } })).outcome !== 'claimed') return;
        read(message);
        do {
          const found: InboxEntry[] = [];
          for await (const entry of watched.inbox(state)) found.push(entry);
          // What the job says it has read is deleted; it acts on it only where the channel is still its own.
          const holds = found.length > 0 && (await watched.getByJobId(state.jobId, { lastSeen: found.at(-1)?.id }));
          if (holds) for (const { fields } of found) read(fields['message'] ?? '');
        } while ((await watched.remove(state)).outcome === 'waiting');
      },
      close: () => client.disconnect(),
    };
  },
};

type Command = (string | number)[];
const put = (key: string, value: string): Command => ['set', key, value, 'PX', TTL_MS];

const parsed = (text: unknown): BenchState | null => (typeof text === 'string' ? JSON.parse(text) : null);

/**
 * The rules of a design that reads the conversation, decides and writes: what the caller gets, and the commands to send. `careful`
 * ones look at which job holds the channel, and renew both deadlines.
 */
export function decide(operation: Operation, entry: Entry, found: BenchState | null, careful: boolean) {
  const { conversation, job, state: own } = entry;
  const holds = found !== null && (!careful || found.jobId === own.jobId);
  const answer = (told: Told, ...writes: Command[]) => ({ told, writes });
  const write = (state: BenchState, ...more: Command[]) =>
    answer(true, put(conversation, JSON.stringify(state)), put(job, conversation), ...more);
  if (operation === 'claim') return found ? answer(false) : write(own);
  if (operation === 'set') return found && !holds ? write(own, ['del', `job-index:${found.jobId}`]) : write(own);
  if (operation === 'remove' && careful && !holds) return answer(false, ['del', job]);
  if (!holds) return answer(operation === 'lookup' ? null : false);
  if (operation === 'remove') return answer(true, ['del', conversation, job]);
  const renew = careful ? [conversation, job].map((key): Command => ['pexpire', key, TTL_MS]) : [];
  if (operation === 'lookup') return answer(found.jobId, ...renew);
  if (operation === 'answer' && found.pendingQuestionId !== QUESTION) return answer(false);
  const changed = { ...found, pendingQuestionId: operation === 'answer' ? null : QUESTION };
  return careful ? write(changed) : answer(true, put(conversation, JSON.stringify(changed)));
}

export const plainDesign: Design = {
  name: 'plain',
  what: 'GET and SET, one after the other',
  async open(url) {
    const client = await connect(url);
    const calls = callsOf(async (operation, entry) => {
      const key = operation === 'lookup' ? await client.get(entry.job) : entry.conversation;
      const text = operation === 'set' || key === null ? null : await client.get(key);
      const { told, writes } = decide(operation, entry, parsed(text), false);
      for (const [name, ...args] of writes) await client.call(String(name), ...args);
      return told;
    });
    return { ...calls, close: () => client.disconnect() };
  },
};

export const watchDesign: Design = {
  name: 'WATCH',
  what: 'WATCH with GET in one go, then MULTI … EXEC, again until nobody came in between; a connection for each caller',
  async open(url, callers) {
    const clients = await Promise.all(Array.from({ length: callers }, () => connect(url)));
    const calls = callsOf(async (operation, entry, caller) => {
      const client = clients[caller] as Redis;
      // Who looks up knows the job alone.
      if (operation === 'lookup' && (await client.get(entry.job)) === null) return null;
      for (;;) {
        const replies = await client.pipeline().watch(entry.conversation).get(entry.conversation).exec();
        const { told, writes } = decide(operation, entry, parsed(replies?.[1]?.[1]), true);
        if (writes.length === 0) await client.unwatch();
        if (writes.length === 0 || (await client.multi(writes).exec()) !== null) return told;
      }
    });
    return { ...calls, close: () => clients.forEach((client) => void client.disconnect()) };
  },
};
