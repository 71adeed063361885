import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HANDLED, JOB, PAIR, SECOND, STREAM, WATCH } from '../support/keys.ts';
import { DAY, json, type Library, second, withLibrary } from '../support/library.ts';

// Whose question it is, that one answered last is not asked again, and that one answer of many is accepted, once, are in
// the files of the defects. What a change of the two members leaves alone is in bytes.test.ts.

const test = suite('conv_set_pending and conv_answer');
const it = withLibrary(test);

it('a question that was answered last leaves the next one pending, with its limit, and is a sign of life', async (at) => {
  await at.call('set', PAIR, json({ pendingQuestionId: 'q1', silentAfterMs: 60_000 }));
  const [, text] = (await at.call('answer', PAIR, 'q1', 'a1')) as string[];
  for (const args of [[], [30_000], [30_000, 5_000]]) {
    assert.is(await at.dueIn(60_000, () => at.call('set_pending', PAIR, 'q1', ...args)), text);
  }
  const next = await at.call('set_pending', PAIR, 'q2', DAY, 30_000);
  assert.is(await at.call('set_pending', PAIR, 'q1', '', 5_000), next);
});

/** The one entry of the watch, as a moment. */
async function due({ redis }: Library): Promise<number> {
  assert.ok((await redis.zcard(WATCH)) <= 1, 'a job has one entry');
  return Number(await redis.zscore(WATCH, `j1\n${CHANNEL}`));
}

for (const silentAfterMs of [undefined, 5_000]) {
  const watched = silentAfterMs === undefined ? 'a job that is not on watch' : 'a job on watch';

  it(`${watched} is due when the time limit of its question is over, not sooner, and lives ttlMs longer`, async (at) => {
    await at.call('set', PAIR, json({ silentAfterMs }), 30_000);
    const ask = () => at.call('set_pending', PAIR, 'q1', '999999999999', '999999999999');
    const text = String(await at.living(1_999_999_999_998, () => at.dueIn(999_999_999_999, ask)));
    const { answerBy, ...state } = JSON.parse(text);
    assert.equal(state, JSON.parse(json({ pendingQuestionId: 'q1', silentAfterMs })));
    assert.is(answerBy, await due(at));
    assert.is(await at.redis.get(CHANNEL), text);
    for (const heard of [[JOB], PAIR]) {
      await at.call('get_by_job', heard, 60_000);
      assert.is(await due(at), answerBy, 'signs of life leave it');
    }
    await at.call('update', PAIR, '{"pod":1}');
    assert.is(await due(at), answerBy);
  });

  it(`${watched}: the limit goes when its question is asked without one, replaced, cleared or answered`, async (at) => {
    for (const [pending, name, keys, ...args] of [
      ['q1', 'set_pending', PAIR, 'q1', 30_000],
      ['q2', 'set_pending', [CHANNEL], 'q2'],
      [null, 'set_pending', [JOB], ''],
      [null, 'answer', [CHANNEL], 'q1', 'a1'],
      [null, 'answer', PAIR, 'q1', ''],
    ] as const) {
      await at.redis.flushall();
      await at.call('set', PAIR, json({ silentAfterMs }));
      await at.call('set_pending', PAIR, 'q1', '', 90_000);
      const call = () => at.call(name, keys, ...args);
      if (silentAfterMs) await at.dueIn(silentAfterMs, call);
      else await call();
      assert.is(await at.redis.zcard(WATCH), silentAfterMs ? 1 : 0);
      const { answerBy = null, pendingQuestionId, lastAnswer } = JSON.parse(String(await at.redis.get(CHANNEL)));
      assert.equal([answerBy, pendingQuestionId], [null, pending], `${name} ${args}`);
      assert.is(lastAnswer?.questionId, name === 'answer' ? 'q1' : undefined);
    }
  });

  it(`${watched}: a limit that is asked for again moves, sooner or later, and the conversation never ends sooner`, async (at) => {
    await at.call('set', PAIR, json({ silentAfterMs }));
    for (const [questionId, within] of [
      ['q1', 3 * DAY],
      ['q1', 1_000],
      ['q2', 2_000],
    ] as const) {
      await at.dueIn(within, () => at.call('set_pending', PAIR, questionId, 60_000, within));
      assert.is(JSON.parse(String(await at.redis.get(CHANNEL))).answerBy, await due(at));
      assert.ok((await at.redis.pttl(CHANNEL)) > 2 * DAY);
    }
  });
}

it('a sign of life while a question has a limit leaves its entry to whoever looks into it', async (at) => {
  await at.call('set', PAIR, json({ pendingQuestionId: 'q1', answerBy: 1 }));
  for (const { length } of [[1, 2, 3], []]) {
    assert.is(((await at.call('due', [WATCH], 60_000)) as string[]).length, length);
    await at.call('get_by_job', PAIR);
  }
});

it('of what an answer can be, the first that holds is told, and only accepted changes or publishes anything', async (at) => {
  await at.call('set', PAIR, json({ pendingQuestionId: 'q1', deliveryId: 'd1' }));
  await at.call('update', PAIR, '{}', 'u1');
  await at.call('claim', SECOND, second({ deliveryId: 'd2' }), '', 'text', 'queued');
  await at.call('answer', PAIR, 'q1', 'a1');
  const answer = (questionId: string, answerId: string) =>
    at.call('answer', [...PAIR, STREAM], questionId, answerId, '', 'text', answerId);
  assert.is(((await at.unchanged(() => answer('q0', 'a0'))) as string[])[0], 'stale', 'no question is pending');
  await at.call('set_pending', PAIR, 'q2');
  for (const [questionId, answerId, outcome, why] of [
    ['q1', 'a1', 'accepted', 'this very answer was accepted last, although its id is handled and q2 is pending'],
    ['q1', 'a2', 'answered', 'another answer to it was accepted last'],
    ['q1', 'u1', 'answered', 'that comes before: the id is handled'],
    ['q1', '', 'answered', 'an empty id is nobody’s'],
    ['q2', 'a1', 'duplicate', 'the id answered another question'],
    ['q2', 'u1', 'duplicate', 'the id is that of an update'],
    ['q2', 'd2', 'duplicate', 'the id is that of a queued message'],
    ['q2', 'd1', 'duplicate', 'the id is that of the message that started the job'],
    ['q9', 'a1', 'duplicate', 'that comes before: the question is not pending'],
    ['q9', 'a9', 'stale', 'the question is not pending'],
    ['q9', '', 'stale', 'the question is not pending'],
  ] as const) {
    const reply = await at.unchanged(() => answer(questionId, answerId));
    assert.equal(reply, [outcome, await at.redis.get(CHANNEL)], `${answerId} to ${questionId}: ${why}`);
  }
  assert.is(await at.outcome('update', PAIR, '{"x":1}', 'a1'), 'duplicate');
  assert.is(await at.outcome('answer', PAIR, 'q2', 'a9'), 'accepted');
  assert.is(await at.outcome('answer', PAIR, 'q1', 'a1'), 'duplicate', 'q1 is no longer the last');
});

it("an empty answer id is nobody's: it answers any number of questions, and no resend is recognised", async (at) => {
  await at.call('set', PAIR, json());
  for (const questionId of ['q1', 'q2']) {
    await at.call('set_pending', PAIR, questionId);
    const answer = () => at.call('answer', [...PAIR, STREAM], questionId, '', '', 'text', questionId);
    const answered = json({ lastAnswer: { questionId, answerId: '' } });
    assert.equal(await answer(), ['accepted', answered]);
    assert.equal(await at.unchanged(answer), ['answered', answered]);
  }
  assert.equal(await at.said(STREAM), ['text q1', 'text q2']);
  assert.is(await at.redis.exists(HANDLED), 0);
});

test.run();
