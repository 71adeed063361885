import type { Redis } from 'ioredis';
import type { ConversationState } from '../../src/index.ts';

/** What is measured, in the order of a conversation's life. */
export const OPERATIONS = ['claim', 'set', 'lookup', 'pending', 'answer', 'remove'] as const;
export type Operation = (typeof OPERATIONS)[number];

export const OPERATION_NAMES: Record<Operation, string> = {
  claim: 'claim a free channel',
  set: 'set over a state',
  lookup: 'look up by job',
  pending: 'set pending question',
  answer: 'answer it',
  remove: 'remove',
};

export const TTL_MS = 7_200_000;
export const QUESTION = 'q-5b0c7d';

export type BenchState = ConversationState & { title: string; thread: string };

/**
 * One conversation to work on, with the keys that the store and the plain design share. Whoever asks makes them, as a
 * program does that has a message in its hands.
 */
export interface Conversation {
  readonly conversation: string;
  readonly job: string;
  state: BenchState;
}

/** Conversations of as many bytes of JSON as asked for, or of the 0.3 KiB that a dispatcher's really have. */
export function conversations(count: number, { bytes = 0 } = {}): Conversation[] {
  return Array.from({ length: count }, (_, index) => conversation(index, bytes));
}

/** The one of a number. */
export function conversation(index: number, bytes = 0): Conversation {
  const id = String(index).padStart(7, '0');
  const state: BenchState = {
    jobId: `agent-${id}`,
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
  state.title = state.title.padEnd(state.title.length + bytes - JSON.stringify(state).length, ' and so on');
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

/** The state as an operation finds it; null where it finds none. */
export function stateBefore(operation: Operation, { state }: Conversation): BenchState | null {
  if (operation === 'claim') return null;
  return operation === 'answer' ? { ...state, pendingQuestionId: QUESTION } : state;
}

/** Puts a fresh database into the state that an operation starts from, in the keys that the store uses. */
export async function prepareKeys(client: Redis, operation: Operation, all: readonly Conversation[]): Promise<void> {
  await prepareWith(client, operation, all, (entry, state) => [
    [entry.conversation, JSON.stringify(state)],
    [entry.job, entry.conversation],
  ]);
}

/** Puts some back to where an operation starts from; all others stay. */
export async function putBack(client: Redis, operation: Operation, all: readonly Conversation[]): Promise<void> {
  const pipeline = client.pipeline();
  for (const entry of all) {
    const state = stateBefore(operation, entry);
    if (state === null) pipeline.del(entry.conversation, entry.job);
    else {
      pipeline.set(entry.conversation, JSON.stringify(state), 'PX', TTL_MS);
      pipeline.set(entry.job, entry.conversation, 'PX', TTL_MS);
    }
  }
  await pipeline.exec();
}

export async function prepareWith(
  client: Redis,
  operation: Operation,
  all: readonly Conversation[],
  entriesOf: (entry: Conversation, state: BenchState) => [key: string, value: string][],
): Promise<void> {
  await client.flushdb();
  for (let from = 0; from < all.length; from += 1000) {
    const pipeline = client.pipeline();
    for (const entry of all.slice(from, from + 1000)) {
      const state = stateBefore(operation, entry);
      if (state === null) continue;
      for (const [key, value] of entriesOf(entry, state)) pipeline.set(key, value, 'PX', TTL_MS);
    }
    await pipeline.exec();
  }
}
