import { tracingChannel } from 'node:diagnostics_channel';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type CallTrace, ConversationStore } from '../../src/index.ts';
import { CHANNEL, STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';

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
  store = new ConversationStore(redis);
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
    'remove slack removed',
    'claim slack CONVCORRUPT',
  ]);
  for (const text of ['sesame', 'C1', 'j1', 'U1']) {
    const shown = JSON.stringify(heard.map(({ ...trace }) => ({ ...trace, error: undefined })));
    assert.not.match(shown, `"${text}"`);
  }
});

test.run();
