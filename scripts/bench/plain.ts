import type { Redis } from 'ioredis';
import { type BenchState, type Calls, type Design, designOf, type Entry, QUESTION, TTL_MS } from './conversations.ts';

async function read(client: Redis, key: string | null): Promise<BenchState | null> {
  const text = key === null ? null : await client.get(key);
  return text === null ? null : JSON.parse(text);
}

function plainCalls(client: Redis): Calls {
  const write = (key: string, state: BenchState) => client.set(key, JSON.stringify(state), 'PX', TTL_MS);
  const writeBoth = async ({ conversation, job, state }: Entry) => {
    await write(conversation, state);
    await client.set(job, conversation, 'PX', TTL_MS);
    return true;
  };
  return {
    claim: async (entry) => (await read(client, entry.conversation)) === null && writeBoth(entry),
    set: writeBoth,
    lookup: async ({ job }) => (await read(client, await client.get(job)))?.jobId ?? null,
    async pending({ conversation }) {
      const state = await read(client, conversation);
      if (state) await write(conversation, { ...state, pendingQuestionId: QUESTION });
      return state !== null;
    },
    async answer({ conversation }) {
      const state = await read(client, conversation);
      if (state?.pendingQuestionId !== QUESTION) return false;
      await write(conversation, { ...state, pendingQuestionId: null });
      return true;
    },
    async remove({ conversation, job }) {
      if ((await read(client, conversation)) === null) return false;
      await client.del(conversation);
      await client.del(job);
      return true;
    },
  };
}

function pipelineCalls(client: Redis): Calls {
  const first = async (pipeline: ReturnType<Redis['pipeline']>) => (await pipeline.exec())?.[0]?.[1];
  const writing = async ({ conversation, job, state }: Entry, ...options: string[]) => {
    const pipeline = client.pipeline([['set', conversation, JSON.stringify(state), 'PX', TTL_MS, ...options]]);
    return (await first(pipeline.set(job, conversation, 'PX', TTL_MS))) === 'OK';
  };
  return {
    ...plainCalls(client),
    claim: (entry) => writing(entry, 'NX'),
    set: (entry) => writing(entry),
    remove: async ({ conversation, job }) => (await first(client.pipeline().del(conversation).del(job))) === 1,
  };
}

export const plainDesign: Design = designOf('plain', 'GET and SET, one after the other', plainCalls);

export const pipelineDesign: Design = designOf(
  'SET NX',
  '`SET NX PX` and the index in one plain pipeline, without MULTI, as most people write it; it reads as the plain design does',
  pipelineCalls,
);
