import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compare } from '../../scripts/bench/compare.ts';
import { playContests } from '../../scripts/bench/contests.ts';
import { connect, OPERATIONS } from '../../scripts/bench/conversations.ts';
import { FLOOR_SOURCE, timedCalls } from '../../scripts/bench/floor.ts';
import { judge } from '../../scripts/bench/goals.ts';
import { startProxy } from '../../scripts/bench/proxy.ts';
import { table } from '../../scripts/bench/report.ts';
import { DESIGNS, startRunner } from '../../scripts/bench/runner.ts';
import { measureServerTime } from '../../scripts/bench/server-time.ts';
import { quantile } from '../../scripts/bench/statistics.ts';
import { storeDesign } from '../../scripts/bench/store.ts';
import { LIBRARY_SOURCE, loadLibrary } from '../../src/index.ts';
import { withRedis } from '../support/redis.ts';

const test = suite('the benchmark');
const redis = withRedis(test);

test('each design makes the round trips that it is said to, the store one a call, in a database of its own', async () => {
  const { url } = await redis.server();
  const figures = await compare(url, { calls: new Map([[1, 5]]), turns: 1 });
  const trips = (name: string) =>
    OPERATIONS.map((operation) => figures.find((one) => one.name === name && one.operation === operation)?.reads);
  assert.equal(trips('store'), [1, 1, 1, 1, 1, 1]);
  assert.equal(trips('floor'), [1, 1, 1, 1, 1, 1]);
  assert.equal(trips('EVAL'), [1, 1, 1, 1, 1, 1]);
  assert.equal(trips('SET NX'), [1, 1, 2, 2, 2, 1]);
  assert.equal(trips('plain'), [3, 2, 2, 2, 2, 3]);
  assert.equal(trips('WATCH'), [2, 2, 3, 2, 2, 2]);
  assert.equal(trips('lock'), [4, 4, 5, 4, 4, 4]);
  for (const { perSecond, p50, p99, name } of figures) assert.ok(perSecond > 0 && p50 > 0 && p99 >= p50, name);
});

test('the store and the careful designs decide every contest rightly, and each of the others is caught', async () => {
  const server = await redis.server();
  const admin = await redis.connect({}, server);
  const wrong = new Map<string, number[]>();
  for (const design of DESIGNS.filter(({ name }) => name !== 'floor')) {
    const one = await playContests(server.url, admin, design, 200);
    wrong.set(design.name, [one.started, one.accepted, one.removed, one.elsewhere]);
  }
  for (const name of ['store', 'WATCH', 'lock']) assert.equal(wrong.get(name), [0, 0, 0, 0], name);
  const caught = (name: string) => wrong.get(name)?.map((count) => count > 0);
  assert.equal(caught('EVAL'), [false, false, true, true]);
  assert.equal(caught('SET NX'), [false, true, true, true]);
  assert.equal(caught('plain'), [true, true, true, true]);
});

/** Four mistakes in the library, and the wrong outcome that each leads to. */
const MISTAKES = {
  started: [
    '  if not text then\n    start(ref, state, time, ttl, silence)',
    '  if true then\n    start(ref, state, time, ttl, silence)',
  ],
  accepted: ['  if state.pendingQuestionId ~= questionId then', '  if false then'],
  removed: ['  if not text or ref.job and state.jobId ~= ref.job_id then', '  if not text then'],
  elsewhere: ["    if call('GET', index) == ref.conversation then", '    if false then'],
} as const;

for (const [outcome, [right, broken]] of Object.entries(MISTAKES)) {
  test(`the judge fails the store where the library is broken: ${outcome}`, async () => {
    const server = await redis.server();
    const admin = await redis.connect({}, server);
    assert.ok(LIBRARY_SOURCE.includes(right), `the library has no line ${right}`);
    await admin.function('LOAD', 'REPLACE', LIBRARY_SOURCE.replace(right, broken));
    const result = await playContests(server.url, admin, storeDesign, 100);
    assert.ok(result[outcome as keyof typeof MISTAKES] > 0, JSON.stringify(result));
  });
}

test('the floor runs the commands of the library', async () => {
  const admin = await redis.connect();
  await loadLibrary(admin);
  await admin.function('LOAD', 'REPLACE', FLOOR_SOURCE);
  const times = await measureServerTime(admin, [timedCalls('conv_'), timedCalls('floor_')], 5);
  assert.equal(
    times.map(({ operation }) => operation),
    OPERATIONS,
  );
  for (const { operation, ran } of times) assert.is(ran[0], ran[1], operation);
});

test('a goal is reached or missed by the figures alone', async () => {
  const figures = (ratio: number) =>
    ['store', 'WATCH', 'floor'].flatMap((name) =>
      OPERATIONS.flatMap((operation) =>
        [1, 32].map((callers) => ({
          ...{ name, operation, callers, perSecond: 1000, low: 1, high: 1, p50: 1, p99: 1, reads: 1 },
          ratio: name === 'floor' ? 1.05 : ratio,
        })),
      ),
    );
  const right = { name: 'WATCH', contests: 10, wrong: 1, started: 1, accepted: 0, removed: 0, elsewhere: 0 };
  const serverTime = (ratio: number) =>
    OPERATIONS.map((operation) => ({ operation, first: ratio, second: 1, ratio, ran: [] }));
  const reached = (ratio: number, wrong: number, server: number) =>
    judge({
      ...{ near: figures(ratio), far: figures(0.5), outcomes: [{ ...right, wrong }], serverTime: serverTime(server) },
    }).map((goal) => goal.reached);
  assert.equal(reached(0.5, 1, 2), [true, true, true, true]);
  assert.equal(reached(1.1, 1, 2.01), [true, true, false, false]);
  // With two wrong outcomes it is nobody to outrun.
  assert.equal(reached(1.1, 2, 2), [true, true, true, true]);
});

test('a process of a design that dies ends the comparison with a word on it', async () => {
  const runner = startRunner('store', (await redis.server()).url, 1);
  process.kill(runner.pid ?? 0, 'SIGKILL');
  const message = await runner.run('claim', 1, 1).catch((error: Error) => error.message);
  assert.is(message, 'store: its process ended with SIGKILL');
  runner.close();
});

test('a call that does not do what it was prepared for ends the benchmark', async () => {
  const server = await redis.server();
  const admin = await redis.connect({}, server);
  await admin.function('LOAD', LIBRARY_SOURCE.replace("return 'claimed', state", "return 'held', state"));
  const runner = startRunner('store', server.url, 1);
  const message = await runner.run('claim', 1, 1).catch((error: Error) => error.message);
  assert.is(message, 'store: claim had another outcome than it was prepared for');
  runner.close();
});

test('what is sent to a server further away is held back', async () => {
  const url = await redis.url();
  const proxy = await startProxy(url, 1_000);
  const [far, near] = [await connect(proxy.url), await connect(url)];
  let [arrived, early] = [false, false];
  const ping = far.ping().then(() => {
    arrived = true;
  });
  // Without the delay it would arrive long before the last of these.
  for (let n = 0; n < 20; n++) await near.ping();
  early = arrived;
  await ping;
  for (const client of [far, near]) client.disconnect();
  proxy.close();
  assert.not.ok(early);
});

test('a median stands between two values', () => {
  assert.is(quantile([4, 1, 3, 2], 0.5), 2.5);
  assert.is(quantile([1], 0.99), 1);
});

test('a table has numbers to the right', () => {
  assert.is(table(['', 'n'], [['one', '1']]), '|  | n |\n| --- | ---: |\n| one | 1 |');
});

test('BENCHMARKS.md fits into 150 lines', () => {
  const text = readFileSync(new URL('../../BENCHMARKS.md', import.meta.url), 'utf8');
  assert.ok(text.split('\n').length <= 151, `${text.split('\n').length} lines`);
});

test.run();
