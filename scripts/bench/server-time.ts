import type { Redis } from 'ioredis';
import { loadLibrary } from '../../src/index.ts';
import { ANSWER_ID, bareCall, loadBareFunctions } from './bare.ts';
import {
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

type Call = ReturnType<typeof bareCall>;

function calls(operation: Operation, entry: Conversation): { library: Call; bare: Call } {
  const bare = bareCall(operation, entry);
  const name = bare.name.replace('bare_', 'conv_');
  const args = operation === 'pending' ? [QUESTION] : operation === 'answer' ? [QUESTION, ANSWER_ID] : bare.args;
  return { library: { ...bare, name, args }, bare };
}

/** The time the server spends in a call, by its own clock, against bare functions that run the very same commands. */
export async function measureServerTime(admin: Redis, progress: Progress): Promise<ServerTime[]> {
  await loadLibrary(admin);
  await loadBareFunctions(admin);
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
