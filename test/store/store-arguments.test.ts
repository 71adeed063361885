import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { OPTIONS } from '../../src/arguments.ts';
import {
  ConversationStore,
  type ConversationStoreOptions,
  checkLibrary,
  loadLibrary,
  type NewConversationState,
} from '../../src/index.ts';
import { STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { BY_CHANNEL, refusal, type Wire, wiretap } from './store.ts';

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
  store = new ConversationStore(redis, { prefix: 'a:', silentAfterMs: 60_000 });
});

test.after(() => wire.stop());

/** What is no id of an inbox entry. */
const NO_ENTRY: unknown[] = [null, '', '$', '-', '5-', '(5', '5-0-0', ' 5'];

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
  'update with a stream': (ref) => store.update(ref, {}, { stream: 'a:s', fields: { f: 'v' } }),
  inbox: (ref) => store.inbox(ref).next(),
  handOver: (ref) => store.handOver(ref, { ...STATE, jobId: 'j2' }),
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
const NO_STREAM: unknown[] = [null, 7, true, [], {}, '', 'a:', 'b:job:j1:in', 'job:j1:in'];
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

const NO_NUMBER: unknown[] = [-1, 0, 1.5, Number.NaN, 1_000_000_000_000, '5', null];
const NO_BOOLEAN: unknown[] = ['yes', 1, null];

type Call = (options: never) => Promise<unknown>;

/** Every method with options. */
const WITH_OPTIONS: Record<string, Call> = {
  claim: (options) => store.claim(STATE, options),
  handOver: (options) => store.handOver(STATE, { ...STATE, jobId: 'j2' }, options),
  set: (options) => store.set(STATE, options),
  getByJobId: (options) => store.getByJobId('j1', options),
  update: (options) => store.update(STATE, {}, options),
  setPendingQuestion: (options) => store.setPendingQuestion(STATE, 'q1', options),
  clearPendingQuestion: (options) => store.clearPendingQuestion(STATE, options),
  answerQuestion: (options) => store.answerQuestion(STATE, 'q1', options),
  remove: (options) => store.remove(STATE, options),
  inbox: (options) => store.inbox(STATE, options).next(),
  due: (options) => store.due(options).next(),
  list: (options) => store.list(options).next(),
  'new ConversationStore': async (options) => new ConversationStore(redis, options),
  loadLibrary: (options) => loadLibrary(redis, options),
};

/** The methods by the options in numbers that they take. */
const only = (...names: string[]) => names.map((name) => WITH_OPTIONS[name] as (options: object) => Promise<unknown>);
const TIMED = {
  ttlMs: only(
    'claim',
    'handOver',
    'set',
    'getByJobId',
    'setPendingQuestion',
    'clearPendingQuestion',
    'answerQuestion',
    'new ConversationStore',
  ),
  startWithinMs: only('claim', 'handOver'),
  answerWithinMs: only('setPendingQuestion'),
  silentAfterMs: only('new ConversationStore'),
  leaseMs: only('due'),
  limit: only('due'),
};

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
      (fields) => store.answerQuestion(STATE, 'q1', { stream: 'a:s', fields }),
      (fields) => store.update(STATE, {}, { stream: 'a:s', fields }),
    ],
  ],
  ['queue', NO_FIELDS, [(queue) => store.claim(STATE, { queue })]],
  ['after', NO_ENTRY, [(after) => store.inbox(STATE, { after }).next()]],
  ...(['ttlMs', 'startWithinMs', 'answerWithinMs', 'silentAfterMs', 'leaseMs', 'limit'] as const).map(
    (name): (typeof WRONG)[number] => [name, NO_NUMBER, TIMED[name].map((call) => (bad) => call({ [name]: bad }))],
  ),
  ['renew', NO_BOOLEAN, [(renew) => store.getByJobId('j1', { renew })]],
  ['retry', NO_BOOLEAN, [(retry) => store.remove(STATE, { retry })]],
  ['discardInbox', NO_BOOLEAN, [(discardInbox) => store.remove(STATE, { discardInbox })]],
  ['the options', [null, 7, 'ttlMs', true], Object.values(WITH_OPTIONS)],
  ['the patch', [null, 7, 'text'], [(patch) => store.update(STATE, patch)]],
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

test('an option that there is none of is refused by every method, with those that there are', async () => {
  const sent = await wire.during(async () => {
    for (const [method, call] of Object.entries(WITH_OPTIONS)) {
      const { message } = await refusal(call({ ttl: 5 } as never), 'INVALID_ARGUMENT');
      assert.match(message, new RegExp(`^${method} has no option "ttl": it takes \\w+(, \\w+)*$`));
    }
  });
  assert.equal(sent, []);
});

test('options that do not go together are refused with a sentence that says why, and nothing is sent', async () => {
  const plain = new ConversationStore(redis);
  const stop = { fields: { type: 'stop' } };
  const next = { ...STATE, jobId: 'j2' };
  const cases: [call: () => Promise<unknown>, message: RegExp][] = [
    [() => plain.claim(STATE, { queue: { n: 1 } }), /^queue wants a store with silentAfterMs: /],
    [() => store.claim(STATE, { ttlMs: 5, startWithinMs: 5 }), /^startWithinMs takes the place of ttlMs/],
    [() => store.remove(STATE, { retry: true, discardInbox: true }), /^retry and discardInbox do not go together$/],
    [() => store.getByJobId('j1', { renew: false, lastSeen: '5-0' }), /^lastSeen is a sign of life/],
    [() => store.update(STATE, {}, stop as never), /^stream and fields go together$/],
    [() => store.update(STATE, {}, { stream: 'a:s' } as never), /^stream and fields go together$/],
    [
      () => store.update(STATE, {}, { ...stop, stream: 's' }),
      /^stream must be a whole key that begins with "a:", as store.key/,
    ],
    [
      () => store.update(BY_CHANNEL, {}, { ...stop, stream: 'a:s' } as never),
      /^a call with a stream must name the job/,
    ],
    [
      () => store.answerQuestion(BY_CHANNEL, 'q', { ...stop, stream: 'a:s' } as never),
      /^a call with a stream must name/,
    ],
    [() => store.handOver(BY_CHANNEL as never, next), /^job must name the outgoing job/],
    [() => store.handOver({ ...STATE, channelId: 'C2' }, next), /^job and next must be of one channel$/],
    [() => store.claim(STATE, { replicas: 0 }), /^replicas must be /],
    [() => store.claim(STATE, { replicas: 1, timeoutMs: 0 }), /^timeoutMs must be /],
    [async () => store.inboxKey({ jobId: 'j1' } as never), /^an inbox is named by /],
  ];
  const sent = await wire.during(async () => {
    for (const [call, wanted] of cases) assert.match((await refusal(call(), 'INVALID_ARGUMENT')).message, wanted);
  });
  assert.equal(sent, []);
});

test('every option may be undefined', async () => {
  for (const [method, call] of Object.entries(WITH_OPTIONS)) {
    await redis.flushall();
    const names = Object.keys(OPTIONS[method as keyof typeof OPTIONS]);
    await call(Object.fromEntries(names.map((name) => [name, undefined])) as never);
  }
});

test('ids of exactly 1024 bytes and 1024 fields are taken', async () => {
  await redis.flushall();
  const [id, other] = ['x'.repeat(1024), 'é'.repeat(512)];
  const fields = Object.fromEntries(Array.from({ length: 1024 }, (_, n) => [`f${n}`, n]));
  await store.set(STATE);
  assert.is((await store.setPendingQuestion(STATE, id))?.pendingQuestionId, id);
  const answer = { answerId: other, stream: 'a:s', fields };
  assert.is((await store.answerQuestion(STATE, id, answer)).outcome, 'accepted');
  assert.is((await store.update(STATE, {}, { deliveryId: id })).outcome, 'updated');
  assert.is((await store.claim({ ...STATE, jobId: 'j2', claimId: other }, { queue: fields })).outcome, 'queued');
  assert.is((await store.inbox(STATE).next()).value?.fields['f1023'], '1023');
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
    { logger: null },
    { logger: () => {} },
    { logger: { info() {}, warn() {}, error() {} } },
  ]) {
    const construct = async () => new ConversationStore(redis, options as ConversationStoreOptions);
    const { message } = await refusal(construct(), 'INVALID_ARGUMENT');
    assert.match(message, /^(prefix|load|logger) must (be|have) /);
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

test('a client that is none is refused, with the one that is wanted', async () => {
  const nodeRedis = { fCall() {}, options: {} };
  for (const [client, what] of [
    ...[undefined, null, 'redis://localhost', {}, { fcall() {} }].map((client) => [client, 'this is not one'] as const),
    ...[redis.pipeline(), redis.multi()].map((client) => [client, 'this is a pipeline'] as const),
    [nodeRedis, 'this is a client of the package redis (node-redis)'] as const,
  ]) {
    const given = client as unknown as Redis;
    for (const use of [async () => new ConversationStore(given), () => loadLibrary(given), () => checkLibrary(given)]) {
      const { message } = await refusal(use(), 'INVALID_ARGUMENT');
      assert.is(message, `client must be a Redis or Cluster of ioredis 5.11 or later, new Redis(url); ${what}`);
    }
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
    assert.is((await store.claim(state)).outcome, 'claimed');
    assert.is((await store.getByJobId(id))?.channelId, id);
  }
});

test.run();
