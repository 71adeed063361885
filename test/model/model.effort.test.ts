import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { closeLines, type Line, openLine } from '../faults/proxy.ts';
import { effort } from '../support/effort.ts';
import { sourceUnderTest } from '../support/library.ts';
import { seed } from '../support/random.ts';
import { withRedis } from '../support/redis.ts';
import { type Play, plays } from './arbitrary.ts';
import { asStore, byFcall, byStore, type Performer, withEntry } from './perform.ts';
import { type SeenKey, SNAPSHOT, Table } from './table.ts';

const test = suite('model');
const redis = withRedis(test);

/** Databases of the server that runs play in at the same time. */
const TABLES = 4;
const RUNS = effort(120, 2_400);
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
  executed: ['again'],
};

/** How often calls were told something. */
const figures = new Map<string, number>();

// Networks lose replies, cut commands and bring them late: then clients of default options send again, and the server
// may execute a call more than once.
test('over good and bad networks, any sequence of calls does and replies what the model says, and the keys of a conversation stay a pair', async () => {
  const url = await redis.url();
  await Promise.all([...Array(TABLES).keys()].map((table) => play(url, table)));
  const told = Object.entries(OUTCOMES).flatMap(([name, outcomes]) => outcomes.map((outcome) => `${name} ${outcome}`));
  // Few runs may miss the rarest, which one call of 500 is told.
  const missed = told.filter((label) => effort(0, 1) > 0 && !figures.has(label));
  assert.equal(missed, [], `seed ${seed}: no call was told these`);
  const outcomes = [...figures].map(([name, count]) => `${name} ${count}`).sort();
  console.log(`seed ${seed}: ${RUNS} runs; ${outcomes.join(', ')}`);
});

/** Plays its part of the runs in one database. */
async function play(url: string, table: number): Promise<void> {
  const direct = new Redis(url, { db: table });
  const options = { db: table, retryStrategy: () => 1 };
  const lines = await Promise.all(([2, 3, 2, 3] as const).map((protocol) => openLine(url, { ...options, protocol })));
  try {
    await direct.function('LOAD', 'REPLACE', sourceUnderTest());
    let until = Number.POSITIVE_INFINITY;
    const property = fc.asyncProperty(plays(lines.length, LONGEST), async (play) => {
      // Where shrinking takes too long, what failed so far is small enough.
      fc.pre(Date.now() < until);
      try {
        await run(direct, lines, play);
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
    direct.disconnect();
    await closeLines(lines);
  }
}

async function run(direct: Redis, lines: Line[], { prefix, moves }: Play): Promise<void> {
  await direct.flushdb();
  const isStore = (index: number) => index >= 2;
  const performers = await Promise.all(
    lines.map(({ client }, index) => (isStore(index) ? byStore(client, prefix) : byFcall(client, prefix))),
  );
  const table = new Table(prefix);
  for (const { call, pauseMs, line: index, fault } of moves) {
    const { proxy } = lines[index] as Line;
    const perform = performers[index] as Performer;
    // What was to be over soon is over by then.
    const pause = call.name === 'due' ? pauseMs + 5 : pauseMs;
    if (pause > 0) await sleep(pause);
    const made = await withEntry(direct, prefix, isStore(index) ? asStore(call) : call);
    const isFaulty = fault !== undefined && call.name !== 'get';
    proxy.exchanges.length = 0;
    if (isFaulty) proxy.arm(`fcall conv_${call.name}`, fault);
    const found = await perform(made);
    await proxy.settled();
    const executions = proxy.exchanges.filter(({ name }) => name.endsWith(` conv_${call.name}`));
    const [now, keys] = (await direct.eval(SNAPSHOT, 0)) as [number, SeenKey[]];
    // A command that comes late comes when the one that was sent again has been answered.
    const answered = isFaulty && fault.kind === 'late' ? 0 : undefined;
    table.judge(made, found, executions, now, keys, answered);
    const outcome = call.name === 'due' && found[0] ? 'named' : found[0];
    for (const label of [`${call.name} ${outcome}`.trim(), ...executions.slice(1).map(() => 'executed again')]) {
      figures.set(label, (figures.get(label) ?? 0) + 1);
    }
  }
}

test.run();
