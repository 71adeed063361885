import { inspect } from 'node:util';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, HANDLED, INBOX, STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { all, refusal, UUID } from './store.ts';

// What the store adds to the library, whose rules are proven in test/library/: the defects there from this end too.

const test = suite('ConversationStore');
const server = withRedis(test);

const BY_JOB = { jobId: 'j1' };
const { claimId: _, ...WITHOUT_CLAIM } = STATE;

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

/** Shows all that an error holds. */
const EVERYTHING = { depth: null, showHidden: true };

test('an error of the library keeps its code and message, and neither it nor its cause holds the state', async () => {
  await store.set(STATE);
  const error = await refusal(store.claim({ ...STATE, channelId: 'C2', userId: 'sesame' }), 'CONVJOB');
  assert.match(error.message, /^this job is bound to another conversation/);
  assert.instance(error.cause, Error);
  assert.not.match(inspect(error, EVERYTHING), 'sesame');
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
  assert.not.match(inspect(denial, EVERYTHING), 'sesame');
});

test.run();
