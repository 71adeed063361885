import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HAND_OVER, HANDLED, INBOX, JOB, PAIR, SECOND } from '../support/keys.ts';
import { DAY, json, type Library, now, second, withLibrary } from '../support/library.ts';

// Redeliveries of a job's own message are in dispatcher-defects.test.ts and hidden-defects.test.ts.

const test = suite('deliveries and the inbox');
const it = withLibrary(test);

const HOLDER = json({ deliveryId: 'd1' });

/** A claim of another job for a message, which is queued where it has a text. */
const follow = ({ call }: Library, claimId: string | undefined, deliveryId: string, text?: string) =>
  call('claim', SECOND, second({ claimId, deliveryId }), '', ...(text === undefined ? [] : ['text', text]));

it('a redelivery after its job was removed is a duplicate, for a day', async (at) => {
  await at.call('claim', PAIR, HOLDER);
  await at.living(DAY, () => at.call('remove', PAIR), [HANDLED]);
  for (const text of [undefined, 'again']) {
    assert.equal(await at.unchanged(() => follow(at, 'c2', 'd1', text)), ['duplicate', null]);
  }
  assert.equal(await at.unchanged(() => follow(at, undefined, 'd1')), ['duplicate', null]);
  assert.equal(await at.still('claim', PAIR, HOLDER), ['duplicate', null], 'its own call too');
  await at.redis.zadd(HANDLED, (await now(at.redis)) - DAY - 1_000, 'd1');
  assert.is(((await follow(at, 'c2', 'd1')) as string[])[0], 'claimed');
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

it('an inbox of 1000 is full: nothing is added, and a redelivery may try again', async (at) => {
  await at.call('claim', PAIR, HOLDER);
  const pipeline = at.redis.pipeline();
  for (let entry = 0; entry < 999; entry++) pipeline.xadd(INBOX, `1-${entry}`, 'n', entry);
  await pipeline.exec();
  assert.equal(await follow(at, 'c2', 'd2', 'more'), ['queued', HOLDER]);
  assert.equal(await at.unchanged(() => follow(at, 'c3', 'd3', 'more')), ['full', HOLDER]);
  await at.call('get_by_job', [JOB], '', '1-500');
  assert.equal(await follow(at, 'c3', 'd3', 'more'), ['queued', HOLDER]);
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
