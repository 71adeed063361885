import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, JOB, PAIR, SECOND, WATCH } from '../support/keys.ts';
import { json, type Library, now, second, withLibrary } from '../support/library.ts';

const test = suite('the watch and conv_due');
const it = withLibrary(test);

const ENTRY = `j1\n${CHANNEL}`;

it('a job that is starting is due at the deadline of its claim, and once it was heard of after its silence', async (at) => {
  const claim = json({ silentAfterMs: 5_000, starting: true });
  await at.living(30_000, () => at.dueIn(30_000, () => at.call('claim', PAIR, claim, 30_000)));
  assert.equal(await at.still('claim', PAIR, claim, 90_000), ['claimed', claim], 'the same claim again moves nothing');
  await at.dueIn(5_000, () => at.call('get_by_job', [JOB]));
});

it('a claim that is starting is named once it has lapsed, not a millisecond sooner', async ({ call, outcome }) => {
  const claim = json({ silentAfterMs: 5_000, starting: true, deliveryId: 'd1' });
  for (let round = 0; round < 50; round++) {
    await call('claim', PAIR, claim, 2);
    for (let due: unknown = []; (due as string[]).length === 0; ) due = await call('due', [WATCH], 60_000);
    assert.is(await outcome('remove', PAIR), 'lapsed', 'not removed, after which its message would be a duplicate');
  }
});

it('a job whose state does not say so is not on watch, nor is one whose claim did not win', async (at) => {
  for (const silentAfterMs of [undefined, null]) {
    await at.call('claim', PAIR, json({ silentAfterMs, starting: true }));
    await at.call('get_by_job', [JOB]);
    await at.call('set_pending', PAIR, 'q1');
    await at.call('answer', PAIR, 'q1', 'a1');
    await at.call('claim', SECOND, second({ silentAfterMs: 5_000 }));
    assert.is(await at.redis.exists(WATCH), 0);
    await at.redis.flushall();
  }
});

/** Puts jobs on watch, due so many milliseconds ago. */
async function put({ redis }: Library, ...jobs: [ago: number, entry: string][]): Promise<number> {
  const time = await now(redis);
  await redis.zadd(WATCH, ...jobs.flatMap(([ago, entry]) => [time - ago, entry]));
  return time;
}

it('due jobs are named with the moment from which on they were due, the longest due first, and put off', async (at) => {
  const [a, b] = ['conversation:slack:A', 'conversation:slack:B'];
  const time = await put(at, [100, `b\n${b}`], [200, `a\n${a}`], [-60_000, 'c\nconversation:slack:C']);
  const named = ['a', a, String(time - 200), 'b', b, String(time - 100)];
  assert.equal(await at.call('due', [WATCH], 5_000), named);
  const until = Number(await at.redis.zscore(WATCH, `a\n${a}`));
  assert.ok(until >= time + 5_000 && until <= (await now(at.redis)) + 5_000);
  assert.equal(await at.still('due', [WATCH], 5_000), []);
  assert.is(await at.redis.zcard(WATCH), 3);
});

it('an overdue question is due once, though its job is silent or heard of, and its moment is its answerBy', async (at) => {
  await at.call('claim', PAIR, json({ silentAfterMs: 1 }));
  const asked = String(await at.call('set_pending', PAIR, 'q1', '', 60_000));
  assert.equal(await at.call('due', [WATCH], 60_000), [], 'not before');
  const answerBy = (await now(at.redis)) - 5;
  const overdue = JSON.stringify({ ...JSON.parse(asked), answerBy });
  await at.call('set', PAIR, overdue);
  assert.equal(await at.call('due', [WATCH], 60_000), ['j1', CHANNEL, String(answerBy)]);
  await at.call('get_by_job', [JOB]);
  assert.equal(await at.still('due', [WATCH], 60_000), []);
});

it('of any number of callers at once, one is told of a due job', async (at) => {
  await put(at, [1, ENTRY]);
  const replies = await Promise.all(Array.from({ length: 20 }, () => at.call('due', [WATCH], 60_000)));
  assert.is((replies as string[][]).filter((jobs) => jobs.length === 3).length, 1);
});

it('no more are named than the limit, 100 where none is given', async (at) => {
  const entries = Array.from({ length: 250 }, (_, n) => [n + 1, `j${n}\nconversation:slack:C${n}`]).flat();
  await at.redis.zadd(WATCH, ...entries);
  const first = ['j0', 'conversation:slack:C0', '1', 'j1', 'conversation:slack:C1', '2'];
  assert.equal(await at.call('due', [WATCH], 60_000, '2'), first);
  for (const [limit, named] of [
    [[], 100],
    [[''], 100],
    [['1000'], 48],
  ] as const) {
    assert.is(((await at.call('due', [WATCH], 60_000, ...limit)) as string[]).length, 3 * named);
  }
});

it('nobody on watch, or an entry that is not a job, is no job', async (at) => {
  assert.equal(await at.still('due', [WATCH], 1), []);
  await at.redis.zadd(WATCH, 1, 'rubbish');
  assert.equal(await at.call('due', [WATCH], 60_000), []);
  assert.equal(await at.still('due', [WATCH], 60_000), []);
});

it('leaseMs is whole milliseconds and must be given, limit is 1 to 1000', async (at) => {
  await put(at, [1, ENTRY]);
  for (const lease of ['', '0', '-1', '1.5', 'x', ' 1', '1000000000000', '99999999999999999999']) {
    const message = await at.refusal('due', [WATCH], lease);
    assert.is(message, 'CONVARG leaseMs must be whole milliseconds from 1 to 999999999999', lease);
  }
  for (const limit of ['0', '-1', '1001', '10000', '1.5', 'x', ' 1', '01']) {
    const message = await at.refusal('due', [WATCH], '1000', limit);
    assert.is(message, 'CONVARG limit must be a whole number from 1 to 1000', limit);
  }
});

test.run();
