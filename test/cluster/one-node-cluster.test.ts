import type { Cluster, Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { slotOf } from '../../scripts/redis/slot.ts';
import { ConversationStore } from '../../src/index.ts';
import { PARTITIONS, partitionName } from '../../src/keys.ts';
import { cli } from '../cli/cli.ts';
import { CALLS, HOLDER, NAMES, NEXT, prepare, refusal, storeFor, wiretap } from '../store/store.ts';
import { STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { rejection } from '../support/rejection.ts';
import { clientOf, type Node, startAlone, stopAll } from './nodes.ts';

const test = suite('a store on a cluster');
const redis = withRedis(test);
const C1 = { platform: 'slack', channelId: 'C1' };
const J1 = { jobId: 'j1' };
const SECOND = { ...STATE, jobId: 'j2' };
const TAGGED = { prefix: '{t}:' };
const CONVERSATION = '{t}:conversation:slack:C1';
const INDEX = '{t}:job-index:j1';
const WATCH = '{t}:conversation-watch';

let home: Node;
let node: Redis;
let cluster: Cluster;
let store: ConversationStore;

test.before(async () => {
  home = await startAlone();
  node = home.admin;
  cluster = clientOf([home]);
  store = new ConversationStore(cluster, TAGGED);
});
test.after(stopAll);
test.before.each(async () => {
  await node.flushall();
});

test('the slots that this package computes are those of the server', async () => {
  const tags = Array.from({ length: PARTITIONS }, (_, n) => `{${partitionName(n)}}:x`);
  const keys = [...tags, 'x', '{}{a}', 'a{b', 'ü{ä}}'];
  const slots = await Promise.all(keys.map((key) => node.cluster('KEYSLOT', key)));
  assert.equal(slots, keys.map(slotOf));
});

test('the hash tags of the 1024 partitions spread evenly: one in every 16 slots', () => {
  const slots = Array.from({ length: PARTITIONS }, (_, number) => slotOf(`{${partitionName(number)}}:x`));
  const sixteens = slots.map((slot) => Math.floor(slot / 16)).sort((a, b) => a - b);
  assert.equal(sixteens, [...Array(1024).keys()]);
});

test("a channel's partition does not change with releases", () => {
  const store = new ConversationStore(cluster, { sharded: true });
  // printf '%04o' $((0x$(printf slack:C1 | sha256sum | cut -c1-4) & 0x3ff))
  assert.is(store.key(C1, 'x'), '{0060}:x');
  assert.is(store.key({ platform: 'Slack', channelId: 'C1' }, 'x'), '{0060}:x', 'whatever the case of the platform');
  assert.is(store.key({ platform: 'teams', channelId: '19:ä@thread.tacv2' }, 'x'), '{1770}:x');
  assert.is(store.key({ ...C1, jobId: OF_C1 }, 'x'), '{0060}:x');
  const prefixed = new ConversationStore(cluster, { sharded: true, prefix: 'dev:' });
  assert.is(prefixed.key(C1, 'x'), 'dev:{0060}:x', 'a prefix comes before it');
});

test('a new job id is unique, carries the partition and is a valid name of a Kubernetes job', () => {
  const store = new ConversationStore(cluster, { sharded: true });
  for (let n = 0; n < 1_000; n++) {
    const channel = { platform: 'slack', channelId: `C${n}` };
    const jobId = store.newJobId(channel);
    assert.match(jobId, /^[a-z][a-z0-9-]{0,61}[a-z0-9]$/);
    assert.is(store.key({ jobId }, 'x'), store.key(channel, 'x'));
    assert.is.not(jobId, store.newJobId(channel));
  }
});

const OF_C1 = 'job-0060-b359bcf4-dd14-4220-b92c-d8db2b3794f9';
const KEYS: [args: string, code: number, said: RegExp][] = [
  [
    `--sharded --platform Slack --channel C1 --job ${OF_C1}`,
    0,
    /^conversation {2}\{0060}:conversation:slack:C1\njob index {5}\{0060}:job-index:job-0060-\S+\n$/,
  ],
  ['--platform slack --channel C1 --prefix {t}:', 0, /^\{t}:conversation:slack:C1\n$/],
  [`--job ${OF_C1} --sharded --prefix dev:`, 0, /^dev:\{0060}:job-index:job-0060-\S+\n$/],
  ['', 2, /^Name the channel with --platform and --channel, or the job with --job, or all three\.\n$/],
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

test('a store without a hash tag is refused with a sentence that says what to do', async () => {
  const message =
    'a cluster needs the keys of a conversation in one slot: give a prefix with a hash tag, such as "{agentsmith}:", ' +
    'to have everything under it in one slot, or sharded: true to spread the conversations over all slots';
  for (const options of [{}, { prefix: 'agentsmith:' }, { prefix: '{}:' }, { prefix: '{a' }, { prefix: 'a}{' }]) {
    const error = await rejection(() => new ConversationStore(cluster, options));
    assert.equal([error.code, error.message], ['INVALID_ARGUMENT', message]);
  }
  for (const options of [{ sharded: true }, TAGGED, { prefix: 'a:{b}:' }]) new ConversationStore(cluster, options);
  const { stderr, code } = await cli(['list', '--url', `redis://127.0.0.1:${home.port}`]);
  assert.match(stderr, 'give a prefix with a hash tag, such as "{agentsmith}:"');
  assert.is(code, 2);
});

test('show gives a command that removes on a cluster what cannot be read', async () => {
  await store.ready();
  await node.set(CONVERSATION, 'rubbish');
  const place = `--url redis://127.0.0.1:${home.port} --prefix {t}: --platform slack --channel C1`.split(' ');
  const { stdout, code } = await cli(['show', ...place]);
  assert.match(stdout, `redis-cli -h 127.0.0.1 -p ${home.port} -c FCALL conv_remove 1 '${CONVERSATION}'`);
  assert.is(code, 1);
});

const conversationOf = (store: ConversationStore) => store.key(HOLDER, 'conversation:slack:C1');
const indexOf = (store: ConversationStore) => store.key(HOLDER, `job-index:${HOLDER.jobId}`);
const waiting: (typeof CALLS)[string] = (store) =>
  store.claim({ ...NEXT, deliveryId: 'd2' }, { replicas: 1, timeoutMs: 1 });

test('no function touches a key that its call has not declared, and a call that names channel and job is one command', async () => {
  const wire = await wiretap(node, true);
  for (const ref of [HOLDER, C1, { jobId: HOLDER.jobId }]) {
    for (const [name, call] of Object.entries({ ...CALLS, 'claim that waits': waiting })) {
      await node.flushall();
      const store = storeFor(cluster, name);
      await prepare(store);
      const sent = await wire.during(() => call(store, ref as typeof HOLDER).catch(() => {}));
      let declared: string[] = [];
      for (const [command, ...args] of sent) {
        if (command === 'fcall') declared = args.slice(2, 2 + Number(args[1]));
        const touched = command === 'lua' ? args.filter((key) => key.startsWith(`{${name}}:`)) : [];
        // Whom a set displaces is known only inside.
        const own = name === 'set' ? touched.filter((key) => key !== indexOf(store)) : touched;
        for (const key of own) assert.ok(declared.includes(key), `${name} by ${Object.keys(ref)}: ${args}`);
      }
      const isOne = call.length > 1 && ref === HOLDER && name !== 'inbox';
      if (isOne) assert.is(sent.filter(([command]) => command !== 'lua').length, 1, name);
    }
  }
  wire.stop();
});

test("a node that lost the library gets it back on the call that notices; with load: 'never' it is an error that names the node", async () => {
  await store.set(STATE);
  for (const call of [() => store.get(C1), () => store.setPendingQuestion(C1, 'q'), () => store.getByJobId('j1')]) {
    await node.function('FLUSH');
    assert.is.not(await call(), null);
  }
  await node.function('FLUSH');
  const never = new ConversationStore(cluster, { ...TAGGED, load: 'never' });
  for (const call of [() => never.get(C1), () => never.get(J1), () => never.getByJobId('nobody')]) {
    const error = await refusal(call(), 'LIBRARY_MISSING');
    assert.match(error.message, new RegExp(`^127\\.0\\.0\\.1:${home.port} has no library conversation, this client`));
  }
});

test('every call through a client that was closed is UNAVAILABLE', async () => {
  const client = clientOf([home]);
  const stores = NAMES.filter((name) => name !== 'ready').map((name) => [name, storeFor(client, name)] as const);
  await prepare(...stores.map(([, store]) => store));
  client.disconnect();
  for (const ref of [HOLDER, { jobId: HOLDER.jobId }]) {
    for (const [name, store] of stores) {
      await refusal(CALLS[name]?.(store, ref as typeof HOLDER) as Promise<unknown>, 'UNAVAILABLE');
    }
  }
});

/** What calls may meet besides the conversation that holds the channel. */
const WORLDS: Record<string, (client: Redis | Cluster, store: ConversationStore) => Promise<unknown>> = {
  'the conversation': async () => {},
  'another holder': (_, store) => store.set(NEXT),
  'an index that its job does not hold': async (client, store) => {
    await store.set(NEXT);
    await client.set(indexOf(store), `${client.options.keyPrefix ?? ''}${conversationOf(store)}`);
  },
  'an index that leads out of its prefix': (client, store) => client.set(indexOf(store), 'x:conversation:slack:C1'),
  'an index of another type': (client, store) => client.copy(store.inboxKey(HOLDER), indexOf(store), 'REPLACE'),
  'what cannot be read': (client, store) => client.set(conversationOf(store), 'no JSON'),
  'a key of another type': (client, store) => client.copy(store.inboxKey(HOLDER), conversationOf(store), 'REPLACE'),
  'a conversation that has lapsed': (client, store) => client.del(conversationOf(store), indexOf(store)),
  'no conversation': (client, store) =>
    client.del(conversationOf(store), indexOf(store), store.inboxKey(HOLDER), store.key(HOLDER, 'conversation-watch')),
};
/** What every call by such a reference replies in each of these worlds, all at once; the code where it is refused. */
async function replies(client: Redis | Cluster, ref: object, sharded = false): Promise<Record<string, unknown>> {
  // One that takes no reference is made beside those by channel and job.
  const names = NAMES.filter((name) => ref === HOLDER || (CALLS[name]?.length ?? 0) > 1);
  const calls = Object.keys(WORLDS).flatMap((world) => names.map((name) => `${name}, ${world}`));
  await prepare(...calls.map((call) => storeFor(client, call, sharded)));
  const found = calls.map(async (call) => {
    const [store, [name = '', world = '']] = [storeFor(client, call, sharded), call.split(', ')];
    await WORLDS[world]?.(client, store);
    return [call, await CALLS[name]?.(store, ref as typeof HOLDER).catch(({ code }) => code)];
  });
  return Object.fromEntries(await Promise.all(found));
}

const TOLD =
  'accepted claimed duplicate gone held lapsed queued removed stale updated waiting CONVCORRUPT WRONGTYPE'.split(' ');

test('every call replies what it replies on a server, by every reference, whatever the client and the store', async () => {
  const server = await redis.connect();
  const others: [client: Redis | Cluster, sharded: boolean][] = [
    [cluster, false],
    [cluster, true],
    [clientOf([home], { keyPrefix: '{t}:', enableAutoPipelining: true }), false],
    [await redis.connect({ enableAutoPipelining: true }), false],
  ];
  const told = new Set<string>();
  for (const ref of [HOLDER, C1, { jobId: HOLDER.jobId }]) {
    const wanted = await replies(server, ref);
    for (const reply of Object.values(wanted)) told.add(String((reply as { outcome?: string })?.outcome ?? reply));
    for (const [client, sharded] of others) {
      for (const each of [server, node]) await each.flushall();
      assert.equal(await replies(client, ref, sharded), wanted);
    }
    await server.flushall();
  }
  for (const reply of TOLD) assert.ok(told.has(reply), `no call was told ${reply}`);
});

test('a claim that waits for replicas where there are none says so', async () => {
  const result = await store.claim(STATE, { replicas: 1, timeoutMs: 10 });
  assert.equal(result, { outcome: 'claimed', state: STATE, replicas: 0 });
});

/** A store whose client does something else right after each of its first reads of one key. */
function interrupted(times: number, between: (time: number) => Promise<unknown>): ConversationStore {
  const client = clientOf([home]);
  const call = client.call.bind(client) as (...args: unknown[]) => Promise<unknown>;
  let time = 0;
  client.call = async (...args: unknown[]) => {
    const reply = await call(...args);
    if ((args[0] === 'getex' || args[1] === 'conv_get') && time < times) await between(time++);
    return reply;
  };
  return new ConversationStore(client, TAGGED);
}

const take = (time: number) => store.set({ ...STATE, jobId: `taker-${time}`, pendingQuestionId: 'q0' });

// A call that names only the channel or only the job reads the other key first. In between the conversation may change
// hands.

test('a channel that changes hands under a call is followed', async () => {
  await store.set(STATE);
  assert.is((await interrupted(3, take).setPendingQuestion(C1, 'q'))?.jobId, 'taker-2');
  assert.is((await interrupted(3, take).answerQuestion(C1, 'q0')).state?.jobId, 'taker-2');
  assert.is((await interrupted(3, take).remove(C1)).state?.jobId, 'taker-2');
});

test('a job that has given a sign of life is held, whoever takes the channel after that', async () => {
  await store.set({ ...STATE, starting: false });
  const racing = interrupted(2, async (time) => time > 0 && take(time));
  assert.is((await racing.remove(C1, { retry: true })).state?.jobId, STATE.jobId);
});

test('a channel that changes hands without end makes the call end in an error', async () => {
  await store.set(STATE);
  const error = await refusal(interrupted(99, take).setPendingQuestion(C1, 'q'), 'CONVKEY');
  assert.match(error.message, /^the conversation changed hands 16 times .*; name channel and job$/);
});

test('a channel that is freed under a call is gone', async () => {
  await store.set(STATE);
  const racing = interrupted(1, () => store.remove(C1));
  assert.is(await racing.setPendingQuestion(C1, 'q'), null);
  assert.is(await node.dbsize(), 0, 'and not brought back');
});

const MOVED = { ...STATE, channelId: 'C2' };
const move = async () => {
  await store.remove(C1);
  await store.set(MOVED);
};
const lose = () => store.set(SECOND);
/** The state lapses, and perhaps another job claims the channel. */
const lapse = (next?: typeof STATE) => async () => {
  await node.del(CONVERSATION, INDEX);
  if (next) await store.claim(next);
};

/** What happens under a call, what the call then replies, and what holds the channel in the end. */
const RACES: [
  under: () => Promise<unknown>,
  call: (racing: ConversationStore) => unknown,
  reply: unknown,
  left: unknown,
][] = [
  [move, (racing) => racing.setPendingQuestion(J1, 'q'), { ...MOVED, pendingQuestionId: 'q' }, null],
  [lose, (racing) => racing.setPendingQuestion(J1, 'q'), null, SECOND],
  [lose, (racing) => racing.answerQuestion(J1, 'q'), { outcome: 'gone', state: null }, SECOND],
  [lose, (racing) => racing.getByJobId('j1'), null, SECOND],
  [lose, (racing) => racing.remove(J1), { outcome: 'held', state: SECOND }, SECOND],
  [lapse(SECOND), (racing) => racing.remove(C1), { outcome: 'removed', state: SECOND }, null],
  // Nobody else will tell.
  [lapse(), (racing) => racing.remove(C1), { outcome: 'lapsed', state: null }, null],
  [lapse(SECOND), (racing) => racing.remove(J1), { outcome: 'lapsed', state: SECOND }, SECOND],
];

test('a job that moves is followed, one that loses its channel reaches nothing, and one that lapses is told of once', async () => {
  const watching = new ConversationStore(cluster, { ...TAGGED, silentAfterMs: 60_000 });
  for (const [under, call, reply, left] of RACES) {
    await node.flushall();
    await watching.set(STATE);
    assert.equal(await call(interrupted(1, under)), reply, `${call}`);
    assert.equal(await store.get(C1), left, `${call}`);
    assert.is(await node.zcard(WATCH), 0, 'the job is no longer on watch');
  }
});

test.run();
