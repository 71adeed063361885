import type { ChainableCommander, Redis } from 'ioredis';
import type { ConversationState } from '../../src/index.ts';
import { type Contender, connect, expect } from './contender.ts';
import { type Conversation, type Operation, prepareKeys, QUESTION, TTL_MS } from './conversations.ts';

const NAME = 'WATCH/MULTI';
const ATTEMPTS = 10;

/** Optimistic transactions. WATCH belongs to a connection, so every caller has one of its own. */
export const watchContender: Contender = {
  name: NAME,
  what: 'WATCH with GET in one go, then MULTI … EXEC; both deadlines move together; a connection for each caller',
  async open(url, callers) {
    const clients = await Promise.all(Array.from({ length: callers }, () => connect(url)));
    const [first] = clients;
    if (!first) throw new Error(`${NAME} needs a caller`);
    const call =
      (operation: Operation, change: Change) =>
      async (entry: Conversation, caller: number): Promise<void> =>
        transact(clients[caller] as Redis, operation, entry, change);
    return {
      prepare: (operation, all) => prepareKeys(first, operation, all),
      calls: {
        claim: call('claim', (multi, entry, state) => state === null && writeBoth(multi, entry, entry.state)),
        set: call('set', (multi, entry, state) => state !== null && writeBoth(multi, entry, entry.state)),
        async lookup(entry, caller) {
          const client = clients[caller] as Redis;
          expect((await watched(client, entry.job)) === entry.conversation, NAME, 'lookup');
          await transact(client, 'lookup', entry, (multi, { conversation, job, state }, found) =>
            found?.jobId === state.jobId ? multi.pexpire(conversation, TTL_MS).pexpire(job, TTL_MS) : false,
          );
        },
        pending: call('pending', (multi, entry, state) =>
          state === null ? false : writeBoth(multi, entry, { ...state, pendingQuestionId: QUESTION }),
        ),
        answer: call(
          'answer',
          (multi, entry, state) =>
            state?.pendingQuestionId === QUESTION && writeBoth(multi, entry, { ...state, pendingQuestionId: null }),
        ),
        remove: call('remove', (multi, { conversation, job }, state) => state !== null && multi.del(conversation, job)),
      },
      close: async () => {
        for (const client of clients) client.disconnect();
      },
    };
  },
};

/** Adds its writes to the transaction, or gives false where the state is not what it wants. */
type Change = (
  multi: ChainableCommander,
  entry: Conversation,
  state: ConversationState | null,
) => ChainableCommander | false;

function writeBoth(multi: ChainableCommander, { conversation, job }: Conversation, state: ConversationState) {
  return multi.set(conversation, JSON.stringify(state), 'PX', TTL_MS).set(job, conversation, 'PX', TTL_MS);
}

async function watched(client: Redis, key: string): Promise<string | null> {
  const replies = await client.pipeline().watch(key).get(key).exec();
  return (replies?.[1]?.[1] as string | null | undefined) ?? null;
}

async function transact(client: Redis, operation: Operation, entry: Conversation, change: Change): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const text = await watched(client, entry.conversation);
    const multi = change(client.multi(), entry, text === null ? null : (JSON.parse(text) as ConversationState));
    expect(multi !== false, NAME, operation);
    if (multi && (await multi.exec()) !== null) return;
  }
  throw new Error(`${NAME}: ${operation} met another writer ${ATTEMPTS} times`);
}
