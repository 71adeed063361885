// What every design keeps and is asked for: the conversations, the calls on them, and what a design has to offer.
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
