import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { effort } from '../support/effort.ts';
import { STATE } from '../support/library.ts';
import { dump, withRedis } from '../support/redis.ts';

const test = suite('many conversations');
const server = withRedis(test);
const stateOf = (n: number, jobId: string, deliveryId: string) => ({
  ...STATE,
  ...{ channelId: `C${n}`, jobId, deliveryId, claimId: `claim-${deliveryId}` },
});

const LIVES = effort(300, 10_000);
const AT_ONCE = 100;

test(`after ${LIVES} whole lives of conversations nothing is left but handled deliveries and streams, each with its deadline`, async () => {
  const redis = await server.connect();
  await redis.flushall();
  const store = new ConversationStore(redis, { silentAfterMs: 3_600_000 });
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
