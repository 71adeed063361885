import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore, type ConversationStoreOptions } from '../../src/index.ts';
import { CHANNEL, STATE as GIVEN, INBOX, json, WATCH } from '../support/library.ts';
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
/** Job ids of a sharded store, which any other store takes too. */
const [J1, J2, J3] = [1, 2, 3].map((n) => `job-0060-00000000-0000-4000-8000-00000000000${n}`) as [
  string,
  string,
  string,
];
const STATE = { ...GIVEN, jobId: J1 };
const BY_JOB = { jobId: J1 };
const JOB = `job-index:${J1}`;

/** The store's whole key for a stream is what the client's keyPrefix comes before. */
const told = (store: ConversationStore, fields: Record<string, string | number>) => ({
  stream: store.key(BY_JOB, 's'),
  fields,
});

const PAIR = `2 ${CHANNEL} ${JOB}`;
/** The JSON that starts a job. */
const watched = (jobId: string, more = {}) => json({ jobId, ...more, ...WATCHED });

/**
 * A conversation's life, and the one command that each call is: '' stands for an empty argument, TTL for that of the store,
 * which is left out at the end where it has none.
 */
const LIFE: [call: (store: ConversationStore) => Promise<unknown>, command: string][] = [
  [(store) => store.claim(STATE, { ttlMs: 9 }), `fcall conv_claim ${PAIR} ${watched(J1)} 9`],
  [
    (store) => store.claim(STATE, { startWithinMs: 9 }),
    `fcall conv_claim ${PAIR} ${json({ jobId: J1, ...WATCHED, starting: true })} 9`,
  ],
  [(store) => store.set(STATE), `fcall conv_set ${PAIR} ${watched(J1)} TTL`],
  [(store) => store.set(STATE, { ttlMs: 60_000 }), `fcall conv_set ${PAIR} ${watched(J1)} 60000`],
  [(store) => store.get(BY_CHANNEL), `fcall_ro conv_get 1 ${CHANNEL}`],
  [(store) => store.get(BY_JOB), `fcall_ro conv_get 1 ${JOB}`],
  [(store) => store.get(STATE), `fcall_ro conv_get ${PAIR}`],
  [(store) => store.getByJobId(J1), `fcall conv_get_by_job 1 ${JOB} TTL`],
  [(store) => store.getByJobId(J1, { ttlMs: 60_000 }), `fcall conv_get_by_job 1 ${JOB} 60000`],
  [(store) => store.getByJobId(J1, { lastSeen: '5-0' }), `fcall conv_get_by_job 1 ${JOB} TTL 5-0`],
  [(store) => store.getByJobId(J1, { renew: false }), `fcall_ro conv_get 1 ${JOB}`],
  [(store) => store.setPendingQuestion(BY_CHANNEL, 'q0'), `fcall conv_set_pending 1 ${CHANNEL} q0 TTL`],
  [(store) => store.clearPendingQuestion(BY_JOB), `fcall conv_set_pending 1 ${JOB} '' TTL`],
  [(store) => store.clearPendingQuestion(STATE, { ttlMs: 9 }), `fcall conv_set_pending ${PAIR} '' 9`],
  [(store) => store.setPendingQuestion(STATE, 'q1', { answerWithinMs: 7 }), `fcall conv_set_pending ${PAIR} q1 TTL 7`],
  [
    (store) => store.answerQuestion(BY_JOB, 'q1', { answerId: 'a1', ...told(store, { f: 1, g: '' }) }),
    `fcall conv_answer 2 ${JOB} s q1 a1 TTL f 1 g ''`,
  ],
  [
    (store) => store.answerQuestion(STATE, 'q1', { answerId: 'a1', ttlMs: 60_000 }),
    `fcall conv_answer ${PAIR} q1 a1 60000`,
  ],
  [
    (store) => store.claim({ ...STATE, jobId: J2, deliveryId: 'd2' }, { queue: { f: 1, g: '' } }),
    `fcall conv_claim 2 ${CHANNEL} job-index:${J2} ${watched(J2, { deliveryId: 'd2' })} TTL f 1 g ''`,
  ],
  [(store) => all(store.inbox(BY_CHANNEL)), `xrange ${INBOX} (0 + COUNT 100`],
  [(store) => all(store.inbox(BY_CHANNEL, { after: '1-2' })), `xrange ${INBOX} (1-2 + COUNT 100`],
  [(store) => store.update(BY_CHANNEL, { userId: 'U2' }), `fcall conv_update 1 ${CHANNEL} {"userId":"U2"}`],
  [
    (store) => store.update(BY_JOB, {}, { ...told(store, { f: 1 }), deliveryId: 'd3' }),
    `fcall conv_update 2 ${JOB} s {} d3 f 1`,
  ],
  [
    (store) => store.handOver(BY_JOB, { ...STATE, jobId: J3 }, { ttlMs: 9, ...told(store, { f: 1 }) }),
    `fcall conv_hand_over 4 ${CHANNEL} ${JOB} job-index:${J3} s ${watched(J3)} 9 f 1`,
  ],
  [(store) => store.remove(BY_JOB, { retry: true }), `fcall conv_remove 1 ${JOB} retry`],
  [(store) => store.remove(STATE, { discardInbox: true }), `fcall conv_remove ${PAIR} all`],
  [(store) => store.remove(BY_CHANNEL), `fcall conv_remove 1 ${CHANNEL}`],
];
const DUE: (typeof LIFE)[number] = [(store) => all(store.due({ limit: 5 })), `fcall conv_due 1 ${WATCH} 60000 5`];

/** The words of a command, its keys under a prefix. */
function wordsOf(line: string, prefix: string, ttlMs: number | undefined): string[] {
  const words = (ttlMs === undefined ? line.replace(/ TTL$/, '') : line).split(' ');
  const values: Record<string, string> = { "''": '', TTL: String(ttlMs ?? '') };
  const [command = '', name = '', count = '', ...rest] = words.map((word) => values[word] ?? word);
  if (command === 'xrange') return [command, prefix + name, count, ...rest];
  return [command, name, count, ...rest.map((arg, n) => (n < Number(count) ? prefix + arg : arg))];
}

test('every call is exactly one command, whatever the reference, the prefix, the TTL and the keyPrefix of the client', async () => {
  const client = await server.connect({ keyPrefix: 'app:' });
  await client.ping();
  const stores: [own: Redis, options: ConversationStoreOptions, prefix: string][] = [
    [redis, {}, ''],
    [redis, { prefix: '{t}:', ttlMs: 5_000 }, '{t}:'],
    [redis, { sharded: true }, '{0060}:'],
    [client, {}, 'app:'],
    [client, { prefix: '{t}:', ttlMs: 5_000 }, 'app:{t}:'],
    [client, { prefix: 't:', sharded: true }, 'app:t:{0060}:'],
  ];
  for (const [own, options, prefix] of stores) {
    const store = new ConversationStore(own, { ...WATCHED, ...options });
    await store.ready();
    // A sharded store asks every partition for what is due.
    for (const [call, line] of options.sharded ? LIFE : [...LIFE, DUE]) {
      assert.equal(await wire.during(() => call(store)), [wordsOf(line, prefix, options.ttlMs)], call.toString());
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

test.run();
