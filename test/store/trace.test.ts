import { tracingChannel } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../../scripts/redis/free-port.ts';
import { type CallTrace, ConversationStore } from '../../src/index.ts';
import { CHANNEL, INBOX, STATE, WATCH } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { all, refusal } from './store.ts';

const test = suite('the tracing channel');
const server = withRedis(test);
const channel = tracingChannel<string, CallTrace>('conversation-state:call');
const heard: CallTrace[] = [];
const subscriber = {
  start() {},
  end() {},
  asyncStart() {},
  asyncEnd: (trace: CallTrace) => heard.push({ ...trace }),
  error() {},
};

/** What was heard of each call: these members, those that are not there as a dash. */
const parts = (...names: (keyof CallTrace)[]) =>
  heard.map((trace) => names.map((name) => trace[name] ?? '-').join(' '));

let redis: Redis;
let store: ConversationStore;

test.before(async () => {
  redis = await server.connect();
  store = new ConversationStore(redis, { silentAfterMs: 60_000 });
  await store.ready();
  channel.subscribe(subscriber);
});
test.before.each(() => {
  heard.length = 0;
});
test.after(() => channel.unsubscribe(subscriber));

test('every call is heard with its method, platform, outcome or error code, and without ids and states', async () => {
  await store.claim({ ...STATE, deliveryId: 'd1' });
  await store.claim({ ...STATE, claimId: 'c2', deliveryId: 'd2' }, { queue: { text: 'sesame' } });
  await store.get(STATE);
  await store.getByJobId('j1');
  await store.update(STATE, { userId: 'sesame' });
  await store.setPendingQuestion({ jobId: 'j1' }, 'q1');
  await store.answerQuestion(STATE, 'q1');
  await all(store.inbox(STATE));
  await all(store.due());
  await store.handOver(STATE, { ...STATE, jobId: 'j2' });
  await store.remove(STATE);
  await redis.set(CHANNEL, 'rubbish');
  await store.claim(STATE).catch(() => {});
  assert.equal(parts('method', 'platform', 'outcome', 'count', 'code'), [
    'claim slack claimed - -',
    'claim slack queued - -',
    'get slack - - -',
    'getByJobId - - - -',
    'update slack updated - -',
    'setPendingQuestion - - - -',
    'answerQuestion slack accepted - -',
    'inbox slack - 1 -',
    'due - - 0 -',
    'handOver slack claimed - -',
    'remove slack held - -',
    'claim slack - - CONVCORRUPT',
  ]);
  for (const text of ['sesame', 'C1', 'j1', 'U1']) {
    const shown = JSON.stringify(heard.map(({ ...trace }) => ({ ...trace, error: undefined })));
    assert.not.match(shown, `"${text}"`);
  }
});

test('what was refused before it was sent is heard, and what is no platform is not repeated', async () => {
  const wrong = (platform: string) => ({ ...STATE, platform });
  for (const call of [
    () => store.get(wrong('anna@example.com')),
    () => store.claim(wrong('an na')),
    () => store.update({ platform: 'slack', channelId: '' }, {}),
    () => store.getByJobId(''),
    () => store.inbox(STATE, { after: 'x' }).next(),
    () => store.due({ limit: 0 }).next(),
    () => store.list({ platform: '*' }).next(),
  ]) {
    await refusal(call(), 'INVALID_ARGUMENT');
  }
  const calls = ['get -', 'claim -', 'update slack', 'getByJobId -', 'inbox slack', 'due -', 'list -'];
  assert.equal(
    parts('method', 'platform', 'code'),
    calls.map((call) => `${call} INVALID_ARGUMENT`),
  );
});

test('what is made of several commands is one call of its own name', async () => {
  await redis.flushall();
  const store = new ConversationStore(redis, { silentAfterMs: 1 });
  await store.claim(STATE);
  await redis.xadd(INBOX, '*', 'text', 'more');
  while ((await redis.zcount(WATCH, 0, Date.now() - 1)) === 0) await sleep(5);
  heard.length = 0;
  await store.ready();
  await all(store.inbox({ jobId: 'j1' }));
  await all(store.due());
  for await (const _ of store.list({ platform: 'slack' })) break;
  assert.equal(parts('method', 'count'), ['ready -', 'inbox 1', 'due 1', 'list 1']);
});

test('where the server cannot be reached, UNAVAILABLE is heard', async () => {
  const client = new Redis({ port: await freePort(), maxRetriesPerRequest: 0, retryStrategy: () => null });
  client.on('error', () => {});
  await refusal(new ConversationStore(client).get(STATE), 'UNAVAILABLE');
  assert.equal(parts('code', 'outcome'), ['UNAVAILABLE -']);
  client.disconnect();
});

test("an application's own member called outcome is not published", async () => {
  const own = new ConversationStore<{ outcome: string }>(redis);
  const state = { ...STATE, channelId: 'C3', jobId: 'j3', outcome: 'sesame' };
  await own.claim(state);
  heard.length = 0;
  await own.get(state);
  await own.getByJobId('j3');
  await own.setPendingQuestion(state, 'q1');
  await own.set(state);
  assert.equal(parts('method', 'outcome'), ['get -', 'getByJobId -', 'setPendingQuestion -', 'set -']);
});

test.run();
