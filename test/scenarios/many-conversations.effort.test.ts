import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { effort } from '../support/effort.ts';
import { STATE } from '../support/library.ts';
import { random, seed } from '../support/random.ts';
import { dump, withRedis } from '../support/redis.ts';

const test = suite('many conversations');
const server = withRedis(test);
const below = random(seed);
const HOUR = 3_600_000;

let redis: Redis;

const storeOf = (client: Redis) => new ConversationStore(client, { silentAfterMs: HOUR });
const stateOf = (n: number, jobId: string, deliveryId: string) => ({
  ...STATE,
  ...{ channelId: `C${n}`, jobId, deliveryId, claimId: `claim-${deliveryId}` },
});

test.before.each(async () => {
  redis = await server.connect();
  await redis.flushall();
});

const SWEEPS = 20;
const QUESTIONS = effort(40, 200);

test(`${SWEEPS} sweeps and people answer ${QUESTIONS} questions with a time limit: each is answered once`, async () => {
  const sweeps = await Promise.all(Array.from({ length: SWEEPS }, async () => storeOf(await server.connect())));
  const store = storeOf(redis);
  await store.ready();
  const jobs = Array.from({ length: QUESTIONS }, (_, n) => `j${n}`);
  const accepted = new Map<string, string>();
  const answer = async (by: ConversationStore, jobId: string, answerId: string) => {
    const options = { answerId, stream: by.key({ jobId }, `job:${jobId}:in`), fields: { answer: answerId } };
    const { outcome } = await by.answerQuestion({ jobId }, 'q', options);
    if (outcome !== 'accepted') return;
    assert.is(accepted.get(jobId), undefined, `seed ${seed}: ${jobId}`);
    accepted.set(jobId, answerId);
  };
  await Promise.all(
    jobs.map(async (jobId, n) => {
      await store.claim(stateOf(n, jobId, `d${n}`));
      await store.setPendingQuestion({ jobId }, 'q', { answerWithinMs: 1 + below(200) });
    }),
  );
  const people = jobs.map(async (jobId, n) => {
    await sleep(below(200));
    if (n % 2 === 0) await answer(store, jobId, `person ${jobId}`);
  });
  const sweeping = sweeps.map(async (sweep, by) => {
    while (accepted.size < QUESTIONS) {
      // With so short a lease several sweeps look at one question.
      for await (const { jobId, reason } of sweep.due({ leaseMs: 1 })) {
        if (reason === 'question') await answer(sweep, jobId, `sweep ${by} of ${jobId}`);
      }
      await sleep(2);
    }
  });
  await Promise.all([...people, ...sweeping]);
  for (const jobId of jobs) {
    const answerId = accepted.get(jobId);
    assert.equal((await store.getByJobId(jobId))?.lastAnswer, { questionId: 'q', answerId });
    const entries = await redis.xrange(store.key({ jobId }, `job:${jobId}:in`), '-', '+');
    assert.equal(
      entries.map(([, [, text]]) => text),
      [answerId],
    );
  }
});

const LIVES = effort(300, 10_000);
const AT_ONCE = 100;

test(`after ${LIVES} whole lives of conversations nothing is left but handled deliveries and streams, each with its deadline`, async () => {
  const store = storeOf(redis);
  await store.ready();
  for (let from = 0; from < LIVES; from += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => live(store, from + at)));
  }
  const kinds: Record<string, number> = {};
  for (const [key, { deadline }] of Object.entries(await dump(redis))) {
    assert.ok(deadline > 0, `${key} never ends`);
    const kind = key.replace(/\d+/, '');
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  assert.equal(kinds, { 'conversation-handled:slack:C': LIVES, 'job:first-:in': LIVES });
});

/** A job is started, asks and is answered; another message comes, and the job that follows reads it and ends. */
async function live(store: ConversationStore, n: number): Promise<void> {
  const [job, next] = [{ jobId: `first-${n}` }, { jobId: `next-${n}` }];
  const stream = store.key(job, `job:${job.jobId}:in`);
  const outcomes = [
    await store.claim(stateOf(n, job.jobId, `d-${n}`), { startWithinMs: 60_000 }),
    await store.setPendingQuestion(job, 'q', { answerWithinMs: 60_000 }),
    await store.answerQuestion(job, 'q', { answerId: `a-${n}`, stream, fields: { answer: 'yes' } }),
    await store.claim(stateOf(n, next.jobId, `e-${n}`), { queue: { text: 'more' } }),
    await store.remove(job),
    await store.handOver(job, stateOf(n, next.jobId, `f-${n}`), { stream, fields: { type: 'Stop' } }),
  ].map((result) => (result && 'outcome' in result ? result.outcome : result?.pendingQuestionId));
  assert.equal(outcomes, ['claimed', 'q', 'accepted', 'queued', 'waiting', 'claimed']);
  for await (const { id } of store.inbox(next)) await store.getByJobId(next.jobId, { lastSeen: id });
  assert.is((await store.remove(next)).outcome, 'removed');
}

test.run();
