import { tracingChannel } from 'node:diagnostics_channel';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type CallTrace, ConversationStore } from '../../src/index.ts';
import { CHANNEL, JOB, json, STATE, WATCH } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { all, BY_CHANNEL, listener, refusal } from './store.ts';

const test = suite('what a logger and the tracing channel hear of a call');
const server = withRedis(test);

/** Stands in every state and message; nobody may hear it. The name is that of a member of a trace. */
const SECRET = { outcome: 'sesame' };
const GIVEN = { ...STATE, ...SECRET };
const [SECOND, THIRD] = ['j2', 'j3'].map((jobId) => ({ ...GIVEN, jobId })) as [typeof GIVEN, typeof GIVEN];
const BY_JOB = { jobId: 'j1' };

const channel = tracingChannel<string, CallTrace>('conversation-state:call');
const traces: CallTrace[] = [];
const hear = (trace: unknown) => traces.push({ ...(trace as CallTrace) });

let redis: Redis;
let logger = listener();
let store: ConversationStore<{ outcome?: string }>;

test.before(async () => {
  redis = await server.connect();
  channel.asyncEnd.subscribe(hear);
});
test.after(() => channel.asyncEnd.unsubscribe(hear));
test.before.each(async () => {
  await redis.flushall();
  logger = listener();
  store = new ConversationStore(redis, { logger, silentAfterMs: 60_000 });
  await store.ready();
  logger.heard.length = 0;
  traces.length = 0;
});

/** The due jobs, of which j1 is one. */
const due = async () => {
  await redis.zadd(WATCH, 1, `j1\n${CHANNEL}`);
  return all(store.due());
};
/** Looks at a conversation that cannot be read. */
const unreadable = async () => {
  await redis.set(CHANNEL, '{"outcome": "sesame"');
  await refusal(store.get(BY_CHANNEL), 'CONVCORRUPT');
};
const notThere = (what: string) => `warn: pending question for a conversation that is not there: ${what}`;
const invalid = (call: Promise<unknown>) => refusal(call, 'INVALID_ARGUMENT');
const on = (platform: string) => ({ ...GIVEN, platform });

/** A conversation's life: each call, what is traced of it in the order of its members, and what the logger hears, if anything. */
const LIFE: [call: () => Promise<unknown>, traced: string, logged?: string][] = [
  [() => store.ready(), 'ready'],
  [() => store.claim(GIVEN), 'claim slack claimed', 'info: conversation claimed: slack C1, job j1'],
  [() => store.claim(SECOND), 'claim slack held'],
  [() => store.claim(SECOND, { queue: SECRET }), 'claim slack queued', 'info: message queued: slack C1, job j1'],
  [() => store.get(GIVEN), 'get slack'],
  [() => store.getByJobId('j1'), 'getByJobId'],
  [() => store.set(GIVEN), 'set slack', 'info: conversation stored: slack C1, job j1'],
  [() => store.setPendingQuestion(BY_JOB, 'q1'), 'setPendingQuestion'],
  [() => store.update(BY_JOB, SECRET), 'update updated', 'info: conversation updated: job j1'],
  [() => store.answerQuestion(GIVEN, 'q0'), 'answerQuestion slack stale'],
  [() => store.answerQuestion(BY_JOB, 'q1'), 'answerQuestion accepted', 'info: question answered: slack C1, job j1'],
  [() => store.clearPendingQuestion(GIVEN), 'clearPendingQuestion slack'],
  // Each of these sends several commands.
  [() => all(store.inbox(BY_JOB)), 'inbox 1'],
  [due, 'due 1'],
  [() => store.list({ platform: 'slack' }).next(), 'list slack 1'],
  [() => store.handOver(GIVEN, THIRD), 'handOver slack claimed', 'info: conversation handed over: slack C1, job j3'],
  [() => store.remove(GIVEN), 'remove slack held'],
  [
    () => store.remove(BY_CHANNEL, { discardInbox: true }),
    'remove slack removed',
    'info: conversation removed: slack C1, job j3',
  ],
  [() => store.setPendingQuestion(BY_CHANNEL, 'q1'), 'setPendingQuestion slack', notThere('slack C1')],
  [() => store.setPendingQuestion(BY_JOB, 'q1'), 'setPendingQuestion', notThere('job j1')],
  [() => store.clearPendingQuestion(STATE), 'clearPendingQuestion slack', notThere('slack C1, job j1')],
  [() => refusal(store.set({ ...GIVEN, userId: '' }), 'CONVSTATE'), 'set slack CONVSTATE'],
  [unreadable, 'get slack CONVCORRUPT', 'warn: unreadable conversation: slack C1'],
  // What is refused before it is sent. What is no platform may be somebody's id.
  [() => invalid(store.get(on('anna@example.com'))), 'get INVALID_ARGUMENT'],
  [() => invalid(store.claim(on('an na'))), 'claim INVALID_ARGUMENT'],
  [() => invalid(store.update({ ...BY_CHANNEL, channelId: '' }, {})), 'update slack INVALID_ARGUMENT'],
  [() => invalid(store.getByJobId('')), 'getByJobId INVALID_ARGUMENT'],
  [() => invalid(store.inbox(GIVEN, { after: 'x' }).next()), 'inbox slack INVALID_ARGUMENT'],
  [() => invalid(store.due({ limit: 0 }).next()), 'due INVALID_ARGUMENT'],
  [() => invalid(store.list({ platform: '*' }).next()), 'list INVALID_ARGUMENT'],
];

test('a logger hears of every change and of what is missing or unreadable, by platform, channel and job', async () => {
  for (const [call, , logged] of LIFE) {
    logger.heard.length = 0;
    await call();
    assert.equal(logger.heard, logged ? [logged] : [], call.toString());
  }
});

test('every call is traced once with its method, platform, outcome, count or error code, and without ids and states', async () => {
  for (const [call, traced] of LIFE) {
    traces.length = 0;
    await call();
    const told = traces.map(({ method, platform, outcome, count, code }) => [method, platform, outcome, count, code]);
    assert.equal(
      told.map((parts) => parts.filter((part) => part !== undefined).join(' ')),
      [traced],
    );
    const shown = JSON.stringify(traces.map((trace) => ({ ...trace, error: undefined })));
    for (const text of ['sesame', 'C1', 'j1', 'U1']) assert.not.match(shown, text, call.toString());
  }
});

test('without a logger the store is silent, on the console too', async () => {
  const before = console;
  const said = listener();
  globalThis.console = { ...console, ...said, log: said.info, trace: said.debug };
  store = new ConversationStore(redis, { silentAfterMs: 60_000 });
  try {
    for (const [call] of LIFE) await call();
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
