import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HANDLED, INBOX, JOB, SECOND, STREAM } from '../support/keys.ts';
import { DAY, DEFAULT_TTL, json, STATE, sourceUnderTest } from '../support/library.ts';
import { codeOf, NEXT, PLACE, told, withEnds } from './ends.ts';

// What goes wrong where this state is kept with plain GET and SET.

const test = suite('defects that are impossible');
const it = withEnds(test);

const ASKED = { ...STATE, pendingQuestionId: 'q1' };
const YES = { answerId: 'a1', stream: STREAM, fields: { text: 'Yes' } };

it('defect 1: of 50 messages in one channel at once, one starts a job and 49 see it', async ({ atOnce, redis }) => {
  const seen = new Set<unknown>();
  const counts = await atOnce(50, async (end, n) => {
    const reply = await end.claim({ ...STATE, jobId: `j${n}`, claimId: `c${n}` });
    seen.add(reply.state?.jobId);
    return reply;
  });
  assert.equal(counts, { claimed: 1, held: 49 });
  assert.is(seen.size, 1, 'the losers see the state of the winner');
  assert.is(await redis.dbsize(), 2, 'the losers leave no index');
});

it('defect 2: the job that was displaced finds nothing, not the new job', async ({ end, redis, unchanged }) => {
  const next = { ...NEXT, pendingQuestionId: 'q1' };
  await end.set(STATE);
  await end.set(next);
  await redis.xadd(INBOX, '1-1', 'text', 'for the new job');
  for (const index of [null, CHANNEL]) {
    if (index) await redis.set(JOB, index, 'PX', 60_000);
    for (const ref of [{ jobId: 'j1' }, STATE]) {
      const found = await unchanged(async () => [
        ...[await end.get(ref), await end.getByJobId('j1'), await end.getByJobId('j1', { lastSeen: '1-1' })],
        ...[await end.setPendingQuestion(ref, 'q2', { answerWithinMs: 9 }), await end.clearPendingQuestion(ref)],
        ...[(await end.update(ref, { pod: 1 })).state, (await end.answerQuestion(ref, 'q1')).state],
      ]);
      assert.equal(found, Array(7).fill(null), `its index: ${index}`);
    }
  }
  assert.equal(await end.getByJobId('j2'), next);
});

it('defect 3: the late end of a displaced job removes nothing of the new one', async ({ end, unchanged }) => {
  await end.set(STATE);
  await end.set(NEXT);
  assert.equal(await unchanged(() => end.remove(STATE)), { outcome: 'held', state: NEXT });
  assert.equal(await unchanged(() => end.remove({ jobId: 'j1' })), { outcome: 'gone', state: null });
});

it('defect 4: the index never dies before the state, whatever is written', async ({ end, deadlines }) => {
  await end.set(STATE, { ttlMs: 1_000 });
  let last: number | undefined;
  for (const write of [
    () => end.setPendingQuestion(PLACE, 'q1'),
    () => end.setPendingQuestion(STATE, 'q2', { ttlMs: DAY }),
    () => end.clearPendingQuestion({ jobId: 'j1' }, { ttlMs: 20_000 }),
    () => end.getByJobId('j1', { ttlMs: 30_000 }),
    () => end.setPendingQuestion(STATE, 'q3', { ttlMs: 50_000, answerWithinMs: 5_000 }),
    () => end.answerQuestion(PLACE, 'q3', { ttlMs: 70_000 }),
    () => end.set(STATE, { ttlMs: 80_000 }),
  ]) {
    await write();
    const [state, index] = await deadlines(CHANNEL, JOB);
    assert.is(index, state, write.toString());
    assert.is.not(state, last, write.toString());
    last = state;
  }
});

it('defect 4: the index does not die before the state by a millisecond, however often', async ({ end, deadlines }) => {
  // A clock that is read once per key would differ now and then only.
  const states = Array.from({ length: 1_000 }, (_, n) => ({ ...STATE, channelId: `C${n}`, jobId: `j${n}` }));
  await Promise.all(states.map((state) => end.claim(state)));
  await Promise.all(states.slice(0, 500).map(({ jobId }) => end.getByJobId(jobId, { ttlMs: DAY })));
  const ends = await deadlines(...states.map(({ channelId }) => `conversation:slack:${channelId}`));
  assert.equal(await deadlines(...states.map(({ jobId }) => `job-index:${jobId}`)), ends);
});

it('defect 5: what comes after a removal brings no ghost back', async ({ end, dump }) => {
  const stop = { stream: STREAM, fields: { type: 'stop' } };
  await end.set(ASKED);
  await end.remove(STATE);
  for (const ref of [STATE, PLACE, { jobId: 'j1' }]) {
    for (const options of [{}, { answerWithinMs: 5_000 }]) {
      assert.is(await end.setPendingQuestion(ref, 'q2', options), null);
    }
    assert.is(await end.clearPendingQuestion(ref), null);
    assert.is(await told(end.answerQuestion(ref, 'q1', { answerId: 'a1' })), 'gone');
    assert.is(await told(end.update(ref, { pod: 1 }, { deliveryId: 'd1' })), 'gone');
  }
  assert.is(await end.getByJobId('j1'), null);
  assert.is(await told(end.answerQuestion(STATE, 'q1', YES)), 'gone');
  assert.is(await told(end.update(STATE, { pod: 1 }, { deliveryId: 'd1', ...stop })), 'gone');
  assert.is(await told(end.handOver(STATE, NEXT, stop)), 'gone');
  assert.equal(await dump(), {});
});

it('defect 5: of touches and removals at once no key is left', async ({ atOnce, end, dump }) => {
  for (let round = 0; round < 10; round++) {
    await end.set(ASKED);
    await atOnce(20, async (end, n) => {
      if (n % 4 === 0) return end.setPendingQuestion(STATE, `q${n}`, { answerWithinMs: 5_000 });
      if (n % 4 === 1) return end.getByJobId('j1');
      if (n % 4 === 2) return end.answerQuestion(PLACE, 'q1');
      return end.remove(STATE);
    });
    const left = Object.keys(await dump());
    assert.equal(
      left.filter((key) => key !== HANDLED),
      [],
    );
  }
});

it('defect 6: of 50 clicks on one question, one is accepted and published once', async ({ atOnce, end, said }) => {
  await end.set(ASKED);
  const click = (end_: typeof end, n: number) =>
    end_.answerQuestion(STATE, 'q1', { answerId: `a${n}`, stream: STREAM, fields: { answerId: `a${n}` } });
  assert.equal(await atOnce(50, click), { accepted: 1, answered: 49 });
  const state = await end.get(STATE);
  assert.equal(await said(STREAM), [`answerId ${state?.lastAnswer?.answerId}`]);
});

it('defect 7: the question is cleared and the answer published in one step, or neither', async ({ end, redis }) => {
  await end.set(ASKED);
  await redis.set(STREAM, 'no stream');
  assert.is(await codeOf(end.answerQuestion(STATE, 'q1', YES)), 'WRONGTYPE');
  assert.is((await end.get(STATE))?.pendingQuestionId, 'q1', 'it still waits');
  await redis.del(STREAM);
  const { outcome, state } = await end.answerQuestion(STATE, 'q1', YES);
  assert.equal([outcome, state?.pendingQuestionId, await redis.xlen(STREAM)], ['accepted', null, 1]);
});

it('defect 8: a claim whose dispatcher died lapses, one whose job was heard of lives on', async (at) => {
  await at.living(30_000, () => at.end.claim(STATE, { startWithinMs: 30_000 }));
  assert.is(await told(at.end.claim(NEXT)), 'held');
  await at.lapse();
  assert.is(await told(at.end.claim(NEXT, { startWithinMs: 30_000 })), 'claimed');
  await at.living(DEFAULT_TTL, () => at.end.getByJobId('j2'), SECOND);
});

it('defect 9: a resend after a lost reply is told the same, and published once', async ({ end, redis, unchanged }) => {
  await end.set(ASKED);
  const send = () => end.answerQuestion(STATE, 'q1', YES);
  const first = await send();
  assert.is(first.outcome, 'accepted');
  assert.equal(await unchanged(send), first);
  assert.is(await redis.xlen(STREAM), 1);
  assert.equal(await unchanged(() => end.claim(STATE)), { outcome: 'claimed', state: first.state });
});

it('defect 10: empty arrays, long integers and every other byte survive', async ({ end, redis }) => {
  const text = json().replace('}', ',"transcript":[],"n":9007199254740993,"price":1.10}');
  await redis.mset(CHANNEL, text, JOB, CHANNEL);
  await end.setPendingQuestion(STATE, 'q1');
  await end.answerQuestion(STATE, 'q1', { answerId: 'a1' });
  await end.clearPendingQuestion(STATE);
  await end.getByJobId('j1');
  assert.is(await redis.get(CHANNEL), `${text.slice(0, -1)},"lastAnswer":{"questionId":"q1","answerId":"a1"}}`);
});

it('defect 11: a value that nobody can read does not free the channel', async ({ end, redis, unchanged }) => {
  await redis.set(CHANNEL, 'rubbish');
  assert.is(await unchanged(() => codeOf(end.claim(NEXT))), 'CONVCORRUPT');
  assert.is(await unchanged(() => codeOf(end.handOver(STATE, NEXT))), 'CONVCORRUPT');
});

it('defect 12: a platform in any case finds its one state', async ({ end, redis }) => {
  await end.set({ ...STATE, platform: 'Slack' });
  for (const platform of ['slack', 'SLACK', 'Slack', 'sLaCk']) {
    assert.is((await end.get({ platform, channelId: 'C1' }))?.jobId, 'j1');
    assert.is(await told(end.claim({ ...NEXT, platform })), 'held');
  }
  assert.is(await told(end.remove({ platform: 'SLACK', channelId: 'C1', jobId: 'j1' })), 'removed');
  assert.is(await redis.dbsize(), 0);
});

it('defect 13: a removal says whether it removed, found another holder, or found nothing', async ({ end }) => {
  assert.is(await told(end.remove(STATE)), 'gone');
  await end.set(NEXT);
  assert.is(await told(end.remove(STATE)), 'held');
  assert.is(await told(end.remove(NEXT)), 'removed');
});

it('defect 14: a full server still removes', async ({ open }) => {
  const full = await it.server.connect({}, await it.server.server('--maxmemory-policy', 'noeviction'));
  await full.function('LOAD', 'REPLACE', sourceUnderTest());
  const end = open(full);
  await end.set(STATE);
  await full.config('SET', 'maxmemory', '1');
  assert.match(await end.set(STATE).then(String, String), /OOM/);
  assert.equal(await end.remove(STATE), { outcome: 'removed', state: STATE });
  assert.is(await full.dbsize(), 0);
});

test.run();
