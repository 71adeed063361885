import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationError, ConversationStore } from '../../src/index.ts';
import { CHANNEL, JOB, STATE } from '../support/library.ts';
import { dump, withRedis } from '../support/redis.ts';

// What goes wrong where this state is kept with plain GET and SET.

const test = suite('defects that are impossible');
const server = withRedis(test);

const STREAM = 'job:j1:in';
const CHANNEL_OF_STATE = { platform: 'slack', channelId: 'C1' };
const SECOND = { ...STATE, jobId: 'j2' };

let redis: Redis;
let store: ConversationStore;
let connections: Redis[];

test.before(async () => {
  redis = await server.connect();
  store = new ConversationStore(redis);
  await store.ready();
  connections = await Promise.all(Array.from({ length: 10 }, () => server.connect()));
});

test.before.each(async () => {
  await redis.flushall();
});

/** The same many calls, spread over connections of their own, all at once. */
function atOnce<T>(calls: number, call: (store: ConversationStore, n: number) => Promise<T>): Promise<T[]> {
  const stores = connections.map((connection) => new ConversationStore(connection));
  return Promise.all(Array.from({ length: calls }, (_, n) => call(stores[n % stores.length] ?? store, n)));
}

async function deadlines(): Promise<number[]> {
  return [await redis.pexpiretime(CHANNEL), await redis.pexpiretime(JOB)];
}

test('1: of 50 messages in one channel at once, one spawns a job and 49 see it', async () => {
  const replies = await atOnce(50, (store, n) => store.claim({ ...STATE, jobId: `j${n}` }));
  const [winner, ...others] = replies.filter(({ outcome }) => outcome === 'claimed');
  assert.is(others.length, 0);
  for (const { state } of replies) assert.is(state?.jobId, winner?.state?.jobId);
  assert.is(await redis.dbsize(), 2, 'the losers leave no index');
});

test('2: the job that was displaced finds nothing, not the new job', async () => {
  await store.set(STATE);
  await store.set(SECOND);
  assert.is(await store.getByJobId('j1'), null);
  assert.is(await store.get({ jobId: 'j1' }), null);
  assert.is(await store.get(STATE), null);
  await redis.set(JOB, CHANNEL);
  assert.is(await store.getByJobId('j1'), null, 'not by an index that somebody left behind');
  assert.equal(await store.getByJobId('j2'), SECOND);
});

test('3: the late end of a displaced job removes nothing of the new one', async () => {
  await store.set(STATE);
  await store.set(SECOND);
  const before = await dump(redis);
  assert.equal(await store.remove(STATE), { outcome: 'held', state: SECOND });
  assert.equal(await store.remove({ jobId: 'j1' }), { outcome: 'gone', state: null });
  assert.equal(await dump(redis), before);
});

test('4: the index never dies before the state, whatever is written', async () => {
  await store.set(STATE, { ttlMs: 1_000 });
  const writes = [
    () => store.setPendingQuestion(CHANNEL_OF_STATE, 'q1'),
    () => store.setPendingQuestion(STATE, 'q2', { ttlMs: 10_000 }),
    () => store.clearPendingQuestion({ jobId: 'j1' }, { ttlMs: 20_000 }),
    () => store.getByJobId('j1', { ttlMs: 30_000 }),
    () => store.setPendingQuestion(STATE, 'q3', { ttlMs: 50_000 }),
    () => store.answerQuestion(CHANNEL_OF_STATE, 'q3', { ttlMs: 70_000 }),
    () => store.set(STATE, { ttlMs: 80_000 }),
  ];
  let last = await deadlines();
  for (const write of writes) {
    await write();
    const [state, index] = await deadlines();
    assert.is(index, state, write.toString());
    assert.is.not(state, last[0], write.toString());
    last = [Number(state), Number(index)];
  }
});

test('4: nor by a millisecond, however often', async () => {
  // A clock that is read once per key would differ now and then only.
  const states = Array.from({ length: 3_000 }, (_, n) => ({ ...STATE, channelId: `C${n}`, jobId: `j${n}` }));
  await Promise.all(states.map((state) => store.claim(state)));
  await Promise.all(states.slice(0, 1_500).map(({ jobId }) => store.getByJobId(jobId)));
  const times = await Promise.all(
    states.map(async ({ channelId, jobId }) => [
      await redis.pexpiretime(`conversation:slack:${channelId}`),
      await redis.pexpiretime(`job-index:${jobId}`),
    ]),
  );
  assert.is(times.filter(([state, index]) => state !== index).length, 0);
});

test('5: what comes after a removal brings no ghost back', async () => {
  await store.set({ ...STATE, pendingQuestionId: 'q1' });
  await store.remove(STATE);
  for (const ref of [STATE, CHANNEL_OF_STATE, { jobId: 'j1' }]) {
    assert.is(await store.setPendingQuestion(ref, 'q2'), null);
    assert.is(await store.clearPendingQuestion(ref), null);
    assert.equal(await store.answerQuestion(ref, 'q1'), { outcome: 'gone', state: null });
  }
  assert.is(await store.getByJobId('j1'), null);
  const late = { stream: STREAM, fields: { text: 'Yes' } };
  assert.equal(await store.answerQuestion(STATE, 'q1', late), { outcome: 'gone', state: null });
  assert.equal(await store.update(STATE, { userId: 'U2' }, late), { outcome: 'gone', state: null });
  assert.equal(await dump(redis), {});
});

test('5: of touches and removals at once no key is left', async () => {
  for (let round = 0; round < 20; round++) {
    await store.set({ ...STATE, pendingQuestionId: 'q1' });
    await atOnce<unknown>(20, async (store, n) => {
      if (n % 4 === 0) await store.setPendingQuestion(STATE, `q${n}`);
      else if (n % 4 === 1) await store.getByJobId('j1');
      else if (n % 4 === 2) await store.answerQuestion(CHANNEL_OF_STATE, 'q1');
      else await store.remove(STATE);
    });
    assert.equal(await dump(redis), {});
  }
});

test('6: of 50 clicks on one question at once, one is accepted and published once', async () => {
  await store.set({ ...STATE, pendingQuestionId: 'q1' });
  const replies = await atOnce(50, (store, n) =>
    store.answerQuestion(STATE, 'q1', { stream: STREAM, fields: { click: n } }),
  );
  const outcomes = replies.map(({ outcome }) => outcome);
  assert.is(outcomes.filter((outcome) => outcome === 'accepted').length, 1);
  assert.is(outcomes.filter((outcome) => outcome === 'answered').length, 49);
  assert.equal(await redis.xrange(STREAM, '-', '+').then((all) => all.map(([, fields]) => fields)), [
    ['click', String(outcomes.indexOf('accepted'))],
  ]);
});

test('7: the question is cleared and the answer published in one step, or neither', async () => {
  await store.set({ ...STATE, pendingQuestionId: 'q1' });
  await redis.set(STREAM, 'no stream');
  const publish = () => store.answerQuestion(STATE, 'q1', { answerId: 'a1', stream: STREAM, fields: { text: 'Yes' } });
  assert.is(await codeOf(publish()), 'WRONGTYPE');
  assert.is((await store.get(STATE))?.pendingQuestionId, 'q1', 'it still waits');
  await redis.del(STREAM);
  const { outcome, state } = await publish();
  assert.is(outcome, 'accepted');
  assert.is(state?.pendingQuestionId, null);
  assert.is(await redis.xlen(STREAM), 1);
});

test('8: a claim whose dispatcher died lapses, one whose job spoke lives on', async () => {
  await store.claim(STATE, { ttlMs: 250 });
  assert.is((await store.claim(SECOND)).outcome, 'held');
  await sleep(300);
  assert.is((await store.claim(SECOND, { ttlMs: 250 })).outcome, 'claimed');
  await store.getByJobId('j2');
  await sleep(300);
  assert.equal(await store.claim(STATE), { outcome: 'held', state: SECOND });
});

test('9: a resend after a lost reply is told the same, and published once', async () => {
  await store.set({ ...STATE, pendingQuestionId: 'q1' });
  const answerId = randomUUID();
  const send = () => store.answerQuestion(STATE, 'q1', { answerId, stream: STREAM, fields: { text: 'Yes' } });
  const first = await send();
  assert.is(first.outcome, 'accepted');
  assert.equal(await send(), first);
  assert.is(await redis.xlen(STREAM), 1);
  assert.equal(await store.claim(STATE), { outcome: 'claimed', state: first.state });
});

test('10: empty arrays, long integers and every other byte survive', async () => {
  const text = JSON.stringify(STATE).replace('}', ',"transcript":[],"n":9007199254740993,"price":1.10}');
  await redis.mset(CHANNEL, text, JOB, CHANNEL);
  await store.setPendingQuestion(STATE, 'q1');
  await store.answerQuestion(STATE, 'q1', { answerId: 'a1' });
  await store.clearPendingQuestion(STATE);
  await store.getByJobId('j1');
  const answered = `${text.slice(0, -1)},"lastAnswer":{"questionId":"q1","answerId":"a1"}}`;
  assert.is(await redis.get(CHANNEL), answered);
});

test('11: a value that nobody can read does not free the channel', async () => {
  for (const value of ['rubbish', '{"jobId":', '{}', '[]', 'null', '']) {
    await redis.set(CHANNEL, value);
    assert.is(await codeOf(store.claim(SECOND)), 'CONVCORRUPT', value);
    assert.is(await redis.get(CHANNEL), value);
    assert.is(await redis.dbsize(), 1);
  }
});

test('12: a platform in any case finds its one state', async () => {
  await store.set({ ...STATE, platform: 'Slack' });
  for (const platform of ['slack', 'SLACK', 'Slack', 'sLaCk']) {
    assert.is((await store.get({ platform, channelId: 'C1' }))?.jobId, 'j1');
    assert.is((await store.claim({ ...SECOND, platform })).outcome, 'held');
  }
  assert.is((await store.remove({ platform: 'SLACK', channelId: 'C1', jobId: 'j1' })).outcome, 'removed');
  assert.is(await redis.dbsize(), 0);
});

test('13: a removal says whether it removed, found another holder, or found nothing', async () => {
  assert.is((await store.remove(STATE)).outcome, 'gone');
  await store.set(SECOND);
  assert.is((await store.remove(STATE)).outcome, 'held');
  assert.is((await store.remove(SECOND)).outcome, 'removed');
});

test('14: a full server still removes', async () => {
  const full = await server.connect({}, await server.server('--maxmemory-policy', 'noeviction'));
  const store = new ConversationStore(full);
  await store.set(STATE);
  await full.config('SET', 'maxmemory', '1');
  assert.match(await store.set(STATE).then(String, String), /OOM/);
  assert.equal(await store.remove(STATE), { outcome: 'removed', state: STATE });
  assert.is(await full.dbsize(), 0);
});

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.catch((error: unknown) => error);
  return error instanceof ConversationError ? error.code : `no ConversationError but ${JSON.stringify(error)}`;
}

test.run();
