import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore, type ConversationStoreOptions, type NewConversationState } from '../../src/index.ts';
import { STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { refusal, type Wire, wiretap } from './store.ts';

// What a caller without types can get wrong: the store says so before it sends anything.

const test = suite('arguments of the store');
const server = withRedis(test);

let redis: Redis;
let store: ConversationStore;
let wire: Wire;

test.before(async () => {
  redis = await server.connect();
  wire = await wiretap(await server.connect());
  // One that is not ready yet: not even its library is looked for.
  store = new ConversationStore(redis);
});

test.after(() => wire.stop());

type Ref = { jobId: string };

/** Ids that are none. */
const NO_ID: unknown[] = [
  undefined,
  null,
  '',
  7,
  true,
  ['C1'],
  {},
  'a\n',
  'a\0',
  'a\u007f',
  'a\u0080',
  '\u0085',
  'a\u009f',
  'half \ud83d of a pair',
  'x'.repeat(513),
  'é'.repeat(257),
];
const NO_PLATFORM: unknown[] = [
  undefined,
  null,
  '',
  7,
  [],
  '-slack',
  '.slack',
  '_x',
  'sl ack',
  'släck',
  'slack\n',
  'a:b',
];
const NO_REFERENCE: unknown[] = [
  undefined,
  null,
  '',
  'conversation:slack:C1',
  7,
  [],
  {},
  { id: 'C1' },
  { platform: 'slack' },
  { channelId: 'C1' },
  { platform: 'slack', jobId: 'j1' },
  { channelId: 'C1', jobId: 'j1' },
  ...NO_ID.flatMap((id) => [
    { jobId: id },
    { platform: 'slack', channelId: id },
    { platform: 'slack', channelId: 'C1', jobId: id },
    { ...STATE, jobId: id },
  ]),
  ...NO_PLATFORM.flatMap((platform) => [
    { platform, channelId: 'C1' },
    { ...STATE, platform },
  ]),
];

const BY_REFERENCE: Record<string, (ref: Ref) => Promise<unknown>> = {
  get: (ref) => store.get(ref),
  setPendingQuestion: (ref) => store.setPendingQuestion(ref, 'q1'),
  clearPendingQuestion: (ref) => store.clearPendingQuestion(ref),
  answerQuestion: (ref) => store.answerQuestion(ref, 'q1'),
  remove: (ref) => store.remove(ref),
  update: (ref) => store.update(ref, { userId: 'U2' }),
  'update with a stream': (ref) => store.update(ref, {}, { stream: 's', fields: { f: 'v' } }),
  inbox: (ref) => store.inbox(ref).next(),
};

for (const [method, call] of Object.entries(BY_REFERENCE)) {
  test(`${method}: a reference that is none is refused, and nothing is sent`, async () => {
    const sent = await wire.during(async () => {
      for (const ref of NO_REFERENCE) {
        const { message } = await refusal(call(ref as Ref), 'INVALID_ARGUMENT');
        assert.match(message, /^(a reference is|jobId must be|channelId must be|platform must be) /);
      }
    });
    assert.equal(sent, []);
  });
}

test('getByJobId: a job id that is none is refused, and nothing is sent', async () => {
  const sent = await wire.during(async () => {
    for (const id of NO_ID) {
      for (const renew of [true, false]) {
        const { message } = await refusal(store.getByJobId(id as string, { renew }), 'INVALID_ARGUMENT');
        assert.match(message, /^jobId must be a non-empty string of at most 512 bytes without control characters$/);
      }
    }
  });
  assert.equal(sent, []);
});

for (const method of ['claim', 'set'] as const) {
  test(`${method}: a state without its keys, or that is no JSON, is refused, and nothing is sent`, async () => {
    const circle: Record<string, unknown> = { ...STATE };
    circle['self'] = circle;
    const states: unknown[] = [
      undefined,
      null,
      '',
      JSON.stringify(STATE),
      7,
      [],
      {},
      ...NO_ID.flatMap((id) => [
        { ...STATE, jobId: id },
        { ...STATE, channelId: id },
      ]),
      ...NO_PLATFORM.map((platform) => ({ ...STATE, platform })),
      { ...STATE, ticketId: 12n },
      circle,
      { ...STATE, toJSON: () => undefined },
    ];
    const sent = await wire.during(async () => {
      for (const state of states) {
        const { message } = await refusal(store[method](state as NewConversationState), 'INVALID_ARGUMENT');
        assert.match(message, /must be|cannot be written as JSON/);
        assert.not.match(message, 'U1');
      }
    });
    assert.equal(sent, []);
  });
}

test('questions, answers and streams that are no text are refused, and nothing is sent', async () => {
  const calls: ((bad: unknown) => Promise<unknown>)[] = [
    (bad) => store.setPendingQuestion(STATE, bad as string),
    (bad) => store.answerQuestion(STATE, bad as string),
    (bad) => store.answerQuestion(STATE, 'q1', { answerId: bad as string }),
    (bad) => store.answerQuestion(STATE, 'q1', { stream: bad as string, fields: { f: 'v' } }),
  ];
  const sent = await wire.during(async () => {
    for (const call of calls) {
      for (const bad of [null, 7, true, [], {}]) {
        const { message } = await refusal(call(bad), 'INVALID_ARGUMENT');
        assert.match(message, /^(questionId|answerId|stream) must be a /);
      }
    }
    await refusal(store.setPendingQuestion(STATE, ''), 'INVALID_ARGUMENT');
  });
  assert.equal(sent, []);
});

test('list: a platform that is none is refused, and nothing is sent', async () => {
  const sent = await wire.during(async () => {
    for (const platform of ['*', 'sl?ck', '[a-z]*', ...NO_PLATFORM.slice(1)]) {
      const { message } = await refusal(store.list({ platform: platform as string }).next(), 'INVALID_ARGUMENT');
      assert.match(message, /^platform must be /);
    }
  });
  assert.equal(sent, []);
});

test('options that are none are refused by the constructor', async () => {
  for (const options of [
    { prefix: 'a:conversation:' },
    { prefix: 'job-index:' },
    { prefix: 7 },
    { prefix: null },
    { load: 'always' },
    { load: true },
    { ttlMs: -1 },
    { silentAfterMs: 0 },
    { logger: null },
    { logger: () => {} },
    { logger: { info() {}, warn() {}, error() {} } },
  ]) {
    const construct = async () => new ConversationStore(redis, options as ConversationStoreOptions);
    const { message } = await refusal(construct(), 'INVALID_ARGUMENT');
    assert.match(message, /^(prefix|load|ttlMs|silentAfterMs|logger) must (be|have) /);
  }
});

test('newJobId: a channel that is none is refused', async () => {
  for (const channel of [undefined, null, 'C1', {}, { platform: 'slack' }, { platform: 'sl ack', channelId: 'C1' }]) {
    await refusal(
      (async () => store.newJobId(channel as { platform: string; channelId: string }))(),
      'INVALID_ARGUMENT',
    );
  }
});

test('ids of exactly 512 bytes are taken', async () => {
  for (const id of ['x'.repeat(512), 'é'.repeat(256)]) {
    const state = { ...STATE, jobId: id, channelId: id };
    assert.equal(await store.claim(state), { outcome: 'claimed', state });
    assert.equal(await store.getByJobId(id), state);
    assert.equal(await store.remove(state), { outcome: 'removed', state });
  }
});

test.run();
