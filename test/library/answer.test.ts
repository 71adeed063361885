import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HANDLED, JOB, PAIR, SECOND, STREAM } from '../support/keys.ts';
import { json, REFERENCES, second, withLibrary } from '../support/library.ts';

// One answer of many, once, to the job that asked: defects 5, 6, 7, 9, 23 and 33 prove it from both ends.

const test = suite('conv_answer');
const it = withLibrary(test);

function answered(answerId: string, questionId = 'q1'): string {
  return json({ pendingQuestionId: null, lastAnswer: { questionId, answerId } });
}

it('the answer to the pending question is accepted, the question cleared, the answer kept and handled', async (at) => {
  for (const keys of Object.values(REFERENCES)) {
    await at.redis.flushall();
    await at.call('set', PAIR, json({ pendingQuestionId: 'q1' }));
    assert.equal(await at.call('answer', keys, 'q1', 'a1'), ['accepted', answered('a1')]);
    assert.equal(await at.redis.mget(CHANNEL, JOB), [answered('a1'), CHANNEL]);
    assert.equal(await at.redis.zrange(HANDLED, '0', '-1'), ['a1']);
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
    assert.equal(await answer(), ['accepted', answered('', questionId)]);
    assert.equal(await at.unchanged(answer), ['answered', answered('', questionId)]);
  }
  assert.equal(await at.said(STREAM), ['text q1', 'text q2']);
  assert.is(await at.redis.exists(HANDLED), 0);
});

it('question and answer ids of 1024 bytes, of any script and with any sign, are kept and known again', async (at) => {
  const ids = ['"', '\\', '\\"}', '\\u0041', 'é€😀\u2028', '}{][,:', '/', ' ', 'x'.repeat(1_024), 'é'.repeat(512)];
  for (const id of ids) {
    await at.call('set', PAIR, json());
    const asked = String(await at.call('set_pending', PAIR, id));
    assert.is(JSON.parse(asked).pendingQuestionId, id);
    assert.is(await at.call('set_pending', PAIR, id), asked);
    const [outcome, text] = (await at.call('answer', PAIR, id, id)) as [string, string];
    assert.is(outcome, 'accepted');
    assert.equal(JSON.parse(text), JSON.parse(answered(id, id)));
    assert.equal(await at.call('answer', PAIR, id, id), ['accepted', text]);
    assert.equal(await at.call('answer', PAIR, id, 'other'), ['answered', text]);
  }
});

test.run();
