import { Redis } from 'ioredis';
import type { ConversationState } from '../../src/index.ts';

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

/** What a caller has in its hands: a state, and the two keys that all designs share. */
export interface Entry {
  readonly conversation: string;
  readonly job: string;
  state: BenchState;
  /** Which answer this caller gives; without one the store makes its own. */
  answerId?: string;
}

/** What a caller is told: true where its call took effect; a look-up tells the id of the job in the state it found. */
export type Told = boolean | string | null;
export type Calls = Record<Operation, (entry: Entry, caller: number) => Promise<Told>>;
export type Session = Calls & { close(): void };

/** A way to keep conversations, as a program would. `what` says which, for a reader of the tables. */
export type Design = { name: string; what: string; open(url: string, callers: number): Promise<Session> };

export async function connect(url: string): Promise<Redis> {
  const client = new Redis(url, { lazyConnect: true });
  await client.connect();
  return client;
}

/** A design whose callers share one connection. */
export function designOf(name: string, what: string, calls: (client: Redis) => Calls | Promise<Calls>): Design {
  const open = async (url: string) => {
    const client = await connect(url);
    return { ...(await calls(client)), close: () => client.disconnect() };
  };
  return { name, what, open };
}

/** The calls of a design that makes all of them in one way. */
export function callsOf(call: (operation: Operation, entry: Entry, caller: number) => Promise<Told>): Calls {
  const one = (operation: Operation) => (entry: Entry, caller: number) => call(operation, entry, caller);
  return Object.fromEntries(OPERATIONS.map((operation) => [operation, one(operation)])) as Calls;
}

/** A conversation of the 0.3 KiB of JSON that a dispatcher's really have. `player` makes another job on the same channel. */
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
  // Whoever asks makes the keys, as a program does that has a message in its hands.
  return {
    get conversation() {
      return `conversation:${state.platform}:${state.channelId}`;
    },
    get job() {
      return `job-index:${state.jobId}`;
    },
    state,
  };
}

/** Puts conversations where an operation starts from. What was there of them before is overwritten or deleted. */
export async function prepare(client: Redis, operation: Operation, all: readonly Entry[]): Promise<void> {
  const pipeline = client.pipeline();
  for (const { conversation, job, state } of all) {
    const text = JSON.stringify({ ...state, pendingQuestionId: operation === 'answer' ? QUESTION : null });
    if (operation === 'claim') pipeline.del(conversation, job);
    else pipeline.set(conversation, text, 'PX', TTL_MS).set(job, conversation, 'PX', TTL_MS);
  }
  await pipeline.exec();
}
