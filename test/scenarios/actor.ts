// One of several processes that may be killed at any time: a bot that runs the messages of a channel one after another,
// with dispatchers, jobs and sweeps. The ledger, another database than the one of the conversations, has what the
// processes are to do and what they did.
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type ChannelReference, ConversationStore, type JobReference } from '../../src/index.ts';
import { STATE } from '../support/library.ts';

type Job = ChannelReference & JobReference;
/** The message that started a job, and the messages that it works on. */
type Notes = { own?: string; todo?: string[] };

/** A claim whose job is not heard of for so long lapses. */
const STARTING = { startWithinMs: 600 };
/** So short that several sweeps look at one job. */
const LEASE_MS = 10;
const SWEEPS = 5;
const DISPATCHERS = 5;

const [, , url = '', name = ''] = process.argv;
const [redis, ledger] = [new Redis(url), new Redis(url, { db: 1 })];
// Short, so that a dead job is soon found; who finds one looks before doing anything about it.
const store = new ConversationStore<Notes>(redis, { silentAfterMs: 300, load: 'never' });

let jobs = 0;
function stateOf(channelId: string, notes: Notes) {
  const jobId = `job-${name}-${++jobs}`;
  return { ...STATE, channelId, jobId, claimId: jobId, ...notes };
}

const start = ({ platform, channelId, jobId }: Job) =>
  ledger.rpush('jobs', JSON.stringify({ platform, channelId, jobId }));

/** Whether a job may be running still. If not, it never starts any more. */
async function isAlive(jobId: string): Promise<boolean> {
  await ledger.hsetnx('hosts', jobId, 'nobody');
  return (await ledger.sismember('processes', (await ledger.hget('hosts', jobId)) ?? '')) === 1;
}

/** Gives a message to a job of its own, or to the inbox. The platform may forget it when it has its outcome. */
async function dispatch(message: string): Promise<void> {
  const [channelId = '', text = ''] = message.split(' ');
  const state = { ...stateOf(channelId, { own: text }), deliveryId: text };
  const { outcome } = await store.claim(state, { ...STARTING, queue: { text } });
  if (outcome === 'claimed') await start(state);
  if (outcome === 'queued' || outcome === 'duplicate') await ledger.sadd('acknowledged', message);
}

/**
 * The life of a job. What it works on is put into its state before it says that it has read it, so that a successor
 * finds it there. One that was started by a message of its own first runs what waits: that came earlier.
 */
async function run(job: Job): Promise<void> {
  if (!(await ledger.hsetnx('hosts', job.jobId, name))) return;
  const { own, todo = [] } = (await store.get(job)) ?? {};
  let lastSeen: string | undefined;
  if (todo.length === 0) {
    for await (const { id, fields } of store.inbox(job)) {
      todo.push(fields['text'] ?? '');
      lastSeen = id;
      if (own === undefined) break;
    }
    if (own !== undefined) todo.push(own);
    await store.update(job, { todo });
  }
  // From here on it counts as started. Without a state it works for nobody.
  if (!(await store.getByJobId(job.jobId, { lastSeen }))) return;
  for (const text of todo) {
    const message = `${job.channelId} ${text}`;
    if (text.endsWith('asks')) await ask(job, text);
    if (text.endsWith('dies-before')) await die(message);
    await ledger.rpush(`ran:${job.channelId}`, `${text} ${job.jobId}`);
    if (text.endsWith('dies-after')) await die(message);
  }
  await end(job);
  await ledger.sadd('ended', job.jobId);
}

/** What a job hears about the question of a message. */
const answersTo = ({ channelId }: Job, text: string) => `answer:${channelId}:${text}`;

/** Asks a question whose time is soon over, and waits for the answer; unless a job before has heard it. */
async function ask(job: Job, text: string): Promise<void> {
  for (let n = 0; (await redis.xlen(answersTo(job, text))) === 0; n++) {
    await store.setPendingQuestion(job, text, { answerWithinMs: 1 });
    // Somebody clicks about when the sweeps come by.
    if (n === 2) await ledger.rpush('clicks', JSON.stringify({ ...job, text }));
    await sleep(20);
  }
}

async function answer(job: Job, questionId: string, answerId: string): Promise<void> {
  const told = { stream: answersTo(job, questionId), fields: { answerId } };
  await store.answerQuestion(job, questionId, { answerId, ...told });
}

function click(entry: string): Promise<void> {
  const { text, ...job } = JSON.parse(entry);
  return answer(job, text, `click:${text}`);
}

/** The first job to come here ends with its process, and so does everything else in it. */
async function die(message: string): Promise<void> {
  if ((await ledger.sadd('died', message)) > 0) process.kill(process.pid, 'SIGKILL');
}

/** Removes a job, or has one follow it that takes the next message from the inbox. */
async function end(job: Job): Promise<void> {
  if ((await store.remove(job)).outcome === 'waiting') await follow(job, {}, STARTING);
}

async function follow(job: Job, notes: Notes, options: { startWithinMs?: number }): Promise<void> {
  const next = stateOf(job.channelId, notes);
  if ((await store.handOver(job, next, options)).outcome === 'claimed') await start(next);
}

/** Looks for jobs that are due: answers the questions whose time is over, and lets something follow the dead. */
async function sweep(): Promise<never> {
  for (; ; await sleep(50)) {
    for await (const due of store.due({ leaseMs: LEASE_MS })) {
      const { jobId, reason } = due;
      const questionId = due.state?.pendingQuestionId;
      if (reason === 'question' && questionId) {
        await answer(due, questionId, `timeout:${jobId}:${questionId}`);
      } else if (!((await isAlive(jobId)) && (await store.getByJobId(jobId)))) {
        const { starting, todo } = (await store.get(due)) ?? {};
        // The successor of a job that died at its work does the same work. It is not `starting`: a claim that lapses
        // takes the state, and with it the work, along.
        if (todo && !starting) await follow(due, { todo }, {});
        else await end(due);
      }
    }
  }
}

/** Takes one entry of a list after the other. */
async function take(list: string, handle: (entry: string) => unknown): Promise<never> {
  const waiting = new Redis(url, { db: 1 });
  for (;;) await handle((await waiting.blpop(list, 0))?.[1] ?? '');
}

process.on('disconnect', () => process.exit());
await Promise.all([
  take('jobs', (job) => void run(JSON.parse(job))),
  ...Array.from({ length: DISPATCHERS }, () => take('messages', dispatch)),
  take('clicks', click),
  ...Array.from({ length: SWEEPS }, sweep),
]);
