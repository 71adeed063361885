import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { json, STATE } from '../support/library.ts';
import { dump, withRedis } from '../support/redis.ts';
import { all, listener } from './store.ts';

const test = suite('list');
const server = withRedis(test);

let redis: Redis;
let store: ConversationStore;

test.before(async () => {
  redis = await server.connect();
  store = new ConversationStore(redis);
});
test.before.each(async () => {
  await redis.flushall();
});

/** The jobs of what is listed, in order. */
async function jobs(from: ConversationStore, options?: { platform?: string }): Promise<string[]> {
  return (await all(from.list(options))).map(({ jobId }) => jobId).sort();
}

test('every conversation once, of all platforms or of one in any case, and nothing changes', async () => {
  assert.equal(await jobs(store), []);
  const state = { ...STATE, jobId: 'a', transcript: [] };
  await store.set(state);
  await store.set({ ...STATE, jobId: 'b', channelId: '19:abc@thread.tacv2', platform: 'Teams' });
  await store.set({ ...STATE, jobId: 'c', channelId: 'conversation:slack:C1', platform: 'teams' });
  const before = await dump(redis);
  assert.equal(await jobs(store), ['a', 'b', 'c']);
  assert.equal(await all(store.list({ platform: 'slack' })), [state]);
  assert.equal(await jobs(store, { platform: 'TEAMS' }), ['b', 'c']);
  assert.equal(await jobs(store, { platform: 'team' }), []);
  assert.equal(await dump(redis), before);
});

test('each of 2500 conversations among other keys once, although each is removed when it is listed', async () => {
  const pipeline = redis.pipeline();
  for (let n = 0; n < 2_500; n++) {
    pipeline.set(`conversation:slack:C${n}`, json({ jobId: `j${n}`, channelId: `C${n}` }));
    pipeline.set(`job-index:j${n}`, `conversation:slack:C${n}`).set(`other:${n}`, 'x');
  }
  await pipeline.exec();
  const found = new Set<string>();
  for await (const state of store.list()) {
    found.add(state.jobId);
    assert.is((await store.remove(state)).outcome, 'removed');
  }
  assert.is(found.size, 2_500);
  assert.is(await redis.dbsize(), 2_500);
});

test('keys of other programs with similar names are left out, and nobody is warned', async () => {
  const logger = listener();
  await store.set(STATE);
  const similar =
    'conversation: conversation:x conversation:slack conversation:slack: conversation:Slack:C1 conversations:slack:C1 ' +
    'my-conversation:slack:C1 x:conversation:slack:C1 job-index:conversation:slack:C9';
  for (const key of [...similar.split(' '), 'conversation:slack:\n']) await redis.set(key, json());
  await redis.hset('conversation:slack:hash', 'f', 'v');
  await redis.xadd('conversation:slack:stream', '*', 'f', 'v');
  assert.equal(await jobs(new ConversationStore(redis, { logger })), ['j1']);
  assert.equal(logger.heard, []);
});

test("one prefix, whatever characters it has, and no other, also under the client's own keyPrefix", async () => {
  const prefixes = ['', '*', 'a*', 'ab', 'a?', 'a[bc]:', 'ab:', 'a\\*', '{t}:', '^-]'];
  const clients = [redis, await server.connect({ keyPrefix: 'app*:' })];
  const stores = clients.flatMap((client) => prefixes.map((prefix) => new ConversationStore(client, { prefix })));
  for (const [n, store] of stores.entries()) await store.set({ ...STATE, jobId: `j${n}` });
  for (const [n, store] of stores.entries()) {
    assert.equal(await jobs(store), [`j${n}`]);
    assert.equal(await jobs(store, { platform: 'slack' }), [`j${n}`]);
  }
});

test('what lies in the partition of another channel is left out, because no call looks for it there', async () => {
  const store = new ConversationStore(redis, { sharded: true });
  const here = store.newJobId(STATE);
  await store.set({ ...STATE, jobId: here });
  const other = '{0000}:';
  const keys = [`${other}conversation:slack:C9`, `${other}job-index:j9`];
  await redis.fcall('conv_set', 2, ...keys, JSON.stringify({ ...STATE, channelId: 'C9', jobId: 'j9' }));
  assert.is(await redis.exists(...keys), 2);
  assert.equal(await jobs(store), [here]);
});

test.run();
