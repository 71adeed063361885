import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HAND_OVER, HANDLED, INBOX, JOB, PAIR, SECOND, STREAM, WATCH } from '../support/keys.ts';
import { DAY, DEFAULT_TTL, json, type Library, now, second, withLibrary } from '../support/library.ts';

// Hand-overs that are made at once or sent again, and the outgoing job's stream, are in the files of the defects.

const test = suite('conv_set and conv_hand_over');
const it = withLibrary(test);

const NEXT = second();
const TOLD = [...HAND_OVER, STREAM];

/** j1 holds the channel: it is on watch, started by d1, and a message waits in its inbox. */
async function busy({ call }: Library): Promise<void> {
  await call('claim', PAIR, json({ deliveryId: 'd1', silentAfterMs: 60_000 }));
  await call('claim', SECOND, second({ claimId: 'c0', deliveryId: 'd0' }), '', 'text', 'waits');
}

it('a job that takes the channel over has it with its inbox; the other loses index, watch entry and message', async (at) => {
  for (const [name, keys] of Object.entries({ set: SECOND, hand_over: HAND_OVER })) {
    await busy(at);
    await at.living(DEFAULT_TTL, () => at.call(name, keys, NEXT), SECOND);
    assert.equal(await at.redis.mget(CHANNEL, 'job-index:j2', JOB), [NEXT, CHANNEL, null], name);
    assert.is(await at.redis.exists(WATCH), 0);
    assert.equal((await at.redis.zrange(HANDLED, '0', '-1')).sort(), ['d0', 'd0\nc0', 'd1']);
    assert.equal(await at.said(INBOX), ['text waits']);
    assert.equal(await at.still('remove', PAIR), ['held', NEXT]);
    assert.equal(await at.still('remove', SECOND), ['waiting', NEXT]);
    assert.is(await at.call('set', PAIR, json()), NEXT, 'and the first one can take it back');
    await at.redis.flushall();
  }
});

it('the index of a job that lost its channel stays where it leads elsewhere', async (at) => {
  for (const [name, keys] of Object.entries({ set: SECOND, hand_over: HAND_OVER })) {
    await at.call('set', PAIR, json());
    await at.redis.set(JOB, 'conversation:slack:C2');
    await at.call(name, keys, NEXT);
    assert.equal(await at.redis.mget(CHANNEL, JOB), [NEXT, 'conversation:slack:C2'], name);
    await at.redis.flushall();
  }
});

it('set handles the message of the job that stood there, unless the new state has it too', async (at) => {
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
  const late = { pendingQuestionId: 'q1', answerBy: limit - DAY };
  await at.living(30_000, () => set(late));
  assert.is(await at.call('get', PAIR), json(late), 'a state whose question could wait until a moment that has passed');
});

it('set ends the job that stood there, however its state is written', async ({ call, redis }) => {
  const within = `{"note":{"jobId":"j1"},${NEXT.slice(1)}`;
  for (const text of [
    within,
    second({ note: { jobId: 'j1' } }),
    within.replace('"jobId":"j2"', '"jobI\\u0064":"j2"'),
  ]) {
    await call('set', SECOND, text);
    await call('set', PAIR, json());
    assert.is(await redis.exists('job-index:j2'), 0, text);
  }
  await call('set', PAIR, `{"deliveryI\\u0064":"d1",${json().slice(1)}`);
  await call('set', PAIR, json());
  assert.equal(await redis.zrange(HANDLED, '0', '-1'), ['d1']);
});

it('set over a state takes its job off watch, whatever put it there', async ({ call, redis }) => {
  await call('set', PAIR, json());
  await redis.zadd(WATCH, 1, `j1\n${CHANNEL}`);
  await call('set', PAIR, json());
  assert.is(await redis.exists(WATCH), 0);
});

it('set overwrites a state that cannot be read or is of another channel, and an index that cannot be read', async (at) => {
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

it('a hand-over is gone or held where there is nothing to hand over, and then nothing changes or is told', async (at) => {
  for (const [jobId, outcome] of [
    [undefined, 'gone'],
    ['j3', 'held'],
    ['j2', 'held'],
  ] as const) {
    await at.redis.flushall();
    const holder = jobId ? json({ jobId, claimId: 'c9' }) : null;
    if (holder) await at.call('claim', [CHANNEL, `job-index:${jobId}`], holder);
    const handOver = () => at.call('hand_over', TOLD, NEXT, '', 'type', 'stop');
    assert.equal(await at.unchanged(handOver), [outcome, holder]);
    // Neither a watch entry of the outgoing job nor an inbox that was read makes a difference.
    if (holder) await at.redis.zadd(WATCH, 1, `j1\n${CHANNEL}`);
    await at.redis.xadd(INBOX, '1-1', 'text', 'read');
    await at.redis.xdel(INBOX, '1-1');
    assert.equal(await at.unchanged(handOver), [outcome, holder]);
  }
});

it('where nobody holds the channel, a job on watch or a message that waits can be taken over', async (at) => {
  for (const leave of [
    () => at.redis.zadd(WATCH, 1, `j1\n${CHANNEL}`),
    () => at.redis.xadd(INBOX, '1-1', 'text', 'waits'),
    () => busy(at).then(() => at.redis.del(CHANNEL)),
  ]) {
    await leave();
    const before = await at.said(INBOX);
    assert.equal(await at.call('hand_over', TOLD, NEXT, '', 'type', 'stop'), ['claimed', NEXT], leave.toString());
    assert.equal(await at.said(INBOX), before);
    assert.equal(await at.said(STREAM), ['type stop']);
    assert.is(await at.redis.exists(JOB, WATCH), 0);
    await at.redis.flushall();
  }
});

test.run();
