import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { sourceUnderTest } from '../support/library.ts';
import { type Play, plays } from './arbitrary.ts';
import { documentOf, textOf } from './document.ts';
import type { Call } from './model.ts';
import { byFcall, byStore, FOR_EVER, type Performer, withEntry } from './perform.ts';
import { type SeenKey, SNAPSHOT, Table } from './table.ts';

/** Databases of the server that runs play in at the same time. */
const TABLES = 4;
/** How long a failure is made smaller before it is shown. */
const SHRINK_MS = 10_000;

/** What every run of this program must have met; a claim that is told full takes more calls than a run has. */
const OUTCOMES = {
  claim: ['claimed', 'held', 'queued', 'starting', 'duplicate', 'CONVJOB', 'CONVSTATE'],
  hand_over: ['claimed', 'held', 'starting', 'duplicate', 'gone', 'CONVJOB', 'CONVKEY'],
  update: ['updated', 'duplicate', 'starting', 'gone'],
  answer: ['accepted', 'answered', 'duplicate', 'stale', 'gone'],
  remove: ['removed', 'waiting', 'lapsed', 'held', 'gone'],
  due: ['named'],
};

interface Line {
  redis: Redis;
  perform: Performer;
  isStore: boolean;
}

interface Figures {
  calls: number;
  outcomes: Map<string, number>;
}

/** Plays so many runs against the model and gives the figures. */
export async function modelRun(url: string, seed: number, runs: number, longest: number): Promise<string> {
  const figures: Figures = { calls: 0, outcomes: new Map() };
  const tables = [...Array(TABLES).keys()];
  await Promise.all(
    tables.map(async (table) => {
      const clients = ([2, 3, 2, 3] as const).map((protocol) => new Redis(url, { db: table, protocol }));
      try {
        await clients[0]?.function('LOAD', 'REPLACE', sourceUnderTest());
        let until = Number.POSITIVE_INFINITY;
        const property = fc.asyncProperty(plays(clients.length, longest), async (play) => {
          // Where shrinking takes too long, what failed so far is small enough.
          fc.pre(Date.now() < until);
          try {
            await run(clients, play, figures);
          } catch (error) {
            until = Math.min(until, Date.now() + SHRINK_MS);
            throw error;
          }
        });
        const numRuns = Math.ceil(runs / TABLES);
        await fc.assert(property, { seed: seed + table, numRuns, includeErrorInReport: true });
      } catch (error) {
        if (error instanceof Error) error.message = `SEED=${seed} repeats it: ${error.message}`;
        throw error;
      } finally {
        for (const client of clients) client.disconnect();
      }
    }),
  );
  const missed = Object.entries(OUTCOMES).flatMap(([name, outcomes]) =>
    outcomes.map((outcome) => `${name} ${outcome}`).filter((label) => !figures.outcomes.has(label)),
  );
  if (missed.length > 0) throw new Error(`seed ${seed}: no call was told ${missed.join(', ')}`);
  const outcomes = [...figures.outcomes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name} ${count}`);
  return `seed ${seed}: ${Math.ceil(runs / TABLES) * TABLES} runs, ${figures.calls} calls; ${outcomes.join(', ')}`;
}

async function run(clients: Redis[], { prefix, moves }: Play, figures: Figures): Promise<void> {
  const [first] = clients;
  if (!first) throw new Error('no connection');
  await first.flushdb();
  const lines = await Promise.all(
    clients.map(async (redis, index): Promise<Line> => {
      const isStore = index >= 2;
      return { redis, isStore, perform: isStore ? await byStore(redis, prefix) : byFcall(redis, prefix) };
    }),
  );
  const table = new Table(prefix);
  for (const { call, pauseMs, line: index } of moves) {
    const line = lines[index];
    if (!line) throw new Error(`no connection ${index}`);
    // What was to be over soon is over by then.
    const pause = call.name === 'due' ? pauseMs + 5 : pauseMs;
    if (pause > 0) await sleep(pause);
    const made = await withEntry(first, prefix, line.isStore ? asStore(call) : call);
    // In order on one connection, without waiting in between.
    const [from, found, to] = await Promise.all([time(line.redis), line.perform(made), time(line.redis)]);
    const [now, keys] = (await first.eval(SNAPSHOT, 0)) as [number, SeenKey[]];
    table.judge(made, found, { from, to }, now, keys);
    figures.calls++;
    const outcome = call.name === 'due' && found[0] ? 'named' : found[0];
    const label = `${call.name}${outcome ? ` ${outcome}` : ''}`;
    figures.outcomes.set(label, (figures.outcomes.get(label) ?? 0) + 1);
  }
}

let claims = 0;

/** What the store makes of a call: it writes states its own way, getByJobId takes no channel, due names every job. */
function asStore(call: Call): Call {
  if (call.name === 'due') return { name: 'due', leaseMs: call.leaseMs };
  if (call.name === 'get_by_job') {
    const { channel: _, ...rest } = call;
    return rest;
  }
  if (call.name !== 'claim' && call.name !== 'hand_over' && call.name !== 'set') return call;
  const state = JSON.parse(textOf(call.state));
  state.silentAfterMs ??= FOR_EVER;
  // The store gives a claim without an id one of its own, which a test could not foresee.
  if (call.name !== 'set') state.claimId ??= `fresh ${++claims}`;
  return { ...call, state: documentOf(state) };
}

async function time(redis: Redis): Promise<number> {
  const [seconds, microseconds] = await redis.time();
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}
