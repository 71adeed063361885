// npx tsx scripts/bench/compare-lua.ts OLD.lua NEW.lua: what a call of each costs the server, side by side in one run.
// The turns of the two alternate, so that a machine that becomes busy slows both down.
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { startRedis } from '../redis/start.ts';

const CALLS = 2_000;
const TURNS = 21;

const base = {
  userId: 'U1',
  platform: 'slack',
  project: 'website',
  ticketId: 12,
  startedAt: '2026-01-31T09:30:00.000Z',
};
const state = (n: number) =>
  JSON.stringify({ jobId: `job-${n}`, channelId: `C${n}`, ...base, pendingQuestionId: null, note: 'x'.repeat(90) });
const pair = (n: number) => ['2', `conversation:slack:C${n}`, `job-index:job-${n}`];
const set = (n: number) => ['conv_set', ...pair(n), state(n)];
const ask = (n: number) => ['conv_set_pending', ...pair(n), 'q1'];

/** What stands before the call that is measured, and the call. */
const OPERATIONS: Record<string, [before: ((n: number) => string[])[], call: (n: number) => string[]]> = {
  claim: [[], (n) => ['conv_claim', ...pair(n), state(n)]],
  set: [[set], set],
  'look up by job': [[set], (n) => ['conv_get_by_job', '1', `job-index:job-${n}`]],
  'set pending': [[set], ask],
  answer: [[set, ask], (n) => ['conv_answer', '3', ...pair(n).slice(1), `job:${n}:in`, 'q1', 'a1', '', 'text', 'yes']],
  remove: [[set], (n) => ['conv_remove', ...pair(n)]],
};

const sources = process.argv.slice(2).map((file) => readFileSync(file, 'utf8'));
const server = await startRedis({ args: ['--save', '', '--appendonly', 'no'] });
const redis = new Redis(server.url);

async function send(call: (n: number) => string[]): Promise<void> {
  const pipeline = redis.pipeline();
  for (let n = 0; n < CALLS; n++) pipeline.call('FCALL', ...call(n));
  for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
}

async function measured(source: string, [before, call]: (typeof OPERATIONS)[string]): Promise<number> {
  await redis.flushall();
  await redis.function('LOAD', 'REPLACE', source);
  for (const preparation of before ?? []) await send(preparation);
  await redis.config('RESETSTAT');
  await send(call ?? (() => []));
  return Number(/cmdstat_fcall:.*usec_per_call=([\d.]+)/.exec(await redis.info('commandstats'))?.[1]);
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

for (const [name, operation] of Object.entries(OPERATIONS)) {
  const times: number[][] = sources.map(() => []);
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [at, source] of sources.entries()) times[at]?.push(await measured(source, operation));
  }
  const ratios = (times[1] ?? []).map((time, turn) => time / (times[0]?.[turn] ?? Number.NaN));
  const [first, second] = times.map(median) as [number, number];
  console.log(`${name.padEnd(15)} ${first.toFixed(2)} µs  ${second.toFixed(2)} µs  ratio ${median(ratios).toFixed(3)}`);
}
redis.disconnect();
await server.stop();
