import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, INBOX, JOB, json, STATE, WATCH } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { all, type Wire, wiretap } from './store.ts';

const test = suite('what the store sends');
const server = withRedis(test);

let redis: Redis;
let wire: Wire;

test.before(async () => {
  redis = await server.connect();
  wire = await wiretap(redis);
});
test.before.each(async () => {
  await redis.flushall();
});
test.after(() => wire.stop());

/** The platform in another case: keys have it in lower case. */
const BY_CHANNEL = { platform: 'Slack', channelId: 'C1' };
const WATCHED = { silentAfterMs: 60_000 };
const BY_JOB = { jobId: 'j1' };

/** The store's whole key for a stream is what the client's keyPrefix comes before. */
const told = (store: ConversationStore, fields: Record<string, string | number>) => ({
  stream: store.key(BY_JOB, 's'),
  fields,
});

const PAIR = `2 ${CHANNEL} ${JOB}`;

/** A conversation's life, and the one command that each call is; '' stands for an empty argument. */
const LIFE: [call: (store: ConversationStore) => Promise<unknown>, command: string][] = [
  [(store) => store.claim(STATE, { ttlMs: 9 }), `fcall conv_claim ${PAIR} ${json(WATCHED)} 9`],
  [
    (store) => store.claim(STATE, { startWithinMs: 9 }),
    `fcall conv_claim ${PAIR} ${json({ ...WATCHED, starting: true })} 9`,
  ],
  [(store) => store.set(STATE), `fcall conv_set ${PAIR} ${json(WATCHED)}`],
  [(store) => store.get(BY_CHANNEL), `fcall_ro conv_get 1 ${CHANNEL}`],
  [(store) => store.get(BY_JOB), `fcall_ro conv_get 1 ${JOB}`],
  [(store) => store.get(STATE), `fcall_ro conv_get ${PAIR}`],
  [(store) => store.getByJobId('j1'), `fcall conv_get_by_job 1 ${JOB}`],
  [(store) => store.getByJobId('j1', { ttlMs: 60_000 }), `fcall conv_get_by_job 1 ${JOB} 60000`],
  [(store) => store.getByJobId('j1', { lastSeen: '5-0' }), `fcall conv_get_by_job 1 ${JOB} '' 5-0`],
  [(store) => store.getByJobId('j1', { renew: false }), `fcall_ro conv_get 1 ${JOB}`],
  [(store) => store.setPendingQuestion(BY_CHANNEL, 'q0'), `fcall conv_set_pending 1 ${CHANNEL} q0`],
  [(store) => store.clearPendingQuestion(BY_JOB), `fcall conv_set_pending 1 ${JOB} ''`],
  [(store) => store.setPendingQuestion(STATE, 'q1', { answerWithinMs: 7 }), `fcall conv_set_pending ${PAIR} q1 '' 7`],
  [
    (store) => store.answerQuestion(BY_JOB, 'q1', { answerId: 'a1', ...told(store, { f: 1, g: '' }) }),
    `fcall conv_answer 2 ${JOB} s q1 a1 '' f 1 g ''`,
  ],
  [
    (store) => store.answerQuestion(STATE, 'q1', { answerId: 'a1', ttlMs: 60_000 }),
    `fcall conv_answer ${PAIR} q1 a1 60000`,
  ],
  [
    (store) => store.claim({ ...STATE, jobId: 'j2', deliveryId: 'd2' }, { queue: { f: 1, g: '' } }),
    `fcall conv_claim 2 ${CHANNEL} job-index:j2 ${json({ jobId: 'j2', deliveryId: 'd2', ...WATCHED })} '' f 1 g ''`,
  ],
  [(store) => all(store.inbox(BY_CHANNEL)), `xrange ${INBOX} (0 + COUNT 100`],
  [(store) => all(store.inbox(BY_CHANNEL, { after: '1-2' })), `xrange ${INBOX} (1-2 + COUNT 100`],
  [(store) => store.update(BY_CHANNEL, { userId: 'U2' }), `fcall conv_update 1 ${CHANNEL} {"userId":"U2"}`],
  [
    (store) => store.update(BY_JOB, {}, { ...told(store, { f: 1 }), deliveryId: 'd3' }),
    `fcall conv_update 2 ${JOB} s {} d3 f 1`,
  ],
  [(store) => all(store.due({ limit: 5 })), `fcall conv_due 1 ${WATCH} 60000 5`],
  [
    (store) => store.handOver(BY_JOB, { ...STATE, jobId: 'j3' }, { ttlMs: 9, ...told(store, { f: 1 }) }),
    `fcall conv_hand_over 4 ${CHANNEL} ${JOB} job-index:j3 s ${json({ jobId: 'j3', ...WATCHED })} 9 f 1`,
  ],
  [(store) => store.remove(BY_JOB, { retry: true }), `fcall conv_remove 1 ${JOB} retry`],
  [(store) => store.remove(STATE, { discardInbox: true }), `fcall conv_remove ${PAIR} all`],
  [(store) => store.remove(BY_CHANNEL), `fcall conv_remove 1 ${CHANNEL}`],
];

/** The words of a command, its keys under a prefix. */
function wordsOf(line: string, prefix = ''): string[] {
  const [command = '', name = '', count = '', ...rest] = line.split(' ').map((word) => (word === "''" ? '' : word));
  if (command === 'xrange') return [command, prefix + name, count, ...rest];
  return [command, name, count, ...rest.map((arg, n) => (n < Number(count) ? prefix + arg : arg))];
}

test('every call is exactly one command, whatever the reference, the prefix and the keyPrefix of the client', async () => {
  const client = await server.connect({ keyPrefix: 'app:' });
  await client.ping();
  for (const [store, prefix] of [
    [new ConversationStore(redis, WATCHED), ''],
    [new ConversationStore(redis, { ...WATCHED, prefix: '{t}:' }), '{t}:'],
    [new ConversationStore(client, WATCHED), 'app:'],
    [new ConversationStore(client, { ...WATCHED, prefix: '{t}:' }), 'app:{t}:'],
  ] as const) {
    await store.ready();
    for (const [call, line] of LIFE) {
      assert.equal(await wire.during(() => call(store)), [wordsOf(line, prefix)], call.toString());
    }
  }
});

test('what an inbox holds is read by channel in one command, and by job only after a look whether it holds the channel', async () => {
  const store = new ConversationStore(redis);
  await store.claim(STATE);
  const read = ['xrange', INBOX, '(0', '+', 'COUNT', '100'];
  assert.equal(await wire.during(() => all(store.inbox(STATE))), [read], 'an empty one in one too');
  await redis.xadd(INBOX, '*', 'f', '1');
  assert.equal(await wire.during(() => all(store.inbox(BY_CHANNEL))), [read]);
  const sent = await wire.during(() => all(store.inbox(STATE)));
  assert.equal(sent, [read, ['fcall_ro', 'conv_get', '2', CHANNEL, JOB]]);
});

test('the first calls look for the library once, however many come at once', async () => {
  await new ConversationStore(redis).ready();
  const store = new ConversationStore(redis);
  const sent = await wire.during(() => Promise.all([store.get(STATE), store.get(STATE), store.ready(), store.ready()]));
  assert.equal(
    sent.map(([, name]) => name),
    ['conv_version', 'conv_get', 'conv_get'],
  );
  assert.equal(await wire.during(() => store.ready()), []);
});

for (const options of [{ enableAutoPipelining: true }, { protocol: 2 }, { protocol: 3 }] as const) {
  test(`calls at once are one command each and answer as alone, with ${JSON.stringify(options)}`, async () => {
    const store = new ConversationStore(await server.connect(options));
    await store.ready();
    const states = Array.from({ length: 50 }, (_, n) => ({ ...STATE, jobId: `j${n}`, channelId: `C${n % 10}` }));
    let outcomes: string[] = [];
    const sent = await wire.during(async () => {
      const claims = await Promise.all(states.map((state) => store.claim(state)));
      outcomes = claims.map(({ outcome, state }) => `${outcome} ${state?.jobId}`);
    });
    assert.is(sent.filter(([command]) => command === 'fcall').length, 50);
    assert.equal(
      outcomes,
      states.map((_, n) => `${n < 10 ? 'claimed' : 'held'} j${n % 10}`),
    );
    const [found, missing, gone, refused] = await Promise.allSettled([
      store.get({ jobId: 'j0' }),
      store.get({ jobId: 'j99' }),
      store.remove({ jobId: 'j99' }),
      store.set({ ...STATE, userId: '' }),
    ]);
    assert.equal(found, { status: 'fulfilled', value: states[0] });
    assert.equal(missing, { status: 'fulfilled', value: null });
    assert.equal(gone, { status: 'fulfilled', value: { outcome: 'gone', state: null } });
    assert.is(refused.status === 'rejected' && refused.reason.code, 'CONVSTATE');
    assert.is((await all(store.list())).length, 10);
  });
}

test('the client stays open, whatever goes wrong', async () => {
  const store = new ConversationStore(redis);
  await store.claim({ ...STATE, userId: '' }).catch(() => {});
  await store.claim(STATE);
  for await (const _ of store.list()) break;
  assert.is(await redis.ping(), 'PONG');
});

test.run();
