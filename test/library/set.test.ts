import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HANDLED, INBOX, JOB, PAIR, SECOND, WATCH } from '../support/keys.ts';
import { DAY, DEFAULT_TTL, json, now, second, withLibrary } from '../support/library.ts';

const test = suite('conv_set');
const it = withLibrary(test);

it('the first state of a channel answers nil, and both keys stand', async ({ call, redis }) => {
  assert.is(await call('set', PAIR, json()), null);
  assert.equal(await redis.mget(CHANNEL, JOB), [json(), CHANNEL]);
  assert.is(await redis.dbsize(), 2);
});

it('the last write wins, byte for byte, and answers what stood there', async ({ call, redis }) => {
  await call('set', PAIR, json());
  const next = ` ${json().replace(':12,', ': 12.00 ,')}\n`;
  assert.is(await call('set', PAIR, next), json());
  assert.is(await redis.get(CHANNEL), next);
  assert.is(await redis.dbsize(), 2);
});

it('another job takes the channel over: the displaced job loses its index and its watch, the inbox stays', async (at) => {
  await at.call('set', PAIR, json({ silentAfterMs: 5_000 }));
  await at.redis.xadd(INBOX, '1-1', 'text', 'waits');
  const replaced = await at.living(DEFAULT_TTL, () => at.call('set', SECOND, second()), SECOND);
  assert.is(replaced, json({ silentAfterMs: 5_000 }));
  assert.equal(await at.redis.mget(CHANNEL, 'job-index:j2', JOB), [second(), CHANNEL, null]);
  assert.is(await at.redis.exists(WATCH), 0);
  assert.equal(await at.said(INBOX), ['text waits']);
});

it('a job whose id looks like a pattern for that of the holder displaces it all the same', async ({ call, redis }) => {
  await call('set', PAIR, json());
  await call('set', [CHANNEL, 'job-index:j.'], json({ jobId: 'j.' }));
  assert.is(await redis.exists(JOB), 0);
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

it('a job takes its channel back', async ({ call, redis }) => {
  await call('set', PAIR, json());
  await call('set', SECOND, second());
  assert.is(await call('set', PAIR, json()), second());
  assert.equal((await redis.keys('*')).sort(), PAIR);
});

it('the message of the job that stood there is handled, unless the new state has it too', async (at) => {
  for (const [jobId, deliveryId, isHandled] of [
    ['j1', 'd1', false],
    ['j2', 'd1', false],
    ['j1', 'd2', true],
    ['j2', 'd2', true],
    ['j1', undefined, true],
    ['j2', undefined, true],
    ['j2', null, true],
  ] as const) {
    const name = `${jobId} with ${deliveryId}`;
    await at.call('claim', PAIR, json({ deliveryId: 'd1', starting: true }));
    const state = json({ jobId, deliveryId });
    const set = () => at.call('set', [CHANNEL, `job-index:${jobId}`], state);
    await set();
    await set();
    assert.equal(await at.redis.zrange(HANDLED, '0', '-1'), isHandled ? ['d1'] : [], name);
    const again = json({ jobId: 'j3', claimId: 'c3', deliveryId: 'd1' });
    const redelivery = () => at.call('claim', [CHANNEL, 'job-index:j3'], again, '', 'text', 'again');
    assert.equal(await at.unchanged(redelivery), ['duplicate', state], name);
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
    assert.equal(
      [await at.redis.pexpiretime(CHANNEL), await at.redis.pexpiretime(JOB)],
      [limit + 30_000, limit + 30_000],
    );
  }
  await at.living(30_000, () => set({ pendingQuestionId: null, answerBy: limit }));
  assert.is(await at.redis.exists(WATCH), 0);
});

it('a state whose question could wait until a moment that has passed stands all the same', async (at) => {
  const stale = json({ pendingQuestionId: 'q1', answerBy: (await now(at.redis)) - DAY });
  await at.call('set', PAIR, stale, 60_000);
  assert.is(await at.call('get', PAIR), stale);
});

it('sent twice, it leaves the same data', async ({ call, dump }) => {
  await call('set', PAIR, json());
  await call('set', SECOND, second());
  const values = async () => Object.entries(await dump()).map(([key, { value }]) => [key, value]);
  const once = await values();
  assert.is(await call('set', SECOND, second()), second());
  assert.equal(await values(), once);
});

for (const [name, value] of Object.entries({
  'no JSON': '{"jobId":',
  'no state': '{}',
  'an array': '[]',
  'no text of any kind': '\xff\0',
  empty: '',
  'the state of another channel': json({ channelId: 'C2', deliveryId: 'd1' }),
})) {
  it(`what stands there and is ${name} is overwritten and answered`, async ({ call, redis, living }) => {
    await redis.set(CHANNEL, value);
    assert.is(await living(DEFAULT_TTL, () => call('set', PAIR, json())), value);
    assert.equal(await redis.mget(CHANNEL, JOB), [json(), CHANNEL]);
  });
}

it('an index that cannot be read is overwritten', async ({ call, redis, living }) => {
  for (const value of ['rubbish', '', 'conversation:', 'b:conversation:slack:C1', JOB]) {
    await redis.set(JOB, value);
    await living(DEFAULT_TTL, () => call('set', PAIR, json()));
    assert.is(await redis.get(JOB), CHANNEL, value);
  }
});

it('a holder whose state also names another job, overruled, is displaced by that job', async ({ call, redis }) => {
  const twice = second().replace('{', '{"jobId":"j1",');
  await call('set', SECOND, twice);
  assert.is(await call('set', PAIR, json()), twice);
  assert.is(await redis.exists('job-index:j2'), 0);
});

test.run();
