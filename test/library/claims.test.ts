import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HAND_OVER, HANDLED, INBOX, JOB, PAIR, SECOND, WATCH } from '../support/keys.ts';
import { DAY, json, type Library, now, second, withLibrary } from '../support/library.ts';

// Simultaneous and late claims are in defects.test.ts, redeliveries of a job's own message in the two files after it.

const test = suite('conv_claim and deliveries');
const it = withLibrary(test);

it('another call for the same job, or a claim of another job, is held and changes nothing', async (at) => {
  for (const [first, keys, claimId] of [
    [undefined, PAIR, undefined],
    [null, PAIR, null],
    ['c1', PAIR, undefined],
    [undefined, PAIR, 'c1'],
    ['c1', PAIR, 'c2'],
    ['c1', SECOND, 'c1'],
    [null, SECOND, null],
  ] as const) {
    await at.redis.flushall();
    await at.call('claim', PAIR, json({ claimId: first }), 60_000);
    const stored = await at.call('set_pending', PAIR, 'q1');
    const state = keys === PAIR ? json({ claimId }) : second({ claimId, silentAfterMs: 5_000 });
    assert.equal(await at.still('claim', keys, state, 1_000), ['held', stored]);
  }
});

it('the same call again is claimed again and changes nothing, whatever else it carries', async (at) => {
  const stored = json({ transcript: [], silentAfterMs: 5_000, starting: true });
  await at.call('claim', PAIR, stored, 60_000);
  for (const changes of [{}, { silentAfterMs: 9_000, deliveryId: 'd9' }]) {
    assert.equal(await at.still('claim', PAIR, json({ userId: 'U2', ...changes }), 1_000), ['claimed', stored]);
  }
  await at.redis.persist(CHANNEL);
  assert.equal(await at.still('claim', PAIR, stored), ['claimed', stored], 'one without a deadline gets none');
});

it('a job that is bound to one channel cannot take another before it is removed', async (at) => {
  const [other, ofJ1] = [json({ channelId: 'C2' }), ['conversation:slack:C2', JOB]];
  await at.call('claim', PAIR, json());
  await at.call('claim', ['conversation:slack:C2', 'job-index:j2'], second({ channelId: 'C2' }));
  for (const [name, keys, state] of [
    ['claim', ['conversation:slack:C3', JOB], json({ channelId: 'C3' })],
    ['set', ofJ1, other],
    ['hand_over', ['conversation:slack:C2', 'job-index:j2', JOB], other],
  ] as const) {
    assert.match(await at.unchanged(() => at.refusal(name, keys, state)), /^CONVJOB .*bound to another conversation/);
  }
  await at.call('remove', [JOB]);
  await at.call('remove', ['job-index:j2']);
  assert.equal(await at.call('claim', ofJ1, other), ['claimed', other]);
});

it('a claim with fields takes a free channel, and leaves the inbox and the watch of a dead job alone', async (at) => {
  await at.redis.xadd(INBOX, '1-1', 'text', 'of a job that died');
  await at.redis.zadd(WATCH, 7, `j1\n${CHANNEL}`);
  await at.redis.mset(JOB, CHANNEL, 'job-index:j2', CHANNEL);
  const state = second({ deliveryId: 'd2' });
  assert.equal(await at.call('claim', SECOND, state, '', 'text', 'more'), ['claimed', state]);
  assert.equal(await at.said(INBOX), ['text of a job that died']);
  assert.equal(await at.redis.zrange(WATCH, '0', '-1', 'WITHSCORES'), [`j1\n${CHANNEL}`, '7']);
  assert.is(await at.redis.exists(HANDLED), 0);
});

const HOLDER = json({ deliveryId: 'd1' });

/** A claim of another job for a message, which is queued where it has a text. */
const follow = ({ call }: Library, claimId: string | undefined, deliveryId: string, text?: string) =>
  call('claim', SECOND, second({ claimId, deliveryId }), '', ...(text === undefined ? [] : ['text', text]));

it('a redelivery after its job was removed is a duplicate, with or without a text, for a day', async (at) => {
  await at.call('claim', PAIR, HOLDER);
  await at.living(DAY, () => at.call('remove', PAIR), [HANDLED]);
  assert.equal(await at.unchanged(() => follow(at, 'c2', 'd1', 'again')), ['duplicate', null]);
  assert.equal(await at.unchanged(() => follow(at, undefined, 'd1')), ['duplicate', null]);
  assert.equal(await at.still('claim', PAIR, HOLDER), ['duplicate', null], 'its own call too');
  await at.redis.zadd(HANDLED, (await now(at.redis)) - DAY - 1_000, 'd1');
  assert.equal(await follow(at, 'c2', 'd1'), ['claimed', second({ deliveryId: 'd1' })]);
});

it('what comes while a job runs is queued in order, once a call, and its delivery is handled', async (at) => {
  await at.call('claim', PAIR, HOLDER, 60_000);
  assert.equal(await follow(at, 'c2', 'd2', 'one'), ['queued', HOLDER]);
  await at.living(DAY, () => follow(at, 'c3', 'd3', 'two'), [HANDLED]);
  for (const [claimId, text, outcome] of [
    ['c2', 'one', 'queued'],
    ['c2', undefined, 'queued'],
    ['c4', 'one', 'duplicate'],
    [undefined, undefined, 'duplicate'],
  ] as const) {
    assert.equal(await at.unchanged(() => follow(at, claimId, 'd2', text)), [outcome, HOLDER]);
  }
  const own = json({ claimId: 'c5', deliveryId: 'd5' });
  assert.equal(await at.call('claim', PAIR, own, '', 'text', 'of the same job'), ['queued', HOLDER]);
  assert.equal(await at.said(INBOX), ['text one', 'text two', 'text of the same job']);
  const members = ['d2', 'd2\nc2', 'd3', 'd3\nc3', 'd5', 'd5\nc5'];
  assert.equal((await at.redis.zrange(HANDLED, '0', '-1')).sort(), members);
});

it('a resend of what was queued is queued while any job holds the channel, and a duplicate after that', async (at) => {
  await at.call('claim', PAIR, HOLDER);
  await follow(at, 'c2', 'd2', 'one');
  const next = second({ claimId: 'c3' });
  await at.call('hand_over', HAND_OVER, next);
  assert.equal(await at.unchanged(() => follow(at, 'c2', 'd2', 'one')), ['queued', next]);
  await at.call('remove', [CHANNEL], 'all');
  assert.equal(await at.unchanged(() => follow(at, 'c2', 'd2', 'one')), ['duplicate', null]);
});

it('the last 10,000 deliveries are known, and none older than a day', async (at) => {
  await at.call('set', PAIR, json());
  const time = await now(at.redis);
  await at.redis.zadd(HANDLED, ...Array.from({ length: 10_000 }, (_, n) => [time - 10_000 + n, `m${n}`]).flat());
  await at.call('update', PAIR, '{}', 'new');
  assert.is(await at.redis.zcard(HANDLED), 10_000);
  assert.is(await at.outcome('claim', SECOND, second({ deliveryId: 'm1' })), 'duplicate');
  assert.is(await at.outcome('claim', SECOND, second({ deliveryId: 'm0' })), 'held');
  await at.redis.del(HANDLED);
  await at.redis.zadd(HANDLED, time - DAY - 1_000, 'old', time - DAY + 60_000, 'young');
  await at.call('update', PAIR, '{}', 'new');
  assert.equal(await at.redis.zrange(HANDLED, '0', '-1'), ['young', 'new']);
});

test.run();
