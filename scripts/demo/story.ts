import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { createDispatcher, type Message, type Notes } from '../../examples/dispatcher/dispatcher.ts';
import { ConversationStore } from '../../src/index.ts';

/** One line of the story: who does what, what the library says to it, and what that means. */
export interface Row {
  event: string;
  outcome: string;
  meaning: string;
}

// Long enough for the slowest machine to speak within it.
const START_WITHIN_MS = 1_500;
const ANSWER_WITHIN_MS = 300;
const SILENT_AFTER_MS = 600;
const LEASE_MS = 60_000;

const CHANNEL = { platform: 'slack', channelId: 'C07F2KQ1M9T' };
const job = (jobId: string) => ({ ...CHANNEL, jobId });

/** Plays one afternoon in a channel, with the dispatcher of docs/dispatcher.md, row by row as it happens. */
export async function* playStory(redis: Redis, prefix: string): AsyncGenerator<Row> {
  const store = new ConversationStore<Notes>(redis, { prefix, silentAfterMs: SILENT_AFTER_MS });
  const running = new Set<string>();
  let numberOfJobs = 0;
  let isDying = false;
  const { onMessage, onInterrupt, onSignOfLife, onQuestion, onAnswer, onStop, onEnd, settle } = createDispatcher(
    store,
    {
      newJobId: () => `job-${++numberOfJobs}`,
      // A dispatcher that dies here has claimed the channel and started nothing.
      startJob: async ({ jobId }) => (isDying ? new Promise(() => {}) : void running.add(jobId)),
      stopJob: async (jobId) => void running.delete(jobId),
      isAlive: async (jobId) => running.has(jobId),
      tell: async () => {},
      startWithinMs: START_WITHIN_MS,
      answerWithinMs: ANSWER_WITHIN_MS,
    },
  );
  const message = (id: string, userId: string, text: string): Message => ({ ...CHANNEL, id, userId, text });
  const row = (event: string, outcome: string, meaning: string): Row => ({ event, outcome, meaning });
  const lives = (isThere: boolean) => (isThere ? 'state' : 'null');
  const click = (jobId: string, id: string, userId: string) => ({ ...job(jobId), id, userId });

  const login = message('m1', 'ann', 'fix the login');
  isDying = true;
  void onMessage(login);
  await sleep(50);
  isDying = false;
  yield row('Ann: fix the login', 'claimed', 'job-1 gets the channel, and the dispatcher dies');
  yield row('Slack delivers it again', await onMessage(login), 'nobody has heard of job-1: not acknowledged');
  await sleep(START_WITHIN_MS);
  yield row('Slack delivers it again', await onMessage(login), 'that claim has lapsed: this one starts the job');
  const first = `job-${numberOfJobs}`;
  yield row(`${first}: I am at work`, lives(await onSignOfLife(job(first))), 'the deadline is two hours away now');
  yield row('Slack delivers it again', await onMessage(login), 'it has its job: nothing to do');
  yield row(
    'Bob: and the logout',
    await onMessage(message('m2', 'bob', 'and the logout')),
    'it waits in the inbox of the job',
  );
  const held = await store.claim({
    ...job('job-x'),
    userId: 'cy',
    project: 'website',
    ticketId: 1,
    startedAt: new Date(),
  });
  yield row('Cy, whose bot has no queue', held.outcome, 'another job holds the channel');

  const note = await store.update(job(first), { progressMessage: 'm3' });
  yield row(`${first} posts a message to edit`, note.outcome, 'its id is in the state, all else untouched');
  yield row(
    `${first} asks: deploy?`,
    lives(await onQuestion(job(first), 'deploy-1')),
    'the question waits for an answer',
  );
  const yes = { ...click(first, 'c1', 'ann'), questionId: 'deploy-1', answer: 'yes' };
  yield row('Ann clicks yes', await onAnswer(yes), 'the job has it in its stream, in the same step');
  yield row('Slack delivers the click again', await onAnswer(yes), 'the same answer, published once');
  yield row(
    'Bob clicks no',
    await onAnswer({ ...yes, id: 'c2', userId: 'bob', answer: 'no' }),
    'too late: Ann was first',
  );
  yield row(`${first} asks: delete the old one?`, lives(await onQuestion(job(first), 'delete-1')), 'a new question');
  const old = { ...yes, questionId: 'delete-1' };
  yield row('Slack delivers the first yes again', await onAnswer(old), 'one answer never answers two questions');
  yield row(
    'Bob clicks an old button',
    await onAnswer({ ...yes, id: 'c3', questionId: 'x-1' }),
    'that question is not pending',
  );
  await sleep(ANSWER_WITHIN_MS);
  for await (const due of store.due({ leaseMs: LEASE_MS })) {
    const outcome = await settle(due);
    if (due.reason === 'question')
      yield row('nobody answers in time', outcome, 'the sweep answers no, as any click would');
    else yield row(`${due.jobId} was never started`, outcome, 'its claim had lapsed: reported once');
  }

  const stop = click(first, 'c4', 'ann');
  yield row('Ann clicks stop', await onStop(stop), 'the job reads it in its stream');
  yield row('Slack delivers the click again', await onStop(stop), 'it stops once');
  const ended = await store.remove(job(first));
  yield row(`${first} ends`, ended.outcome, 'a message is unread, so nothing is removed');
  yield row(
    `${first} is followed by another job`,
    await onEnd(job(first), 'Done.'),
    'it gets the channel and the inbox',
  );
  const second = `job-${numberOfJobs}`;
  yield row(`${first} speaks late`, lives(await onSignOfLife(job(first))), 'it holds nothing any more: stop it');
  yield row(`${first} says "done" late`, await onEnd(job(first), 'Done.'), 'the new job is safe');
  for await (const { id } of store.inbox(job(second))) {
    yield row(
      `${second} has read Bob's message`,
      lives(await onSignOfLife(job(second), id)),
      'it is deleted from the inbox',
    );
  }

  const urgent = message('m4', 'ann', 'stop that, the site is down');
  yield row(
    'Ann: stop that, the site is down',
    await onInterrupt(job(second), urgent),
    'the new job replaces the old one',
  );
  const third = `job-${numberOfJobs}`;
  yield row(`${third}: I am at work`, lives(await onSignOfLife(job(third))), 'it is on watch');
  running.delete(third);
  await sleep(SILENT_AFTER_MS + 10);
  for await (const due of store.due({ leaseMs: LEASE_MS })) {
    yield row(`${third} is silent: its machine died`, await settle(due), 'one sweep finds it and tells the channel');
  }
  yield row('Ann clicks stop', await onStop(click(third, 'c5', 'ann')), 'that job has ended');

  await onMessage(message('m5', 'cy', 'clean up'));
  const last = `job-${numberOfJobs}`;
  await onSignOfLife(job(last));
  await Promise.all(Array.from({ length: 1000 }, (_, n) => onMessage(message(`flood-${n}`, 'monitor', 'alert'))));
  yield row(
    'a monitor writes 1001 messages',
    await onMessage(message('flood', 'monitor', 'alert')),
    'the inbox takes 1000 of them',
  );
  await store.remove(job(last), { discardInbox: true });
  await onMessage(message('m6', 'bob', 'write the changelog'));
  await onSignOfLife(job(`job-${numberOfJobs}`));
  yield row(
    'Bob: write the changelog',
    lives(await onQuestion(job(`job-${numberOfJobs}`), 'publish-1')),
    'it asks, and waits',
  );
}
