import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { createDispatcher, type Message, type Notes } from '../../examples/slack/dispatcher.ts';
import { ConversationStore } from '../../src/index.ts';

/** One line of the story: who does what, what the library says to it, and what that means. */
export type Row = [event: string, outcome: string, meaning: string];

// Long enough for the slowest machine to speak within it.
const START_WITHIN_MS = 1_500;
const ANSWER_WITHIN_MS = 300;
const SILENT_AFTER_MS = 600;
const LEASE_MS = 60_000;

const CHANNEL = { platform: 'slack', channelId: 'C07F2KQ1M9T' };
const job = (jobId: string) => ({ ...CHANNEL, jobId });
const from = (userId: string, id: string, text: string): Message => ({ ...CHANNEL, id, userId, text });
const lives = (state: object | null) => (state ? 'state' : 'null');

/** Plays one afternoon in a channel, with the dispatcher of docs/dispatcher.md, row by row as it happens. */
export async function* playStory(redis: Redis, prefix: string): AsyncGenerator<Row> {
  const store = new ConversationStore<Notes>(redis, { prefix, silentAfterMs: SILENT_AFTER_MS });
  const running = new Set<string>();
  let numberOfJobs = 0;
  let isDying = false;
  const { onMessage, onInterrupt, onAnswer, onStop, onEnd, settle } = createDispatcher(store, {
    newJob: () => ({ jobId: `job-${++numberOfJobs}`, project: 'website', ticketId: 'WEB-12' }),
    // A dispatcher that dies here has claimed the channel and started nothing.
    startJob: async ({ jobId }) => (isDying ? new Promise(() => {}) : void running.add(jobId)),
    isAlive: async (jobId) => running.has(jobId),
    tell: async () => {},
    startWithinMs: START_WITHIN_MS,
  });
  const ask = (jobId: string, questionId: string) =>
    store.setPendingQuestion(job(jobId), questionId, { answerWithinMs: ANSWER_WITHIN_MS });

  const login = from('ann', 'm1', 'fix the login');
  isDying = true;
  void onMessage(login);
  await sleep(50);
  isDying = false;
  yield ['Ann: fix the login', 'claimed', 'job-1 gets the channel, and the dispatcher dies'];
  yield ['Slack delivers it again', await onMessage(login), 'no sign of life of job-1 yet: not acknowledged'];
  await sleep(START_WITHIN_MS);
  const again = await onMessage(login);
  const first = `job-${numberOfJobs}`;
  yield ['Slack delivers it again', again, `that claim has lapsed: this one starts ${first}`];
  yield [`${first}: I am at work`, lives(await store.getByJobId(first)), 'the deadline is two hours away now'];
  yield ['Slack delivers it again', await onMessage(login), 'it has its job: nothing to do'];
  const logout = from('bob', 'm2', 'and the logout');
  yield ['Bob: and the logout', await onMessage(logout), 'it waits in the inbox of the job'];
  const rival = { ...job('job-x'), userId: 'cy', project: 'website', ticketId: 1, startedAt: new Date() };
  yield ['Cy, whose bot has no queue', (await store.claim(rival)).outcome, 'another job holds the channel'];

  const note = await store.update(job(first), { progressMessage: 'm3' });
  yield [`${first} posts a message to edit`, note.outcome, 'its id is in the state, all else untouched'];
  yield [`${first} asks: deploy?`, lives(await ask(first, 'deploy-1')), 'it waits for an answer'];
  const yes = { ...job(first), id: 'c1', userId: 'ann', questionId: 'deploy-1', answer: 'yes' };
  const no = { ...yes, id: 'c2', userId: 'bob', answer: 'no' };
  yield ['Ann clicks yes', (await onAnswer(yes)).outcome, 'the job has it in its stream, in the same step'];
  yield ['Slack delivers the click again', (await onAnswer(yes)).outcome, 'the same answer, published once'];
  yield ['Bob clicks no', (await onAnswer(no)).outcome, 'too late: Ann was first'];
  yield [`${first} asks: delete the old one?`, lives(await ask(first, 'delete-1')), 'a new question'];
  const late = { ...yes, questionId: 'delete-1' };
  yield [
    'Slack delivers the first yes again',
    (await onAnswer(late)).outcome,
    'one answer never answers two questions',
  ];
  const old = { ...yes, id: 'c3', questionId: 'x-1' };
  yield ['Bob clicks an old button', (await onAnswer(old)).outcome, 'that question is not pending'];
  await sleep(ANSWER_WITHIN_MS);
  for await (const due of store.due({ leaseMs: LEASE_MS })) {
    const outcome = await settle(due);
    if (due.reason === 'silent') yield [`${due.jobId} was never started`, outcome, 'its claim had lapsed: said once'];
    else yield ['nobody answers in time', outcome, 'the sweep answers no, as any click would'];
  }

  const stop = { ...yes, id: 'c4' };
  yield ['Ann clicks stop', (await onStop(stop)).outcome, 'the job reads it in its stream'];
  yield ['Slack delivers the click again', (await onStop(stop)).outcome, 'it stops once'];
  yield [`${first} ends`, (await store.remove(job(first))).outcome, 'a message is unread: nothing is removed'];
  yield [`${first} is followed by another job`, await onEnd(job(first), 'Done.'), 'it gets channel and inbox'];
  const second = `job-${numberOfJobs}`;
  yield [`${first} speaks late`, lives(await store.getByJobId(first)), 'it holds nothing any more: stop it'];
  yield [`${first} says "done" late`, await onEnd(job(first), 'Done.'), 'the new job is safe'];
  for await (const { id } of store.inbox(job(second))) {
    yield [
      `${second} has read Bob's message`,
      lives(await store.getByJobId(second, { lastSeen: id })),
      'it leaves the inbox',
    ];
  }

  const urgent = from('ann', 'm4', 'stop that, the site is down');
  yield [`Ann: ${urgent.text}`, await onInterrupt(job(second), urgent), 'the new job replaces the old one'];
  const third = `job-${numberOfJobs}`;
  yield [`${third}: I am at work`, lives(await store.getByJobId(third)), 'it is on watch'];
  running.delete(third);
  await sleep(SILENT_AFTER_MS + 10);
  for await (const due of store.due({ leaseMs: LEASE_MS })) {
    yield [`${third} is silent: its machine died`, await settle(due), 'one sweep finds it and tells the channel'];
  }
  yield ['Ann clicks stop', (await onStop({ ...stop, ...job(third), id: 'c5' })).outcome, 'that job has ended'];

  await onMessage(from('cy', 'm5', 'clean up'));
  await store.getByJobId(`job-${numberOfJobs}`);
  await Promise.all(Array.from({ length: 1000 }, (_, n) => onMessage(from('monitor', `flood-${n}`, 'alert'))));
  const flood = from('monitor', 'flood', 'alert');
  yield ['a monitor writes 1001 messages', await onMessage(flood), 'the inbox takes 1000 of them'];
  await store.remove(CHANNEL, { discardInbox: true });
  await onMessage(from('bob', 'm6', 'write the changelog'));
  const last = `job-${numberOfJobs}`;
  await store.getByJobId(last);
  yield ['Bob: write the changelog', lives(await ask(last, 'publish-1')), 'it asks, and waits'];
}
