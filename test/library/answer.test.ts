import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HANDLED, JOB, PAIR, SECOND, STREAM } from '../support/keys.ts';
import { FENCED, json, type Library, REFERENCES, second, withLibrary } from '../support/library.ts';

const test = suite('conv_answer');
const it = withLibrary(test);

const ASKED = json({ pendingQuestionId: 'q1' });

/** A conversation whose question q1 waits. */
async function ask({ call }: Library, changes = {}): Promise<void> {
  await call('set', PAIR, json({ pendingQuestionId: 'q1', ...changes }), 60_000);
}

function answered(answerId: string, questionId = 'q1'): string {
  return json({ pendingQuestionId: null, lastAnswer: { questionId, answerId } });
}

for (const [form, keys] of Object.entries(REFERENCES)) {
  it(`${form}: the answer to the pending question is accepted, the question cleared, the answer kept and handled`, async (at) => {
    await ask(at);
    assert.equal(await at.call('answer', keys, 'q1', 'a1'), ['accepted', answered('a1')]);
    assert.equal(await at.redis.mget(CHANNEL, JOB), [answered('a1'), CHANNEL]);
    assert.equal(await at.redis.zrange(HANDLED, '0', '-1'), ['a1']);
  });

  it(`${form}: an answer to another question, or to none, is stale, changes nothing and may come again`, async (at) => {
    await ask(at);
    assert.equal(await at.still('answer', keys, 'q0', 'a1'), ['stale', ASKED]);
    for (const pendingQuestionId of [null, undefined]) {
      const state = json({ pendingQuestionId });
      await at.call('set', PAIR, state);
      assert.equal(await at.still('answer', keys, 'q0', 'a1'), ['stale', state]);
    }
    await at.call('set_pending', PAIR, 'q0');
    assert.is(await at.outcome('answer', keys, 'q0', 'a1'), 'accepted');
  });

  it(`${form}: without a conversation it is gone, also what was accepted before its end, and nothing comes to be`, async (at) => {
    assert.equal(await at.still('answer', keys, 'q1', 'a1'), ['gone', null]);
    await ask(at);
    await at.call('answer', keys, 'q1', 'a1');
    await at.call('remove', PAIR);
    assert.equal(await at.still('answer', keys, 'q1', 'a1'), ['gone', null]);
  });
}

for (const [form, keys] of Object.entries(FENCED)) {
  const publish = (at: Library, answerId: string, questionId = 'q1') =>
    at.call('answer', [...keys, STREAM], questionId, answerId, '', 'type', 'answer', 'text', answerId);

  it(`${form}: the stream hears an accepted answer in the same step, once, and no other`, async (at) => {
    assert.equal(await at.unchanged(() => publish(at, 'a1')), ['gone', null]);
    await ask(at);
    assert.equal(await at.unchanged(() => publish(at, 'a1', 'q0')), ['stale', ASKED]);
    assert.equal(await publish(at, 'a1'), ['accepted', answered('a1')]);
    assert.equal(await at.unchanged(() => publish(at, 'a1')), ['accepted', answered('a1')]);
    assert.equal(await at.unchanged(() => publish(at, 'a2')), ['answered', answered('a1')]);
    await at.call('set_pending', PAIR, 'q2');
    assert.is(((await at.unchanged(() => publish(at, 'a1', 'q2'))) as string[])[0], 'duplicate');
    assert.equal(await at.said(STREAM), ['type answer text a1']);
  });

  it(`${form}: a job that was displaced answers nothing, even the same question of the new job`, async (at) => {
    await ask(at);
    await at.call('set', SECOND, second({ pendingQuestionId: 'q1' }));
    for (const index of [null, CHANNEL]) {
      if (index) await at.redis.set(JOB, index, 'PX', 60_000);
      assert.equal(await at.unchanged(() => publish(at, 'a1')), ['gone', null], `its index: ${index}`);
    }
  });
}

it('of what an answer can be, the first that holds is told, and only accepted changes anything', async (at) => {
  await at.call('set', PAIR, json({ pendingQuestionId: 'q1', deliveryId: 'd1' }));
  await at.call('update', PAIR, '{}', 'u1');
  await at.call('claim', SECOND, second({ deliveryId: 'd2' }), '', 'text', 'queued');
  await at.call('answer', PAIR, 'q1', 'a1');
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
    const reply = await at.still('answer', PAIR, questionId, answerId);
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

it('question and answer ids with quotes, backslashes and any script are kept and known again', async (at) => {
  for (const id of ['"', '\\', '\\"}', '\\u0041', 'é€😀\u2028', '}{][,:', 'x'.repeat(1_024), 'é'.repeat(512)]) {
    await at.call('set', PAIR, json());
    await at.call('set_pending', PAIR, id);
    const [outcome, text] = (await at.call('answer', PAIR, id, id)) as [string, string];
    assert.is(outcome, 'accepted');
    assert.equal(JSON.parse(text), JSON.parse(answered(id, id)));
    assert.equal(await at.call('answer', PAIR, id, id), ['accepted', text]);
    assert.equal(await at.call('answer', PAIR, id, 'other'), ['answered', text]);
  }
});

test.run();
