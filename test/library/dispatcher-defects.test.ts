import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore, loadLibrary } from '../../src/index.ts';
import { CHANNEL, DAY, INBOX, JOB, json, STATE, STREAM } from '../support/library.ts';
import { AGAIN, codeOf, DELIVERED, dueOf, NEXT, PLACE, told, withEnds } from './ends.ts';

// What goes wrong in a dispatcher around such a state.

const test = suite('defects of a dispatcher that are impossible');
const it = withEnds(test);

it('defect 15: a message delivered again after its job has ended does not run a second time', async ({ end }) => {
  await end.claim(DELIVERED);
  await end.remove(STATE);
  assert.equal(await end.claim(AGAIN), { outcome: 'duplicate', state: null });
  assert.is(await told(end.claim({ ...NEXT, deliveryId: 'd2' })), 'claimed');
});

it('defect 16: a message delivered again while its job runs is a duplicate, not held', async ({ end, redis }) => {
  await end.claim(DELIVERED);
  assert.is(await told(end.claim(AGAIN)), 'duplicate');
  assert.is(await told(end.claim(AGAIN, { queue: { text: 'again' } })), 'duplicate');
  assert.is(await redis.exists(INBOX), 0);
});

it('defect 17: a message whose dispatcher died, or whose job never started, is not lost', async ({ end, lapse }) => {
  await end.claim(DELIVERED, { startWithinMs: 60_000 });
  await lapse();
  assert.is(await told(end.claim(AGAIN, { startWithinMs: 60_000 })), 'claimed');
  await end.remove({ jobId: 'j2' }, { retry: true });
  assert.is(await told(end.claim({ ...DELIVERED, claimId: 'c3' })), 'claimed');
});

it('defect 18: of dispatchers with one message and one job id, one is told to start it', async (at) => {
  for (const [state, others] of [
    [DELIVERED, 'duplicate'],
    [STATE, 'held'],
  ] as const) {
    const counts = await at.atOnce(20, (end, n) => end.claim({ ...state, claimId: `c${n}` }));
    assert.equal(counts, { claimed: 1, [others]: 19 });
    const stored = (await at.end.get(STATE)) ?? STATE;
    assert.equal(await at.end.claim(stored), { outcome: 'claimed', state: stored }, 'a lost reply, asked for again');
    await at.redis.flushall();
  }
});

it('defect 19: a claim that does not win leaves the deadlines of the running job alone', async ({ end, unchanged }) => {
  await end.claim(DELIVERED);
  for (const changes of [{ claimId: 'c2', deliveryId: 'd2' }, { claimId: 'c3' }, {}]) {
    await unchanged(() => end.claim({ ...DELIVERED, ...changes }, { startWithinMs: 1_000 }));
  }
  await unchanged(() => end.claim(NEXT, { ttlMs: 1_000 }));
});

it('defect 20: what is written while a job runs is queued, not stranded at its end', async ({ end, lastQueued }) => {
  await end.claim(DELIVERED);
  assert.is(await told(end.claim({ ...NEXT, deliveryId: 'd2' }, { queue: { text: 'one' } })), 'queued');
  assert.is(await told(end.remove(STATE)), 'waiting');
  const seen = await lastQueued();
  const next = { ...NEXT, claimId: 'c3', deliveryId: 'd3' };
  assert.is(await told(end.claim(next, { queue: { text: 'two' } })), 'queued', 'between its last look and its end');
  assert.equal(await end.getByJobId('j1', { lastSeen: seen }), DELIVERED);
  assert.is(await told(end.remove(STATE)), 'waiting');
  await end.getByJobId('j1', { lastSeen: await lastQueued() });
  assert.is(await told(end.remove(STATE)), 'removed');
});

it('defect 21: a job that dies in silence is named to one caller at a time, and its end is told to one', async (at) => {
  await at.open(at.redis, 60_000).claim(STATE);
  for (const _ of ['the first caller', 'another one, where the first died and its lease is over']) {
    await at.silence();
    const named: string[] = [];
    await at.atOnce(10, async (end) => named.push(...(await dueOf(end))));
    assert.equal(named, ['j1 silent']);
  }
  assert.equal(await at.atOnce(10, (end) => end.remove(STATE)), { gone: 9, removed: 1 });
});

it('defect 21: of removals of a job that lapsed in silence, one is told so and tells the channel', async (at) => {
  for (const [holder, others] of [
    [null, 'gone'],
    [NEXT, 'held'],
  ] as const) {
    await at.open(at.redis, 60_000).claim(DELIVERED);
    await at.silence();
    await at.lapse();
    if (holder) await at.end.claim(holder);
    assert.equal(await dueOf(at.end), ['j1 silent'], 'it is named although its state is gone');
    assert.equal(await at.atOnce(10, (end) => end.remove(STATE)), { [others]: 9, lapsed: 1 });
    assert.equal(await at.end.get(PLACE), holder, 'the next job stays');
    if (!holder) assert.is(await told(at.end.claim(AGAIN)), 'claimed', 'its message has no outcome');
    await at.redis.flushall();
  }
});

it('defect 21: a job whose host slept past its silence is found alive, and no second one runs', async (at) => {
  await at.open(at.redis, 60_000).claim(STATE);
  await at.silence();
  assert.equal(await dueOf(at.end), ['j1 silent']);
  assert.is(await told(at.end.claim(NEXT)), 'held');
  await at.silence();
  await at.end.getByJobId('j1');
  assert.equal(await dueOf(at.end), [], 'a message from the job ends its silence');
});

it('defect 22: what the application notes for itself overwrites nothing in between', async ({ atOnce, end }) => {
  await end.set({ ...STATE, pendingQuestionId: 'q1' });
  const counts = await atOnce(20, (end, n) =>
    n === 7 ? end.answerQuestion(STATE, 'q1', { answerId: 'a1' }) : end.update(STATE, { [`note${n}`]: n }),
  );
  assert.equal(counts, { accepted: 1, updated: 19 });
  const state = await end.get(STATE);
  assert.equal(state?.lastAnswer, { questionId: 'q1', answerId: 'a1' });
  assert.is(Object.keys(state ?? {}).filter((name) => name.startsWith('note')).length, 19);
});

it('defect 23: a stop or an answer that is meant for one job never reaches the stream of the next', async (at) => {
  const { end, redis, unchanged } = at;
  await end.set({ ...NEXT, pendingQuestionId: 'q1' });
  const [own, next] = [STREAM, 'job:j2:in'].map((stream) => ({ stream, fields: { type: 'stop' } }));
  // An index that somebody left behind does not lead there either.
  for (const index of [null, CHANNEL]) {
    if (index !== null) await redis.set(JOB, index, 'PX', 60_000);
    for (const stop of [own, next]) {
      for (const ref of [{ jobId: 'j1' }, STATE]) {
        assert.is(await told(unchanged(() => end.update(ref, {}, { ...stop, deliveryId: 'd1' }))), 'gone');
        assert.is(await told(unchanged(() => end.answerQuestion(ref, 'q1', { ...stop, answerId: 'a1' }))), 'gone');
      }
      assert.is(await told(unchanged(() => end.handOver(STATE, { ...STATE, jobId: 'j3' }, stop))), 'held');
    }
  }
  for (const call of [
    () => end.update(PLACE, {}, { ...next, deliveryId: 'd1' }),
    () => end.answerQuestion(PLACE, 'q1', { ...next, answerId: 'a1' }),
  ]) {
    assert.match(await unchanged(() => codeOf(call())), /^(CONVKEY|INVALID_ARGUMENT)$/);
  }
});

it('defect 24: a question with three days to live is not forgotten because a progress message came', async (at) => {
  const { end, deadlines } = at;
  await end.claim(STATE);
  await end.setPendingQuestion(STATE, 'q1', { ttlMs: 3 * DAY });
  const before = await deadlines(CHANNEL, JOB);
  for (const renew of [
    () => end.getByJobId('j1'),
    () => at.open(at.redis, 60_000).getByJobId('j1', { ttlMs: 1_000 }),
    () => end.update(STATE, {}, { deliveryId: 'd2', stream: STREAM, fields: { type: 'note' } }),
    () => end.setPendingQuestion(PLACE, 'q1', { ttlMs: 1_000 }),
  ]) {
    assert.ok(await renew(), renew.toString());
    assert.equal(await deadlines(CHANNEL, JOB), before, renew.toString());
  }
});

it("defect 25: neither an answer, an update nor a hand-over gives a job's own stream an earlier end", async (at) => {
  const { end, redis } = at;
  const published = { stream: STREAM, fields: { text: 'Yes' } };
  for (const send of [
    () => end.answerQuestion(STATE, 'q1', { ...published, ttlMs: 1_000 }),
    () => end.update(STATE, {}, { ...published, deliveryId: 'd1' }),
    () => end.handOver(STATE, NEXT, { ...published, ttlMs: 1_000 }),
  ]) {
    for (const deadline of [-1, Date.now() + 3 * DAY]) {
      await redis.flushall();
      await end.set({ ...STATE, pendingQuestionId: 'q1' }, { ttlMs: 1_000 });
      await redis.xadd(STREAM, '*', 'type', 'hello');
      if (deadline > 0) await redis.pexpireat(STREAM, deadline);
      await send();
      assert.equal([await redis.xlen(STREAM), await redis.pexpiretime(STREAM)], [2, deadline], send.toString());
    }
  }
});

/** What stands in place of a state and is none of this channel. */
const CORRUPT = ['{"jobId":"sesame', '', '7', 'null', `[${json()}]`].concat(
  ...[{ jobId: undefined }, { jobId: 7 }, { channelId: 'C2' }, { platform: 'teams' }, { channelId: undefined }].map(
    (changes) => json({ ...changes, note: 'sesame' }),
  ),
);

it('defect 26: a state nobody can read is an error for a read as for a claim', async ({ end, redis, unchanged }) => {
  const stop = { stream: STREAM, fields: { type: 'stop' } };
  const calls = [
    ...[STATE, PLACE, { jobId: 'j1' }].flatMap((ref) => [
      ...[() => end.get(ref), () => end.update(ref, { pod: 1 }), () => end.answerQuestion(ref, 'q1')],
      ...[() => end.setPendingQuestion(ref, 'q1'), () => end.clearPendingQuestion(ref)],
    ]),
    ...[STATE, { jobId: 'j1' }].flatMap((ref) => [
      ...[() => end.remove(ref), () => end.remove(ref, { discardInbox: true })],
      () => end.update(ref, {}, { ...stop, deliveryId: 'd1' }),
      () => end.answerQuestion(ref, 'q1', { ...stop, answerId: 'a1' }),
    ]),
    ...[() => end.getByJobId('j1'), () => end.getByJobId('j1', { lastSeen: '1-1' })],
    ...[() => end.claim(NEXT), () => end.claim(STATE), () => end.handOver(STATE, NEXT, stop)],
    () => end.handOver(NEXT, STATE),
  ];
  await redis.xadd(INBOX, '1-1', 'text', 'waits');
  for (const value of CORRUPT) {
    await redis.mset(CHANNEL, value, JOB, CHANNEL);
    await unchanged(async () => {
      for (const call of calls) assert.is(await codeOf(call()), 'CONVCORRUPT', `${value} ${call}`);
    });
  }
});

for (const [name, foreign] of [
  ["a stranger's library of the same name", "#!lua name=conversation\nredis.register_function('talk', "],
  ["a library of another name that has a function's name", "#!lua name=chat\nredis.register_function('conv_get', "],
] as const) {
  test(`defect 27: ${name} is not replaced`, async () => {
    const other = await it.server.connect({}, await it.server.server());
    await other.function('LOAD', `${foreign}function() return 'hi' end)`);
    const before = await other.function('LIST', 'WITHCODE');
    const calls: (() => Promise<unknown>)[] = [
      () => new ConversationStore(other).claim(STATE),
      () => loadLibrary(other),
    ];
    if (name.includes('another')) calls.push(() => loadLibrary(other, { force: true }));
    for (const call of calls) assert.is(await codeOf(call()), 'LIBRARY_FOREIGN', 'force is for the same name only');
    assert.equal(await other.function('LIST', 'WITHCODE'), before);
  });
}

test.run();
