import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, JOB, json, STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { BY_CHANNEL, listener, refusal } from './store.ts';

const test = suite('what the store tells its logger, and what it can not read');
const server = withRedis(test);

/** Stands in every state; no line may repeat it. */
const SECRET = { note: 'sesame' };

let redis: Redis;
let logger = listener();
let store: ConversationStore<{ note?: string }>;

test.before(async () => {
  redis = await server.connect();
});
test.before.each(async () => {
  await redis.flushall();
  logger = listener();
  store = new ConversationStore(redis, { logger, silentAfterMs: 60_000 });
  await store.ready();
  logger.heard.length = 0;
});

test('info: what is claimed, queued, stored, updated, answered, handed over and removed, by platform, channel and job', async () => {
  const state = { ...STATE, ...SECRET };
  await store.claim(state);
  await store.claim({ ...state, jobId: 'j2' }, { queue: SECRET });
  await store.set({ ...state, pendingQuestionId: 'q1' });
  await store.update({ jobId: 'j1' }, SECRET);
  await store.answerQuestion({ jobId: 'j1' }, 'q1');
  await store.handOver(state, { ...state, jobId: 'j3' });
  await store.remove(BY_CHANNEL, { discardInbox: true });
  assert.equal(logger.heard, [
    'info: conversation claimed: slack C1, job j1',
    'info: message queued: slack C1, job j1',
    'info: conversation stored: slack C1, job j1',
    'info: conversation updated: job j1',
    'info: question answered: slack C1, job j1',
    'info: conversation handed over: slack C1, job j3',
    'info: conversation removed: slack C1, job j3',
  ]);
});

test('nothing: what is read, held, asked, cleared, late, gone or refused', async () => {
  const state = { ...STATE, ...SECRET };
  await store.get(state);
  await store.getByJobId('j1');
  await store.answerQuestion(state, 'q1');
  await store.remove(state);
  await redis.mset(CHANNEL, json(SECRET), JOB, CHANNEL);
  await store.claim({ ...state, jobId: 'j2' });
  await store.setPendingQuestion(state, 'q1');
  await store.answerQuestion(state, 'q0');
  await store.clearPendingQuestion(state);
  await store.remove({ ...state, jobId: 'j2' });
  for await (const _ of store.list());
  await refusal(store.set({ ...STATE, userId: '' }), 'CONVSTATE');
  await refusal(store.setPendingQuestion(STATE, ''), 'INVALID_ARGUMENT');
  assert.equal(logger.heard, []);
});

test('warn: a pending question for a conversation that is not there', async () => {
  await store.setPendingQuestion(BY_CHANNEL, 'q1');
  await store.setPendingQuestion({ jobId: 'j1' }, 'q1');
  await store.clearPendingQuestion(STATE);
  assert.equal(logger.heard, [
    'warn: pending question for a conversation that is not there: slack C1',
    'warn: pending question for a conversation that is not there: job j1',
    'warn: pending question for a conversation that is not there: slack C1, job j1',
  ]);
});

test('a logger that throws is no failure of a call', async () => {
  const fail = () => {
    throw new Error('the disk is full');
  };
  const store = new ConversationStore(redis, { logger: { debug: fail, info: fail, warn: fail, error: fail } });
  assert.is((await store.claim(STATE)).outcome, 'claimed');
  assert.is(await store.setPendingQuestion({ jobId: 'j9' }, 'q1'), null);
  await redis.set(CHANNEL, 'rubbish');
  await refusal(store.get(BY_CHANNEL), 'CONVCORRUPT');
});

test('without a logger the store is silent, on the console too', async () => {
  const before = console;
  const said = listener();
  globalThis.console = { ...console, ...said, log: said.info, trace: said.debug };
  try {
    const silent = new ConversationStore(redis);
    await silent.claim(STATE);
    await silent.setPendingQuestion({ jobId: 'j9' }, 'q1');
    await redis.set(CHANNEL, 'rubbish');
    await refusal(silent.get(BY_CHANNEL), 'CONVCORRUPT');
    await silent.set(STATE);
  } finally {
    globalThis.console = before;
  }
  assert.equal(said.heard, []);
});

/** What the library or a JSON parser can not read. */
const UNREADABLE = {
  'no JSON': '{"note":"sesame"',
  'no state': '{"note":"sesame"}',
  'an array': '["sesame"]',
  null: 'null',
  empty: '',
  'no JSON to a parser that is strict': json(SECRET).replace('sesame', 'ses\name'),
};

/** Every call that cannot do its work where the state is unreadable, and what its warning names. */
const STOPPED: [call: () => Promise<unknown>, what: string][] = [
  [() => store.get(BY_CHANNEL), 'slack C1'],
  [() => store.get({ jobId: 'j1' }), 'job j1'],
  [() => store.get(STATE), 'slack C1, job j1'],
  [() => store.getByJobId('j1'), 'job j1'],
  [() => store.getByJobId('j1', { renew: false }), 'job j1'],
  [() => store.claim({ ...STATE, jobId: 'j2' }), 'slack C1, job j2'],
  [() => store.setPendingQuestion(BY_CHANNEL, 'q1'), 'slack C1'],
  [() => store.setPendingQuestion({ jobId: 'j1' }, 'q1'), 'job j1'],
  [() => store.clearPendingQuestion({ jobId: 'j1' }), 'job j1'],
  [() => store.answerQuestion(BY_CHANNEL, 'q1'), 'slack C1'],
  [() => store.update(STATE, { userId: 'U2' }), 'slack C1, job j1'],
];

for (const [name, text] of Object.entries(UNREADABLE)) {
  test(`${name}: whatever needs it throws, warns and leaves it as it is, and list skips it with a warning`, async () => {
    await redis.mset(CHANNEL, text, JOB, CHANNEL);
    for (const [call, what] of STOPPED) {
      logger.heard.length = 0;
      const error = await refusal(call(), 'CONVCORRUPT');
      assert.not.match(`${error.message} ${error.cause}`, 'ses');
      assert.equal(logger.heard, [`warn: unreadable conversation: ${what}`], call.toString());
    }
    logger.heard.length = 0;
    for await (const _ of store.list()) assert.unreachable();
    assert.equal(logger.heard, ['warn: unreadable conversation: conversation:slack:C1']);
    assert.equal(await redis.mget(CHANNEL, JOB), [text, CHANNEL]);
  });

  test(`${name}: set overwrites it and gives null, remove by channel deletes it and gives null`, async () => {
    await redis.mset(CHANNEL, text, JOB, CHANNEL);
    assert.is(await store.set(STATE), null);
    assert.is((await store.get(STATE))?.jobId, 'j1');
    await redis.set(CHANNEL, text);
    assert.equal(await store.remove(BY_CHANNEL), { outcome: 'removed', state: null });
    assert.is(await redis.exists(CHANNEL), 0);
    assert.equal(logger.heard, [
      'info: conversation stored: slack C1, job j1',
      'warn: unreadable conversation replaced or removed: slack C1, job j1',
      'warn: unreadable conversation replaced or removed: slack C1',
      'info: conversation removed: slack C1',
    ]);
  });
}

test('an unreadable state or index is refused by calls that name the job, with a warning', async () => {
  await redis.mset(CHANNEL, 'sesame', JOB, CHANNEL);
  await refusal(store.remove(STATE), 'CONVCORRUPT');
  await refusal(store.remove({ jobId: 'j1' }), 'CONVCORRUPT');
  await refusal(store.inbox({ jobId: 'j1' }).next(), 'CONVCORRUPT');
  await redis.set(JOB, 'rubbish');
  await refusal(store.get({ jobId: 'j1' }), 'CONVCORRUPT');
  await refusal(store.getByJobId('j1'), 'CONVCORRUPT');
  assert.equal(logger.heard, [
    'warn: unreadable conversation: slack C1, job j1',
    ...Array(4).fill('warn: unreadable conversation: job j1'),
  ]);
});

test.run();
