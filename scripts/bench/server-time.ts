import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import {
  type BenchState,
  type Conversation,
  conversations,
  OPERATIONS,
  type Operation,
  prepareKeys,
  QUESTION,
} from './conversations.ts';
import { commandsRun } from './counts.ts';
import type { Progress } from './progress.ts';
import { median, spread } from './statistics.ts';

/** Microseconds per call on the server. */
export interface ServerTime {
  operation: Operation;
  library: number;
  bare: number;
  ratio: number;
  /** Of the ratio, as a share. */
  spread: number;
}

/** Few calls a round and many rounds: what another program takes of the processor then falls into few of them. */
const CALLS = 100;
export const SERVER_TIME_ROUNDS = 150;
const ANSWER_ID = '00000000-0000-4000-8000-000000000000';

interface Call {
  name: string;
  keys: string[];
  args: string[];
}

function calls(operation: Operation, { conversation, job, state }: Conversation): { library: Call; bare: Call } {
  const call = (name: string, keys: string[], args: string[], bareArgs = args) => ({
    library: { name: `conv_${name}`, keys, args },
    bare: { name: `bare_${name}`, keys, args: bareArgs },
  });
  const pair = [conversation, job];
  const json = (change: Partial<BenchState>) => [JSON.stringify({ ...state, ...change })];
  const lastAnswer = { questionId: QUESTION, answerId: ANSWER_ID };
  return {
    claim: () => call('claim', pair, json({})),
    set: () => call('set', pair, json({})),
    lookup: () => call('get_by_job', [job], []),
    pending: () => call('set_pending', pair, [QUESTION], json({ pendingQuestionId: QUESTION })),
    answer: () => call('answer', pair, [QUESTION, ANSWER_ID], json({ pendingQuestionId: null, lastAnswer })),
    remove: () => call('remove', pair, []),
  }[operation]();
}

/** The time the server spends in a call, by its own clock, against bare functions that run the very same commands. */
export async function measureServerTime(admin: Redis, progress: Progress): Promise<ServerTime[]> {
  await admin.function('LOAD', 'REPLACE', readFileSync(join(import.meta.dirname, 'bare.lua'), 'utf8'));
  const all = conversations(CALLS);
  const figures = new Map<Operation, { library: number; bare: number }[]>();
  for (let round = 0; round <= SERVER_TIME_ROUNDS; round++) {
    progress.step(round === 0 ? 'warming up' : `round ${round} of ${SERVER_TIME_ROUNDS}`);
    for (const operation of OPERATIONS) {
      const took = { library: 0, bare: 0 };
      const ran = { library: '', bare: '' };
      const order = round % 2 === 0 ? (['library', 'bare'] as const) : (['bare', 'library'] as const);
      for (const which of order) {
        const batch = all.map((entry) => calls(operation, entry)[which]);
        await prepareKeys(admin, operation, all);
        ({ usec: took[which], commands: ran[which] } = await run(admin, batch));
      }
      if (ran.library !== ran.bare) {
        throw new Error(
          `${operation} runs ${ran.library}, its bare twin ${ran.bare}: scripts/bench/bare.lua is to follow`,
        );
      }
      if (round > 0) figures.set(operation, [...(figures.get(operation) ?? []), took]);
    }
  }
  return OPERATIONS.map((operation) => {
    const rounds = figures.get(operation) ?? [];
    const ratios = rounds.map(({ library, bare }) => library / bare);
    return {
      operation,
      library: median(rounds.map(({ library }) => library)),
      bare: median(rounds.map(({ bare }) => bare)),
      ratio: median(ratios),
      spread: spread(ratios),
    };
  });
}

async function run(admin: Redis, batch: readonly Call[]): Promise<{ usec: number; commands: string }> {
  await admin.config('RESETSTAT');
  const pipeline = admin.pipeline();
  for (const { name, keys, args } of batch) pipeline.fcall(name, keys.length, ...keys, ...args);
  const failed = (await pipeline.exec())?.find(([error]) => error !== null);
  if (failed?.[0]) throw failed[0];
  const stats = await commandsRun(admin);
  const { usec = Number.NaN } = stats.get('fcall') ?? {};
  const commands = [...stats].filter(([name]) => name !== 'fcall').map(([name, { calls }]) => `${calls} ${name}`);
  return { usec: usec / batch.length, commands: commands.sort().join(', ') };
}
