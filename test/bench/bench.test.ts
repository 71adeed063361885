import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bareContender } from '../../scripts/bench/bare.ts';
import { compare } from '../../scripts/bench/compare.ts';
import { connect } from '../../scripts/bench/contender.ts';
import { conversations, OPERATIONS } from '../../scripts/bench/conversations.ts';
import { countCalls } from '../../scripts/bench/counts.ts';
import { plainContender } from '../../scripts/bench/plain.ts';
import { startProxy } from '../../scripts/bench/proxy.ts';
import { startRunner } from '../../scripts/bench/runner.ts';
import { quantile, spread } from '../../scripts/bench/statistics.ts';
import { rawContender, storeContender } from '../../scripts/bench/store.ts';
import { grouped, table } from '../../scripts/bench/table.ts';
import { watchContender } from '../../scripts/bench/watch.ts';
import { withRedis } from '../support/redis.ts';

const test = suite('the benchmark');
const redis = withRedis(test);

const contenders = [storeContender('store', ''), rawContender, bareContender, plainContender, watchContender];
const silent = { step() {}, done() {} };

test('every call of the store is one round trip, and those it is compared with take as many as they are said to', async () => {
  const counts = await countCalls(await redis.url(), await redis.connect(), contenders);
  const of = (name: string) =>
    OPERATIONS.map((operation) => counts.find((each) => each.contender === name && each.operation === operation));
  assert.equal(
    of('store').map((each) => each?.roundTrips),
    [1, 1, 1, 1, 1, 1],
  );
  assert.equal(
    of('plain').map((each) => each?.roundTrips),
    [3, 2, 2, 2, 2, 3],
  );
  assert.equal(
    of('WATCH/MULTI').map((each) => each?.roundTrips),
    [2, 2, 3, 2, 2, 2],
  );
  assert.equal(
    of('store').map((each) => each?.commands),
    of('raw fcall').map((each) => each?.commands),
  );
  assert.equal(
    of('store').map((each) => each?.commands),
    of('bare functions').map((each) => each?.commands),
  );
});

test('places take turns, each in a process and a database of its own', async () => {
  const { url } = await redis.server();
  const places = ['store', 'plain'].map((name, index) => ({ name, contender: name, url: `${url}/${index + 1}` }));
  const figures = await compare(places, { calls: new Map([[2, 6]]), turns: 3, operations: ['claim'] }, silent);
  assert.equal(
    figures.map(({ name, operation, callers }) => [name, operation, callers]),
    [
      ['store', 'claim', 2],
      ['plain', 'claim', 2],
    ],
  );
  for (const each of figures) assert.ok(each.perSecond > 0 && each.p50 > 0 && each.p99 >= each.p50, each.name);
  assert.is(figures[0]?.ratio, 1);
  for (const { url } of places) {
    const client = await connect(url);
    // What the last turn claimed is still there: a conversation and its index each.
    assert.is(await client.dbsize(), 12);
    client.disconnect();
  }
});

test('what goes wrong in a process of a place ends the comparison with its message', async () => {
  const plan = { calls: new Map([[1, 1]]), turns: 1 };
  const place = { name: 'nobody', contender: 'nobody', url: await redis.url() };
  const message = await compare([place], plan, silent).catch((error: Error) => error.message);
  assert.is(message, 'there is no contender nobody');
});

test('a process of a place that dies ends the comparison with a word on it', async () => {
  const place = { name: 'store', contender: 'store', url: (await redis.server()).url };
  const runner = await startRunner(place, 1);
  process.kill(runner.pid ?? 0, 'SIGKILL');
  const message = await runner.prepare('claim', 1).catch((error: Error) => error.message);
  assert.is(message, 'store: its process ended with SIGKILL');
  runner.close();
});

test('a call that does not do what it was prepared for ends the benchmark', async () => {
  // Not a bare function: it ends in a Lua error that it leaves to the server, and Redis 8.0.2 doesn't survive a FUNCTION
  // FLUSH after one.
  for (const contender of contenders.filter((one) => one !== bareContender)) {
    const session = await contender.open(await redis.url(), 1);
    const [entry] = conversations(1);
    if (!entry) throw new Error('no conversation');
    await session.prepare('claim', [entry]);
    const message = await session.calls.lookup?.(entry, 0).then(
      () => 'went through',
      (error: Error) => error.message,
    );
    assert.not.equal(message, 'went through', contender.name);
    await session.close();
  }
});

test('the line to a server further away holds back what is sent, and no longer than it should', async () => {
  const proxy = await startProxy(await redis.url(), 5);
  const client = await connect(proxy.url);
  const before = proxy.roundTrips();
  const took: number[] = [];
  for (let call = 0; call < 20; call++) {
    const began = performance.now();
    await client.ping();
    took.push(performance.now() - began);
  }
  client.disconnect();
  proxy.close();
  assert.is(proxy.roundTrips() - before, 20);
  assert.ok(Math.min(...took) >= 5, `${Math.min(...took)} ms`);
  assert.ok(Math.min(...took) < 8, `${Math.min(...took)} ms`);
});

test('states of any size are exactly as long as asked for', () => {
  for (const bytes of [1024, 102_400]) {
    const [entry] = conversations(1, { bytes });
    assert.is(Buffer.byteLength(JSON.stringify(entry?.state)), bytes);
  }
});

test('a median stands between two values, and the odd one out does not widen the spread', () => {
  assert.is(quantile([4, 1, 3, 2], 0.5), 2.5);
  assert.is(quantile([1], 0.99), 1);
  assert.is(spread([10, 10, 10, 10, 1000]), 0);
});

test('a table lines up, with numbers to the right', () => {
  assert.is(
    table(
      ['', 'n'],
      [
        ['one', '1'],
        ['eleven', grouped(11_000)],
      ],
    ),
    ['|        |      n |', '| ------ | -----: |', '| one    |      1 |', '| eleven | 11 000 |'].join('\n'),
  );
});

test.run();
