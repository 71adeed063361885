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

test('5000 conversations among 5000 other keys, each once', async () => {
  const pipeline = redis.pipeline();
  for (let n = 0; n < 5_000; n++) {
    pipeline.set(`conversation:slack:C${n}`, json({ jobId: `j${n}`, channelId: `C${n}` }));
    pipeline.set(`job-index:j${n}`, `conversation:slack:C${n}`);
  }
  await pipeline.exec();
  const found = await jobs(store);
  assert.is(found.length, 5_000);
  assert.is(new Set(found).size, 5_000);
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

test('one prefix, whatever characters it has, and no other', async () => {
  const prefixes = ['', '*', 'a*', 'ab', 'a?', 'a[bc]:', 'ab:', 'a\\*', '{t}:', '^-]'];
  for (const [n, prefix] of prefixes.entries()) {
    await new ConversationStore(redis, { prefix }).set({ ...STATE, jobId: `j${n}` });
  }
  for (const [n, prefix] of prefixes.entries()) {
    assert.equal(await jobs(new ConversationStore(redis, { prefix })), [`j${n}`], prefix);
    assert.equal(await jobs(new ConversationStore(redis, { prefix }), { platform: 'slack' }), [`j${n}`], prefix);
  }
});

test("with the client's own keyPrefix, only what is under it", async () => {
  await store.set({ ...STATE, jobId: 'outside' });
  const client = await server.connect({ keyPrefix: 'app*:' });
  for (const prefix of ['', '{t}:']) {
    const own = new ConversationStore(client, { prefix });
    await own.set({ ...STATE, jobId: `inside ${prefix}` });
    assert.equal(await jobs(own), [`inside ${prefix}`]);
    assert.equal(await jobs(own, { platform: 'slack' }), [`inside ${prefix}`]);
  }
  assert.equal(await jobs(store), ['outside']);
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

test('what is removed while it is listed does no harm', async () => {
  for (let n = 0; n < 100; n++) await store.set({ ...STATE, jobId: `j${n}`, channelId: `C${n}` });
  let seen = 0;
  for await (const state of store.list()) {
    seen++;
    assert.is((await store.remove(state)).outcome, 'removed');
  }
  assert.is(seen, 100);
  assert.is(await redis.dbsize(), 0);
});

test.run();
