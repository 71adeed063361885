import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, JOB, json, STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { all, BY_CHANNEL, listener, refusal } from './store.ts';

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
  await all(store.list());
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

/** Every call that cannot do its work where the state is unreadable, and what its warning names. */
const STOPPED: [call: () => Promise<unknown>, what: string][] = [
  [() => store.get(BY_CHANNEL), 'slack C1'],
  [() => store.get({ jobId: 'j1' }), 'job j1'],
  [() => store.get(STATE), 'slack C1, job j1'],
  [() => store.getByJobId('j1'), 'job j1'],
  [() => store.getByJobId('j1', { renew: false }), 'job j1'],
  [() => store.claim({ ...STATE, jobId: 'j2' }), 'slack C1, job j2'],
  [() => store.setPendingQuestion(BY_CHANNEL, 'q1'), 'slack C1'],
  [() => store.clearPendingQuestion({ jobId: 'j1' }), 'job j1'],
  [() => store.answerQuestion(BY_CHANNEL, 'q1'), 'slack C1'],
  [() => store.update(STATE, { userId: 'U2' }), 'slack C1, job j1'],
  [() => store.inbox({ jobId: 'j1' }).next(), 'job j1'],
  [() => store.remove(STATE), 'slack C1, job j1'],
];

test('what cannot be read is refused with a warning, skipped by list, and overruled by set and by channel', async () => {
  for (const text of ['{"note":"sesame"', '{"note":"sesame"}', '["sesame"]', 'null', '']) {
    await redis.mset(CHANNEL, text, JOB, CHANNEL);
    for (const [call, what] of STOPPED) {
      logger.heard.length = 0;
      const error = await refusal(call(), 'CONVCORRUPT');
      assert.not.match(`${error.message} ${error.cause}`, 'ses');
      assert.equal(logger.heard, [`warn: unreadable conversation: ${what}`], call.toString());
    }
    logger.heard.length = 0;
    assert.equal(await all(store.list()), []);
    assert.equal(await redis.mget(CHANNEL, JOB), [text, CHANNEL]);
    assert.is(await store.set(STATE), null);
    await redis.set(CHANNEL, text);
    assert.equal(await store.remove(BY_CHANNEL), { outcome: 'removed', state: null });
    assert.equal(logger.heard, [
      'warn: unreadable conversation: conversation:slack:C1',
      'info: conversation stored: slack C1, job j1',
      'warn: unreadable conversation replaced or removed: slack C1, job j1',
      'warn: unreadable conversation replaced or removed: slack C1',
      'info: conversation removed: slack C1',
    ]);
  }
});

test('a state that no strict parser reads, and an index that leads nowhere, are warned of too', async () => {
  await redis.mset(CHANNEL, json(SECRET).replace('sesame', 'ses\name'), JOB, CHANNEL);
  await refusal(store.get(STATE), 'CONVCORRUPT');
  assert.equal(await all(store.list()), []);
  await redis.set(JOB, 'rubbish');
  await refusal(store.getByJobId('j1'), 'CONVCORRUPT');
  assert.equal(logger.heard, [
    'warn: unreadable conversation: slack C1, job j1',
    'warn: unreadable conversation: conversation:slack:C1',
    'warn: unreadable conversation: job j1',
  ]);
});

test.run();
