import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, HANDLED, INBOX, JOB, STATE, WATCH } from '../support/library.ts';
import { dump, withRedis } from '../support/redis.ts';
import { listener, refusal } from './store.ts';

const test = suite('the life of a conversation, by the store');
const server = withRedis(test);

const BY_CHANNEL = { platform: 'slack', channelId: 'C1' };
const HOLDER = { ...STATE, deliveryId: 'd1' };
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const { claimId: _, ...WITHOUT_CLAIM } = STATE;

let redis: Redis;
let store: ConversationStore;
const logger = listener();

test.before(async () => {
  redis = await server.connect();
  store = new ConversationStore(redis, { logger });
});
test.before.each(async () => {
  await redis.flushall();
  logger.heard.length = 0;
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** A claim of another job for a message that says something. */
const follow = (text: string, deliveryId?: string) =>
  store.claim({ ...WITHOUT_CLAIM, jobId: 'j2', ...(deliveryId && { deliveryId }) }, { queue: { text, n: 1 } });

test('a claim without a claim id gets a fresh one, so that it is told apart from every other call', async () => {
  const first = await store.claim(WITHOUT_CLAIM);
  assert.match(first.state?.claimId ?? '', UUID);
  assert.is(first.state?.deliveryId, undefined);
  assert.equal(await store.claim(WITHOUT_CLAIM), { outcome: 'held', state: first.state });
});

test('what the store adds stands in the JSON once, whatever a toJSON writes', async () => {
  const text = async () => (await redis.get(CHANNEL)) ?? '';
  const named = { ...WITHOUT_CLAIM, toJSON: () => STATE };
  await store.claim(named);
  assert.is(await text(), JSON.stringify(STATE));
  await store.remove(BY_CHANNEL);
  class Job {
    readonly state = WITHOUT_CLAIM;
    toJSON() {
      return { ...this.state, toJSON: () => 'twice' };
    }
  }
  await store.claim(Object.assign(new Job(), WITHOUT_CLAIM));
  assert.equal(Object.keys(JSON.parse(await text())), [...Object.keys(WITHOUT_CLAIM), 'claimId']);
});

test('a message that comes while a job runs is queued, with a delivery id of its own where it has none', async () => {
  await store.claim(HOLDER);
  assert.equal(await follow('one', 'd2'), { outcome: 'queued', state: HOLDER });
  assert.equal(await follow('one', 'd2'), { outcome: 'duplicate', state: HOLDER });
  assert.equal(await follow('two'), { outcome: 'queued', state: HOLDER });
  const entries = await all(store.inbox(BY_CHANNEL));
  assert.equal(
    entries.map(({ fields }) => fields),
    [
      { text: 'one', n: '1' },
      { text: 'two', n: '1' },
    ],
  );
  assert.ok((await redis.zrange(HANDLED, '0', '-1')).some((member) => UUID.test(member)));
  assert.equal(logger.heard, [
    'info: conversation claimed: slack C1, job j1',
    'info: message queued: slack C1, job j2',
    'info: message queued: slack C1, job j2',
  ]);
});

test('the inbox is read by every reference, from where the reader stopped, page by page', async () => {
  await store.claim(HOLDER);
  const pipeline = redis.pipeline();
  for (let n = 1; n <= 250; n++) pipeline.xadd(INBOX, `${n}-1`, 'n', String(n));
  await pipeline.exec();
  for (const ref of [BY_CHANNEL, { jobId: 'j1' }, HOLDER]) {
    const entries = await all(store.inbox(ref));
    assert.is(entries.length, 250);
    assert.equal(entries[249], { id: '250-1', fields: { n: '250' } });
  }
  assert.equal(
    (await all(store.inbox(BY_CHANNEL, { after: '248-1' }))).map(({ id }) => id),
    ['249-1', '250-1'],
  );
  assert.equal(await all(store.inbox({ jobId: 'j9' })), []);
  assert.equal(await all(store.inbox({ ...BY_CHANNEL, channelId: 'C9' })), []);
  assert.is(store.inboxKey(BY_CHANNEL), INBOX);
  assert.is(
    new ConversationStore(redis, { prefix: 'a:' }).inboxKey({ ...BY_CHANNEL, platform: 'Slack' }),
    `a:${INBOX}`,
  );
});

test('an inbox is read by the job that holds the channel, and by no job that has lost it', async () => {
  await store.claim(HOLDER);
  await follow('for the first', 'd2');
  await store.set({ ...HOLDER, jobId: 'j9' });
  await follow('for the second', 'd3');
  for (const ref of [{ jobId: 'j1' }, HOLDER]) assert.equal(await all(store.inbox(ref)), []);
  for (const ref of [BY_CHANNEL, { jobId: 'j9' }, { ...BY_CHANNEL, jobId: 'j9' }]) {
    assert.is((await all(store.inbox(ref))).length, 2);
  }
});

test('a full inbox is told, and takes nothing', async () => {
  await store.claim(HOLDER);
  const pipeline = redis.pipeline();
  for (let n = 1; n <= 1_000; n++) pipeline.xadd(INBOX, '*', 'n', n);
  await pipeline.exec();
  assert.equal(await follow('one', 'd2'), { outcome: 'full', state: HOLDER });
  assert.is(await redis.exists(HANDLED), 0);
});

test('a removal waits while the inbox holds what the job has not read', async () => {
  await store.claim(HOLDER);
  await follow('one', 'd2');
  assert.equal(await store.remove(HOLDER, { lastSeen: '0' }), { outcome: 'waiting', state: HOLDER });
  const [entry] = await all(store.inbox(HOLDER));
  assert.equal(await store.remove(HOLDER, { lastSeen: entry?.id ?? '' }), { outcome: 'removed', state: HOLDER });
  assert.equal(Object.keys(await dump(redis)), [HANDLED]);
});

test('the message of a removed job is a duplicate, unless the removal was for a retry', async () => {
  await store.claim(HOLDER);
  await store.remove(HOLDER);
  assert.equal(await store.claim({ ...HOLDER, claimId: 'c2' }), { outcome: 'duplicate', state: null });
  await redis.flushall();
  await store.claim(HOLDER);
  await store.remove(HOLDER, { retry: true });
  assert.is((await store.claim({ ...HOLDER, claimId: 'c2' })).outcome, 'claimed');
});

test('an update puts members into the state, tells the job in the same step, and does so once a delivery', async () => {
  type Extra = { message?: { ts: string } | null; at?: Date };
  const store = new ConversationStore<Extra>(redis, { prefix: 'a:', logger });
  await store.claim(STATE);
  const at = new Date('2026-02-01T00:00:00.000Z');
  const { outcome, state } = await store.update(BY_CHANNEL, { message: { ts: '1.10' }, at, project: 'p' });
  assert.is(outcome, 'updated');
  assert.equal(state, { ...STATE, project: 'p', message: { ts: '1.10' }, at: at.toISOString() });
  const stop = () =>
    store.update({ jobId: 'j1' }, { message: null }, { stream: 's', fields: { type: 'stop' }, deliveryId: 'd9' });
  const stopped = { ...STATE, project: 'p', message: null, at: at.toISOString() };
  assert.equal(await stop(), { outcome: 'updated', state: stopped });
  assert.equal(await stop(), { outcome: 'duplicate', state: stopped });
  assert.is(await redis.xlen('a:s'), 1);
  assert.equal(await store.update({ jobId: 'j9' }, {}), { outcome: 'gone', state: null });
  assert.equal(logger.heard, [
    'info: conversation claimed: slack C1, job j1',
    'info: conversation updated: slack C1',
    'info: conversation updated: job j1',
  ]);
});

test('with silentAfterMs claims, sets and look-ups are watched, and due names the silent jobs', async () => {
  const store = new ConversationStore(redis, { silentAfterMs: 1, prefix: 'a:' });
  await store.claim({ ...STATE, platform: 'Slack' });
  await sleep(10);
  const silent = await all(store.due());
  assert.equal(silent, [{ jobId: 'j1', ...BY_CHANNEL, state: { ...STATE, platform: 'Slack' } }]);
  assert.equal(await all(store.due()), [], 'nobody else is told while it is looked into');
  await store.getByJobId('j1');
  await sleep(10);
  assert.is((await all(store.due({ leaseMs: 1 }))).length, 1);
  await store.set({ ...STATE, jobId: 'j2', channelId: 'C2' });
  await sleep(10);
  assert.equal((await all(store.due({ leaseMs: 1, limit: 1 }))).length, 1);
  await sleep(10);
  assert.equal((await all(store.due({ leaseMs: 1 }))).map(({ jobId }) => jobId).sort(), ['j1', 'j2']);
});

test('a job that lapsed has no state, and its removal says so once', async () => {
  const store = new ConversationStore(redis, { silentAfterMs: 1 });
  await store.claim(STATE, { ttlMs: 1 });
  await sleep(10);
  const [job] = await all(store.due());
  assert.equal(job, { jobId: 'j1', ...BY_CHANNEL, state: null });
  assert.equal(await store.remove(job ?? STATE), { outcome: 'lapsed', state: null });
  assert.equal(await store.remove(job ?? STATE), { outcome: 'gone', state: null });
  await store.claim(STATE, { ttlMs: 1 });
  await sleep(10);
  const second = { ...STATE, jobId: 'j2' };
  await store.claim(second);
  assert.equal(await store.remove(STATE), { outcome: 'lapsed', state: second });
});

test('a silent job whose state cannot be read is named, with a warning', async () => {
  const store = new ConversationStore(redis, { silentAfterMs: 1, logger });
  await store.claim(STATE);
  await redis.set(CHANNEL, 'rubbish');
  await sleep(10);
  assert.equal(await all(store.due()), [{ jobId: 'j1', ...BY_CHANNEL, state: null }]);
  assert.equal(logger.heard.slice(1), ['warn: unreadable conversation: slack C1, job j1']);
});

test('without silentAfterMs nothing is watched', async () => {
  await store.claim(STATE);
  await store.getByJobId('j1');
  assert.is(await redis.exists(WATCH), 0);
  assert.equal(await all(store.due()), []);
});

test('a sharded store asks every partition for silent jobs', async () => {
  const store = new ConversationStore(redis, { sharded: true, silentAfterMs: 1 });
  const states = Array.from({ length: 20 }, (_, n) => {
    const channel = { platform: 'slack', channelId: `C${n}` };
    return { ...STATE, ...channel, jobId: store.newJobId(channel) };
  });
  await Promise.all(states.map((state) => store.claim(state)));
  await sleep(10);
  const found = await all(store.due());
  assert.equal(found.map(({ jobId }) => jobId).sort(), states.map(({ jobId }) => jobId).sort());
});

test('what can be seen to be wrong is refused, and nothing is changed', async () => {
  for (const bad of [-1, 0, 1.5, Number.NaN, 1_000_000_000_000, '5' as unknown as number]) {
    for (const options of [{ ttlMs: bad }, { silentAfterMs: bad }]) {
      assert.throws(() => new ConversationStore(redis, options), /must be whole milliseconds from 1 to 999999999999/);
    }
    await refusal(store.claim(STATE, { ttlMs: bad }), 'INVALID_ARGUMENT');
    await refusal(store.set(STATE, { ttlMs: bad }), 'INVALID_ARGUMENT');
    await refusal(store.getByJobId('j1', { ttlMs: bad }), 'INVALID_ARGUMENT');
    await refusal(store.update(STATE, {}, { ttlMs: bad }), 'INVALID_ARGUMENT');
    await refusal(store.setPendingQuestion(STATE, 'q1', { ttlMs: bad }), 'INVALID_ARGUMENT');
    await refusal(store.answerQuestion(STATE, 'q1', { ttlMs: bad }), 'INVALID_ARGUMENT');
    await refusal(all(store.due({ leaseMs: bad })), 'INVALID_ARGUMENT');
    await refusal(all(store.due({ limit: bad })), 'INVALID_ARGUMENT');
  }
  const wrong = <T>(value: unknown) => value as T;
  await refusal(store.claim(STATE, { queue: {} }), 'INVALID_ARGUMENT');
  await refusal(store.claim(STATE, { queue: wrong('text') }), 'INVALID_ARGUMENT');
  await refusal(store.claim(STATE, { queue: wrong({ text: { a: 1 } }) }), 'INVALID_ARGUMENT');
  await refusal(store.update(BY_CHANNEL, {}, wrong({ stream: 's', fields: { f: 'v' } })), 'INVALID_ARGUMENT');
  await refusal(store.answerQuestion(BY_CHANNEL, 'q', wrong({ stream: 's', fields: { f: 'v' } })), 'INVALID_ARGUMENT');
  await refusal(store.update(STATE, {}, wrong({ stream: 's' })), 'INVALID_ARGUMENT');
  await refusal(store.update(STATE, {}, wrong({ fields: { f: 'v' } })), 'INVALID_ARGUMENT');
  await refusal(store.update(STATE, wrong(null)), 'INVALID_ARGUMENT');
  await refusal(store.update(STATE, {}, { deliveryId: wrong(7) }), 'INVALID_ARGUMENT');
  for (const id of ['', 'x', '-', '1-', '1-2-3', '(1-1', wrong<string>(7), wrong<string>(null)]) {
    await refusal(store.remove(STATE, { lastSeen: id }), 'INVALID_ARGUMENT');
    await refusal(all(store.inbox(BY_CHANNEL, { after: id })), 'INVALID_ARGUMENT');
  }
  await refusal(store.remove(STATE, { retry: wrong('yes') }), 'INVALID_ARGUMENT');
  await refusal(store.getByJobId('j1', { renew: wrong('no') }), 'INVALID_ARGUMENT');
  assert.throws(() => store.inboxKey(wrong({ jobId: 'j1' })), /an inbox is named by/);
  await refusal(store.update(STATE, wrong([])), 'CONVSTATE');
  assert.equal(await dump(redis), {});
});

test('a client that is none is refused, with the one that is wanted', async () => {
  for (const [client, what] of [
    [undefined, 'this is none'],
    [null, 'this is none'],
    ['redis://127.0.0.1', 'this is none'],
    [{}, 'this is none'],
    [{ fCall() {}, options: {} }, 'this is a client of the package redis (node-redis)'],
  ] as const) {
    const make = () => new ConversationStore(client as unknown as Redis);
    assert.throws(make, (error: Error & { code: string }) => {
      const wanted = `client must be a Redis or Cluster of ioredis 5.11 or later, new Redis(url); ${what}`;
      return error.code === 'INVALID_ARGUMENT' && error.message === wanted;
    });
  }
});

test('a key of another type is WRONGTYPE, and nothing is changed', async () => {
  for (const key of [INBOX, HANDLED, WATCH, JOB]) {
    await redis.flushall();
    const store = new ConversationStore(redis, { silentAfterMs: 1_000 });
    if (key !== WATCH) await store.claim(HOLDER);
    await redis.set(key, 'another type');
    await redis.rename(key, 'x');
    await redis.del(key, 'x');
    await redis.lpush(key, 'another type');
    const before = await dump(redis);
    const call =
      key === WATCH
        ? store.claim(HOLDER)
        : key === JOB
          ? store.getByJobId('j1')
          : store.claim({ ...WITHOUT_CLAIM, jobId: 'j2' }, { queue: { text: 'more' } });
    await refusal(call, 'WRONGTYPE');
    assert.equal(await dump(redis), before, key);
  }
});

test.run();
