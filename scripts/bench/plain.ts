import type { Redis } from 'ioredis';
import type { ConversationState } from '../../src/index.ts';
import { type Contender, connect, expect } from './contender.ts';
import { type Conversation, type Operation, prepareKeys, QUESTION, TTL_MS } from './conversations.ts';

type Calls = Record<Operation, (entry: Conversation, caller: number) => Promise<void>>;

const NAME = 'plain';

/**
 * The read-modify-write design: each method reads, changes and writes by itself, one command after the other, and
 * whatever another program does in between is lost.
 */
export function plainCalls(client: Pick<Redis, 'get' | 'set' | 'del'>, name = NAME): Calls {
  const read = async (key: string): Promise<ConversationState | null> => {
    const text = await client.get(key);
    return text === null ? null : JSON.parse(text);
  };
  const write = (key: string, state: ConversationState) => client.set(key, JSON.stringify(state), 'PX', TTL_MS);
  const writeBoth = async ({ conversation, job }: Conversation, state: ConversationState) => {
    await write(conversation, state);
    await client.set(job, conversation, 'PX', TTL_MS);
  };
  return {
    async claim(entry) {
      expect((await read(entry.conversation)) === null, name, 'claim');
      await writeBoth(entry, entry.state);
    },
    set: (entry) => writeBoth(entry, entry.state),
    async lookup({ job, state }) {
      const key = await client.get(job);
      const found = key === null ? null : await read(key);
      expect(found?.jobId === state.jobId, name, 'lookup');
    },
    async pending({ conversation }) {
      const state = await read(conversation);
      expect(state !== null, name, 'pending');
      if (state) await write(conversation, { ...state, pendingQuestionId: QUESTION });
    },
    async answer({ conversation }) {
      const state = await read(conversation);
      expect(state?.pendingQuestionId === QUESTION, name, 'answer');
      if (state) await write(conversation, { ...state, pendingQuestionId: null });
    },
    async remove({ conversation, job }) {
      expect((await read(conversation)) !== null, name, 'remove');
      await client.del(conversation);
      await client.del(job);
    },
  };
}

export const plainContender: Contender = {
  name: NAME,
  what: 'GET and SET through ioredis, one after the other: the design that the store replaces, with its races',
  async open(url) {
    const client = await connect(url);
    return {
      prepare: (operation, all) => prepareKeys(client, operation, all),
      calls: plainCalls(client),
      close: async () => client.disconnect(),
    };
  },
};
