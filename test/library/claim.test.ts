import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HANDLED, INBOX, JOB, json, PAIR, SECOND, second, WATCH, withLibrary } from '../support/library.ts';

// Simultaneous and late claims are in defects.test.ts, redeliveries and the inbox in deliveries.test.ts.

const test = suite('conv_claim');
const it = withLibrary(test);

it('the first claim of a free channel is claimed, and both keys stand', async ({ call, redis }) => {
  assert.equal(await call('claim', PAIR, json()), ['claimed', json()]);
  assert.equal(await redis.mget(CHANNEL, JOB), [json(), CHANNEL]);
  assert.is(await redis.dbsize(), 2);
});

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
    const state = keys === PAIR ? json({ claimId }) : second({ claimId });
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

it('a channel is free when its state is gone, even if the index of the last job is not', async (at) => {
  for (const [keys, state] of [
    [PAIR, json()],
    [SECOND, second()],
  ] as const) {
    await at.call('claim', PAIR, json());
    await at.redis.del(CHANNEL);
    assert.equal(await at.call('claim', keys, state), ['claimed', state]);
    await at.redis.del(CHANNEL);
  }
});

it('a job whose stale index leads to a channel that another job holds is told so', async (at) => {
  await at.call('claim', PAIR, json());
  await at.redis.set('job-index:j2', CHANNEL, 'PX', 60_000);
  assert.equal(await at.still('claim', SECOND, second()), ['held', json()]);
});

it('a job that is bound to one channel cannot take another before it is removed', async (at) => {
  const [other, keys] = [json({ channelId: 'C2' }), ['conversation:slack:C2', JOB]];
  await at.call('claim', PAIR, json());
  await at.call('claim', ['conversation:slack:C2', 'job-index:j2'], second({ channelId: 'C2' }));
  await at.unchanged(async () => {
    for (const refusal of [
      at.refusal('claim', ['conversation:slack:C3', JOB], json({ channelId: 'C3' })),
      at.refusal('set', keys, other),
      at.refusal('hand_over', ['conversation:slack:C2', 'job-index:j2', JOB], other),
    ]) {
      assert.match(await refusal, /^CONVJOB .*bound to another conversation/);
    }
  });
  await at.call('remove', [JOB]);
  await at.call('remove', ['job-index:j2']);
  assert.equal(await at.call('claim', keys, other), ['claimed', other]);
});

it('a claim with fields takes a free channel and leaves the inbox and the watch of a dead job alone', async (at) => {
  await at.redis.xadd(INBOX, '1-1', 'text', 'of a job that died');
  await at.redis.zadd(WATCH, 7, `j1\n${CHANNEL}`);
  const state = second({ deliveryId: 'd2' });
  assert.equal(await at.call('claim', SECOND, state, '', 'text', 'more'), ['claimed', state]);
  assert.equal(await at.said(INBOX), ['text of a job that died']);
  assert.equal(await at.redis.zrange(WATCH, '0', '-1', 'WITHSCORES'), [`j1\n${CHANNEL}`, '7']);
  assert.is(await at.redis.exists(HANDLED), 0);
});

test.run();
