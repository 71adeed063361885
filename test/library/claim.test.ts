import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HANDLED, INBOX, JOB, PAIR, SECOND, WATCH } from '../support/keys.ts';
import { DEFAULT_TTL, json, second, withLibrary } from '../support/library.ts';

const test = suite('conv_claim');
const it = withLibrary(test);

it('the first claim of a free channel is claimed, and both keys stand', async ({ call, redis }) => {
  assert.equal(await call('claim', PAIR, json()), ['claimed', json()]);
  assert.equal(await redis.mget(CHANNEL, JOB), [json(), CHANNEL]);
  assert.is(await redis.dbsize(), 2);
});

it("another job's claim is held, whatever its claim id, sees the holder's state and changes nothing", async (at) => {
  await at.call('claim', PAIR, json(), 60_000);
  const stored = await at.call('set_pending', PAIR, 'q1');
  for (const claimId of ['c2', 'c1', null, undefined]) {
    assert.equal(await at.still('claim', SECOND, second({ claimId }), 1_000), ['held', stored]);
  }
});

it('another call for the same job is held, with the stored state, and shortens no deadline', async (at) => {
  for (const [first, other] of [
    [undefined, undefined],
    [null, null],
    ['c1', undefined],
    [undefined, 'c1'],
    ['c1', 'c2'],
  ]) {
    await at.call('remove', [CHANNEL]);
    await at.call('claim', PAIR, json({ claimId: first }), 60_000);
    const reply = await at.still('claim', PAIR, json({ claimId: other }), 1_000);
    assert.equal(reply, ['held', json({ claimId: first })]);
  }
});

it('the same call again is claimed again and changes nothing, whatever else it carries', async (at) => {
  const stored = json({ transcript: [], silentAfterMs: 5_000, starting: true });
  await at.call('claim', PAIR, stored, 60_000);
  const again = (changes = {}) => at.call('claim', PAIR, json({ userId: 'U2', ...changes }), 1_000);
  assert.equal(await at.unchanged(again), ['claimed', stored]);
  assert.equal(await at.unchanged(() => again({ silentAfterMs: 9_000, deliveryId: 'd9' })), ['claimed', stored]);
});

/** How many changes the server has made since it began. */
async function changes(redis: { info(section: string): Promise<string> }): Promise<number> {
  return Number(/rdb_changes_since_last_save:(\d+)/.exec(await redis.info('persistence'))?.[1]);
}

for (const [name, keys, state] of [
  ['claim', PAIR, json({ deliveryId: 'd1' })],
  ['hand_over', [CHANNEL, 'job-index:j0', JOB], json({ deliveryId: 'd1' })],
] as const) {
  it(`a ${name} sent again writes the deadline once more as it is, so that WAIT covers it`, async (at) => {
    await at.call('claim', PAIR, state, 60_000);
    const before = await changes(at.redis);
    assert.equal(await at.still(name, keys, state), ['claimed', state]);
    assert.ok((await changes(at.redis)) > before);
    await at.redis.persist(CHANNEL);
    await at.redis.persist(JOB);
    assert.equal(await at.still(name, keys, state), ['claimed', state]);
  });
}

it('a channel is free when its state is gone, even if the index of the last job is not', async (at) => {
  await at.call('claim', PAIR, json());
  await at.redis.del(CHANNEL);
  assert.equal(await at.living(DEFAULT_TTL, () => at.call('claim', PAIR, json())), ['claimed', json()]);
  await at.redis.del(CHANNEL);
  assert.equal(await at.call('claim', SECOND, second()), ['claimed', second()]);
  assert.is(await at.call('get_by_job', [JOB]), null, "the last job's index never leads to another job's state");
});

it('a job whose stale index leads to a channel that another job holds is told so', async (at) => {
  await at.call('claim', PAIR, json());
  await at.redis.set('job-index:j2', CHANNEL, 'PX', 60_000);
  assert.equal(await at.still('claim', SECOND, second()), ['held', json()]);
});

it('a job that is bound to one channel cannot take another before it is removed', async (at) => {
  await at.call('claim', PAIR, json());
  await at.call('claim', ['conversation:slack:C2', 'job-index:j2'], second({ channelId: 'C2' }));
  const other = json({ channelId: 'C2' });
  const keys = ['conversation:slack:C2', JOB];
  for (const call of [
    () => at.call('claim', ['conversation:slack:C3', JOB], json({ channelId: 'C3' })),
    () => at.call('set', keys, other),
    () => at.call('hand_over', ['conversation:slack:C2', 'job-index:j2', JOB], other),
  ]) {
    assert.match(await at.refused(call), /^CONVJOB .*bound to another conversation/);
  }
  await at.call('remove', [JOB]);
  await at.call('remove', ['job-index:j2']);
  assert.equal(await at.call('claim', keys, other), ['claimed', other]);
});

it('one job id under two prefixes is two jobs', async ({ call, redis }) => {
  await call('claim', PAIR, json());
  const reply = await call('claim', ['b:conversation:slack:C1', 'b:job-index:j1'], json());
  assert.equal(reply, ['claimed', json()]);
  assert.is(await redis.dbsize(), 4);
});

it('a claim with fields takes a free channel and leaves the inbox and the watch of a dead job alone', async (at) => {
  await at.redis.xadd(INBOX, '1-1', 'text', 'of a job that died');
  await at.redis.zadd(WATCH, 7, `j1\n${CHANNEL}`);
  const state = second({ deliveryId: 'd2' });
  assert.equal(await at.call('claim', SECOND, state, '', 'text', 'more'), ['claimed', state]);
  assert.equal(await at.said(INBOX), ['text of a job that died']);
  assert.equal(await at.redis.zrange(WATCH, '0', '-1', 'WITHSCORES'), [`j1\n${CHANNEL}`, '7']);
  assert.is(await at.redis.exists(HANDLED), 0);
});

it('a new job asks for itself: no question and no answer is claimed or handed over', async (at) => {
  await at.call('claim', PAIR, json());
  for (const [member, value] of Object.entries({
    pendingQuestionId: 'q1',
    answerBy: 1_800_000_000_000,
    lastAnswer: { questionId: 'q1', answerId: 'a1' },
  })) {
    const state = second({ [member]: value });
    const claim = () => at.call('claim', SECOND, state);
    const handOver = () => at.call('hand_over', [CHANNEL, JOB, 'job-index:j2'], state);
    for (const call of [claim, handOver]) assert.match(await at.refused(call), new RegExp(`^CONVSTATE .*${member}`));
  }
  await at.call('remove', PAIR);
  const none = second({ pendingQuestionId: null, answerBy: null, lastAnswer: null });
  assert.equal(await at.call('claim', SECOND, none), ['claimed', none]);
});

test.run();
