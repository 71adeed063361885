import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, JOB, json, now, PAIR, SECOND, second, WATCH, withLibrary } from '../support/library.ts';

// Of simultaneous callers one is told of a due job: that is in dispatcher-defects.test.ts.

const test = suite('the watch and conv_due');
const it = withLibrary(test);

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

it('due jobs are named with the moment since when they are due, the longest due first, and put off', async (at) => {
  const time = await now(at.redis);
  const entry = (id: string, ago: number) => [time - ago, `${id}\nconversation:slack:${id}`];
  await at.redis.zadd(WATCH, ...entry('B', 100), ...entry('A', 200), ...entry('C', -60_000));
  const named = ['A', 'conversation:slack:A', String(time - 200), 'B', 'conversation:slack:B', String(time - 100)];
  assert.equal(await at.call('due', [WATCH], 5_000), named);
  const until = Number(await at.redis.zscore(WATCH, 'A\nconversation:slack:A'));
  assert.ok(until >= time + 5_000 && until <= (await now(at.redis)) + 5_000);
  assert.equal(await at.still('due', [WATCH], 5_000), []);
  assert.is(await at.redis.zcard(WATCH), 3);
});

it('no more are named than the limit, 100 where none is given', async (at) => {
  await at.redis.zadd(WATCH, ...Array.from({ length: 250 }, (_, n) => [n + 1, `j${n}\n${CHANNEL}`]).flat());
  assert.equal(await at.call('due', [WATCH], 60_000, '2'), ['j0', CHANNEL, '1', 'j1', CHANNEL, '2']);
  for (const [named, ...limit] of [[100], [100, ''], [48, '1000']] as const) {
    assert.is(((await at.call('due', [WATCH], 60_000, ...limit)) as string[]).length, 3 * named);
  }
});

it('an empty watch, and an entry that is not a job, name no job', async (at) => {
  assert.equal(await at.still('due', [WATCH], 1), []);
  await at.redis.zadd(WATCH, 1, 'rubbish');
  assert.equal(await at.call('due', [WATCH], 60_000), []);
  assert.equal(await at.still('due', [WATCH], 60_000), []);
});

test.run();
