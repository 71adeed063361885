import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, HANDLED, INBOX, JOB, STATE, WATCH } from '../support/library.ts';
import { dump, withRedis } from '../support/redis.ts';
import { all, BY_CHANNEL, refusal, UUID } from './store.ts';

const test = suite('ConversationStore');
const server = withRedis(test);

const BY_JOB = { jobId: 'j1' };
const FIRST = { ...STATE, deliveryId: 'd1', silentAfterMs: 60_000 };
const { claimId: _, ...WITHOUT_CLAIM } = STATE;
const SECOND = { ...STATE, jobId: 'j2', claimId: 'c2', silentAfterMs: 60_000 };
const HOUR = 3_600_000;

let redis: Redis;
let store: ConversationStore;

test.before(async () => {
  redis = await server.connect();
  store = new ConversationStore(redis, { silentAfterMs: 60_000 });
});
test.before.each(async () => {
  await redis.flushall();
});

/** Keys that expire together, so many milliseconds from now, give or take ten seconds. */
async function lives(ttlMs: number, keys = [CHANNEL, JOB]): Promise<void> {
  const left = await Promise.all(keys.map((key) => redis.pttl(key)));
  for (const ms of left)
    assert.ok(Math.abs(ms - ttlMs) < 10_000, `${keys.join(' and ')} live ${left}, not ${ttlMs} ms`);
}

const outcomeOf = async (call: Promise<{ outcome: string }>) => (await call).outcome;

test('a claim is claimed with what was stored, and another one is held, with the state of the holder', async () => {
  assert.equal(await store.claim(FIRST), { outcome: 'claimed', state: FIRST });
  assert.equal(await store.claim({ ...FIRST, userId: 'U2' }), { outcome: 'claimed', state: FIRST });
  assert.equal(await store.claim(SECOND), { outcome: 'held', state: FIRST });
  assert.equal(await store.claim({ ...FIRST, claimId: 'c9' }), { outcome: 'duplicate', state: FIRST });
});

test('a message that comes while a job runs is queued once, and one for which there is no room is not', async () => {
  await store.claim(FIRST);
  const follow = (deliveryId?: string) =>
    store.claim({ ...WITHOUT_CLAIM, jobId: 'j2', deliveryId }, { queue: { n: 1 } });
  assert.equal(await follow('d2'), { outcome: 'queued', state: FIRST });
  assert.equal(await follow('d2'), { outcome: 'duplicate', state: FIRST });
  assert.is(await outcomeOf(follow()), 'queued');
  assert.ok(
    (await redis.zrange(HANDLED, '0', '-1')).some((member) => UUID.test(member)),
    'a fresh delivery id',
  );
  const pipeline = redis.pipeline();
  for (let n = 2; n < 1_000; n++) pipeline.xadd(INBOX, '*', 'n', n);
  await pipeline.exec();
  assert.equal(await follow('d3'), { outcome: 'full', state: FIRST });
});

test('a job is starting until it is heard of, and lives as long as it was said then', async () => {
  const { state } = await store.claim(FIRST, { startWithinMs: 60_000 });
  assert.is(state?.starting, true);
  await lives(60_000);
  assert.is(await outcomeOf(store.claim({ ...FIRST, claimId: 'c9' })), 'starting');
  assert.is(await outcomeOf(store.update(BY_JOB, { userId: 'U2' }, { deliveryId: 'd2' })), 'starting');
  assert.is((await store.getByJobId('j1'))?.starting, false);
  await lives(2 * HOUR);
  assert.is(await outcomeOf(store.claim({ ...FIRST, claimId: 'c9' })), 'duplicate');
});

test('a hand-over gives channel and inbox to a successor, and tells the outgoing job in the same step', async () => {
  const next = { ...WITHOUT_CLAIM, jobId: 'j2' };
  assert.equal(await store.handOver(BY_JOB, next), { outcome: 'gone', state: null });
  await store.claim(FIRST);
  await store.claim({ ...STATE, jobId: 'j3', claimId: 'c3', deliveryId: 'd3' }, { queue: { text: 'more' } });
  const told = { stream: store.key(FIRST, 'job:j1:in'), fields: { type: 'stop' } };
  const { outcome, state } = await store.handOver(FIRST, next, { ...told, startWithinMs: 60_000 });
  assert.is(outcome, 'claimed');
  assert.match(state?.claimId ?? '', UUID);
  assert.equal(state, { ...next, silentAfterMs: 60_000, claimId: state?.claimId ?? '', starting: true });
  assert.equal((await redis.xrange('job:j1:in', '-', '+'))[0]?.[1], ['type', 'stop']);
  assert.is((await all(store.inbox({ jobId: 'j2' }))).length, 1);
  assert.is(await store.getByJobId('j1'), null);
  assert.equal(await store.handOver(FIRST, { ...SECOND, jobId: 'j4' }), { outcome: 'held', state });
  assert.equal(await store.claim({ ...FIRST, claimId: 'c9' }), { outcome: 'duplicate', state });
});

test('a set returns null at first, then the state that it replaced, and its job ends', async () => {
  assert.is(await store.set(FIRST), null);
  assert.equal(await store.set(SECOND), FIRST);
  assert.equal(await store.get(BY_CHANNEL), SECOND);
  assert.is(await store.get(BY_JOB), null);
});

for (const [form, ref] of Object.entries({
  channel: BY_CHANNEL,
  job: BY_JOB,
  both: { ...BY_CHANNEL, ...BY_JOB },
  state: STATE,
})) {
  test(`by ${form} a conversation is read, asked, answered, updated and removed, or it is gone`, async () => {
    const gone = { outcome: 'gone', state: null };
    assert.is(await store.get(ref), null);
    assert.is(await store.setPendingQuestion(ref, 'q1'), null);
    assert.is(await store.clearPendingQuestion(ref), null);
    assert.equal(await store.update(ref, {}), gone);
    assert.equal(await store.answerQuestion(ref, 'q1'), gone);
    assert.equal(await store.remove(ref), gone);
    await store.set(FIRST);
    assert.equal(await store.get(ref), FIRST);
    assert.equal(await store.update(ref, { project: 'p' }), { outcome: 'updated', state: { ...FIRST, project: 'p' } });
    assert.is((await store.setPendingQuestion(ref, 'q0'))?.pendingQuestionId, 'q0');
    assert.is((await store.clearPendingQuestion(ref))?.pendingQuestionId, null);
    await store.setPendingQuestion(ref, 'q1');
    assert.is(await outcomeOf(store.answerQuestion(ref, 'q0')), 'stale');
    const accepted = await store.answerQuestion(ref, 'q1', { answerId: 'a1' });
    assert.equal([accepted.outcome, accepted.state?.lastAnswer], ['accepted', { questionId: 'q1', answerId: 'a1' }]);
    assert.equal(await store.answerQuestion(ref, 'q1', { answerId: 'a1' }), accepted);
    assert.is(await outcomeOf(store.answerQuestion(ref, 'q1', { answerId: 'a2' })), 'answered');
    assert.is(await outcomeOf(store.answerQuestion(ref, 'q2', { answerId: 'a1' })), 'duplicate');
    assert.equal(await store.remove(ref), { outcome: 'removed', state: accepted.state });
    assert.equal(Object.keys(await dump(redis)), [HANDLED]);
  });
}

test('a removal waits while the inbox has entries, which the job reads or the caller discards', async () => {
  const queue = (n: number) =>
    store.claim({ ...STATE, jobId: `q${n}`, claimId: `q${n}`, deliveryId: `q${n}` }, { queue: { n } });
  await store.claim(FIRST);
  await queue(1);
  for (const ref of [FIRST, BY_CHANNEL]) assert.equal(await store.remove(ref), { outcome: 'waiting', state: FIRST });
  const [entry] = await all(store.inbox(FIRST));
  assert.equal(await store.getByJobId('j1', { lastSeen: entry?.id }), FIRST);
  assert.equal(await all(store.inbox(FIRST)), []);
  await queue(2);
  await redis.del(CHANNEL, JOB, WATCH);
  assert.equal(await store.remove(BY_CHANNEL), { outcome: 'waiting', state: null });
  await store.set(FIRST);
  assert.equal(await store.remove(FIRST, { discardInbox: true }), { outcome: 'removed', state: FIRST });
  assert.is(await redis.exists(INBOX), 0);
});

test('a message is claimed again after a removal with retry, which a job that was heard of refuses', async () => {
  await store.claim(FIRST, { startWithinMs: 60_000 });
  assert.is(await outcomeOf(store.remove(FIRST, { retry: true })), 'removed');
  assert.is(await outcomeOf(store.claim(FIRST, { startWithinMs: 60_000 })), 'claimed');
  const state = await store.getByJobId('j1');
  for (const ref of [FIRST, BY_CHANNEL])
    assert.equal(await store.remove(ref, { retry: true }), { outcome: 'held', state });
  assert.is(await outcomeOf(store.remove(FIRST)), 'removed');
  assert.equal(await store.claim({ ...FIRST, claimId: 'c9' }), { outcome: 'duplicate', state: null });
});

test('what an update or an answer publishes reaches the stream once, fields in their order and numbers as text', async () => {
  await store.set({ ...FIRST, pendingQuestionId: 'q1' });
  const fields = { type: 'answer', text: 'Ja, "natürlich"', at: 1_700_000_000_000, empty: '' };
  const stream = store.key(STATE, 'job:j1:in');
  for (const outcome of ['accepted', 'accepted']) {
    assert.is(await outcomeOf(store.answerQuestion(STATE, 'q1', { answerId: 'a1', stream, fields })), outcome);
  }
  for (const outcome of ['updated', 'duplicate']) {
    assert.is(await outcomeOf(store.update(STATE, {}, { deliveryId: 'd9', stream, fields })), outcome);
  }
  assert.is(await outcomeOf(store.update(STATE, {}, { stream, fields })), 'updated', 'a fresh delivery id');
  const entries = await redis.xrange(stream, '-', '+');
  assert.equal(
    entries.map(([, entry]) => entry),
    Array(3).fill(Object.entries(fields).flat().map(String)),
  );
});

test('an answer or a claim without an id is a fresh one per call, and one with an empty id is nobody', async () => {
  await store.set({ ...FIRST, pendingQuestionId: 'q1' });
  assert.match((await store.answerQuestion(STATE, 'q1')).state?.lastAnswer?.answerId ?? '', UUID);
  assert.is(await outcomeOf(store.answerQuestion(STATE, 'q1')), 'answered');
  await store.setPendingQuestion(STATE, 'q2');
  assert.is(await outcomeOf(store.answerQuestion(STATE, 'q2', { answerId: '' })), 'accepted');
  assert.is(await outcomeOf(store.answerQuestion(STATE, 'q2', { answerId: '' })), 'answered');
  await store.remove(STATE);
  const first = await store.claim(WITHOUT_CLAIM);
  assert.match(first.state?.claimId ?? '', UUID);
  assert.equal(await store.claim(WITHOUT_CLAIM), { outcome: 'held', state: first.state });
});

test("conversations live two hours, the store's TTL, or the call's", async () => {
  const own = new ConversationStore(redis, { ttlMs: 5 * HOUR });
  const calls: ((store: ConversationStore, options?: { ttlMs: number }) => Promise<unknown>)[] = [
    (store, options) => store.claim(STATE, options),
    (store, options) => store.getByJobId('j1', options),
    (store, options) => store.setPendingQuestion(STATE, 'q1', options),
    (store, options) => store.answerQuestion(STATE, 'q1', options),
    (store, options) => store.clearPendingQuestion(STATE, options),
    (store, options) => store.handOver(STATE, SECOND, options),
    (store, options) => store.set(STATE, options),
  ];
  for (const [ttl, store, options] of [
    [2 * HOUR, new ConversationStore(redis), undefined],
    [5 * HOUR, own, undefined],
    [HOUR, own, { ttlMs: HOUR }],
  ] as const) {
    await redis.flushall();
    for (const call of calls) {
      await call(store, options);
      await lives(ttl, [CHANNEL]);
      await redis.pexpire(CHANNEL, 60_000);
    }
  }
});

test('a question with a time limit keeps its conversation for the TTL after that, and a read changes nothing', async () => {
  await store.claim(STATE);
  const asked = await store.setPendingQuestion(STATE, 'q1', { answerWithinMs: 3 * HOUR, ttlMs: HOUR });
  assert.ok(Math.abs(Number(asked?.answerBy) - Date.now() - 3 * HOUR) < 10_000);
  assert.equal(await store.getByJobId('j1', { renew: false }), asked);
  await lives(4 * HOUR);
});

test('what the store adds stands in the JSON once, whatever a toJSON writes', async () => {
  const members = async () => Object.entries(JSON.parse((await redis.get(CHANNEL)) ?? ''));
  const added = { silentAfterMs: 5, claimId: 'c5', starting: false };
  const job = { ...WITHOUT_CLAIM, toJSON: () => ({ ...WITHOUT_CLAIM, ...added }) };
  await store.claim(job, { startWithinMs: 60_000 });
  assert.equal(await members(), Object.entries({ ...WITHOUT_CLAIM, ...added, starting: true }));
  assert.is((await redis.get(CHANNEL))?.match(/claimId/g)?.length, 1);
  const twice = { ...STATE, toJSON: () => ({ ...STATE, toJSON: () => 'twice' }) };
  await store.set(twice);
  assert.equal(await members(), Object.entries({ ...STATE, silentAfterMs: 60_000 }));
});

test('a Date, further members, half a surrogate pair and absent members are stored as JSON has them', async () => {
  const extra = { transcript: [], reviewer: { name: 'Ünal', ids: [1.5] }, dry: false, parent: null };
  const store = new ConversationStore<typeof extra & { title?: string }>(redis);
  const startedAt = new Date(STATE.startedAt);
  const given = { ...STATE, ...extra, startedAt, title: 'cut \\ud83d \ud83d', deliveryId: undefined };
  const state = { ...STATE, ...extra, title: 'cut \\ud83d \ufffd' };
  assert.equal(await store.claim(given), { outcome: 'claimed', state });
  assert.equal((await store.update(STATE, { title: 'whole 😀 \udc00' })).state, { ...state, title: 'whole 😀 \ufffd' });
});

test('with a prefix every key is under it, and stores do not see each other', async () => {
  const tenant = new ConversationStore(redis, { prefix: '{agentsmith}:' });
  await tenant.set({ ...STATE, pendingQuestionId: 'q1' });
  const stream = tenant.key(STATE, 'job:j1:in');
  await tenant.answerQuestion(BY_JOB, 'q1', { stream, fields: { text: 'Yes' } });
  await tenant.handOver(STATE, SECOND);
  const keys = Object.keys(await dump(redis));
  assert.ok(keys.includes(stream) && keys.every((key) => key.startsWith('{agentsmith}:')), keys.join());
  assert.is(await store.get(BY_CHANNEL), null);
  assert.is(tenant.inboxKey({ ...BY_CHANNEL, platform: 'Slack' }), `{agentsmith}:${INBOX}`);
});

test('an error of the library keeps its code and message, and neither it nor its cause holds the state', async () => {
  await store.set(STATE);
  const error = await refusal(store.claim({ ...STATE, channelId: 'C2', userId: 'sesame' }), 'CONVJOB');
  assert.match(error.message, /^this job is bound to another conversation/);
  assert.instance(error.cause, Error);
  assert.not.match(inspected(error), 'sesame');
  await refusal(store.set({ ...STATE, userId: '' }), 'CONVSTATE');
  await refusal(store.update(STATE, [] as never), 'CONVSTATE');
});

test("what is Redis's own error stays it, without the arguments", async () => {
  const limited = await server.connect({}, await server.server());
  const store = new ConversationStore(limited);
  await store.ready();
  await limited.acl('SETUSER', 'default', '-time');
  const denial = (await store.set({ ...STATE, userId: 'sesame' }).catch((error: unknown) => error)) as Error;
  assert.match(denial.message, /can't run|ACL failure/);
  assert.not.match(inspected(denial), 'sesame');
});

test('a key of another type is WRONGTYPE for a call that needs it, and nothing is changed', async () => {
  const next = { ...WITHOUT_CLAIM, jobId: 'j2' };
  for (const [key, call] of [
    [CHANNEL, () => store.get(BY_CHANNEL)],
    [JOB, () => store.getByJobId('j1')],
    [INBOX, () => store.claim(next, { queue: { text: 'more' } })],
    [HANDLED, () => store.claim({ ...next, deliveryId: 'd2' }, { queue: { text: 'more' } })],
    [WATCH, () => store.setPendingQuestion(STATE, 'q1')],
  ] as const) {
    await redis.flushall();
    await store.claim(FIRST);
    await redis.del(key);
    await redis.hset(key, 'f', 'v');
    const before = await dump(redis);
    await refusal(call(), 'WRONGTYPE');
    assert.equal(await dump(redis), before, key);
  }
});

/** An error as it would be logged, with everything it holds. */
function inspected(error: unknown, seen = new Set<unknown>()): string {
  if (typeof error !== 'object' || error === null) return String(error);
  if (seen.has(error)) return '';
  seen.add(error);
  const members = Reflect.ownKeys(error).map((key) => `${String(key)}: ${inspected(Reflect.get(error, key), seen)}`);
  return members.join('\n');
}

test.run();
