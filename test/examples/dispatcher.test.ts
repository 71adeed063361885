import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createDispatcher, type Job, type Notes } from '../../examples/slack/dispatcher.ts';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';

const test = suite('examples/slack/dispatcher.ts, when the start of a job fails');
const redis = withRedis(test);

const from = (id: string) => ({ platform: 'slack', channelId: 'C1', id, userId: 'U1', text: id });
type Store = ConversationStore<Notes>;
/** What happens before a start fails, what the message is told, and what its redelivery is told. */
const CASES: [string, string, string, (store: Store, client: Redis, job: Job) => Promise<unknown>][] = [
  ['nothing else', 'removed', 'claimed', async () => {}],
  ['its job is heard of', 'claimed', 'duplicate', (store, _, { jobId }) => store.getByJobId(jobId)],
  [
    'somebody writes',
    'waiting',
    'starting',
    (store) =>
      createDispatcher(
        store,
        around(async () => {}),
      ).onMessage(from('m2')),
  ],
  [
    'its claim lapses, and another message claims the channel',
    'held',
    'queued',
    async (store, client, job) => {
      await client.del(CHANNEL, `job-index:${job.jobId}`);
      assert.is((await store.remove(job)).outcome, 'lapsed');
      await createDispatcher(
        store,
        around(async () => {}),
      ).onMessage(from('m2'));
    },
  ],
];

let jobs = 0;
function around(startJob: (job: Job) => Promise<void>) {
  const newJob = () => ({ jobId: `job-${++jobs}`, project: 'website', ticketId: 'WEB-12' });
  return { newJob, startJob, isAlive: async () => false, tell: async () => {}, startWithinMs: 60_000 };
}

for (const [what, outcome, again, happens] of CASES) {
  test(`after ${what}: ${outcome}, and the redelivery is ${again}`, async () => {
    const client = await redis.connect();
    await client.flushall();
    const store: Store = new ConversationStore(client, { silentAfterMs: 300_000 });
    const failing = async (job: Job) => {
      await happens(store, client, job);
      throw new Error('the start timed out');
    };
    assert.is(await createDispatcher(store, around(failing)).onMessage(from('m1')), outcome);
    assert.is(
      await createDispatcher(
        store,
        around(async () => {}),
      ).onMessage(from('m1')),
      again,
    );
  });
}

test.run();
