import { tracingChannel } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../../scripts/redis/free-port.ts';
import { type CallTrace, ConversationStore } from '../../src/index.ts';
import { CHANNEL, INBOX, STATE, WATCH } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { refusal } from './store.ts';

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

let redis: Redis;
let store: ConversationStore;

test.before(async () => {
  redis = await server.connect();
  store = new ConversationStore(redis, { silentAfterMs: 60_000 });
  await store.ready();
  channel.subscribe(subscriber);
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
  for await (const _ of store.inbox(STATE));
  for await (const _ of store.due());
  await store.handOver(STATE, { ...STATE, jobId: 'j2' });
  await store.remove(STATE);
  await redis.set(CHANNEL, 'rubbish');
  await store.claim(STATE).catch(() => {});
  const plain = heard.map(({ method, platform, outcome, count, code }) =>
    [method, platform, outcome, count, code].filter((part) => part !== undefined).join(' '),
  );
  assert.equal(plain, [
    'claim slack claimed',
    'claim slack queued',
    'get slack',
    'getByJobId',
    'update slack updated',
    'setPendingQuestion',
    'answerQuestion slack accepted',
    'inbox slack 1',
    'due 0',
    'handOver slack claimed',
    'remove slack held',
    'claim slack CONVCORRUPT',
  ]);
  for (const text of ['sesame', 'C1', 'j1', 'U1']) {
    const shown = JSON.stringify(heard.map(({ ...trace }) => ({ ...trace, error: undefined })));
    assert.not.match(shown, `"${text}"`);
  }
});

test('what was refused before it was sent is heard, and what is no platform is not repeated', async () => {
  heard.length = 0;
  const wrong = (platform: string) => ({ ...STATE, platform });
  await store.get(wrong('anna@example.com')).catch(() => {});
  await store.claim(wrong('an na')).catch(() => {});
  await store.update({ platform: 'slack', channelId: '' }, {}).catch(() => {});
  await store.getByJobId('').catch(() => {});
  await store
    .inbox(STATE, { after: 'x' })
    .next()
    .catch(() => {});
  await store
    .due({ limit: 0 })
    .next()
    .catch(() => {});
  await store
    .list({ platform: '*' })
    .next()
    .catch(() => {});
  assert.equal(
    heard.map(({ method, platform, code }) => [method, platform ?? '-', code].join(' ')),
    [
      'get - INVALID_ARGUMENT',
      'claim - INVALID_ARGUMENT',
      'update slack INVALID_ARGUMENT',
      'getByJobId - INVALID_ARGUMENT',
      'inbox slack INVALID_ARGUMENT',
      'due - INVALID_ARGUMENT',
      'list - INVALID_ARGUMENT',
    ],
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
  for await (const _ of store.inbox({ jobId: 'j1' }));
  for await (const _ of store.due());
  for await (const _ of store.list({ platform: 'slack' })) break;
  assert.equal(
    heard.map(({ method, count }) => [method, count ?? '-'].join(' ')),
    ['ready -', 'inbox 1', 'due 1', 'list 1'],
  );
});

test('where the server cannot be reached, UNAVAILABLE is heard', async () => {
  const client = new Redis({ port: await freePort(), maxRetriesPerRequest: 0, retryStrategy: () => null });
  client.on('error', () => {});
  heard.length = 0;
  await refusal(new ConversationStore(client).get(STATE), 'UNAVAILABLE');
  assert.equal(
    heard.map(({ code, outcome }) => [code, outcome]),
    [['UNAVAILABLE', undefined]],
  );
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
  assert.equal(
    heard.map(({ method, outcome }) => [method, outcome]),
    ['get', 'getByJobId', 'setPendingQuestion', 'set'].map((method) => [method, undefined]),
  );
});

test('without a subscriber a call is run and nothing else is done', async () => {
  channel.unsubscribe(subscriber);
  heard.length = 0;
  try {
    assert.is((await store.get(STATE))?.jobId, 'j1');
    assert.equal(heard, []);
  } finally {
    channel.subscribe(subscriber);
  }
});

test.run();
