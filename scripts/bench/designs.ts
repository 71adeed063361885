// The store, and two designs of one's own that people write in its place.
import type { Redis } from 'ioredis';
import { ConversationStore, type InboxEntry } from '../../src/index.ts';
import {
  type BenchState,
  callsOf,
  connect,
  type Design,
  type Entry,
  type Operation,
  QUESTION,
  type Told,
  TTL_MS,
} from './conversations.ts';

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
