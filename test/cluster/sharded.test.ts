import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { slotOf } from '../../scripts/redis/slot.ts';
import { ConversationStore } from '../../src/index.ts';
import { PARTITIONS, partitionName } from '../../src/keys/prefix.ts';
import { cli } from '../cli/cli.ts';
import { STATE } from '../support/library.ts';
import { dump, withRedis } from '../support/redis.ts';

const test = suite('conversations spread over partitions');
const redis = withRedis(test);

let client: Redis;
let store: ConversationStore;

test.before(async () => {
  client = await redis.connect();
  store = new ConversationStore(client, { sharded: true });
});
test.before.each(async () => {
  await client.flushall();
});

function refused(run: () => unknown, message: string | RegExp): void {
  try {
    run();
  } catch (error) {
    assert.is((error as { code: unknown }).code, 'INVALID_ARGUMENT');
    if (typeof message === 'string') assert.is((error as Error).message, message);
    else assert.match((error as Error).message, message);
    return;
  }
  assert.unreachable('nothing was refused');
}

const C1 = { platform: 'slack', channelId: 'C1' };
const OF_C1 = 'job-0060-b359bcf4-dd14-4220-b92c-d8db2b3794f9';
const OF_ANOTHER = 'job-0061-b359bcf4-dd14-4220-b92c-d8db2b3794f9';

test('the hash tags of the 1024 partitions spread evenly: one in every 16 slots', () => {
  const slots = Array.from({ length: PARTITIONS }, (_, number) => slotOf(`{${partitionName(number)}}:x`));
  const sixteens = slots.map((slot) => Math.floor(slot / 16)).sort((a, b) => a - b);
  assert.equal(sixteens, [...Array(1024).keys()]);
});

test("a channel's partition does not change with releases", () => {
  // printf '%04o' $((0x$(printf slack:C1 | sha256sum | cut -c1-4) & 0x3ff))
  assert.is(store.key(C1, 'x'), '{0060}:x');
  assert.is(store.key({ platform: 'Slack', channelId: 'C1' }, 'x'), '{0060}:x', 'whatever the case of the platform');
  assert.is(store.key({ platform: 'teams', channelId: '19:ä@thread.tacv2' }, 'x'), '{1770}:x');
});

test('a new job id is unique, carries the partition and is a valid name of a Kubernetes job', () => {
  for (let n = 0; n < 1_000; n++) {
    const channel = { platform: 'slack', channelId: `C${n}` };
    const jobId = store.newJobId(channel);
    assert.ok(jobId.length <= 63);
    assert.match(jobId, /^[a-z]([a-z0-9-]*[a-z0-9])$/);
    assert.is(store.key({ jobId }, 'x'), store.key(channel, 'x'));
    assert.is.not(jobId, store.newJobId(channel));
  }
});

test('every key of a conversation has its hash tag', async () => {
  const jobId = store.newJobId(C1);
  await store.set({ ...STATE, jobId, pendingQuestionId: 'q1' });
  const stream = store.key({ jobId }, 'job:in');
  await store.answerQuestion({ jobId }, 'q1', { stream, fields: { text: 'yes' } });
  assert.equal(Object.keys(await dump(client)), [
    '{0060}:conversation-handled:slack:C1',
    '{0060}:conversation:slack:C1',
    `{0060}:job-index:${jobId}`,
    '{0060}:job:in',
  ]);
  assert.is(store.key({ ...C1, jobId }, 'job:in'), stream);
});

test('every call works on a server without a cluster, by every reference', async () => {
  const jobId = store.newJobId(C1);
  const state = { ...STATE, jobId };
  assert.is((await store.claim(state)).outcome, 'claimed');
  for (const ref of [C1, { jobId }, { ...C1, jobId }]) {
    assert.is((await store.get(ref))?.jobId, jobId);
    assert.is((await store.setPendingQuestion(ref, 'q'))?.pendingQuestionId, 'q');
    assert.is((await store.answerQuestion(ref, 'q')).outcome, 'accepted');
    assert.is((await store.remove(ref)).outcome, 'removed');
    await store.set(state);
  }
  assert.is((await store.getByJobId(jobId))?.jobId, jobId);
});

test('list finds the conversations of all partitions and no others', async () => {
  const channels = Array.from({ length: 50 }, (_, n) => ({ platform: 'slack', channelId: `C${n}` }));
  for (const channel of channels) await store.set({ ...STATE, ...channel, jobId: store.newJobId(channel) });
  const plain = new ConversationStore(client);
  await plain.set({ ...STATE, channelId: 'C1', jobId: 'j1' });
  // In a partition that is not its channel's, no call would find it.
  const astray = new ConversationStore(client, { prefix: '{0000}:' });
  await astray.set({ ...STATE, channelId: 'C1', jobId: 'j1' });
  const found: string[] = [];
  for await (const { channelId } of store.list({ platform: 'slack' })) found.push(channelId);
  assert.equal(found.sort(), channels.map(({ channelId }) => channelId).sort());
});

test('a job id that carries no partition is refused before anything is sent', async () => {
  const message =
    'jobId was not made by newJobId; with sharded: true, make job ids with newJobId({ platform, channelId }) of their channel';
  const bad = ['j1', OF_C1.toUpperCase(), `${OF_C1}0`, OF_C1.slice(1), OF_C1.replace('0060', '2060'), `x${OF_C1}`];
  for (const jobId of bad) {
    refused(() => store.key({ jobId }, 'x'), message);
    await store.claim({ ...STATE, jobId }).then(
      () => assert.unreachable(jobId),
      (error: Error) => assert.is(error.message, message),
    );
  }
  assert.is(await client.dbsize(), 0);
});

test('a job id that was made for a channel of another partition is refused', () => {
  refused(
    () => store.key({ ...C1, jobId: OF_ANOTHER }, 'x'),
    /^jobId was made for another channel; with sharded: true, /,
  );
  assert.is(store.key({ ...C1, jobId: OF_C1 }, 'x'), '{0060}:x');
});

test('half a reference is refused as it is without partitions', () => {
  for (const ref of [
    { platform: 'slack' },
    { channelId: 'C1' },
    { jobId: undefined },
    { ...C1, jobId: undefined },
    {},
  ]) {
    refused(() => store.key(ref as never, 'x'), /^(platform|channelId|jobId) must be |^a reference is /);
  }
});

test('a prefix comes before the partition and has no hash tag of its own', () => {
  assert.is(new ConversationStore(client, { sharded: true, prefix: 'dev:' }).key(C1, 'x'), 'dev:{0060}:x');
  for (const prefix of ['{dev}:', 'a{', '{}']) {
    refused(
      () => new ConversationStore(client, { sharded: true, prefix }),
      /^prefix must be without "{" where sharded/,
    );
  }
  refused(() => new ConversationStore(client, { sharded: 1 as never }), 'sharded must be true or false');
});

test('the keys command prints what the store uses', async () => {
  const { stdout, code } = await cli(['keys', '--sharded', '--platform', 'Slack', '--channel', 'C1', '--job', OF_C1]);
  assert.is(stdout, `conversation  {0060}:conversation:slack:C1\njob index     {0060}:job-index:${OF_C1}\n`);
  assert.is(code, 0);
  const byChannel = await cli(['keys', '--platform', 'slack', '--channel', 'C1', '--prefix', '{t}:']);
  assert.is(byChannel.stdout, '{t}:conversation:slack:C1\n');
  const byJob = await cli(['keys', '--job', OF_C1, '--sharded', '--prefix', 'dev:']);
  assert.is(byJob.stdout, `dev:{0060}:job-index:${OF_C1}\n`);
});

test('the keys command says what is wrong with what it was given', async () => {
  const cases: [string[], RegExp][] = [
    [[], /^Name the channel with --platform and --channel, or the job with --job, or all three\.\n$/],
    [['--platform', 'slack'], /^Name the channel with --platform and --channel/],
    [['--channel', 'C1', '--job', 'j1'], /^Name the channel with --platform and --channel/],
    [['--job', 'j1', '--sharded'], /^jobId was not made by newJobId; .*\.\n$/],
    [['--platform', 'a b', '--channel', 'C1'], /^platform must be /],
  ];
  for (const [args, said] of cases) {
    const { stdout, stderr, code } = await cli(['keys', ...args]);
    assert.is(stdout, '');
    assert.match(stderr, said);
    assert.is(code, 2);
  }
});

test.run();
