import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { effort } from '../support/effort.ts';
import { sourceUnderTest, now as time } from '../support/library.ts';
import { seed } from '../support/random.ts';
import { withRedis } from '../support/redis.ts';
import { type Play, plays } from './arbitrary.ts';
import { asStore, byFcall, byStore, type Performer, withEntry } from './perform.ts';
import { type SeenKey, SNAPSHOT, Table } from './table.ts';

const test = suite('model');
const redis = withRedis(test);

/** Databases of the server that runs play in at the same time. */
const TABLES = 4;
const RUNS = effort(120, 1_000);
/** The most moves of a run. */
const LONGEST = effort(40, 60);
/** How long a failure is made smaller before it is shown. */
const SHRINK_MS = 10_000;

/** What calls must be told. */
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

test('any sequence of calls does and replies what the model says, and the keys of a conversation stay a pair', async () => {
  const figures: Figures = { calls: 0, outcomes: new Map() };
  const url = await redis.url();
  await Promise.all([...Array(TABLES).keys()].map((table) => play(url, table, figures)));
  const told = Object.entries(OUTCOMES).flatMap(([name, outcomes]) => outcomes.map((outcome) => `${name} ${outcome}`));
  // Few runs may miss the rarest, which one call of 500 is told.
  const missed = told.filter((label) => effort(0, 1) > 0 && !figures.outcomes.has(label));
  assert.equal(missed, [], `seed ${seed}: no call was told these`);
  const outcomes = [...figures.outcomes].map(([name, count]) => `${name} ${count}`).sort();
  console.log(`seed ${seed}: ${RUNS} runs, ${figures.calls} calls; ${outcomes.join(', ')}`);
});

/** Plays its part of the runs in one database. */
async function play(url: string, table: number, figures: Figures): Promise<void> {
  const clients = ([2, 3, 2, 3] as const).map((protocol) => new Redis(url, { db: table, protocol }));
  try {
    await clients[0]?.function('LOAD', 'REPLACE', sourceUnderTest());
    let until = Number.POSITIVE_INFINITY;
    const property = fc.asyncProperty(plays(clients.length, LONGEST), async (play) => {
      // Where shrinking takes too long, what failed so far is small enough.
      fc.pre(Date.now() < until);
      try {
        await run(clients, play, figures);
      } catch (error) {
        until = Math.min(until, Date.now() + SHRINK_MS);
        throw error;
      }
    });
    await fc.assert(property, { seed: seed + table, numRuns: RUNS / TABLES, includeErrorInReport: true });
  } catch (error) {
    if (error instanceof Error) error.message = `SEED=${seed} repeats it: ${error.message}`;
    throw error;
  } finally {
    for (const client of clients) client.disconnect();
  }
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

test.run();
