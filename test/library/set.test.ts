import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HANDLED, INBOX, JOB, PAIR, SECOND, WATCH } from '../support/keys.ts';
import { DAY, DEFAULT_TTL, json, now, second, withLibrary } from '../support/library.ts';

const test = suite('conv_set');
const it = withLibrary(test);

it('the last write wins, byte for byte, and returns what stood there, nil at first', async ({ call, redis }) => {
  assert.is(await call('set', PAIR, json()), null);
  const next = ` ${json().replace(':12,', ': 12.00 ,')}\n`;
  assert.is(await call('set', PAIR, next), json());
  assert.equal(await redis.mget(CHANNEL, JOB), [next, CHANNEL]);
  assert.is(await redis.dbsize(), 2);
});

it('another job takes the channel over, the displaced one loses its index and watch entry, the inbox stays', async (at) => {
  await at.call('set', PAIR, json({ silentAfterMs: 5_000 }));
  await at.redis.xadd(INBOX, '1-1', 'text', 'waits');
  const replaced = await at.living(DEFAULT_TTL, () => at.call('set', SECOND, second()), SECOND);
  assert.is(replaced, json({ silentAfterMs: 5_000 }));
  assert.equal(await at.redis.mget(CHANNEL, 'job-index:j2', JOB), [second(), CHANNEL, null]);
  assert.is(await at.redis.exists(WATCH), 0);
  assert.equal(await at.said(INBOX), ['text waits']);
  assert.is(await at.call('set', PAIR, json()), second(), 'and the first one can take it back');
  assert.equal((await at.redis.keys('*')).sort(), [INBOX, ...PAIR].sort());
});

it('the index of a displaced job stays where it leads elsewhere, and may be missing', async ({ call, redis }) => {
  await call('set', PAIR, json());
  await redis.set(JOB, 'conversation:slack:C2');
  await call('set', SECOND, second());
  assert.is(await redis.get(JOB), 'conversation:slack:C2');
  await redis.del('job-index:j2', JOB);
  assert.is(await call('set', PAIR, json()), second());
  assert.is(await redis.dbsize(), 2);
});

it('the message of the job that stood there is handled, unless the new state has it too', async (at) => {
  for (const [jobId, deliveryId, isHandled] of [
    ['j1', 'd1', false],
    ['j2', 'd1', false],
    ['j1', 'd2', true],
    ['j2', 'd2', true],
    ['j1', undefined, true],
    ['j2', null, true],
  ] as const) {
    await at.call('claim', PAIR, json({ deliveryId: 'd1', starting: true }));
    for (const _ of [1, 2]) await at.call('set', [CHANNEL, `job-index:${jobId}`], json({ jobId, deliveryId }));
    assert.equal(await at.redis.zrange(HANDLED, '0', '-1'), isHandled ? ['d1'] : [], `${jobId} with ${deliveryId}`);
    await at.redis.flushall();
  }
});

it('the watch is that of the new state: silence, the deadline of a start, a time limit, or none', async (at) => {
  const limit = (await now(at.redis)) + 40_000;
  const set = (changes: object, ttl = 30_000) => at.call('set', PAIR, json({ ...changes }), ttl);
  await at.dueIn(5_000, () => set({ silentAfterMs: 5_000 }));
  await at.dueIn(30_000, () => set({ silentAfterMs: 5_000, starting: true }));
  await at.dueIn(6_000, () => set({ silentAfterMs: 6_000, pendingQuestionId: 'q1' }));
  await at.dueIn(7_000, () => set({ silentAfterMs: 7_000, pendingQuestionId: null, answerBy: limit }));
  for (const silentAfterMs of [5_000, undefined]) {
    await set({ silentAfterMs, pendingQuestionId: 'q1', answerBy: limit });
    assert.is(Number(await at.redis.zscore(WATCH, `j1\n${CHANNEL}`)), limit);
    for (const key of PAIR) assert.is(await at.redis.pexpiretime(key), limit + 30_000);
  }
  await at.living(30_000, () => set({ pendingQuestionId: null, answerBy: limit }));
  assert.is(await at.redis.exists(WATCH), 0);
});

it('a state whose question could wait until a moment that has passed stands all the same', async (at) => {
  const stale = json({ pendingQuestionId: 'q1', answerBy: (await now(at.redis)) - DAY });
  await at.call('set', PAIR, stale, 60_000);
  assert.is(await at.call('get', PAIR), stale);
});

it('a state that cannot be read or is of another channel, and an index that cannot be read, are overwritten', async (at) => {
  const other = json({ channelId: 'C2', deliveryId: 'd1' });
  for (const [state, index] of [
    ...[other, '{"jobId":', '{}', '[]', '\xff\0', ''].map((value) => [value, CHANNEL] as const),
    ...['rubbish', '', 'conversation:', 'b:conversation:slack:C1', JOB].map((value) => [json(), value] as const),
  ]) {
    await at.redis.mset(CHANNEL, state, JOB, index);
    assert.is(await at.living(DEFAULT_TTL, () => at.call('set', PAIR, json())), state);
    assert.equal(await at.redis.mget(CHANNEL, JOB), [json(), CHANNEL]);
    assert.is(await at.redis.dbsize(), 2);
  }
});

test.run();
