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

/** What is no id of an inbox entry; the last is the first number with more digits than the library takes. */
const NO_ENTRY: unknown[] = [
  null,
  7,
  '',
  '$',
  '-',
  '5-',
  '(5',
  '5-0-0',
  ' 5',
  `1${'0'.repeat(15)}`,
  `5-1${'0'.repeat(15)}`,
];

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

/** Ids of questions, answers and deliveries that are none, but for the empty one. */
const NO_MESSAGE_ID: unknown[] = [...NO_ID.slice(1, -2).filter((id) => id !== ''), 'x'.repeat(1025), 'é'.repeat(513)];
const NO_STREAM: unknown[] = [
  null,
  7,
  true,
  [],
  {},
  '',
  'job\n',
  'half \ud83d of a pair',
  'conversation:slack:C1',
  'a:job-index:j1',
  'conversation-inbox:x',
  'conversation-handled:x',
  'the-conversation-watch',
];
const NO_FIELDS: unknown[] = [
  null,
  'text',
  {},
  [],
  ['a', 'b'],
  [['a', 'b']],
  { f: null },
  { f: undefined },
  { f: {} },
  { f: true },
  { f: Number.NaN },
  { f: Number.POSITIVE_INFINITY },
  Object.fromEntries(Array.from({ length: 1025 }, (_, n) => [`f${n}`, n])),
];

/** What can be wrong besides references and states: what the message names, the values, and the calls that take them. */
const WRONG: [name: string, values: unknown[], calls: ((bad: never) => Promise<unknown>)[]][] = [
  [
    'questionId',
    ['', ...NO_MESSAGE_ID],
    [(bad) => store.setPendingQuestion(STATE, bad), (bad) => store.answerQuestion(STATE, bad)],
  ],
  ['answerId', NO_MESSAGE_ID, [(answerId) => store.answerQuestion(STATE, 'q1', { answerId })]],
  ['deliveryId', ['', ...NO_MESSAGE_ID], [(deliveryId) => store.update(STATE, {}, { deliveryId })]],
  [
    'stream',
    NO_STREAM,
    [
      (stream) => store.answerQuestion(STATE, 'q1', { stream, fields: { f: 'v' } }),
      (stream) => store.update(STATE, {}, { stream, fields: { f: 'v' } }),
    ],
  ],
  ['name', [undefined, null, 1, {}], [async (name) => store.key(STATE, name)]],
  [
    'fields',
    NO_FIELDS,
    [
      (fields) => store.answerQuestion(STATE, 'q1', { stream: 's', fields }),
      (fields) => store.update(STATE, {}, { stream: 's', fields }),
    ],
  ],
  ['queue', NO_FIELDS, [(queue) => store.claim(STATE, { queue })]],
  ['lastSeen', NO_ENTRY, [(lastSeen) => store.remove(STATE, { lastSeen })]],
  ['after', NO_ENTRY, [(after) => store.inbox(STATE, { after }).next()]],
  [
    'the options',
    [null, 7, 'ttlMs', true],
    [
      (options) => store.claim(STATE, options),
      (options) => store.set(STATE, options),
      (options) => store.getByJobId('j1', options),
      (options) => store.update(STATE, {}, options),
      (options) => store.setPendingQuestion(STATE, 'q1', options),
      (options) => store.clearPendingQuestion(STATE, options),
      (options) => store.answerQuestion(STATE, 'q1', options),
      (options) => store.remove(STATE, options),
      (options) => store.inbox(STATE, options).next(),
      (options) => store.due(options).next(),
      (options) => store.list(options).next(),
      async (options) => new ConversationStore(redis, options),
    ],
  ],
];

for (const [name, values, calls] of WRONG) {
  test(`${name}: what is none is refused, and nothing is sent`, async () => {
    const sent = await wire.during(async () => {
      for (const call of calls) {
        for (const bad of values) {
          const { message } = await refusal(call(bad as never), 'INVALID_ARGUMENT');
          assert.match(message, new RegExp(`^${name}[^ ]* must `), `${call} ${JSON.stringify(bad)}`);
        }
      }
    });
    assert.equal(sent, []);
  });
}

test('ids of exactly 1024 bytes, 1024 fields and entry ids of 15 digits are taken', async () => {
  const [id, other] = ['x'.repeat(1024), 'é'.repeat(512)];
  const fields = Object.fromEntries(Array.from({ length: 1024 }, (_, n) => [`f${n}`, n]));
  await store.set(STATE);
  assert.is((await store.setPendingQuestion(STATE, id))?.pendingQuestionId, id);
  const answer = { answerId: other, stream: 's', fields };
  assert.is((await store.answerQuestion(STATE, id, answer)).outcome, 'accepted');
  assert.is((await store.update(STATE, {}, { deliveryId: other })).outcome, 'updated');
  assert.is((await store.claim({ ...STATE, jobId: 'j2', claimId: other }, { queue: fields })).outcome, 'queued');
  assert.is((await store.inbox(STATE).next()).value?.fields['f1023'], '1023');
  const last = `${'9'.repeat(15)}-${'9'.repeat(15)}`;
  assert.is((await store.inbox(STATE, { after: last }).next()).done, true);
  assert.is((await store.remove(STATE, { lastSeen: last })).outcome, 'removed');
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
    { prefix: 'a\n' },
    { prefix: 'half \ud83d of a pair' },
    { prefix: 'conversation-watch' },
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

test("the client's keyPrefix, and what the prefix makes of it, is refused by the constructor where it holds a name", async () => {
  for (const [keyPrefix, prefix] of [
    ['job-index:', ''],
    ['a:conversation-watch:', 'b:'],
    ['conver', 'sation:'],
  ] as const) {
    const client = await server.connect({ keyPrefix, lazyConnect: true });
    const { message } = await refusal((async () => new ConversationStore(client, { prefix }))(), 'INVALID_ARGUMENT');
    assert.match(message, /^the client's keyPrefix with the prefix behind it must be a string .* that holds none of /);
  }
});

test('a client that is none is refused by the constructor, a pipeline too', async () => {
  for (const client of [undefined, null, 'redis://localhost', {}, { fcall() {} }, redis.pipeline(), redis.multi()]) {
    const construct = async () => new ConversationStore(client as unknown as Redis);
    const { message } = await refusal(construct(), 'INVALID_ARGUMENT');
    assert.match(message, /^client must be a Redis or Cluster of ioredis /);
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
