import { type ConversationState, ConversationStore, loadLibrary } from '../../src/index.ts';
import { type ConnectOptions, type Contender, connect, expect } from './contender.ts';
import { type Conversation, prepareKeys, QUESTION } from './conversations.ts';

/** The store, over one connection or over several in turn. */
export function storeContender(name: string, what: string, options: ConnectOptions = {}, connections = 1): Contender {
  return {
    name,
    what,
    async open(url) {
      const clients = await Promise.all(Array.from({ length: connections }, () => connect(url, options)));
      const stores = clients.map((client) => new ConversationStore<{ title: string; thread: string }>(client));
      await Promise.all(stores.map((store) => store.ready()));
      const [client] = clients;
      if (!client) throw new Error('the store needs a connection');
      const of = (caller: number) => stores[caller % stores.length] as (typeof stores)[number];
      return {
        prepare: (operation, all) => prepareKeys(client, operation, all),
        calls: {
          claim: async ({ state }, caller) =>
            expect((await of(caller).claim(state)).outcome === 'claimed', name, 'claim'),
          set: async ({ state }, caller) => expect((await of(caller).set(state)) !== null, name, 'set'),
          lookup: async ({ state }, caller) =>
            expect((await of(caller).getByJobId(state.jobId))?.jobId === state.jobId, name, 'lookup'),
          pending: async ({ state }, caller) => {
            const stored = await of(caller).setPendingQuestion(state, QUESTION);
            expect(stored?.pendingQuestionId === QUESTION, name, 'pending');
          },
          answer: async ({ state }, caller) =>
            expect((await of(caller).answerQuestion(state, QUESTION)).outcome === 'accepted', name, 'answer'),
          remove: async ({ state }, caller) =>
            expect((await of(caller).remove(state)).outcome === 'removed', name, 'remove'),
        },
        close: async () => {
          for (const client of clients) client.disconnect();
        },
      };
    },
  };
}

/** The same functions called by hand, with what a program cannot do without: JSON.stringify and JSON.parse. */
export const rawContender: Contender = {
  name: 'raw fcall',
  what: 'the same functions through `redis.fcall`, with JSON.stringify and JSON.parse and nothing else',
  async open(url) {
    const client = await connect(url);
    await loadLibrary(client);
    const parse = (text: unknown) => JSON.parse(String(text)) as ConversationState;
    const pair = async (name: string, { conversation, job }: Conversation, ...args: string[]) => {
      const [outcome, text] = (await client.fcall(name, 2, conversation, job, ...args)) as [string, string];
      return { outcome, state: parse(text) };
    };
    let answers = 0;
    return {
      prepare: (operation, all) => prepareKeys(client, operation, all),
      calls: {
        claim: async (entry) => {
          const { outcome } = await pair('conv_claim', entry, JSON.stringify(entry.state));
          expect(outcome === 'claimed', 'raw fcall', 'claim');
        },
        set: async ({ conversation, job, state }) => {
          const before = await client.fcall('conv_set', 2, conversation, job, JSON.stringify(state));
          expect(parse(before).jobId === state.jobId, 'raw fcall', 'set');
        },
        lookup: async ({ job, state }) => {
          const text = await client.fcall('conv_get_by_job', 1, job);
          expect(parse(text).jobId === state.jobId, 'raw fcall', 'lookup');
        },
        pending: async ({ conversation, job }) => {
          const text = await client.fcall('conv_set_pending', 2, conversation, job, QUESTION);
          expect(parse(text).pendingQuestionId === QUESTION, 'raw fcall', 'pending');
        },
        answer: async (entry) => {
          // As long as the UUID that the store makes.
          const answerId = `00000000-0000-4000-8000-${String(answers++).padStart(12, '0')}`;
          const { outcome } = await pair('conv_answer', entry, QUESTION, answerId);
          expect(outcome === 'accepted', 'raw fcall', 'answer');
        },
        remove: async (entry) => {
          const { outcome } = await pair('conv_remove', entry);
          expect(outcome === 'removed', 'raw fcall', 'remove');
        },
      },
      close: async () => client.disconnect(),
    };
  },
};
