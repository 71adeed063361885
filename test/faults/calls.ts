import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import {
  type AnswerOptions,
  type ConversationReference,
  ConversationStore,
  type ConversationStoreOptions,
  type PublishOptions,
  type WriteOptions,
} from '../../src/index.ts';

/** One call of the store, on what has to be there before. */
export interface StoreCall {
  name: string;
  /** Brings about what the call meets, in an empty prefix. */
  before(store: ConversationStore): Promise<unknown>;
  call(store: ConversationStore): Promise<unknown>;
  /** What the call answers where it has been executed before, given what that execution answered; by default the same. */
  again?(first: unknown, command: string): unknown;
  /** The outcome that the call is told where nothing goes wrong. */
  told?: string;
  /** Whether it reads after it has written, so that one that fails may have done its work. */
  readsLater?: true;
}

/** The store that the calls are made with: every job is watched, and silent at once. */
export function storeFor(client: Redis, prefix: string, options: ConversationStoreOptions = {}): ConversationStore {
  return new ConversationStore(client, { silentAfterMs: 1, ...options, prefix });
}

/** Everything is stored for a minute; what is written or renewed by the calls lives for the default, two hours. */
const SHORT: WriteOptions = { ttlMs: 60_000 };

export const STATE = {
  jobId: 'j1',
  channelId: 'C1',
  userId: 'U1',
  platform: 'Slack',
  project: 'web',
  ticketId: 42,
  startedAt: '2026-01-31T09:30:00.000Z',
  pendingQuestionId: null,
  notes: ['größer', 1.5],
  claimId: 'c1',
  deliveryId: 'd1',
};
const OTHER = { ...STATE, jobId: 'j2', notes: [], claimId: 'c2', deliveryId: 'd2' };

const CHANNEL: ConversationReference = { platform: 'slack', channelId: 'C1' };
const JOB = { jobId: 'j1' };
const REFERENCES: [string, ConversationReference][] = [
  ['the channel', CHANNEL],
  ['the job', JOB],
  ['channel and job', { ...CHANNEL, ...JOB }],
];

/** Later than any entry of an inbox. */
const ALL = '999999999999999';
const nothing = async () => {};
const stored = (store: ConversationStore) => store.set(STATE, SHORT);
const asked = async (store: ConversationStore) => {
  await stored(store);
  await store.setPendingQuestion(CHANNEL, 'q1', SHORT);
};
const answered = async (store: ConversationStore) => {
  await asked(store);
  await store.answerQuestion(CHANNEL, 'q1', { answerId: 'a1', ...SHORT });
};
const takenOver = async (store: ConversationStore) => {
  await stored(store);
  await store.set(OTHER, SHORT);
};

const CLICK: AnswerOptions & PublishOptions = {
  answerId: 'a2',
  stream: 'job:j1:in',
  fields: { answer: 'yes', by: 'U1' },
};
const PATCH = { userId: 'U2' };
const STOP = { stream: 'job:j1:in', fields: { type: 'stop' }, deliveryId: 'd3' };
const MESSAGE = { queue: { text: 'größer' } };
const queued = async (store: ConversationStore) => {
  await stored(store);
  await store.claim(OTHER, MESSAGE);
};
const lapsed = async (store: ConversationStore) => {
  await store.set(STATE, { ttlMs: 1 });
  await sleep(5);
};
const lapsedBehind = async (store: ConversationStore) => {
  await lapsed(store);
  await store.set(OTHER, SHORT);
};
const duplicate = (first: unknown) => ({ ...(first as object), outcome: 'duplicate' });
const held = (first: unknown) => ({ ...(first as object), outcome: 'held' });
const gone = () => ({ outcome: 'gone', state: null });

/** Every call of the store, by every form of reference, with every outcome. */
export const CALLS: StoreCall[] = [
  { name: 'ready', before: nothing, call: (store) => store.ready() },
  { name: 'claim of a free channel', told: 'claimed', before: nothing, call: (store) => store.claim(STATE) },
  { name: 'claim by the holder', told: 'claimed', before: asked, call: (store) => store.claim(STATE) },
  { name: "claim of another's channel", told: 'held', before: stored, call: (store) => store.claim(OTHER) },
  { name: 'claim with a message', told: 'queued', before: stored, call: (store) => store.claim(OTHER, MESSAGE) },
  {
    name: 'claim for the message that runs',
    told: 'duplicate',
    before: stored,
    call: (s) => s.claim({ ...OTHER, deliveryId: 'd1' }),
  },
  {
    name: 'claim for a message that was queued',
    told: 'duplicate',
    before: queued,
    call: (s) => s.claim({ ...OTHER, claimId: 'c3' }),
  },
  {
    name: 'update with a stream',
    told: 'updated',
    before: asked,
    call: (store) => store.update(JOB, PATCH, STOP),
    again: duplicate,
  },
  { name: 'update of nothing', told: 'gone', before: nothing, call: (store) => store.update(JOB, PATCH, STOP) },
  {
    name: 'remove with nothing read',
    told: 'waiting',
    before: queued,
    call: (store) => store.remove(JOB, { lastSeen: '0' }),
  },
  {
    name: 'remove with all read',
    told: 'removed',
    before: queued,
    call: (s) => s.remove(JOB, { lastSeen: ALL }),
    again: gone,
  },
  {
    name: 'remove for a retry',
    told: 'removed',
    before: stored,
    call: (store) => store.remove(JOB, { retry: true }),
    again: gone,
  },
  {
    name: 'remove of a lapsed job',
    told: 'lapsed',
    before: lapsed,
    call: (s) => s.remove({ ...CHANNEL, ...JOB }),
    again: gone,
  },
  {
    name: 'remove of a lapsed job whose channel another one holds',
    told: 'lapsed',
    before: lapsedBehind,
    call: (store) => store.remove({ ...CHANNEL, ...JOB }),
    again: held,
  },
  {
    name: 'due',
    readsLater: true,
    before: stored,
    async call(store) {
      await sleep(5);
      return listOf(store.due());
    },
    again: (first, command) => (command === 'fcall conv_due' ? [] : first),
  },
  { name: 'inbox', before: queued, call: async (s) => (await listOf(s.inbox(JOB))).map(({ fields }) => fields) },
  // The second execution finds what the first one stored.
  { name: 'set of a free channel', before: nothing, call: (store) => store.set(STATE), again: () => STATE },
  { name: 'set by the holder', before: asked, call: (store) => store.set(STATE), again: () => STATE },
  { name: 'set by another job', before: asked, call: (store) => store.set(OTHER), again: () => OTHER },
  { name: 'getByJobId', before: asked, call: (store) => store.getByJobId('j1') },
  { name: 'getByJobId that renews nothing', before: asked, call: (s) => s.getByJobId('j1', { renew: false }) },
  { name: 'getByJobId of a displaced job', before: takenOver, call: (store) => store.getByJobId('j1') },
  ...REFERENCES.flatMap(([by, ref]): StoreCall[] => [
    { name: `get by ${by}`, before: asked, call: (store) => store.get(ref) },
    { name: `setPendingQuestion by ${by}`, before: stored, call: (store) => store.setPendingQuestion(ref, 'q"1') },
    { name: `clearPendingQuestion by ${by}`, before: asked, call: (store) => store.clearPendingQuestion(ref) },
    {
      name: `answerQuestion by ${by}`,
      told: 'accepted',
      before: asked,
      call: (s) => s.answerQuestion(ref, 'q1', { answerId: 'a2' }),
    },
    { name: `update by ${by}`, told: 'updated', before: asked, call: (store) => store.update(ref, PATCH) },
    { name: `remove by ${by}`, told: 'removed', before: asked, call: (store) => store.remove(ref), again: gone },
  ]),
  { name: 'setPendingQuestion of nothing', before: nothing, call: (store) => store.setPendingQuestion(JOB, 'q1') },
  {
    name: 'answerQuestion without an answerId',
    told: 'accepted',
    before: asked,
    call: (store) => store.answerQuestion(JOB, 'q1', { stream: 'heard', fields: { answer: 'no' } }),
  },
  {
    name: 'answerQuestion without a stream',
    told: 'accepted',
    before: asked,
    call: (s) => s.answerQuestion(JOB, 'q1'),
  },
  {
    name: 'answerQuestion, second',
    told: 'answered',
    before: answered,
    call: (store) => store.answerQuestion(JOB, 'q1', CLICK),
  },
  {
    name: 'answerQuestion of another question',
    told: 'stale',
    before: asked,
    call: (s) => s.answerQuestion(JOB, 'q2', CLICK),
  },
  {
    name: 'answerQuestion of nothing',
    told: 'gone',
    before: nothing,
    call: (store) => store.answerQuestion(JOB, 'q1', CLICK),
  },
  { name: 'remove by a displaced job', told: 'held', before: takenOver, call: (s) => s.remove({ ...CHANNEL, ...JOB }) },
  { name: 'remove of nothing', told: 'gone', before: nothing, call: (store) => store.remove(CHANNEL) },
  {
    name: 'list',
    before: asked,
    call: (store) => listOf(store.list()),
  },
];

async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
