import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, JOB, PAIR, WATCH } from '../support/keys.ts';
import { DAY, json, type Library, REFERENCES, withLibrary } from '../support/library.ts';

// Whose question it is, and that one answered last is not asked again, is in defects 2, 5 and 47.

const test = suite('conv_set_pending');
const it = withLibrary(test);

it('the question is stored and the new state returned; another replaces it, an empty one clears it', async (at) => {
  for (const keys of Object.values(REFERENCES)) {
    await at.call('set', PAIR, json());
    for (const [questionId, pendingQuestionId] of [
      ['q1', 'q1'],
      ['q1', 'q1'],
      ['q2', 'q2'],
      ['', null],
      ['', null],
    ] as const) {
      const state = json({ pendingQuestionId });
      assert.is(await at.call('set_pending', keys, questionId), state);
      assert.equal(await at.redis.mget(CHANNEL, JOB), [state, CHANNEL]);
    }
  }
});

it('a question that was answered last leaves the next one pending, with its limit, and is a sign of life', async (at) => {
  await at.call('set', PAIR, json({ pendingQuestionId: 'q1', silentAfterMs: 60_000 }));
  const [, answered] = (await at.call('answer', PAIR, 'q1', 'a1')) as string[];
  for (const args of [[], [30_000], [30_000, 5_000]]) {
    assert.is(await at.dueIn(60_000, () => at.call('set_pending', PAIR, 'q1', ...args)), answered);
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
}

it('the largest time limit and TTL go together', async (at) => {
  await at.call('set', PAIR, json());
  const ask = () => at.call('set_pending', PAIR, 'q1', '999999999999', '999999999999');
  await at.living(1_999_999_999_998, () => at.dueIn(999_999_999_999, ask));
});

test.run();
