import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore, type DueJob } from '../../src/index.ts';
import { partitionOf, watchMember } from '../../src/keys.ts';
import { CHANNEL, INBOX, json, STATE, WATCH } from '../support/library.ts';
import { dump, withRedis } from '../support/redis.ts';
import { all, BY_CHANNEL, listener, refusal } from './store.ts';

const test = suite('what inbox, due and list give');
const server = withRedis(test);

const JOB = { ...STATE, silentAfterMs: 1 };
const SECOND = { ...JOB, jobId: 'j2', channelId: 'C2' };

let redis: Redis;
let store: ConversationStore;
/** One that adds nothing to a state. */
let plain: ConversationStore;
const logger = listener();

test.before(async () => {
  redis = await server.connect();
  store = new ConversationStore(redis, { silentAfterMs: 1, logger });
  plain = new ConversationStore(redis, { logger });
});
test.before.each(async () => {
  await redis.flushall();
  logger.heard.length = 0;
});

/** Long enough for whatever is due a millisecond after it is written. */
const aMoment = () => sleep(10);
const withoutTime = <State>(jobs: DueJob<State>[]) => jobs.map(({ dueAt: _, ...job }) => job);

test('an inbox is read by every reference, page by page, and by no job that has lost the channel', async () => {
  await store.claim(JOB);
  const pipeline = redis.pipeline();
  for (let n = 1; n <= 250; n++) pipeline.xadd(INBOX, `${n}-1`, 'n', String(n));
  await pipeline.exec();
  for (const ref of [BY_CHANNEL, { jobId: 'j1' }, JOB]) {
    const entries = await all(store.inbox(ref));
    assert.is(entries.length, 250);
    assert.equal(entries[249], { id: '250-1', fields: { n: '250' } });
  }
  const later = await all(store.inbox(BY_CHANNEL, { after: '248-1' }));
  assert.equal(
    later.map(({ id }) => id),
    ['249-1', '250-1'],
  );
  assert.equal(await all(store.inbox({ ...BY_CHANNEL, channelId: 'C9' })), []);
  const next = { ...BY_CHANNEL, jobId: 'j9' };
  await store.set({ ...JOB, ...next });
  for (const ref of [{ jobId: 'j1' }, JOB]) assert.equal(await all(store.inbox(ref)), [], 'it has lost the channel');
  for (const ref of [{ jobId: 'j9' }, next]) assert.is((await all(store.inbox(ref))).length, 250);
});

test('a due job is named with the reason and the moment, to one caller at a time, up to a limit', async () => {
  const before = Date.now();
  await store.claim({ ...STATE, platform: 'Slack' });
  await aMoment();
  const [job, ...others] = await all(store.due());
  assert.equal(withoutTime(job ? [job] : []), [
    { ...BY_CHANNEL, jobId: 'j1', reason: 'silent', state: { ...JOB, platform: 'Slack' } },
  ]);
  assert.ok(job && job.dueAt > before && job.dueAt <= Date.now(), 'due since a moment after the claim');
  assert.equal([...others, ...(await all(store.due()))], [], 'and to nobody else within the lease');
  const asked = await store.setPendingQuestion(JOB, 'q1', { answerWithinMs: 1 });
  await aMoment();
  assert.equal(await all(store.due({ leaseMs: 1 })), [
    { ...BY_CHANNEL, jobId: 'j1', reason: 'question', dueAt: asked?.answerBy, state: asked },
  ]);
  await store.set(SECOND);
  await aMoment();
  assert.is((await all(store.due({ leaseMs: 1, limit: 1 }))).length, 1);
  await aMoment();
  assert.is((await all(store.due())).length, 2);
});

test('a job that lapsed has no state, and its removal says so once', async () => {
  await store.claim(JOB, { ttlMs: 1 });
  await aMoment();
  const [job = JOB, ...others] = await all(store.due());
  assert.equal([(job as { state?: unknown }).state, others], [null, []]);
  assert.equal(await store.remove(job), { outcome: 'lapsed', state: null });
});

for (const [sharded, keyPrefix] of [
  [false, 'app*:'],
  [true, 'app*:'],
  [true, ''],
] as const) {
  test(`due jobs are found, sharded: ${sharded}, with the client's keyPrefix "${keyPrefix}"`, async () => {
    const client = await server.connect({ keyPrefix });
    for (const prefix of ['', 'a:']) {
      const store = new ConversationStore(client, { prefix, sharded, silentAfterMs: 1 });
      const states = Array.from({ length: 20 }, (_, n) => {
        const channel = { platform: 'slack', channelId: `C${n}` };
        return { ...STATE, ...channel, jobId: store.newJobId(channel) };
      });
      await Promise.all(states.map((state) => store.claim(state)));
      await aMoment();
      const found = await all(store.due());
      assert.equal(found.map(({ jobId }) => jobId).sort(), states.map(({ jobId }) => jobId).sort());
    }
  });
}

for (const sharded of [false, true]) {
  test(`an entry that names no job of the store is skipped with a warning, sharded: ${sharded}`, async () => {
    const own = new ConversationStore(redis, { silentAfterMs: 1, sharded, logger });
    const jobId = own.newJobId(BY_CHANNEL);
    const elsewhere = own.newJobId({ platform: 'slack', channelId: 'C2' });
    await own.claim({ ...STATE, jobId });
    const prefix = sharded ? `{${partitionOf('slack', 'C1')}}:` : '';
    const odd = [
      ...[
        watchMember('', `${prefix}${CHANNEL}`),
        watchMember('j1', 'rubbish'),
        watchMember('j1\t', `${prefix}${CHANNEL}`),
      ],
      ...['Bad Platform:C1', 'Slack:C1', 'slack:C1\n'].map((of) => watchMember(jobId, `${prefix}conversation:${of}`)),
      ...[watchMember(jobId, `other:${CHANNEL}`), watchMember('x'.repeat(513), `${prefix}${CHANNEL}`)],
      ...(sharded ? [`j1\n${prefix}${CHANNEL}`, `${elsewhere}\n${prefix}${CHANNEL}`] : []),
      ...(sharded ? [watchMember(elsewhere, `${prefix}conversation:slack:C2`)] : []),
    ];
    for (const [score, member] of odd.entries()) await redis.zadd(`${prefix}${WATCH}`, score, member);
    await aMoment();
    logger.heard.length = 0;
    assert.equal(
      (await all(own.due())).map((job) => job.jobId),
      [jobId],
    );
    assert.equal(
      logger.heard,
      odd.map((member) => `warn: unreadable entry of conversation-watch: ${JSON.stringify(member)}`),
    );
  });
}

test('a partition that cannot be asked keeps nobody from the jobs of the others, and is said so behind them', async () => {
  const own = new ConversationStore(redis, { silentAfterMs: 1, sharded: true });
  const channels = Array.from({ length: 200 }, (_, n) => ({ platform: 'slack', channelId: `C${n}` }));
  const spoilt = new Set(channels.slice(0, 4).map((channel) => own.key(channel, WATCH)));
  for (const key of spoilt) await redis.set(key, 'rubbish');
  const sound = channels.filter((channel) => !spoilt.has(own.key(channel, WATCH)));
  for (const channel of sound) await own.claim({ ...STATE, ...channel, jobId: own.newJobId(channel) });
  await aMoment();
  const found: string[] = [];
  const sweep = async () => {
    for await (const { channelId } of own.due()) found.push(channelId);
  };
  await refusal(sweep(), 'WRONGTYPE');
  assert.equal(found.sort(), sound.map(({ channelId }) => channelId).sort());
});

test('a job whose state cannot be read has a null state, with a warning, and the sweep goes on', async () => {
  for (const spoil of [() => redis.set(CHANNEL, 'rubbish'), () => redis.hset(CHANNEL, 'f', 'v')]) {
    await redis.flushall();
    await store.claim(JOB);
    await aMoment();
    await store.claim(SECOND);
    await redis.del(CHANNEL);
    await spoil();
    await aMoment();
    logger.heard.length = 0;
    assert.equal(withoutTime(await all(store.due())), [
      { ...BY_CHANNEL, jobId: 'j1', reason: 'silent', state: null },
      { platform: 'slack', channelId: 'C2', jobId: 'j2', reason: 'silent', state: SECOND },
    ]);
    assert.equal(logger.heard, ['warn: unreadable conversation: slack C1, job j1']);
  }
});

/** The jobs of what is listed, in order. */
async function jobs(from: ConversationStore, options?: { platform?: string }): Promise<string[]> {
  return (await all(from.list(options))).map(({ jobId }) => jobId).sort();
}

test('list gives every conversation once, of all platforms or of one in any case, and nothing changes', async () => {
  assert.equal(await jobs(plain), []);
  const state = { ...STATE, jobId: 'a', transcript: [] };
  await plain.set(state);
  await plain.set({ ...STATE, jobId: 'b', channelId: '19:abc@thread.tacv2', platform: 'Teams' });
  await plain.set({ ...STATE, jobId: 'c', channelId: 'conversation:slack:C1', platform: 'teams' });
  const before = await dump(redis);
  assert.equal(await jobs(plain), ['a', 'b', 'c']);
  assert.equal(await all(plain.list({ platform: 'slack' })), [state]);
  assert.equal(await jobs(plain, { platform: 'TEAMS' }), ['b', 'c']);
  assert.equal(await jobs(plain, { platform: 'team' }), []);
  assert.equal(await dump(redis), before);
});

test('list gives each of 2500 conversations among other keys once, although each is removed when it is listed', async () => {
  const pipeline = redis.pipeline();
  for (let n = 0; n < 2_500; n++) {
    pipeline.set(`conversation:slack:C${n}`, json({ jobId: `j${n}`, channelId: `C${n}` }));
    pipeline.set(`job-index:j${n}`, `conversation:slack:C${n}`).set(`other:${n}`, 'x');
  }
  await pipeline.exec();
  const found = new Set<string>();
  for await (const state of plain.list()) {
    found.add(state.jobId);
    assert.is((await plain.remove(state)).outcome, 'removed');
  }
  assert.is(found.size, 2_500);
  assert.is(await redis.dbsize(), 2_500);
});

test('list leaves out keys of other programs with similar names, and nobody is warned', async () => {
  await plain.set(STATE);
  const similar =
    'conversation: conversation:x conversation:slack conversation:slack: conversation:Slack:C1 conversations:slack:C1 ' +
    'my-conversation:slack:C1 x:conversation:slack:C1 job-index:conversation:slack:C9';
  for (const key of [...similar.split(' '), 'conversation:slack:\n']) await redis.set(key, json());
  await redis.hset('conversation:slack:hash', 'f', 'v');
  await redis.xadd('conversation:slack:stream', '*', 'f', 'v');
  logger.heard.length = 0;
  assert.equal(await jobs(plain), ['j1']);
  assert.equal(logger.heard, []);
});

test("list keeps to one prefix, whatever characters it has, and no other, also under the client's own keyPrefix", async () => {
  const prefixes = ['', '*', 'a*', 'ab', 'a?', 'a[bc]:', 'ab:', 'a\\*', '{t}:', '^-]'];
  const clients = [redis, await server.connect({ keyPrefix: 'app*:' })];
  const stores = clients.flatMap((client) => prefixes.map((prefix) => new ConversationStore(client, { prefix })));
  for (const [n, store] of stores.entries()) await store.set({ ...STATE, jobId: `j${n}` });
  for (const [n, store] of stores.entries()) {
    assert.equal(await jobs(store), [`j${n}`]);
    assert.equal(await jobs(store, { platform: 'slack' }), [`j${n}`]);
  }
});

test('list leaves out what lies in the partition of another channel, because no call looks for it there', async () => {
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
