import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { OPTIONS } from '../../src/arguments.ts';
import { ConversationStore, checkLibrary, loadLibrary } from '../../src/index.ts';
import { STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { BY_CHANNEL, refusal, type Wire, wiretap } from './store.ts';

// What a caller without types can get wrong: the store says so before it sends anything.

const test = suite('arguments of the store');
const server = withRedis(test);

let redis: Redis;
let store: ConversationStore;
let plain: ConversationStore;
let sharded: ConversationStore;
let wire: Wire;

test.before(async () => {
  redis = await server.connect();
  wire = await wiretap(await server.connect());
  // One that is not ready yet: not even its library is looked for.
  store = new ConversationStore(redis, { prefix: 'a:', silentAfterMs: 60_000 });
  plain = new ConversationStore(redis);
  sharded = new ConversationStore(redis, { sharded: true });
});

test.after(() => wire.stop());

const NO_TEXT: unknown[] = [undefined, null, '', 7, true, ['C1'], {}];
const UNCLEAN = ['a\n', 'a\0', 'a\u007f', 'a\u0080', '\u0085', 'a\u009f', 'half \ud83d of a pair'];
const NO_ID = [...NO_TEXT, ...UNCLEAN, 'x'.repeat(513), 'é'.repeat(257)];
const NO_PLATFORM = [...NO_TEXT, '-slack', '.slack', '_x', 'sl ack', 'släck', 'slack\n', 'a:b'];
const NO_OBJECT = [null, 7, 'text', true];
const NO_REFERENCE: unknown[] = [
  ...[undefined, null, '', 'conversation:slack:C1', 7, [], {}, { id: 'C1' }],
  ...['platform', 'channelId'].flatMap((half) => [{ [half]: 'x' }, { [half]: 'x', jobId: 'j1' }]),
  ...NO_ID.flatMap((id) => [{ jobId: id }, { ...BY_CHANNEL, channelId: id }, { ...BY_CHANNEL, jobId: id }]),
  ...NO_PLATFORM.flatMap((platform) => [
    { ...BY_CHANNEL, platform },
    { ...STATE, platform },
  ]),
];
const circle: Record<string, unknown> = { ...STATE };
circle['self'] = circle;
const thrower = {
  ...STATE,
  toJSON() {
    throw null;
  },
};
const NO_STATE: unknown[] = [
  ...[undefined, null, '', JSON.stringify(STATE), 7, [], {}, circle, { ...STATE, toJSON: () => undefined }, thrower],
  ...['jobId', 'channelId'].flatMap((name) => NO_ID.map((id) => ({ ...STATE, [name]: id }))),
  ...NO_PLATFORM.map((platform) => ({ ...STATE, platform })),
  { ...STATE, ticketId: 12n },
];
/** Ids of questions, answers and deliveries that are invalid. */
const NO_MESSAGE_ID = [...NO_TEXT.slice(3), null, ...UNCLEAN, 'x'.repeat(1025), 'é'.repeat(513)];
const NO_COUNT = [-1, 0, 1.5, Number.NaN, '5', null];
const NO_NUMBER = [...NO_COUNT, 1_000_000_000_000];
const NO_BOOLEAN = ['yes', 1, null];
const NO_ENTRY = [
  null,
  7,
  ['5-0'],
  '',
  '$',
  '-',
  '5-',
  '(5',
  '5-0-0',
  ' 5-0',
  '5',
  '5-0\n',
  `${10n ** 16n}-0`,
  `5-${10n ** 16n}`,
];
const NO_FIELDS: unknown[] = [
  ...[null, 'text', {}, [], ['a', 'b'], [['a', 'b']]],
  ...[null, undefined, {}, true, Number.NaN, Number.POSITIVE_INFINITY].map((f) => ({ f })),
  Object.fromEntries(Array.from({ length: 1025 }, (_, n) => [`f${n}`, n])),
];

type Call = (options: never) => Promise<unknown>;
const next = { ...STATE, jobId: 'j2' };

/** Every method with options. */
const WITH_OPTIONS: Record<string, Call> = {
  claim: (options) => store.claim(STATE, options),
  handOver: (options) => store.handOver(STATE, next, options),
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

/** The invalid values of an argument or option, the calls that take it, and how their message begins. */
type Row = [name: string, values: readonly unknown[], calls: ((bad: never) => Promise<unknown>)[], message?: RegExp];

/** The invalid values of each option, and what has to stand beside it. */
const OF_OPTIONS: Record<string, [values: readonly unknown[], beside?: object]> = {
  ttlMs: [NO_NUMBER],
  startWithinMs: [NO_NUMBER],
  answerWithinMs: [NO_NUMBER],
  silentAfterMs: [NO_NUMBER],
  leaseMs: [NO_NUMBER],
  limit: [NO_NUMBER],
  replicas: [NO_COUNT],
  timeoutMs: [NO_NUMBER],
  renew: [NO_BOOLEAN],
  retry: [NO_BOOLEAN],
  discardInbox: [NO_BOOLEAN],
  force: [NO_BOOLEAN],
  answerId: [NO_MESSAGE_ID],
  deliveryId: [['', ...NO_MESSAGE_ID]],
  stream: [
    [null, 7, true, [], {}, '', 'a:', 'b:job:j1:in', 'job:j1:in', 'a:conversation-watch', 'a:\ud83d'],
    { fields: { f: 'v' } },
  ],
  fields: [NO_FIELDS, { stream: 'a:s' }],
  queue: [NO_FIELDS],
  after: [NO_ENTRY],
  lastSeen: [['0', ...NO_ENTRY]],
  platform: [['*', 'sl?ck', '[a-z]*', ...NO_PLATFORM.slice(1)]],
  prefix: [['a:conversation:', 'job-index:', 'conversation-watch', 7, null, 'a\n', 'half \ud83d of a pair']],
  sharded: [NO_BOOLEAN],
  load: [['always', true]],
  logger: [[null, () => {}, { info() {}, warn() {}, error() {} }]],
};

const OF_REFERENCES = [
  (ref: never) => store.get(ref),
  (ref: never) => store.setPendingQuestion(ref, 'q1'),
  (ref: never) => store.clearPendingQuestion(ref),
  (ref: never) => store.answerQuestion(ref, 'q1'),
  (ref: never) => store.remove(ref),
  (ref: never) => store.update(ref, { userId: 'U2' }),
  (ref: never) => store.update(ref, {}, { stream: 'a:s', fields: { f: 'v' } } as never),
  (ref: never) => store.inbox(ref).next(),
  (ref: never) => store.handOver(ref, next),
];
const OF_STATES = [
  (state: never) => store.claim(state),
  (state: never) => store.set(state),
  (state: never) => store.handOver(STATE, state),
];
const OF_QUESTIONS = [
  (id: never) => store.setPendingQuestion(STATE, id),
  (id: never) => store.answerQuestion(STATE, id),
];
const NO_CHANNEL = [undefined, null, 'C1', {}, { platform: 'slack' }, { ...BY_CHANNEL, platform: 'sl ack' }];

const ROWS: Row[] = [
  ['a reference', NO_REFERENCE, OF_REFERENCES, /^(a reference is|jobId must be|channelId must be|platform must be) /],
  ['a job id', NO_ID, [true, false].map((renew) => (id) => store.getByJobId(id, { renew })), /^jobId must be a non-/],
  ['a state', NO_STATE, OF_STATES, /must be|cannot be written as JSON/],
  ['questionId', ['', ...NO_MESSAGE_ID], OF_QUESTIONS],
  ['name', [undefined, null, 1, {}], [async (name) => store.key(STATE, name)]],
  ['the options', NO_OBJECT, Object.values(WITH_OPTIONS)],
  ['the patch', NO_OBJECT, [(patch) => store.update(STATE, patch)]],
  ['the channel of a new job id', NO_CHANNEL, [async (channel) => store.newJobId(channel)], /./],
  ...Object.entries(OF_OPTIONS).map(([name, [values, beside]]): Row => {
    const methods = Object.entries(OPTIONS).filter(([, names]) => names.includes(name));
    const calls = methods.map(([method]) => WITH_OPTIONS[method] as (options: object) => Promise<unknown>);
    return [name, values, calls.map((call) => (bad) => call({ ...beside, [name]: bad }))];
  }),
];

for (const [name, values, calls, message = new RegExp(`^${name}[^ ]* must `)] of ROWS) {
  test(`${name} that is invalid is refused by every call that takes it, and nothing is sent`, async () => {
    assert.ok(calls.length > 0);
    const sent = await wire.during(async () => {
      for (const call of calls) {
        for (const bad of values) {
          const error = await refusal(call(bad as never), 'INVALID_ARGUMENT');
          assert.match(error.message, message, `${call} ${bad}`);
          assert.not.match(error.message, 'U1');
        }
      }
    });
    assert.equal(sent, []);
  });
}

const stop = { fields: { type: 'stop' } };
const told = { ...stop, stream: 'a:s' };
/** A job id that a sharded store made for the channel, and some that it did not. */
const OF_C1 = 'job-0060-b359bcf4-dd14-4220-b92c-d8db2b3794f9';
const NOT_MADE = ['j1', OF_C1.toUpperCase(), `${OF_C1}0`, OF_C1.slice(1), OF_C1.replace('0060', '2060'), `x${OF_C1}`];
const MAKE = 'with sharded: true, make job ids with newJobId({ platform, channelId }) of their channel';
const HALVES = [
  { platform: 'slack' },
  { channelId: 'C1' },
  { jobId: undefined },
  { ...BY_CHANNEL, jobId: undefined },
  {},
];

const idle = new Redis({ lazyConnect: true });
const NO_CLIENTS: Record<string, unknown[]> = {
  'this is not one': [undefined, null, 'redis://localhost', {}, { fcall() {} }],
  'this is a pipeline': [idle.pipeline(), idle.multi()],
  'this is a client of the package redis (node-redis)': [{ fCall() {}, options: {} }],
};

/** Calls that are refused, each with a sentence that says why. */
const CASES: [call: () => Promise<unknown>, message: RegExp | string][] = [
  [() => plain.claim(STATE, { queue: { n: 1 } }), /^queue needs a store with silentAfterMs: /],
  [() => store.claim(STATE, { ttlMs: 5, startWithinMs: 5 }), /^startWithinMs takes the place of ttlMs/],
  [() => store.remove(STATE, { retry: true, discardInbox: true }), /^retry and discardInbox do not go together$/],
  [() => store.getByJobId('j1', { renew: false, lastSeen: '5-0' }), /^lastSeen is a sign of life/],
  [() => store.update(STATE, {}, stop as never), 'stream and fields go together'],
  [() => store.update(STATE, {}, { stream: 'a:s' } as never), 'stream and fields go together'],
  [() => store.update(STATE, {}, { ...stop, stream: 's' }), /^stream must be a whole key that begins with "a:", as st/],
  [() => store.update(BY_CHANNEL, {}, told as never), /^a call with a stream must name the job/],
  [() => store.answerQuestion(BY_CHANNEL, 'q', told as never), /^a call with a stream must name the job/],
  [() => store.handOver(BY_CHANNEL as never, next), /^job must name the outgoing job/],
  [() => store.handOver({ ...STATE, channelId: 'C2' }, next), 'job and next must be of one channel'],
  [async () => store.inboxKey({ jobId: 'j1' } as never), /^an inbox is named by /],
  ...Object.entries(WITH_OPTIONS).map(([method, call]): (typeof CASES)[0] => [
    () => call({ ttl: 5 } as never),
    new RegExp(`^${method} has no option "ttl": it takes \\w+(, \\w+)*$`),
  ]),
  ...NOT_MADE.flatMap((jobId): typeof CASES => [
    [async () => sharded.key({ jobId }, 'x'), `jobId was not made by newJobId; ${MAKE}`],
    [() => sharded.claim({ ...STATE, jobId }), `jobId was not made by newJobId; ${MAKE}`],
  ]),
  [
    async () => sharded.key({ ...BY_CHANNEL, jobId: OF_C1.replace('60', '61') }, 'x'),
    `jobId was made for another channel; ${MAKE}`,
  ],
  ...HALVES.map((ref): (typeof CASES)[0] => [
    async () => sharded.key(ref as never, 'x'),
    /^(platform|channelId|jobId) must be |^a reference is /,
  ]),
  ...['{dev}:', 'a{', '{}'].map((prefix): (typeof CASES)[0] => [
    async () => new ConversationStore(redis, { sharded: true, prefix }),
    /^prefix must not contain "\{" if sharded/,
  ]),
  ...['job-index:', 'a:conversation-watch:', 'conver'].map((keyPrefix): (typeof CASES)[0] => [
    async () => new ConversationStore(new Redis({ keyPrefix, lazyConnect: true }), { prefix: 'sation:' }),
    /^the client's keyPrefix with the prefix behind it must be a string .* that holds none of /,
  ]),
  ...Object.entries(NO_CLIENTS).flatMap(([what, clients]) =>
    (clients as Redis[]).flatMap((client): typeof CASES => {
      const message = `client must be a Redis or Cluster of ioredis 5.11 or later, new Redis(url); ${what}`;
      const uses = [async () => new ConversationStore(client), () => loadLibrary(client), () => checkLibrary(client)];
      return uses.map((use) => [use, message]);
    }),
  ),
];

test('what does not go together or is not there is refused with a sentence that says why, and nothing is sent', async () => {
  const sent = await wire.during(async () => {
    for (const [call, wanted] of CASES) {
      const { message } = await refusal(call(), 'INVALID_ARGUMENT');
      if (typeof wanted === 'string') assert.is(message, wanted);
      else assert.match(message, wanted);
    }
  });
  assert.equal(sent, []);
});

test('every option may be undefined', async () => {
  for (const [method, call] of Object.entries(WITH_OPTIONS)) {
    await redis.flushall();
    const names: string[] = OPTIONS[method as keyof typeof OPTIONS];
    await call(Object.fromEntries(names.map((name) => [name, undefined])) as never);
  }
});

test('ids of exactly 512 and 1024 bytes and 1024 fields are taken', async () => {
  for (const id of ['x'.repeat(512), 'é'.repeat(256)]) {
    assert.is((await store.claim({ ...STATE, jobId: id, channelId: id })).outcome, 'claimed');
    assert.is((await store.getByJobId(id))?.channelId, id);
  }
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

test.run();
