// One of several processes that work on one conversation: what it is to do comes as a message, what it saw goes back.
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { sweep } from '../../scripts/start/sweep.ts';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, type Report, type Task } from './tasks.ts';

const STATE = { ...CHANNEL, userId: 'U1', project: 'web', ticketId: 12, startedAt: '2026-01-31T09:30:00.000Z' };

process.on('disconnect', () => process.exit());
process.on('message', async (task: Task) => {
  const redis = new Redis(task.url);
  const store = new ConversationStore(redis, task.silentAfterMs === undefined ? {} : task);
  const report = await perform(task, store);
  redis.disconnect();
  process.send?.({ ...report, name: task.name } satisfies Report);
});
process.send?.('ready');

async function perform(task: Task, store: ConversationStore): Promise<Report> {
  switch (task.kind) {
    case 'dispatch':
      return dispatch(task, store);
    case 'write':
      return write(task, store);
    case 'work':
      return work(task, store);
    case 'live':
      return live(task, store);
    case 'sweep':
      return settle(task, store);
  }
}

/** Several dispatchers that are given one message again and again. The one that starts the job ends it soon after. */
async function dispatch({ name, dispatchers = 0, times = 0 }: Task, store: ConversationStore): Promise<Report> {
  const one = async (at: number) => {
    const seen: string[] = [];
    for (let time = 0; time < times; time++) {
      const jobId = `job-${name}-${at}-${time}`;
      const { outcome } = await store.claim({ ...STATE, jobId, deliveryId: 'the message' });
      seen.push(outcome);
      if (outcome === 'claimed') {
        await sleep(20);
        seen.push((await store.remove({ ...CHANNEL, jobId })).outcome);
      }
      await sleep(Math.random() * 20);
    }
    return seen;
  };
  return { seen: (await Promise.all(Array.from({ length: dispatchers }, (_, at) => one(at)))).flat() };
}

/** Writes messages to whatever job holds the channel; where none does, becomes that job and works. */
async function write({ name, times = 0 }: Task, store: ConversationStore): Promise<Report> {
  const seen: string[] = [];
  const read: string[] = [];
  for (let time = 0; time < times; time++) {
    const text = `${name}-${time}`;
    const jobId = `job-${text}`;
    const { outcome } = await store.claim({ ...STATE, jobId, deliveryId: text }, { queue: { text } });
    seen.push(`${text} ${outcome}`);
    if (outcome === 'claimed') read.push(...(await readAndEnd(jobId, store)));
    await sleep(Math.random() * 100);
  }
  return { seen, read };
}

/** A job that reads its inbox and ends while others write. Gives what it has read. */
async function work({ name }: Task, store: ConversationStore): Promise<Report> {
  return { seen: [], read: await readAndEnd(name, store) };
}

async function readAndEnd(jobId: string, store: ConversationStore): Promise<string[]> {
  const read: string[] = [];
  for (let lastSeen = '0'; ; ) {
    for await (const { id, fields } of store.inbox(CHANNEL, { after: lastSeen })) {
      read.push(`${jobId} ${fields['text']}`);
      lastSeen = id;
    }
    await sleep(Math.random() * 5);
    const { outcome } = await store.remove({ ...CHANNEL, jobId }, { lastSeen });
    if (outcome !== 'waiting') return read;
  }
}

/** A job that holds its channel and gives signs of life. Gives what each of them found, but for those alike before. */
async function live({ name, untilMs = 0 }: Task, store: ConversationStore): Promise<Report> {
  const seen: string[] = [];
  while (Date.now() < untilMs) {
    const state = await store.getByJobId(name);
    const found = state ? 'alive' : 'lost';
    if (seen.at(-1) !== found) seen.push(found);
    process.send?.('a sign of life');
    await sleep(20);
  }
  return { seen };
}

/** A sweep that takes its time over every job, so that it can be killed in the middle. */
async function settle({ leaseMs = 0, untilMs = 0 }: Task, store: ConversationStore): Promise<Report> {
  const seen: string[] = [];
  while (Date.now() < untilMs) {
    for await (const { job, outcome } of sweep(store, async () => false, leaseMs)) {
      seen.push(`${job.jobId} ${outcome}`);
      process.send?.('settled one');
      await sleep(5);
    }
    await sleep(20);
  }
  return { seen };
}
