import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  CHANNEL,
  DEFAULT_TTL,
  HANDLED,
  JOB,
  json,
  type Library,
  PAIR,
  WATCH,
  withLibrary,
} from '../support/library.ts';

const test = suite('the watch and conv_due');
const it = withLibrary(test);

const ENTRY = `j1\n${CHANNEL}`;
const SECOND = [CHANNEL, 'job-index:j2'];

/** Checks that the job counts as silent so long after the call. */
async function silentIn({ redis }: Library, silentMs: number, call: () => Promise<unknown>): Promise<void> {
  const from = Date.now();
  await call();
  const at = Number(await redis.zscore(WATCH, ENTRY));
  assert.ok(at >= from + silentMs - 50 && at <= Date.now() + silentMs + 50, `${at - from} ms, not ${silentMs}`);
}

it('claims, sets and look-ups with silentMs put the job on watch, and both deadlines move as ever', async (at) => {
  await silentIn(at, 5_000, () => at.living(DEFAULT_TTL, () => at.call('conv_claim', PAIR, json(), '', 5_000)));
  await silentIn(at, 6_000, () => at.living(60_000, () => at.call('conv_get_by_job', [JOB], 60_000, 6_000)));
  await silentIn(at, 7_000, () => at.living(90_000, () => at.call('conv_get_by_job', PAIR, 90_000, 7_000)));
  await silentIn(at, 8_000, () => at.living(60_000, () => at.call('conv_set', PAIR, json(), 60_000, 8_000)));
  await at.redis.del(JOB);
  await silentIn(at, 9_000, () => at.living(60_000, () => at.call('conv_get_by_job', PAIR, 60_000, 9_000)));
  assert.is(await at.redis.ttl(WATCH), -1);
});

it('calls without silentMs leave the watch as it is', async (at) => {
  await at.call('conv_claim', PAIR, json(), '', 5_000);
  const before = await at.redis.zscore(WATCH, ENTRY);
  await at.call('conv_get_by_job', [JOB]);
  await at.call('conv_set', PAIR, json());
  await at.call('conv_set_pending', PAIR, 'q1');
  await at.call('conv_update', PAIR, '{}');
  assert.is(await at.redis.zscore(WATCH, ENTRY), before);
  await at.redis.del(WATCH);
  await at.call('conv_get_by_job', [JOB], '', '');
  await at.call('conv_claim', SECOND, json({ jobId: 'j2' }), '', 5_000);
  assert.is(await at.redis.exists(WATCH), 0, 'a claim that does not win is not watched');
});

it('the same claim sent again does not move the watch', async (at) => {
  await at.call('conv_claim', PAIR, json({ claimId: 'c1' }), '', 5_000);
  assert.equal(
    ((await at.unchanged(() => at.call('conv_claim', PAIR, json({ claimId: 'c1' }), '', 9_000))) as string[])[0],
    'claimed',
  );
});

it('a removal ends the watch, a takeover by set does too', async (at) => {
  await at.call('conv_claim', PAIR, json(), '', 5_000);
  assert.equal(await at.call('conv_remove', [CHANNEL]), ['removed', json()]);
  assert.equal(await at.dump(), {});
  await at.call('conv_claim', PAIR, json(), '', 5_000);
  await at.call('conv_set', SECOND, json({ jobId: 'j2' }));
  assert.is(await at.redis.exists(WATCH), 0);
  await at.call('conv_set', PAIR, json(), '', 5_000);
  await at.redis.del(JOB);
  await at.call('conv_set', SECOND, json({ jobId: 'j2' }), '', 5_000);
  assert.equal(await at.redis.zrange(WATCH, '0', '-1'), [`j2\n${CHANNEL}`]);
});

it('jobs that count as silent are named, the longest silent first, and put off', async (at) => {
  const now = Date.now();
  await at.redis.zadd(
    WATCH,
    now - 100,
    'b\nconversation:slack:B',
    now - 200,
    'a\nconversation:slack:A',
    now + 60_000,
    'c\nx',
  );
  assert.equal(await at.call('conv_due', [WATCH], 5_000), ['a', 'conversation:slack:A', 'b', 'conversation:slack:B']);
  const put = Number(await at.redis.zscore(WATCH, 'a\nconversation:slack:A'));
  assert.ok(put >= now + 5_000 && put <= Date.now() + 5_000);
  assert.equal(await at.unchanged(() => at.call('conv_due', [WATCH], 5_000)), []);
});

it('no more are named than the limit, 100 where none is given', async (at) => {
  const entries = Array.from({ length: 250 }, (_, n) => [n + 1, `j${n}\nconversation:slack:C${n}`]).flat();
  await at.redis.zadd(WATCH, ...entries);
  assert.equal(await at.call('conv_due', [WATCH], 60_000, '2'), [
    'j0',
    'conversation:slack:C0',
    'j1',
    'conversation:slack:C1',
  ]);
  assert.is(((await at.call('conv_due', [WATCH], 60_000)) as string[]).length, 200);
  assert.is(((await at.call('conv_due', [WATCH], 60_000, '')) as string[]).length, 200);
  assert.is(((await at.call('conv_due', [WATCH], 60_000, '1000')) as string[]).length, 96);
});

it('nobody on watch, or an entry that is none, is no job', async (at) => {
  assert.equal(await at.call('conv_due', [WATCH], 1), []);
  await at.redis.zadd(WATCH, 1, 'rubbish');
  assert.equal(await at.call('conv_due', [WATCH], 60_000), []);
  assert.equal(await at.unchanged(() => at.call('conv_due', [WATCH], 60_000)), []);
});

it('a job that lapsed is told once, with whatever holds its channel now', async (at) => {
  await at.call('conv_claim', PAIR, json(), 1, 1);
  await sleep(20);
  assert.equal(await at.call('conv_due', [WATCH], 60_000), ['j1', CHANNEL]);
  assert.equal(await at.call('conv_remove', PAIR), ['lapsed', null]);
  assert.equal(await at.call('conv_remove', PAIR), ['gone', null]);
  assert.equal(await at.dump(), {});
  await at.call('conv_claim', PAIR, json(), 1, 1);
  await sleep(20);
  const other = json({ jobId: 'j2' });
  await at.call('conv_claim', SECOND, other);
  await at.redis.set(JOB, CHANNEL);
  assert.equal(await at.call('conv_remove', PAIR), ['lapsed', other]);
  assert.is(await at.redis.exists(JOB), 0, 'the stale index goes');
  assert.equal(await at.unchanged(() => at.call('conv_remove', PAIR)), ['held', other]);
});

it('by its index alone a job that lapsed is known while the index leads to its channel', async (at) => {
  await at.call('conv_claim', PAIR, json(), '', 1);
  await at.redis.del(CHANNEL);
  assert.equal(await at.call('conv_remove', [JOB]), ['lapsed', null]);
  assert.equal(await at.call('conv_remove', [JOB]), ['gone', null]);
  assert.equal(await at.dump(), {});
});

it('a job that lapsed does not make its message handled', async (at) => {
  await at.call('conv_claim', PAIR, json({ deliveryId: 'd1' }), 1, 1);
  await sleep(20);
  assert.equal(await at.call('conv_remove', PAIR), ['lapsed', null]);
  assert.is(await at.redis.exists(HANDLED), 0);
});

it('while a question is pending, no renewal makes the conversation end sooner', async (at) => {
  const late = 259_200_000;
  await at.call('conv_claim', PAIR, json());
  await at.call('conv_set_pending', PAIR, 'q1', late);
  const deadline = await at.redis.pexpiretime(CHANNEL);
  for (const renew of [
    () => at.call('conv_get_by_job', [JOB]),
    () => at.call('conv_get_by_job', PAIR, 60_000, 5_000),
    () => at.call('conv_set_pending', [CHANNEL], 'q1', 60_000),
    () => at.call('conv_update', PAIR, '{"pod":1}', 60_000),
  ]) {
    await renew();
    assert.is(await at.redis.pexpiretime(CHANNEL), deadline, renew.toString());
    assert.is(await at.redis.pexpiretime(JOB), deadline, renew.toString());
  }
  await at.living(late + 1_000, () => at.call('conv_get_by_job', [JOB], late + 1_000));
  await at.living(60_000, () => at.call('conv_answer', PAIR, 'q1', 'a1', 60_000));
  await at.call('conv_set_pending', PAIR, 'q2', late);
  await at.living(60_000, () => at.call('conv_set_pending', PAIR, '', 60_000));
});

test.run();
