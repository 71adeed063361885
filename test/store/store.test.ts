import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, HANDLED, INBOX, STATE } from '../support/library.ts';
import { dump, withRedis } from '../support/redis.ts';
import { all, BY_CHANNEL, refusal, UUID } from './store.ts';

// What the store adds to the library, whose rules are proven in test/library/: the defects there from this end too.

const test = suite('ConversationStore');
const server = withRedis(test);

const BY_JOB = { jobId: 'j1' };
const { claimId: _, ...WITHOUT_CLAIM } = STATE;
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

const outcomeOf = async (call: Promise<{ outcome: string }>) => (await call).outcome;

test('a set returns null at first, then the state that it replaced', async () => {
  assert.is(await store.set(STATE), null);
  assert.equal(await store.set({ ...STATE, jobId: 'j2' }), { ...STATE, silentAfterMs: 60_000 });
  assert.is((await store.get(BY_CHANNEL))?.jobId, 'j2');
});

test('an id that is left out is a fresh one per call, and an empty answer id is that of nobody', async () => {
  const first = await store.claim(WITHOUT_CLAIM);
  assert.match(first.state?.claimId ?? '', UUID);
  assert.equal(await store.claim(WITHOUT_CLAIM), { outcome: 'held', state: first.state });
  for (const _ of [1, 2]) assert.is(await outcomeOf(store.claim(WITHOUT_CLAIM, { queue: { n: 1 } })), 'queued');
  const stop = { stream: 's', fields: { type: 'stop' } };
  for (const _ of [1, 2]) assert.is(await outcomeOf(store.update(STATE, {}, stop)), 'updated');
  assert.is((await redis.zrange(HANDLED, '0', '-1')).filter((member) => UUID.test(member)).length, 4);
  await store.setPendingQuestion(STATE, 'q1');
  assert.match((await store.answerQuestion(STATE, 'q1')).state?.lastAnswer?.answerId ?? '', UUID);
  assert.is(await outcomeOf(store.answerQuestion(STATE, 'q1')), 'answered');
  await store.setPendingQuestion(STATE, 'q2');
  for (const outcome of ['accepted', 'answered']) {
    assert.is(await outcomeOf(store.answerQuestion(STATE, 'q2', { answerId: '' })), outcome);
  }
  const { state } = await store.handOver(BY_JOB, { ...WITHOUT_CLAIM, jobId: 'j2' });
  assert.match(state?.claimId ?? '', UUID);
});

test('an inbox that has no room is full, and what waits may be discarded', async () => {
  await store.claim(STATE);
  const pipeline = redis.pipeline();
  for (let n = 0; n < 1_000; n++) pipeline.xadd(INBOX, '*', 'n', n);
  await pipeline.exec();
  assert.is(await outcomeOf(store.claim({ ...STATE, jobId: 'j2' }, { queue: { n: 1 } })), 'full');
  assert.is(await outcomeOf(store.remove(BY_JOB, { discardInbox: true })), 'removed');
  assert.is(await redis.exists(INBOX), 0);
});

test('what is queued or published has its fields in their order, numbers as text', async () => {
  await store.set({ ...STATE, pendingQuestionId: 'q1' });
  const fields = { type: 'answer', text: 'Ja, "natürlich"', at: 1_700_000_000_000, empty: '' };
  const stream = store.key(STATE, 'job:j1:in');
  await store.answerQuestion(STATE, 'q1', { stream, fields });
  await store.update(STATE, {}, { stream, fields });
  await store.claim({ ...STATE, jobId: 'j2' }, { queue: fields });
  const entries = [...(await redis.xrange(stream, '-', '+')), ...(await redis.xrange(INBOX, '-', '+'))];
  assert.equal(
    entries.map(([, entry]) => entry),
    Array(3).fill(Object.entries(fields).flat().map(String)),
  );
  const [entry] = await all(store.inbox(STATE));
  assert.equal(entry?.fields, { ...fields, at: '1700000000000' });
});

test("conversations live two hours, the store's TTL, or the call's", async () => {
  const own = new ConversationStore(redis, { ttlMs: 5 * HOUR });
  const calls: ((store: ConversationStore, options?: { ttlMs: number }) => Promise<unknown>)[] = [
    (store, options) => store.claim(STATE, options),
    (store, options) => store.getByJobId('j1', options),
    (store, options) => store.setPendingQuestion(STATE, 'q1', options),
    (store, options) => store.answerQuestion(STATE, 'q1', options),
    (store, options) => store.clearPendingQuestion(STATE, options),
    (store, options) => store.handOver(STATE, { ...STATE, jobId: 'j2' }, options),
    (store, options) => store.set(STATE, options),
  ];
  for (const [ttl, store, options] of [
    [2 * HOUR, new ConversationStore(redis), undefined],
    [5 * HOUR, own, undefined],
    [HOUR, own, { ttlMs: HOUR }],
  ] as const) {
    await redis.flushall();
    for (const call of calls) {
      const [from] = await redis.time();
      await call(store, options);
      const [to] = await redis.time();
      const end = Math.floor((await redis.pexpiretime(CHANNEL)) / 1_000) - ttl / 1_000;
      assert.ok(end >= Number(from) && end <= Number(to), call.toString());
      await redis.pexpire(CHANNEL, 60_000);
    }
  }
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
  await tenant.handOver(STATE, { ...STATE, jobId: 'j2' });
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
  await redis.set(HANDLED, 'of another type');
  await refusal(store.update(STATE, {}, { deliveryId: 'd1' }), 'WRONGTYPE');
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

/** An error as it would be logged, with everything it holds. */
function inspected(error: unknown, seen = new Set<unknown>()): string {
  if (typeof error !== 'object' || error === null) return String(error);
  if (seen.has(error)) return '';
  seen.add(error);
  const members = Reflect.ownKeys(error).map((key) => `${String(key)}: ${inspected(Reflect.get(error, key), seen)}`);
  return members.join('\n');
}

test.run();
