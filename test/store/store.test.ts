import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, JOB, STATE } from '../support/library.ts';
import { dump, withRedis } from '../support/redis.ts';
import { refusal } from './store.ts';

const test = suite('ConversationStore');
const server = withRedis(test);

const BY_CHANNEL = { platform: 'slack', channelId: 'C1' };
const REFERENCES = {
  'a channel': BY_CHANNEL,
  'a job': { jobId: 'j1' },
  'all three': { ...BY_CHANNEL, jobId: 'j1' },
  'a state': STATE,
};
const SECOND = { ...STATE, jobId: 'j2' };
const HOURS = 3_600_000;

let redis: Redis;
let store: ConversationStore;

test.before(async () => {
  redis = await server.connect();
  store = new ConversationStore(redis);
});
test.before.each(async () => {
  await redis.flushall();
});

/** Both keys expire together, so many milliseconds from now, give or take ten seconds. */
async function lives(ttlMs: number, keys = [CHANNEL, JOB]): Promise<void> {
  const [state, job] = await Promise.all(keys.map((key) => redis.pttl(key)));
  for (const left of [state, job]) {
    assert.ok(
      Math.abs(Number(left) - ttlMs) < 10_000,
      `${keys.join(' and ')} live ${state} and ${job}, not ${ttlMs} ms`,
    );
  }
}

test('claim: claimed with what was stored, then held with the state of the holder', async () => {
  assert.equal(await store.claim(STATE), { outcome: 'claimed', state: STATE });
  assert.equal(await store.claim(SECOND), { outcome: 'held', state: STATE });
  assert.equal(await store.claim({ ...STATE, userId: 'U2' }), { outcome: 'claimed', state: STATE });
});

test('set: null at first, then the state that was replaced', async () => {
  assert.is(await store.set(STATE), null);
  assert.equal(await store.set(SECOND), STATE);
  assert.equal(await store.get(BY_CHANNEL), SECOND);
  assert.is(await redis.exists(JOB), 0);
});

for (const [form, ref] of Object.entries(REFERENCES)) {
  test(`get by ${form}: the state, or null`, async () => {
    assert.is(await store.get(ref), null);
    await store.set(STATE);
    assert.equal(await store.get(ref), STATE);
  });

  test(`setPendingQuestion and clearPendingQuestion by ${form}: the new state, or null`, async () => {
    assert.is(await store.setPendingQuestion(ref, 'q1'), null);
    assert.is(await store.clearPendingQuestion(ref), null);
    await store.set(STATE);
    assert.equal(await store.setPendingQuestion(ref, 'q1'), { ...STATE, pendingQuestionId: 'q1' });
    assert.equal(await store.clearPendingQuestion(ref), STATE);
  });

  test(`answerQuestion by ${form}: gone, stale, accepted, answered`, async () => {
    assert.equal(await store.answerQuestion(ref, 'q1'), { outcome: 'gone', state: null });
    await store.set({ ...STATE, pendingQuestionId: 'q1' });
    const asked = { ...STATE, pendingQuestionId: 'q1' };
    assert.equal(await store.answerQuestion(ref, 'q0'), { outcome: 'stale', state: asked });
    const state = { ...STATE, lastAnswer: { questionId: 'q1', answerId: 'a1' } };
    assert.equal(await store.answerQuestion(ref, 'q1', { answerId: 'a1' }), { outcome: 'accepted', state });
    assert.equal(await store.answerQuestion(ref, 'q1', { answerId: 'a1' }), { outcome: 'accepted', state });
    assert.equal(await store.answerQuestion(ref, 'q1', { answerId: 'a2' }), { outcome: 'answered', state });
  });

  test(`remove by ${form}: removed, then gone`, async () => {
    await store.set(STATE);
    assert.equal(await store.remove(ref), { outcome: 'removed', state: STATE });
    assert.equal(await store.remove(ref), { outcome: 'gone', state: null });
    assert.equal(await dump(redis), {});
  });
}

for (const form of ['a job', 'all three', 'a state'] as const) {
  test(`a reference by ${form} reaches nothing that another job holds`, async () => {
    await store.set({ ...SECOND, pendingQuestionId: 'q1' });
    await redis.set(JOB, CHANNEL);
    const held = { ...SECOND, pendingQuestionId: 'q1' };
    const ref = REFERENCES[form];
    assert.is(await store.get(ref), null);
    assert.is(await store.setPendingQuestion(ref, 'q2'), null);
    assert.is(await store.clearPendingQuestion(ref), null);
    assert.equal(await store.answerQuestion(ref, 'q1'), { outcome: 'gone', state: null });
    assert.equal(await store.remove(ref), { outcome: 'held', state: held });
    assert.equal(await store.get(BY_CHANNEL), held);
  });
}

test('getByJobId: the state with its deadlines renewed, or null', async () => {
  assert.is(await store.getByJobId('j1'), null);
  await store.set(STATE, { ttlMs: 60_000 });
  assert.equal(await store.getByJobId('j1', { renew: false }), STATE);
  await lives(60_000);
  assert.equal(await store.getByJobId('j1', { renew: true, ttlMs: HOURS }), STATE);
  await lives(HOURS);
  assert.equal(await store.getByJobId('j1'), STATE);
  await lives(2 * HOURS);
});

test("two hours, the store's time to live, or the call's", async () => {
  const own = new ConversationStore(redis, { ttlMs: 5 * HOURS });
  const calls: ((store: ConversationStore, options?: { ttlMs: number }) => Promise<unknown>)[] = [
    (store, options) => store.claim(STATE, options),
    (store, options) => store.set({ ...STATE, pendingQuestionId: 'q0' }, options),
    (store, options) => store.answerQuestion(STATE, 'q0', options),
    (store, options) => store.setPendingQuestion(STATE, 'q1', options),
    (store, options) => store.clearPendingQuestion(STATE, options),
    (store, options) => store.getByJobId('j1', options),
  ];
  for (const [ttl, call] of [
    [2 * HOURS, (n: number) => calls[n]?.(store)],
    [5 * HOURS, (n: number) => calls[n]?.(own)],
    [HOURS, (n: number) => calls[n]?.(own, { ttlMs: HOURS })],
  ] as const) {
    await redis.flushall();
    for (const n of calls.keys()) {
      await call(n);
      await lives(ttl);
      await redis.pexpire(CHANNEL, 60_000);
    }
  }
});

test('startedAt may be a Date, and comes back as the string that is stored', async () => {
  const startedAt = new Date('2026-01-31T09:30:00.000Z');
  assert.equal(await store.claim({ ...STATE, startedAt }), { outcome: 'claimed', state: STATE });
  assert.is(await store.set({ ...STATE, startedAt }).then((state) => state?.startedAt), STATE.startedAt);
});

test('further members come back as they were given', async () => {
  const extra = { transcript: [], reviewer: { name: 'Ünal', ids: [1.5] }, dry: false, parent: null };
  const store = new ConversationStore<typeof extra>(redis);
  const { state } = await store.claim({ ...STATE, ...extra });
  assert.equal(state, { ...STATE, ...extra });
  assert.equal(await store.setPendingQuestion(state ?? STATE, 'q1'), { ...STATE, ...extra, pendingQuestionId: 'q1' });
});

test('an answer without an id is a fresh one per call', async () => {
  await store.set({ ...STATE, pendingQuestionId: 'q1' });
  const { state } = await store.answerQuestion(STATE, 'q1');
  assert.match(String(state?.lastAnswer?.answerId), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/);
  assert.is((await store.answerQuestion(STATE, 'q1')).outcome, 'answered');
});

test("an empty answer id is nobody's", async () => {
  await store.set({ ...STATE, pendingQuestionId: 'q1' });
  assert.is((await store.answerQuestion(STATE, 'q1', { answerId: '' })).outcome, 'accepted');
  assert.is((await store.answerQuestion(STATE, 'q1', { answerId: '' })).outcome, 'answered');
});

test('the fields of an answer reach the stream in their order, numbers as text', async () => {
  await store.set({ ...STATE, pendingQuestionId: 'q1' });
  const fields = { type: 'answer', text: 'Ja, "natürlich"', at: 1_700_000_000_000, empty: '' };
  await store.answerQuestion(STATE, 'q1', { stream: 'job:j1:in', fields, ttlMs: HOURS });
  const [entry] = await redis.xrange('job:j1:in', '-', '+');
  assert.equal(entry?.[1], Object.entries(fields).flat().map(String));
  await lives(HOURS, [CHANNEL, 'job:j1:in']);
});

test('with a prefix every key is under it, the stream too, and stores do not see each other', async () => {
  const tenant = new ConversationStore(redis, { prefix: '{agentsmith}:' });
  await tenant.claim({ ...STATE, pendingQuestionId: 'q1' });
  await tenant.answerQuestion({ jobId: 'j1' }, 'q1', { stream: 'job:j1:in', fields: { text: 'Yes' } });
  await tenant.setPendingQuestion(BY_CHANNEL, 'q2');
  await tenant.set(SECOND);
  assert.equal(Object.keys(await dump(redis)), [
    '{agentsmith}:conversation:slack:C1',
    '{agentsmith}:job-index:j2',
    '{agentsmith}:job:j1:in',
  ]);
  assert.is(await store.get(BY_CHANNEL), null);
  assert.equal(await store.claim(STATE), { outcome: 'claimed', state: STATE });
  assert.equal(await tenant.remove({ jobId: 'j2' }), { outcome: 'removed', state: SECOND });
  assert.equal(await store.get(STATE), STATE);
});

test('an error of the library keeps its code and message, its cause has no arguments', async () => {
  await store.set({ ...STATE, userId: 'sesame' });
  const error = await refusal(store.claim({ ...STATE, channelId: 'C2', userId: 'sesame' }), 'CONVJOB');
  assert.match(error.message, /^this job is bound to another conversation/);
  assert.is(error.name, 'ConversationError');
  assert.instance(error.cause, Error);
  for (const text of [error.stack, JSON.stringify(error), JSON.stringify(error.cause), inspected(error)]) {
    assert.not.match(String(text), 'sesame');
  }
});

test("what is Redis's own error stays it, without the arguments", async () => {
  await redis.lpush(CHANNEL, 'x');
  const error = await refusal(store.set({ ...STATE, userId: 'sesame' }), 'WRONGTYPE');
  assert.not.match(inspected(error), 'sesame');
  const acl = await server.connect({}, await server.server());
  const limited = new ConversationStore(acl);
  await limited.ready();
  await acl.acl('SETUSER', 'default', '-time');
  const denial = (await limited.set({ ...STATE, userId: 'sesame' }).catch((error: unknown) => error)) as Error;
  assert.match(denial.message, /can't run|ACL failure/);
  assert.not.match(inspected(denial), 'sesame');
});

test('a value that breaks the rules is told by its code', async () => {
  await refusal(store.set({ ...STATE, userId: '' }), 'CONVSTATE');
  await refusal(store.claim({ ...STATE, startedAt: new Date(Number.NaN) }), 'CONVSTATE');
  assert.equal(await dump(redis), {});
});

/** An error as it would be logged, with everything it holds. */
function inspected(error: unknown): string {
  const seen = new Set<unknown>();
  const all = (value: unknown): string => {
    if (typeof value !== 'object' || value === null) return String(value);
    if (seen.has(value)) return '';
    seen.add(value);
    return Reflect.ownKeys(value)
      .map((key) => `${String(key)}: ${all(Reflect.get(value, key))}`)
      .join('\n');
  };
  return all(error);
}

test.run();
