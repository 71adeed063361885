import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { callsOf, type Design, designOf, type Entry, OPERATIONS, type Operation, QUESTION } from './conversations.ts';
import type { TimedCall } from './server-time.ts';

export const FLOOR_SOURCE = readFileSync(join(import.meta.dirname, 'floor.lua'), 'utf8');
/** As long as the UUID that the store makes. */
const ANSWER_ID = crypto.randomUUID();

/** A call of a function: its name without what a library puts before it, its keys and its arguments. */
export function functionCall(operation: Operation, entry: Entry): [name: string, keys: string[], args: string[]] {
  const { conversation, job, state } = entry;
  if (operation === 'claim' || operation === 'set') return [operation, [conversation, job], [JSON.stringify(state)]];
  if (operation === 'lookup') return ['get_by_job', [job], []];
  if (operation === 'pending') return ['set_pending', [conversation, job], [QUESTION]];
  return [operation, [conversation, job], operation === 'answer' ? [QUESTION, ANSWER_ID] : []];
}

/** The functions whose names begin with `prefix`, for each operation. */
export function timedCalls(prefix: string): Record<Operation, TimedCall> {
  const timed = (operation: Operation): TimedCall => ({
    start: operation,
    call: (entry) => {
      const [name, keys, args] = functionCall(operation, entry);
      return [prefix + name, keys, args];
    },
  });
  return Object.fromEntries(OPERATIONS.map((operation) => [operation, timed(operation)])) as Record<
    Operation,
    TimedCall
  >;
}

export const floorDesign: Design = designOf(
  'floor',
  'no design, but the most that one can reach: functions that run the same commands as the store and check and decide nothing',
  async (client) => {
    await client.function('LOAD', 'REPLACE', FLOOR_SOURCE);
    return callsOf(async (operation, entry) => {
      const [name, keys, args] = functionCall(operation, entry);
      const reply = (await client.fcall(`floor_${name}`, keys.length, ...keys, ...args)) as string | [string, string];
      const { jobId } = JSON.parse(typeof reply === 'string' ? reply : reply[1]);
      return operation === 'lookup' ? jobId : jobId === entry.state.jobId;
    });
  },
);
