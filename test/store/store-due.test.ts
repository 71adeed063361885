import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore, type DueJob } from '../../src/index.ts';
import { watchMember } from '../../src/keys/conversation-keys.ts';
import { partitionOf } from '../../src/keys/prefix.ts';
import { CHANNEL, STATE, WATCH } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { listener } from './store.ts';

const test = suite('silent jobs of clients with a keyPrefix, and entries of the watch that no call has written');
const server = withRedis(test);

const BY_CHANNEL = { platform: 'slack', channelId: 'C1' };

let redis: Redis;

test.before(async () => {
  redis = await server.connect();
});
test.before.each(async () => {
  await redis.flushall();
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const jobs = async (due: AsyncIterable<DueJob<object>>) => (await all(due)).map(({ jobId }) => jobId);

for (const sharded of [false, true]) {
  test(`a client with a keyPrefix is told its silent jobs too, sharded: ${sharded}`, async () => {
    const client = await server.connect({ keyPrefix: 'app*:' });
    for (const prefix of ['', 'a:']) {
      const store = new ConversationStore(client, { prefix, sharded, silentAfterMs: 1 });
      const state = { ...STATE, jobId: store.newJobId(BY_CHANNEL) };
      await store.claim(state);
      await sleep(10);
      assert.equal(await all(store.due()), [{ ...BY_CHANNEL, jobId: state.jobId, state }]);
    }
  });
}

test('an entry that names no job of the store is skipped with a warning, and the others are returned', async () => {
  const logger = listener();
  const store = new ConversationStore(redis, { silentAfterMs: 1, logger });
  await store.claim(STATE);
  const odd = [
    watchMember('', CHANNEL),
    watchMember('j1', 'rubbish'),
    watchMember('j1', 'conversation:Bad Platform:C1'),
    watchMember('j1', 'conversation:Slack:C1'),
    watchMember('j1', `other:${CHANNEL}`),
    watchMember('j1\t', CHANNEL),
    watchMember('j1', `${CHANNEL}\n`),
    watchMember('x'.repeat(513), CHANNEL),
  ];
  for (const [score, member] of odd.entries()) await redis.zadd(WATCH, score, member);
  await sleep(10);
  logger.heard.length = 0;
  assert.equal(await all(store.due()), [{ ...BY_CHANNEL, jobId: 'j1', state: STATE }]);
  assert.equal(
    logger.heard,
    odd.map((member) => `warn: unreadable entry of conversation-watch: ${JSON.stringify(member)}`),
  );
});

test('so it is on a sharded store with a job id that carries no partition, or that of another one', async () => {
  const logger = listener();
  const store = new ConversationStore(redis, { silentAfterMs: 1, sharded: true, logger });
  const state = { ...STATE, jobId: store.newJobId(BY_CHANNEL) };
  await store.claim(state);
  const prefix = `{${partitionOf('slack', 'C1')}}:`;
  const elsewhere = { platform: 'slack', channelId: 'C2' };
  assert.is.not(partitionOf('slack', 'C2'), partitionOf('slack', 'C1'));
  await redis.zadd(`${prefix}${WATCH}`, 1, watchMember('j1', `${prefix}${CHANNEL}`));
  await redis.zadd(`${prefix}${WATCH}`, 2, watchMember(store.newJobId(elsewhere), `${prefix}${CHANNEL}`));
  await redis.zadd(`${prefix}${WATCH}`, 3, watchMember(store.newJobId(elsewhere), `${prefix}conversation:slack:C2`));
  await sleep(10);
  logger.heard.length = 0;
  assert.equal(await jobs(store.due()), [state.jobId]);
  assert.is(logger.heard.length, 3);
  for (const line of logger.heard) assert.match(line, /^warn: unreadable entry of conversation-watch: /);
});

test('a conversation key of another Redis type gives a null state with a warning, and the sweep goes on', async () => {
  const logger = listener();
  const store = new ConversationStore(redis, { silentAfterMs: 1, logger });
  await store.claim(STATE);
  await sleep(10);
  const second = { ...STATE, jobId: 'j2', channelId: 'C2' };
  await store.claim(second);
  await redis.del(CHANNEL);
  await redis.hset(CHANNEL, 'f', 'v');
  await sleep(10);
  logger.heard.length = 0;
  assert.equal(await all(store.due()), [
    { ...BY_CHANNEL, jobId: 'j1', state: null },
    { platform: 'slack', channelId: 'C2', jobId: 'j2', state: second },
  ]);
  assert.equal(logger.heard, ['warn: unreadable conversation: slack C1, job j1']);
});

test.run();
