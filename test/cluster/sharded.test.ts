import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { slotOf } from '../../scripts/redis/slot.ts';
import { ConversationStore } from '../../src/index.ts';
import { PARTITIONS, partitionName } from '../../src/keys/prefix.ts';
import { cli } from '../cli/cli.ts';
import { withRedis } from '../support/redis.ts';

const test = suite('conversations spread over partitions');
const redis = withRedis(test);

let client: Redis;
let store: ConversationStore;

test.before(async () => {
  client = await redis.connect();
  store = new ConversationStore(client, { sharded: true });
});

const C1 = { platform: 'slack', channelId: 'C1' };
const OF_C1 = 'job-0060-b359bcf4-dd14-4220-b92c-d8db2b3794f9';

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
  assert.is(store.key({ ...C1, jobId: OF_C1 }, 'x'), '{0060}:x');
  const prefixed = new ConversationStore(client, { sharded: true, prefix: 'dev:' });
  assert.is(prefixed.key(C1, 'x'), 'dev:{0060}:x', 'a prefix comes before it');
});

test('a new job id is unique, carries the partition and is a valid name of a Kubernetes job', () => {
  for (let n = 0; n < 1_000; n++) {
    const channel = { platform: 'slack', channelId: `C${n}` };
    const jobId = store.newJobId(channel);
    assert.match(jobId, /^[a-z][a-z0-9-]{0,61}[a-z0-9]$/);
    assert.is(store.key({ jobId }, 'x'), store.key(channel, 'x'));
    assert.is.not(jobId, store.newJobId(channel));
  }
});

const KEYS: [args: string, code: number, said: RegExp][] = [
  [
    `--sharded --platform Slack --channel C1 --job ${OF_C1}`,
    0,
    /^conversation {2}\{0060}:conversation:slack:C1\njob index {5}\{0060}:job-index:job-0060-\S+\n$/,
  ],
  ['--platform slack --channel C1 --prefix {t}:', 0, /^\{t}:conversation:slack:C1\n$/],
  [`--job ${OF_C1} --sharded --prefix dev:`, 0, /^dev:\{0060}:job-index:job-0060-\S+\n$/],
  ['', 2, /^Name the channel with --platform and --channel, or the job with --job, or all three\.\n$/],
  ['--platform slack', 2, /^Name the channel with --platform and --channel/],
  ['--channel C1 --job j1', 2, /^Name the channel with --platform and --channel/],
  ['--job j1 --sharded', 2, /^jobId was not made by newJobId; .*\.\n$/],
  ['--platform a*b --channel C1', 2, /^platform must be /],
];
test('the keys command prints what the store uses, or what is wrong with what it was given', async () => {
  for (const [args, exit, said] of KEYS) {
    const { stdout, stderr, code } = await cli(['keys', ...args.split(' ').filter(Boolean)]);
    assert.match(exit === 0 ? stdout : stderr, said);
    assert.equal([exit === 0 ? stderr : stdout, code], ['', exit]);
  }
});

test.run();
