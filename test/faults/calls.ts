import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import {
  type AnswerOptions,
  type ConversationReference,
  ConversationStore,
  type PublishOptions,
  type WriteOptions,
} from '../../src/index.ts';

/** One call of the store, on what has to be there before. */
export interface StoreCall {
  name: string;
  /** The outcome that the call is told where nothing goes wrong. */
  told: string | undefined;
  /** Brings about what the call meets, in an empty prefix. */
  before(store: ConversationStore): Promise<unknown>;
  call(store: ConversationStore): Promise<unknown>;
  /** What the call answers where it has been executed before, given what that execution answered; by default the same. */
  again?: ((first: unknown, command: string) => unknown) | undefined;
  /** Whether it makes several calls, so that one that fails may have done part of its work. */
  hasSteps: boolean;
}

/** The store that the calls are made with: every job is watched, and silent at once. */
export function storeFor(client: Redis, prefix: string): ConversationStore {
  return new ConversationStore(client, { silentAfterMs: 1, prefix });
}

/** Everything is stored for a minute; what is written or renewed by the calls lives for the default, two hours. */
export const SHORT_MS = 60_000;
const SHORT: WriteOptions = { ttlMs: SHORT_MS };
/** How long a question can wait. */
export const LIMIT_MS = 3_600_000;

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
  silentAfterMs: 1,
};
const OTHER = { ...STATE, jobId: 'j2', notes: [], claimId: 'c2', deliveryId: 'd2' };
/** The successor that works on a message from the inbox. */
const NEXT = { ...OTHER, jobId: 'j3', claimId: 'c3', deliveryId: null };

const CHANNEL: ConversationReference = { platform: 'slack', channelId: 'C1' };
const JOB = { jobId: 'j1' };
const BOTH = { platform: 'slack', channelId: 'C1', ...JOB };
const REFERENCES = { 'the channel': CHANNEL, 'the job': JOB, 'channel and job': BOTH };
const STREAM = 'job:j1:in';

/** What a stream gets; its key has the prefix of the store. */
const publish = (store: ConversationStore): PublishOptions => ({
  stream: store.key(BOTH, STREAM),
  fields: { answer: 'yes', by: 'U1' },
});
const click = (store: ConversationStore): AnswerOptions & PublishOptions => ({ answerId: 'a2', ...publish(store) });
const PATCH = { userId: 'U2' };
const MESSAGE = { queue: { text: 'größer' } };

type Step = (store: ConversationStore) => Promise<unknown>;
const nothing: Step = async () => {};
const stored: Step = (s) => s.set(STATE, SHORT);
const starting: Step = (s) => s.claim(STATE, { startWithinMs: SHORT_MS });
/** One step after another. */
const after =
  (first: Step, then: Step): Step =>
  (store) =>
    first(store).then(() => then(store));
const asked = after(stored, (s) => s.setPendingQuestion(CHANNEL, 'q1', SHORT));
const limited = after(stored, (s) => s.setPendingQuestion(CHANNEL, 'q1', { ...SHORT, answerWithinMs: 1 }));
const answered = after(asked, (s) => s.answerQuestion(CHANNEL, 'q1', { answerId: 'a1', ...SHORT }));
const takenOver = after(stored, (s) => s.set(OTHER, SHORT));
const queued = after(stored, (s) => s.claim(OTHER, MESSAGE));
const lapsed = after(
  (s) => s.set(STATE, { ttlMs: 1 }),
  () => sleep(5),
);
const lapsedBehind = after(lapsed, (s) => s.set(OTHER, SHORT));

const told = (outcome: string) => (first: unknown) => ({ ...(first as object), outcome });
const duplicate = told('duplicate');
const gone = () => ({ outcome: 'gone', state: null });

function made(name: string, before: Step, call: Step, again?: StoreCall['again'], hasSteps = false): StoreCall {
  return { name, told: / → (\w+)$/.exec(name)?.[1], before, call, again, hasSteps };
}

/** What is due, once it is. */
const due: Step = async (store) => {
  await sleep(5);
  return listOf(store.due());
};
const setState: Step = (s) => s.set(STATE);
const setOther: Step = (s) => s.set(OTHER);
const state = () => STATE;
const other = () => OTHER;
const sayRead: Step = async (store) => {
  const [entry] = await listOf(store.inbox(JOB));
  return store.getByJobId('j1', { lastSeen: entry?.id });
};
const noted: Step = (s) => s.update(JOB, PATCH, { ...publish(s), deliveryId: 'd3' });
const none: StoreCall['again'] = (first, command) => (command === 'fcall conv_due' ? [] : first);

/** Every call of the store, by every form of reference, with every outcome. */
export const CALLS: StoreCall[] = [
  made('ready', nothing, (s) => s.ready()),
  made('claim of a free channel → claimed', nothing, (s) => s.claim(STATE)),
  made('claim of a job that is to start soon → claimed', nothing, starting),
  made('claim by the holder → claimed', asked, (s) => s.claim(STATE)),
  made("claim of another's channel → held", stored, (s) => s.claim(OTHER)),
  made('claim with a message → queued', stored, (s) => s.claim(OTHER, MESSAGE)),
  made('claim for the message that runs → duplicate', stored, (s) => s.claim({ ...OTHER, deliveryId: 'd1' })),
  made('claim for the message that starts → starting', starting, (s) => s.claim({ ...OTHER, deliveryId: 'd1' })),
  made('claim for a queued message → duplicate', queued, (s) => s.claim({ ...OTHER, claimId: 'c3' })),
  made('handOver → claimed', asked, (s) => s.handOver(BOTH, OTHER, publish(s))),
  made('handOver of what waits → claimed', queued, (s) => s.handOver(BOTH, NEXT, { startWithinMs: SHORT_MS })),
  made('handOver from a lapsed job → claimed', lapsed, (s) => s.handOver(BOTH, OTHER)),
  made('handOver of a channel that another holds → held', takenOver, (s) => s.handOver(BOTH, NEXT)),
  made('handOver to its own message → duplicate', stored, (s) => s.handOver(BOTH, { ...OTHER, deliveryId: 'd1' })),
  made('handOver to what starts → starting', starting, (s) => s.handOver(BOTH, { ...OTHER, deliveryId: 'd1' })),
  made('handOver of nothing → gone', nothing, (s) => s.handOver(BOTH, OTHER)),
  made('update with a stream → updated', asked, noted, duplicate),
  made('update of a job that starts → starting', starting, (s) => s.update(JOB, PATCH, { deliveryId: 'd3' })),
  made('update of nothing → gone', nothing, (s) => s.update(JOB, PATCH, publish(s))),
  made('remove while a message waits → waiting', queued, (s) => s.remove(JOB)),
  made('remove with what waits → removed', queued, (s) => s.remove(JOB, { discardInbox: true }), gone),
  made('remove for a retry → removed', starting, (s) => s.remove(JOB, { retry: true }), gone),
  made('remove of a lapsed job → lapsed', lapsed, (s) => s.remove(BOTH), gone),
  made('remove of a lapsed job behind another → lapsed', lapsedBehind, (s) => s.remove(BOTH), told('held')),
  made('due', stored, due, none, true),
  made('due with a question', limited, due, none, true),
  made('inbox', queued, async (s) => (await listOf(s.inbox(JOB))).map(({ fields }) => fields)),
  // The second execution finds what the first one stored.
  made('set of a free channel', nothing, setState, state),
  made('set by the holder', asked, setState, state),
  made('set by another job', asked, setOther, other),
  made('getByJobId', asked, (s) => s.getByJobId('j1')),
  made('getByJobId of a job that starts', starting, (s) => s.getByJobId('j1')),
  made('getByJobId that renews nothing', asked, (s) => s.getByJobId('j1', { renew: false })),
  made('getByJobId of a displaced job', takenOver, (s) => s.getByJobId('j1')),
  made('getByJobId with what was read', queued, sayRead, undefined, true),
  ...Object.entries(REFERENCES).flatMap(([by, ref]) => [
    made(`get by ${by}`, asked, (s) => s.get(ref)),
    made(`setPendingQuestion by ${by}`, stored, (s) => s.setPendingQuestion(ref, 'q"1')),
    made(`clearPendingQuestion by ${by}`, asked, (s) => s.clearPendingQuestion(ref)),
    made(`answerQuestion by ${by} → accepted`, asked, (s) => s.answerQuestion(ref, 'q1', { answerId: 'a2' })),
    made(`update by ${by} → updated`, asked, (s) => s.update(ref, PATCH)),
    made(`remove by ${by} → removed`, asked, (s) => s.remove(ref), gone),
  ]),
  made('setPendingQuestion with a limit', stored, (store) =>
    store.setPendingQuestion(JOB, 'q1', { answerWithinMs: LIMIT_MS }),
  ),
  made('setPendingQuestion of one answered last', answered, (s) => s.setPendingQuestion(JOB, 'q1')),
  made('setPendingQuestion of nothing', nothing, (s) => s.setPendingQuestion(JOB, 'q1')),
  made('answerQuestion with a fresh answerId → accepted', limited, (s) => s.answerQuestion(JOB, 'q1', publish(s))),
  made('answerQuestion without a stream → accepted', asked, (s) => s.answerQuestion(JOB, 'q1')),
  made('answerQuestion, second → answered', answered, (s) => s.answerQuestion(JOB, 'q1', click(s))),
  made('answerQuestion by the message that runs → duplicate', asked, (store) =>
    store.answerQuestion(JOB, 'q1', { answerId: 'd1' }),
  ),
  made('answerQuestion of another one → stale', asked, (s) => s.answerQuestion(JOB, 'q2', click(s))),
  made('answerQuestion of nothing → gone', nothing, (s) => s.answerQuestion(JOB, 'q1', click(s))),
  made('remove by a displaced job → held', takenOver, (s) => s.remove(BOTH)),
  made('remove of nothing → gone', nothing, (s) => s.remove(CHANNEL)),
  made('list', asked, (store) => listOf(store.list())),
];

async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** Without the ids that the store makes up, and without times. */
export function withoutFresh(value: unknown): unknown {
  if (value === undefined) return value;
  const json = JSON.stringify(value).replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'fresh');
  return JSON.parse(json.replace(/(\\?"(?:answerBy|dueAt)\\?":)\d+/g, '$10'));
}
