import { ConversationStore } from '../../src/index.ts';
import { type Design, designOf, QUESTION } from './conversations.ts';

export const storeDesign: Design = designOf('store', 'this package, one connection for all callers', (client) => {
  const store = new ConversationStore<{ title: string; thread: string }>(client);
  return {
    claim: async ({ state }) => (await store.claim(state)).outcome === 'claimed',
    set: async ({ state }) => {
      await store.set(state);
      return true;
    },
    lookup: async ({ state }) => (await store.getByJobId(state.jobId))?.jobId ?? null,
    pending: async ({ state }) => (await store.setPendingQuestion(state, QUESTION)) !== null,
    answer: async ({ state, answerId }) =>
      (await store.answerQuestion(state, QUESTION, answerId === undefined ? {} : { answerId })).outcome === 'accepted',
    remove: async ({ state }) => (await store.remove(state)).outcome === 'removed',
  };
});
