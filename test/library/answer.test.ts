import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  CHANNEL,
  DEFAULT_TTL,
  FENCED,
  JOB,
  json,
  type Library,
  PAIR,
  REFERENCES,
  withLibrary,
} from '../support/library.ts';

const test = suite('conv_answer');
const it = withLibrary(test);

const STREAM = 'job:j1:in';

/** A conversation whose question q1 waits. */
async function ask({ call }: Library): Promise<void> {
  await call('conv_set', PAIR, json({ pendingQuestionId: 'q1' }), 60_000);
}

function answered(answerId: string, questionId = 'q1'): string {
  return json({ pendingQuestionId: null, lastAnswer: { questionId, answerId } });
}

async function entries({ redis }: Library): Promise<string[][]> {
  return (await redis.xrange(STREAM, '-', '+')).map(([, fields]) => fields);
}

for (const [form, keys] of Object.entries(REFERENCES)) {
  it(`${form}: the answer to the pending question is accepted, the question cleared, the answer kept`, async (at) => {
    await ask(at);
    assert.equal(await at.call('conv_answer', keys, 'q1', 'a1'), ['accepted', answered('a1')]);
    assert.is(await at.redis.get(CHANNEL), answered('a1'));
    assert.is(await at.redis.get(JOB), CHANNEL);
    assert.is(await at.redis.dbsize(), 2);
  });

  it(`${form}: both deadlines move together`, async (at) => {
    for (const [ttl, ...args] of [
      [DEFAULT_TTL],
      [DEFAULT_TTL, ''],
      [5_000, 5_000],
      [999_999_999_999, '999999999999'],
    ]) {
      await ask(at);
      await at.living(Number(ttl), () => at.call('conv_answer', keys, 'q1', 'a1', ...args.map(String)));
    }
  });

  it(`${form}: an answer to another question, or to none, is stale and changes nothing`, async (at) => {
    await ask(at);
    const late = () => at.call('conv_answer', keys, 'q0', 'a1');
    assert.equal(await at.unchanged(late), ['stale', json({ pendingQuestionId: 'q1' })]);
    for (const pendingQuestionId of [null, undefined]) {
      await at.call('conv_set', PAIR, json({ pendingQuestionId }));
      assert.equal(await at.unchanged(late), ['stale', json({ pendingQuestionId })]);
    }
  });

  it(`${form}: without a conversation it is gone, and nothing comes to be`, async (at) => {
    assert.equal(await at.call('conv_answer', keys, 'q1', 'a1'), ['gone', null]);
    assert.equal(await at.dump(), {});
  });

  it(`${form}: an answer that came before the conversation's end is gone after it`, async (at) => {
    await ask(at);
    await at.call('conv_answer', keys, 'q1', 'a1');
    await at.call('conv_remove', PAIR);
    assert.equal(await at.call('conv_answer', keys, 'q1', 'a1'), ['gone', null]);
  });
}

for (const [form, keys] of Object.entries(FENCED)) {
  it(`${form}: the stream hears an accepted answer and lives as long as the conversation`, async (at) => {
    await ask(at);
    const publish = () =>
      at.call('conv_answer', [...keys, STREAM], 'q1', 'a1', 90_000, 'type', 'answer', 'text', 'Yes');
    assert.equal(await at.living(90_000, publish, [...PAIR, STREAM]), ['accepted', answered('a1')]);
    assert.equal(await entries(at), [['type', 'answer', 'text', 'Yes']]);
  });

  it(`${form}: the same answer again is accepted again, not published twice, and changes nothing`, async (at) => {
    await ask(at);
    const publish = () => at.call('conv_answer', [...keys, STREAM], 'q1', 'a1', '', 'text', 'Yes');
    const first = await publish();
    assert.equal(await at.unchanged(publish), first);
    assert.is((await entries(at)).length, 1);
  });

  it(`${form}: somebody else's answer comes second and is told so`, async (at) => {
    await ask(at);
    await at.call('conv_answer', [...keys, STREAM], 'q1', 'a1', '', 'text', 'Yes');
    const second = () => at.call('conv_answer', [...keys, STREAM], 'q1', 'a2', '', 'text', 'No');
    assert.equal(await at.unchanged(second), ['answered', answered('a1')]);
  });

  it(`${form}: with a stream, an answer without its question is stale or gone and publishes nothing`, async (at) => {
    const late = () => at.call('conv_answer', [...keys, STREAM], 'q0', 'a1', '', 'text', 'Yes');
    assert.equal(await at.unchanged(late), ['gone', null]);
    await ask(at);
    assert.equal(await at.unchanged(late), ['stale', json({ pendingQuestionId: 'q1' })]);
  });

  it(`${form}: a job that was displaced answers nothing, even the same question of the new job`, async (at) => {
    await ask(at);
    await at.call('conv_set', [CHANNEL, 'job-index:j2'], json({ jobId: 'j2', pendingQuestionId: 'q1' }));
    const late = () => at.call('conv_answer', [...keys, STREAM], 'q1', 'a1', '', 'text', 'Yes');
    assert.equal(await at.unchanged(late), ['gone', null]);
    await at.redis.set(JOB, CHANNEL, 'PX', 60_000);
    assert.equal(await at.unchanged(late), ['gone', null], 'not by a stale index either');
  });
}

it('the next question can be answered by the same answer id', async (at) => {
  await ask(at);
  await at.call('conv_answer', PAIR, 'q1', 'a1');
  await at.call('conv_set_pending', PAIR, 'q2');
  assert.equal(await at.call('conv_answer', PAIR, 'q2', 'a1'), ['accepted', answered('a1', 'q2')]);
  assert.equal(await at.call('conv_answer', PAIR, 'q1', 'a1'), ['stale', answered('a1', 'q2')]);
});

it('a question asked again is answered again', async (at) => {
  await ask(at);
  await at.call('conv_answer', [...PAIR, STREAM], 'q1', 'a1', '', 'text', 'Yes');
  await at.call('conv_set_pending', PAIR, 'q1');
  const reply = await at.call('conv_answer', [...PAIR, STREAM], 'q1', 'a2', '', 'text', 'No');
  assert.equal(reply, ['accepted', answered('a2')]);
  assert.is((await entries(at)).length, 2);
});

it('one answer is published once, also where a resend has asked its question again', async (at) => {
  await at.call('conv_set', PAIR, json({ pendingQuestionId: 'q1' }));
  const answer = (answerId: string) => at.call('conv_answer', [...PAIR, 's'], 'q1', answerId, '', 'answer', answerId);
  for (const answerId of ['a1', 'a1', 'a2', '', '']) {
    await at.call('conv_set_pending', PAIR, 'q1');
    const [outcome, state] = (await answer(answerId)) as [string, string];
    assert.equal([outcome, JSON.parse(state).pendingQuestionId], ['accepted', null]);
  }
  const heard = (await at.redis.xrange('s', '-', '+')).map(([, fields]) => fields[1]);
  assert.equal(heard, ['a1', 'a2', '', '']);
});

it('a resend is accepted even when the next question is already pending', async (at) => {
  await ask(at);
  await at.call('conv_answer', PAIR, 'q1', 'a1');
  await at.call('conv_set_pending', PAIR, 'q2');
  const [outcome] = (await at.unchanged(() => at.call('conv_answer', PAIR, 'q1', 'a1'))) as string[];
  assert.is(outcome, 'accepted');
});

it("an empty answer id is nobody's: accepted once, never again", async (at) => {
  await ask(at);
  assert.equal(await at.call('conv_answer', PAIR, 'q1', ''), ['accepted', answered('')]);
  assert.equal(await at.unchanged(() => at.call('conv_answer', PAIR, 'q1', '')), ['answered', answered('')]);
});

it('an index that is missing or leads elsewhere comes back', async (at) => {
  for (const keys of [[CHANNEL], PAIR]) {
    for (const value of [null, 'rubbish', 'conversation:slack:C2']) {
      await ask(at);
      if (value === null) await at.redis.del(JOB);
      else await at.redis.set(JOB, value);
      await at.living(DEFAULT_TTL, () => at.call('conv_answer', keys, 'q1', 'a1'));
      assert.is(await at.redis.get(JOB), CHANNEL);
      await at.call('conv_remove', [CHANNEL]);
    }
  }
});

it('a stream that is there never ends sooner, and one without a deadline gets none', async (at) => {
  for (const [before, after] of [
    [-1, -1],
    [90_000, 90_000],
    [30_000, 60_000],
  ] as const) {
    await ask(at);
    await at.redis.xadd(STREAM, '1-1', 'text', 'before');
    if (before > 0) await at.redis.pexpire(STREAM, before);
    await at.call('conv_answer', [...PAIR, STREAM], 'q1', 'a1', 60_000, 'text', 'Yes');
    const left = await at.redis.pttl(STREAM);
    if (after < 0) assert.is(left, -1);
    else assert.ok(left <= after && left > after - 20_000, `${left} ms are left`);
    await at.redis.flushall();
  }
});

it('the stream keeps the entries it had, and the new one comes last', async (at) => {
  await ask(at);
  await at.redis.xadd(STREAM, '*', 'text', 'before');
  await at.call('conv_answer', [...PAIR, STREAM], 'q1', 'a1', '', 'text', 'Yes');
  assert.equal(await entries(at), [
    ['text', 'before'],
    ['text', 'Yes'],
  ]);
});

it('the stream is kept at about a thousand entries', async (at) => {
  await ask(at);
  const pipeline = at.redis.pipeline();
  for (let entry = 0; entry < 3_000; entry++) pipeline.xadd(STREAM, '*', 'n', entry);
  await pipeline.exec();
  await at.call('conv_answer', [...PAIR, STREAM], 'q1', 'a1', '', 'text', 'Yes');
  const length = await at.redis.xlen(STREAM);
  assert.ok(length >= 1_000 && length <= 1_200, `the stream has ${length} entries`);
  assert.equal((await entries(at)).at(-1), ['text', 'Yes']);
});

it('1024 fields of any bytes reach the stream', async (at) => {
  await ask(at);
  const fields = Array.from({ length: 1_024 }, (_, n) => [`f${n}`, n === 0 ? '\0"é\n' : '']).flat();
  await at.call('conv_answer', [...PAIR, STREAM], 'q1', 'a1', '', ...fields);
  assert.equal(await entries(at), [fields]);
});

it('question and answer ids with quotes, backslashes and any script are kept and known again', async (at) => {
  for (const id of ['"', '\\', '\\"}', '\\u0041', 'é€😀\u2028', '}{][,:', 'x'.repeat(1_024), 'é'.repeat(512)]) {
    await at.call('conv_set', PAIR, json());
    await at.call('conv_set_pending', PAIR, id);
    const [outcome, text] = (await at.call('conv_answer', PAIR, id, id)) as [string, string];
    assert.is(outcome, 'accepted');
    assert.equal(JSON.parse(text), JSON.parse(answered(id, id)));
    assert.equal(await at.call('conv_answer', PAIR, id, id), ['accepted', text]);
    assert.equal(await at.call('conv_answer', PAIR, id, 'other'), ['answered', text]);
  }
});

it('the stream may be named behind a job as behind a channel, and only once', async (at) => {
  await ask(at);
  for (const keys of [
    [...PAIR, STREAM, STREAM],
    [STREAM],
    [STREAM, JOB],
    [JOB, STREAM, STREAM],
    [CHANNEL, STREAM, JOB],
  ]) {
    const message = await at.refused(() => at.call('conv_answer', keys, 'q1', 'a1', '', 'text', 'Yes'));
    assert.match(message, /^CONVKEY /, keys.join(' '));
  }
});

test.run();
