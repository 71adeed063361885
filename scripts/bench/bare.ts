import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import type { ConversationState } from '../../src/index.ts';
import { type Contender, connect, expect } from './contender.ts';
import { type BenchState, type Conversation, type Operation, prepareKeys, QUESTION } from './conversations.ts';

const NAME = 'bare functions';
/** As long as the UUID that the store makes. */
export const ANSWER_ID = '00000000-0000-4000-8000-000000000000';

/** One call of a bare function, with what the library would store. */
export function bareCall(
  operation: Operation,
  { conversation, job, state }: Conversation,
): { name: string; keys: string[]; args: string[] } {
  const call = (name: string, keys: string[], change?: Partial<BenchState>) => ({
    name: `bare_${name}`,
    keys,
    args: change ? [JSON.stringify({ ...state, ...change })] : [],
  });
  const pair = [conversation, job];
  return {
    claim: () => call('claim', pair, {}),
    set: () => call('set', pair, {}),
    lookup: () => call('get_by_job', [job]),
    pending: () => call('set_pending', pair, { pendingQuestionId: QUESTION }),
    answer: () =>
      call('answer', pair, { pendingQuestionId: null, lastAnswer: { questionId: QUESTION, answerId: ANSWER_ID } }),
    remove: () => call('remove', pair),
  }[operation]();
}

export async function loadBareFunctions(client: Redis): Promise<void> {
  await client.function('LOAD', 'REPLACE', readFileSync(join(import.meta.dirname, 'bare.lua'), 'utf8'));
}

/** What a function can be at best that runs the commands of a call. */
export const bareContender: Contender = {
  name: NAME,
  what: 'functions that run the commands of a call and check, parse and decide nothing: what one round trip costs at least',
  async open(url) {
    const client = await connect(url);
    await loadBareFunctions(client);
    const call = (operation: Operation) => async (entry: Conversation) => {
      const { name, keys, args } = bareCall(operation, entry);
      const reply = (await client.fcall(name, keys.length, ...keys, ...args)) as string | [string, string];
      const state: ConversationState = JSON.parse(typeof reply === 'string' ? reply : reply[1]);
      expect(state.jobId === entry.state.jobId, NAME, operation);
    };
    return {
      prepare: (operation, all) => prepareKeys(client, operation, all),
      calls: {
        claim: call('claim'),
        set: call('set'),
        lookup: call('lookup'),
        pending: call('pending'),
        answer: call('answer'),
        remove: call('remove'),
      },
      close: async () => client.disconnect(),
    };
  },
};
