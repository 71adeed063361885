import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HANDLED, JOB, PAIR, SECOND, WATCH } from '../support/keys.ts';
import { DAY, DEFAULT_TTL, FENCED, json, type Library, REFERENCES, second, withLibrary } from '../support/library.ts';

const test = suite('conv_set_pending');
const it = withLibrary(test);

for (const [form, keys] of Object.entries(REFERENCES)) {
  it(`${form}: the question is remembered, and the new state answered`, async ({ call, redis }) => {
    await call('set', PAIR, json());
    assert.is(await call('set_pending', keys, 'q1'), json({ pendingQuestionId: 'q1' }));
    assert.equal(await redis.mget(CHANNEL, JOB), [json({ pendingQuestionId: 'q1' }), CHANNEL]);
  });

  it(`${form}: the same question sent twice is one; another replaces it, an empty one clears it`, async ({ call }) => {
    await call('set', PAIR, json());
    for (const questionId of ['q1', 'q2']) {
      const asked = json({ pendingQuestionId: questionId });
      for (const _ of [1, 2]) assert.is(await call('set_pending', keys, questionId), asked);
    }
    for (const _ of [1, 2]) assert.is(await call('set_pending', keys, ''), json({ pendingQuestionId: null }));
  });

  it(`${form}: nil where there is no conversation, and none comes to be`, async ({ call, dump }) => {
    for (const args of [['q1'], ['q1', '', 1_000], ['']]) {
      assert.is(await call('set_pending', keys, ...args), null);
    }
    assert.equal(await dump(), {});
  });

  it(`${form}: a question that was answered last is not asked again, with or without a time limit`, async (at) => {
    await at.call('set', PAIR, json({ pendingQuestionId: 'q1', silentAfterMs: 60_000 }));
    const [, answered] = (await at.call('answer', PAIR, 'q1', 'a1')) as string[];
    for (const args of [[], [30_000], [30_000, 5_000]]) {
      const again = () => at.call('set_pending', keys, 'q1', ...args);
      assert.is(await at.dueIn(60_000, again), answered);
      assert.is(await at.redis.get(CHANNEL), answered);
    }
    const next = await at.call('set_pending', keys, 'q2', DAY, 30_000);
    assert.is(await at.call('set_pending', keys, 'q1'), next, 'nor in place of the next one, whose limit stays');
  });
}

for (const [form, keys] of Object.entries(FENCED)) {
  it(`${form}: nil for a job that was displaced, and the new job's keys stand`, async ({ call, redis, still }) => {
    await call('set', PAIR, json());
    await call('set', SECOND, second(), 60_000);
    for (const index of [null, CHANNEL]) {
      if (index) await redis.set(JOB, index, 'PX', 60_000);
      for (const args of [['q1'], ['q1', '', 1_000], ['']]) {
        assert.is(await still('set_pending', keys, ...args), null, `its index: ${index}`);
      }
    }
  });
}

it('by channel: the question of whichever job holds it', async ({ call, living }) => {
  await call('set', PAIR, json());
  await call('set', SECOND, second());
  const ask = () => call('set_pending', [CHANNEL], 'q1');
  assert.is(await living(DEFAULT_TTL, ask, SECOND), second({ pendingQuestionId: 'q1' }));
});

it('a question id of 1024 bytes, with quotes, backslashes and characters of any script, is kept', async (at) => {
  await at.call('set', PAIR, json());
  for (const id of ['"', '\\', '\\"', '\\u0041', 'é€😀\u2028', '/', ' ', '{"a":[', 'x'.repeat(1024), 'é'.repeat(512)]) {
    const text = String(await at.call('set_pending', PAIR, id));
    assert.is(JSON.parse(text).pendingQuestionId, id);
    assert.is(await at.redis.get(CHANNEL), text);
    assert.is(await at.call('set_pending', PAIR, id), text, 'and known again');
  }
});

/** The one entry of the watch, as a moment. */
async function due({ redis }: Library): Promise<number> {
  assert.ok((await redis.zcard(WATCH)) <= 1, 'a job has one entry');
  return Number(await redis.zscore(WATCH, `j1\n${CHANNEL}`));
}

for (const silentAfterMs of [undefined, 5_000]) {
  const watched = silentAfterMs === undefined ? 'a job that is not on watch' : 'a job on watch';
  /** Makes a call after which the limit is gone. */
  const counted = async (at: Library, call: () => Promise<unknown>) => {
    if (silentAfterMs !== undefined) await at.dueIn(silentAfterMs, call);
    else await call();
    assert.is(await at.redis.zcard(WATCH), silentAfterMs === undefined ? 0 : 1);
  };

  it(`${watched} is due when the time limit of its question is over, not sooner, and lives ttlMs longer`, async (at) => {
    await at.call('set', PAIR, json({ silentAfterMs }), 30_000);
    const ask = () => at.call('set_pending', PAIR, 'q1', 30_000, 20_000);
    const text = String(await at.living(50_000, () => at.dueIn(20_000, ask)));
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
      await counted(at, () => at.call(name, keys, ...args));
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

  it(`${watched}: an end of the job with its limit leaves no entry`, async (at) => {
    for (const end of [
      () => at.call('remove', [CHANNEL]),
      () => at.call('remove', [JOB]),
      () => at.call('remove', PAIR),
      () => at.call('set', PAIR, json()),
      () => at.call('set', SECOND, second()),
      () => at.call('hand_over', [CHANNEL, ...[JOB, 'job-index:j2']], second()),
    ]) {
      await at.call('set', PAIR, json({ silentAfterMs }));
      await at.call('set_pending', PAIR, 'q1', '', 90_000);
      await end();
      assert.is(await at.redis.exists(WATCH, HANDLED), 0, end.toString());
      await at.redis.flushall();
    }
  });
}

it('a time limit is whole milliseconds, and wants a question', async (at) => {
  await at.call('set', PAIR, json());
  for (const within of ['0', '-1', '1.5', 'x', ' 1', '1000000000000']) {
    const message = await at.refusal('set_pending', PAIR, 'q1', '', within);
    assert.is(message, 'CONVARG withinMs must be whole milliseconds from 1 to 999999999999', within);
  }
  assert.match(await at.refusal('set_pending', PAIR, '', '', 1_000), /^CONVARG .*withinMs/);
  await at.call('set_pending', PAIR, '', '', '');
  await at.living(1_999_999_999_998, () =>
    at.dueIn(999_999_999_999, () => at.call('set_pending', PAIR, 'q1', '999999999999', '999999999999')),
  );
});

test.run();
