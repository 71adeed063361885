import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { playContests, WRONGS, type Wrong } from '../../scripts/bench/contests.ts';
import {
  callsOf,
  entryOf,
  OPERATIONS,
  plainDesign,
  type Session,
  storeDesign,
  watchDesign,
} from '../../scripts/bench/designs.ts';
import { judge } from '../../scripts/bench/page.ts';
import { loadBareCommands, operationCalls, run } from '../../scripts/bench/server-time.ts';
import { race } from '../../scripts/bench/speed.ts';
import { LIBRARY_SOURCE, loadLibrary } from '../../src/index.ts';
import { withRedis } from '../support/redis.ts';

const test = suite('the benchmark');
const redis = withRedis(test);

test('the store and WATCH decide every contest rightly', async () => {
  for (const [at, design] of [storeDesign, watchDesign].entries()) {
    const { wrong, contests } = await playContests(`${await redis.url()}/${at}`, design, 20);
    assert.equal([design.name, wrong, contests], [design.name, 0, at === 0 ? 100 : 80]);
  }
});

/** Calls that end in one way, whatever went before. */
const FAULTS: Record<Wrong, Partial<Session>> = {
  started: { claim: async () => true },
  accepted: { answer: async () => true },
  removed: { lookup: async () => false },
  elsewhere: { lookup: async () => 'another job' },
  lost: { receive: async () => {} },
};

for (const [wrong, fault] of Object.entries(FAULTS) as [Wrong, Partial<Session>][]) {
  test(`the judge counts every contest that ends so: ${WRONGS[wrong]}`, async () => {
    const calls = callsOf(async (operation, { state }) => (operation === 'lookup' ? state.jobId : null));
    const receive: Session['receive'] = async (_, message, read) => read(message);
    const open = async () => ({ ...calls, receive, close: () => {}, ...fault });
    const outcome = await playContests('', { name: '', what: '', open }, 3);
    assert.is(outcome.elsewhere, wrong === 'elsewhere' ? outcome.contests : 0);
    if (wrong !== 'elsewhere') assert.is(outcome[wrong], 3);
    assert.is(outcome.lost, wrong === 'lost' ? 3 : 0);
  });
}

test('a call that does not do what it was prepared for ends the benchmark', async () => {
  const server = await redis.server();
  const admin = await redis.connect({}, server);
  await admin.function('LOAD', LIBRARY_SOURCE.replace("return 'claimed', state", "return 'held', state"));
  const ended = await race(server.url, [storeDesign], { calls: new Map([[1, 1]]), turns: 1 }).catch(String);
  assert.is(ended, 'Error: store: claim had another outcome than it was prepared for');
});

test('the bare commands are those of the library', async () => {
  const admin = await redis.connect();
  await loadLibrary(admin);
  const [library, bare] = [operationCalls('conv_'), await loadBareCommands(admin)];
  const ranBy = async (call: typeof library.claim) => (await run(admin, call, [entryOf(1)])).commands;
  for (const one of OPERATIONS) assert.equal(await ranBy(bare[one]), await ranBy(library[one]), one);
});

test('a goal is reached or missed by the figures of a race alone', async () => {
  const designs = [storeDesign, watchDesign, plainDesign];
  const figures = await race(await redis.url(), designs, { calls: new Map([[32, 32]]), turns: 1 });
  const reached = (outrun: number, ratio: number, wrong = 0) => {
    const apart = figures.map((one) => ({ ...one, outrun }));
    const serverTime = OPERATIONS.map((operation) => ({ operation, first: ratio, second: 1, ratio }));
    const counts = { contests: 1, wrong, started: 0, accepted: 0, removed: 0, elsewhere: 0, lost: 0 };
    const outcomes = ['store', 'WATCH'].map((name) => ({ name, ...counts }));
    return judge({ apart, far: apart, outcomes, serverTime }).map((goal) => goal.reached);
  };
  assert.equal(reached(1.1, 2), [true, true, true, true]);
  assert.equal(reached(1, 2.01), [true, true, false, false]);
  // A design that is wrong itself need not be outrun.
  assert.equal(reached(0.9, 2, 1), [false, false, true, true]);
});

test.run();
