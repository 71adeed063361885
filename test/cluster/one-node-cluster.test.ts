import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { Cluster, Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { slotOf } from '../../scripts/redis/slot.ts';
import { ConversationStore, checkLibrary, LIBRARY_VERSION, loadLibrary } from '../../src/index.ts';
import { PARTITIONS, partitionName } from '../../src/keys/prefix.ts';
import { cli } from '../cli/cli.ts';
import { libraryOf } from '../deploy/versions.ts';
import { STATE } from '../support/library.ts';
import { rejection } from '../support/rejection.ts';
import {
  type ClientOptions,
  clientOf,
  introduce,
  kill,
  moveKeyByKey,
  type Node,
  startAlone,
  startNode,
  stopAll,
} from './nodes.ts';

const test = suite('a cluster of one node, and one without slots');
const C1 = { platform: 'slack', channelId: 'C1' };
const TAGGED = { prefix: '{t}:' };

let node: Redis;
let idle: Redis;
let home: Node;
let away: Node;
let cluster: Cluster;
let store: ConversationStore;
let sharded: ConversationStore;

test.before(async () => {
  [home, away] = await Promise.all([startAlone(), startNode()]);
  [node, idle] = [home.admin, away.admin];
  cluster = connect();
  store = new ConversationStore(cluster, TAGGED);
});
test.after(stopAll);
test.before.each(async () => {
  if (away.process.exitCode !== null) return;
  await Promise.all([node, idle].map(async (server) => [await server.flushall(), await server.function('FLUSH')]));
});

const connect = (options?: ClientOptions) => clientOf([home], options);

/** The commands with functions that a task sends to the node, as words. */
async function sent(task: () => Promise<unknown>): Promise<string[][]> {
  const monitor = await node.monitor();
  const seen: string[][] = [];
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    if (source !== 'lua') seen.push(args);
  });
  await task();
  await node.echo('done');
  while (!seen.some(([command]) => command === 'echo')) await sleep(5);
  monitor.disconnect();
  return seen.filter(([command = '']) => /^(fcall|fcall_ro|get|getex)$/.test(command));
}

test('the command line finds the whole cluster from one node, and what runs on it', async () => {
  await store.claim(STATE);
  const sharded = new ConversationStore(cluster, { sharded: true, silentAfterMs: 1 });
  const jobId = sharded.newJobId(C1);
  await sharded.claim({ ...STATE, jobId });
  const run = (...args: string[]) => cli([...args, '--url', `redis://127.0.0.1:${home.port}`]);
  const tagged = await run('list', '--json', '--prefix', '{t}:');
  assert.equal([tagged.stderr, tagged.code], ['', 0]);
  assert.match(tagged.stdout, /^\{"platform":"slack","channelId":"C1","jobId":"j1",.*\}\n$/);
  assert.match((await run('list', '--json', '--sharded')).stdout, `"jobId":"${jobId}"`);
  assert.match((await run('due', '--json', '--sharded')).stdout, `"jobId":"${jobId}"`);
  assert.match((await run('show', '--job', jobId, '--sharded')).stdout, /\ninbox {10}empty\n/);
  const doctor = (await run('doctor', '--json', '--sharded')).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const foundBy = (check: string) => doctor.filter((finding) => finding.check === check);
  assert.equal(
    foundBy('slots').map(({ level, found }) => `${level} ${found}`),
    ['ok All 16384 are served.'],
  );
  assert.is(foundBy('rights')[0]?.level, 'ok');
  assert.is(foundBy('library').length, foundBy('server').length);
  assert.match(foundBy('keys')[0]?.found, /^No problems in 1 conversation, 1 index, .*, 1 watched job\.$/);
  const untagged = await run('list');
  assert.is(untagged.code, 2);
  assert.match(untagged.stderr, 'give a prefix with a hash tag, such as "{agentsmith}:"');
  const stream = sharded.key({ jobId }, 'job:in');
  const ends = ['--sharded', '--reason', 'hangs', '--yes', '--stream', stream];
  const released = await run('release', '--job', jobId, ...ends);
  assert.equal([released.stderr, released.code], ['', 0]);
  assert.is(await sharded.get(C1), null);
});

test('the slots that this package computes are those of the server', async () => {
  const keys = [
    ...Array.from({ length: PARTITIONS }, (_, n) => `{${partitionName(n)}}:x`),
    'x',
    '{}{a}',
    'a{b',
    'ü{ä}}',
  ];
  const pipeline = node.pipeline();
  for (const key of keys) pipeline.cluster('KEYSLOT', key);
  const slots = (await pipeline.exec())?.map(([, slot]) => slot);
  assert.equal(slots, keys.map(slotOf));
  assert.is(new Set(slots?.slice(0, PARTITIONS)).size, PARTITIONS);
});

test('a store without a hash tag is refused with a sentence that says what to do', async () => {
  const message =
    'a cluster needs the keys of a conversation in one slot: give a prefix with a hash tag, such as "{agentsmith}:", ' +
    'to have everything under it in one slot, or sharded: true to spread the conversations over all slots';
  for (const options of [{}, { prefix: 'agentsmith:' }, { prefix: '{}:' }, { prefix: '{a' }, { prefix: 'a}{' }]) {
    const error = await rejection(() => new ConversationStore(cluster, options));
    assert.is(error.code, 'INVALID_ARGUMENT');
    assert.is(error.message, message);
  }
  for (const options of [{ sharded: true }, TAGGED, { prefix: 'a:{b}:' }]) new ConversationStore(cluster, options);
});

test("the client's own keyPrefix counts", async () => {
  const tagged = connect({ keyPrefix: '{t}:' });
  const store = new ConversationStore(tagged);
  await store.set({ ...STATE });
  assert.is((await store.getByJobId('j1'))?.channelId, 'C1');
  assert.is((await store.setPendingQuestion(C1, 'q'))?.pendingQuestionId, 'q');
  assert.is(await node.get('{t}:job-index:j1'), '{t}:conversation:slack:C1');
  const error = await rejection(() => new ConversationStore(tagged, { sharded: true }));
  assert.match(error.message, /^prefix must be without "{"/);
});

const PAIR = ['{t}:conversation:slack:C1', '{t}:job-index:j1'] as const;
const FURTHER = ['{t}:conversation-inbox:slack:C1', '{t}:conversation-handled:slack:C1', '{t}:conversation-watch'];

/** The functions that a task calls, each with the keys that it declares, and what is read before. */
async function declared(task: () => Promise<unknown>): Promise<string[][]> {
  const words = await sent(task);
  return words.map(([command = '', name = '', count, ...keys]) =>
    command === 'getex' ? [command, name] : [name, ...keys.slice(0, Number(count))],
  );
}

test('every call that writes declares all keys it may touch, and one that names channel and job is one command', async () => {
  const state = { ...STATE, pendingQuestionId: 'q' };
  const [conversation, job] = PAIR;
  const stream = { stream: '{t}:s', fields: { a: 1 } };
  const next = { ...STATE, jobId: 'j2', claimId: 'c2' };
  const [inbox, , watch] = FURTHER as [string, string, string];
  const calls: [name: string, call: (ref: { jobId: string } | typeof C1) => Promise<unknown>, keys: string[]][] = [
    ['conv_set_pending', (ref) => store.setPendingQuestion(ref, 'q'), FURTHER],
    ['conv_answer', (ref) => store.answerQuestion(ref, 'q'), FURTHER],
    ['conv_update', (ref) => store.update(ref, { userId: 'U2' }), FURTHER],
    ['conv_remove', (ref) => store.remove(ref), FURTHER],
    ['conv_get_by_job', () => store.getByJobId('j1'), [inbox, watch]],
    ['conv_answer', () => store.answerQuestion({ jobId: 'j1' }, 'q', stream), [...FURTHER, '{t}:s']],
    ['conv_update', () => store.update({ jobId: 'j1' }, {}, stream), [...FURTHER, '{t}:s']],
    ['conv_hand_over', () => store.handOver({ jobId: 'j1' }, next, stream), ['{t}:job-index:j2', ...FURTHER, '{t}:s']],
  ];
  for (const [name, call, further] of calls) {
    const whole = [name, ...PAIR, ...further];
    const restored = async (ref: Parameters<typeof call>[0]) => {
      await store.remove(C1);
      await store.set(state);
      return declared(() => call(ref));
    };
    const byJob = await restored({ jobId: 'j1' });
    assert.equal(byJob, name === 'conv_hand_over' ? [whole] : [['getex', job], whole], `${name} by job`);
    if (call.length === 0) continue;
    assert.equal(await restored(C1), [['conv_get', conversation], whole], `${name} by channel`);
    assert.equal(await restored({ ...C1, jobId: 'j1' }), [whole], `${name} by both`);
  }
  for (const [name, call] of [
    ['conv_set', () => store.set(state)],
    ['conv_claim', () => store.claim(STATE)],
    ['conv_claim', () => store.claim(STATE, { replicas: 1, timeoutMs: 1 })],
  ] as const) {
    assert.equal(await declared(call), [[name, ...PAIR, ...FURTHER]], `${name} of a state`);
  }
});

test('a read declares every key too', async () => {
  await store.set({ ...STATE });
  const [conversation, job] = PAIR;
  assert.equal(await sent(() => store.get(C1)), [['fcall', 'conv_get', '1', conversation]]);
  const byJob = [
    ['getex', job],
    ['fcall', 'conv_get', '2', conversation, job],
  ];
  assert.equal(await sent(() => store.get({ jobId: 'j1' })), byJob);
  assert.equal(await sent(() => store.getByJobId('j1', { renew: false })), byJob);
});

test('where there is no conversation, every reference says so', async () => {
  for (const ref of [C1, { jobId: 'j1' }, { ...C1, jobId: 'j1' }]) {
    assert.is(await store.get(ref), null);
    assert.is(await store.setPendingQuestion(ref, 'q'), null);
    assert.equal(await store.answerQuestion(ref, 'q'), { outcome: 'gone', state: null });
    assert.equal(await store.remove(ref), { outcome: 'gone', state: null });
  }
  assert.is(await store.getByJobId('j1'), null);
  assert.is(await node.dbsize(), 0);
});

test('an index that its job does not hold ends in nothing, not in an error', async () => {
  await store.set({ ...STATE, jobId: 'j2' });
  await node.set('{t}:job-index:j1', '{t}:conversation:slack:C1');
  assert.is(await store.getByJobId('j1'), null);
  assert.is(await store.get({ jobId: 'j1' }), null);
  assert.is(await store.setPendingQuestion({ jobId: 'j1' }, 'q'), null);
});

test('an index that leads out of its prefix is unreadable', async () => {
  await node.set('{t}:job-index:j1', '{other}:conversation:slack:C1');
  assert.is((await rejection(() => store.setPendingQuestion({ jobId: 'j1' }, 'q'))).code, 'CONVCORRUPT');
});

test('what cannot be read is refused by every call but remove, which removes it', async () => {
  await node.set('{t}:conversation:slack:C1', 'no JSON');
  assert.is((await rejection(() => store.setPendingQuestion(C1, 'q'))).code, 'CONVCORRUPT');
  assert.is((await rejection(() => store.answerQuestion(C1, 'q'))).code, 'CONVCORRUPT');
  assert.is((await rejection(() => store.get(C1))).code, 'CONVCORRUPT');
  assert.equal(await store.remove(C1), { outcome: 'removed', state: null });
  assert.is(await node.dbsize(), 0);
});

test('silent jobs are named and settled, with everything in one slot and with a slot each', async () => {
  for (const options of [TAGGED, { sharded: true }]) {
    const watching = new ConversationStore(cluster, { ...options, silentAfterMs: 1 });
    const state = { ...STATE, jobId: watching.newJobId(C1) };
    await watching.claim({ ...state, deliveryId: 'd1' });
    const more = { ...state, claimId: 'c2', deliveryId: 'd2' };
    assert.is((await watching.claim(more, { queue: { text: 'more' } })).outcome, 'queued');
    await sleep(10);
    const found: unknown[] = [];
    for await (const job of watching.due()) {
      found.push([job.reason, job.state?.jobId]);
      assert.is((await watching.remove(job)).outcome, 'waiting');
      assert.is((await watching.remove(job, { discardInbox: true })).outcome, 'removed');
      assert.is((await watching.remove(job)).outcome, 'gone');
    }
    assert.equal(found, [['silent', state.jobId]]);
    assert.is((await watching.claim({ ...state, claimId: 'c3', deliveryId: 'd1' })).outcome, 'duplicate');
    await node.flushall();
  }
});

test('a node that lost the library gets it back on the call that notices', async () => {
  await store.set({ ...STATE });
  for (const call of [() => store.get(C1), () => store.setPendingQuestion(C1, 'q'), () => store.getByJobId('j1')]) {
    await node.function('FLUSH');
    assert.is.not(await call(), null);
  }
});

test("with load: 'never' it is an error that names the node", async () => {
  const store = new ConversationStore(cluster, { ...TAGGED, load: 'never' });
  const error = await rejection(() => store.get(C1));
  assert.is(error.code, 'LIBRARY_MISSING');
  assert.match(error.message, new RegExp(`^127\\.0\\.0\\.1:${home.port} has no library conversation, this client`));
});

/** What a client of a standalone server needs, and what a cluster takes besides. */
const APP = [
  ...['+info', '+fcall', '+fcall_ro', '+get', '+set', '+del', '+pexpireat', '+pexpiretime', '+time', '+exists'],
  ...['+xadd', '+xlen', '+xrange', '+zadd', '+zcard', '+zrem', '+zscore', '+zrangebyscore', '+zremrangebyscore'],
  ...['+zremrangebyrank', '+scan'],
];
const APP_ON_CLUSTER = ['+cluster|info', '+cluster|slots', '+cluster|nodes', '+getex', '+asking', '+readonly', '+wait'];

for (const scaleReads of ['master', 'slave'] as const) {
  test(`an app can do all it has to with the rights of one, with scaleReads '${scaleReads}'`, async () => {
    await loadLibrary(cluster);
    await node.acl('SETUSER', 'app', 'reset', 'on', '>secret', '~{t}:*', ...APP, ...APP_ON_CLUSTER);
    const client = connect({ scaleReads, redisOptions: { username: 'app', password: 'secret' } });
    const store = new ConversationStore(client, { ...TAGGED, load: 'never' });
    assert.is((await store.claim({ ...STATE }, { replicas: 1, timeoutMs: 1 })).outcome, 'claimed');
    await store.set({ ...STATE });
    for (const [n, ref] of [C1, { jobId: 'j1' }, { ...C1, jobId: 'j1' }].entries()) {
      assert.is((await store.get(ref))?.jobId, 'j1');
      assert.is((await store.setPendingQuestion(ref, `q${n}`))?.pendingQuestionId, `q${n}`);
      const answer = await store.answerQuestion({ jobId: 'j1' }, `q${n}`, { stream: '{t}:s', fields: { a: 1 } });
      assert.is(answer.outcome, 'accepted');
    }
    assert.is((await store.getByJobId('j1'))?.jobId, 'j1');
    for await (const { jobId } of store.list()) assert.is(jobId, 'j1');
    assert.is((await store.remove({ jobId: 'j1' })).outcome, 'removed');
  });
}

test('autopipelining changes nothing', async () => {
  const store = new ConversationStore(connect({ enableAutoPipelining: true }), { sharded: true });
  const channels = Array.from({ length: 40 }, (_, n) => ({ platform: 'slack', channelId: `C${n}` }));
  await Promise.all(channels.map((c) => store.claim({ ...STATE, ...c, jobId: store.newJobId(c) })));
  const pending = await Promise.all(channels.map((channel) => store.setPendingQuestion(channel, channel.channelId)));
  assert.equal(
    pending.map((state) => state?.pendingQuestionId),
    channels.map(({ channelId }) => channelId),
  );
  const outcomes = await Promise.all(pending.map((state) => store.remove({ jobId: state?.jobId ?? '' })));
  assert.ok(outcomes.every(({ outcome }) => outcome === 'removed'));
});

test('a claim that waits for replicas where there are none says so', async () => {
  const result = await store.claim(STATE, { replicas: 1, timeoutMs: 10 });
  assert.equal(result, { outcome: 'claimed', state: STATE, replicas: 0 });
});

test('a master without slots gets the library too', async () => {
  await introduce([home], away);
  const places = [node, idle].map(({ options }) => `127.0.0.1:${options.port}`).sort();
  const missing = { present: false, found: null, current: false, foreign: null };
  const current = { present: true, found: LIBRARY_VERSION, current: true, loaded: false, foreign: null };

  assert.equal(
    byAddress(await checkLibrary(cluster)),
    places.map((address) => ({ address, ...missing, loaded: false })),
  );
  assert.equal(
    byAddress(await loadLibrary(cluster)),
    places.map((address) => ({ address, ...missing, loaded: true })),
  );
  assert.equal(
    byAddress(await checkLibrary(cluster)),
    places.map((address) => ({ address, ...current })),
  );

  await idle.function('FLUSH');
  const checked = await cli(['check', '--url', `redis://127.0.0.1:${home.port}`]);
  assert.match(checked.stdout, new RegExp(`^127\\.0\\.0\\.1:${away.port} +there is no library conversation$`, 'm'));
  assert.match(
    checked.stdout,
    new RegExp(`^127\\.0\\.0\\.1:${home.port} +conversation ${LIBRARY_VERSION} is there$`, 'm'),
  );
  assert.match(checked.stderr, /^1 of 2 masters do not serve apps of conversation /);
  assert.is(checked.code, 1);
  const loaded = await cli(['load', '--url', `redis://127.0.0.1:${away.port}`]);
  assert.match(loaded.stdout, /loaded, there was none\n/);
  assert.match(loaded.stdout, /is there already\n/);
  assert.is(loaded.code, 0);

  await idle.function('FLUSH');
  await new ConversationStore(connect(), TAGGED).ready();
  assert.is(await idle.fcall('conv_version', 0), LIBRARY_VERSION);
});

for (const enableAutoPipelining of [false, true]) {
  test(`a slot that stays on the move ends the client's patience in so many words, autopipelining ${enableAutoPipelining}`, async () => {
    const slot = Number(await node.cluster('KEYSLOT', '{t}'));
    const client = connect({ enableAutoPipelining, maxRedirections: 2, retryDelayOnTryAgain: 10 });
    const store = new ConversationStore(client, TAGGED);
    await store.set({ ...STATE });
    await node.del('{t}:job-index:j1');
    await node.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(await idle.cluster('MYID')));
    try {
      // One of its keys is there and one is not: the server asks to try again until all have moved.
      const calls = [1, 2, 3].map(() => rejection(() => store.setPendingQuestion({ ...C1, jobId: 'j1' }, 'q')));
      for (const error of await Promise.all(calls)) {
        assert.is(error.code, 'UNAVAILABLE');
        assert.match(error.message, /^Too many Cluster redirections\. Last error: .*TRYAGAIN/);
      }
      const waiting = await rejection(() =>
        store.claim({ ...STATE, userId: 'sesame' }, { replicas: 1, timeoutMs: 10 }),
      );
      assert.is(waiting.code, 'UNAVAILABLE', 'a claim that waits for replicas too');
      assert.not.match(inspect(waiting, { depth: 9 }), 'sesame', 'and its cause holds no state');
    } finally {
      await node.call('CLUSTER', 'SETSLOT', slot, 'STABLE');
      await node.flushall();
    }
  });
}

/** Conversations in slots of their own, half of them on the other master. */
const CHANNELS = Array.from({ length: 8 }, (_, n) => ({ platform: 'slack', channelId: `C${n}` }));
const ALL = CHANNELS.map(({ channelId }) => channelId);
const slotOfChannel = (n: number) => slotOf(sharded.inboxKey(CHANNELS[n] as typeof C1));

async function listed(of: ConversationStore, heard: (count: number, last: string) => unknown = () => {}) {
  const found: string[] = [];
  for await (const { channelId } of of.list()) await heard(found.push(channelId), channelId);
  return found.sort();
}

test('list finds a conversation whose slot moves away and back while it scans', async () => {
  sharded = new ConversationStore(cluster, { sharded: true });
  for (const [n, channel] of CHANNELS.entries()) {
    await sharded.set({ ...STATE, ...channel, jobId: sharded.newJobId(channel) });
    if (n % 2 === 1) await moveKeyByKey(slotOfChannel(n), home, away);
  }
  // Of the master that is scanned second, one goes to the first when that is done, and back when the second is.
  let [slot, first, second] = [0, home, away];
  const found = await listed(sharded, async (count, last) => {
    if (count === 4) {
      const isHome = ALL.indexOf(last) % 2 === 0;
      [slot, first, second] = isHome ? [slotOfChannel(1), home, away] : [slotOfChannel(0), away, home];
      await moveKeyByKey(slot, second, first);
    }
    if (count === 7) await moveKeyByKey(slot, first, second);
  });
  const keysAway = await away.admin.dbsize();
  for (const n of [1, 3, 5, 7]) await moveKeyByKey(slotOfChannel(n), away, home);
  assert.equal(found, ALL);
  assert.is(keysAway, 8, 'half of them, each with its index');
});

test('list looks again for as long as slots move, and is UNAVAILABLE where they never rest', async () => {
  const client = connect();
  const nodesOf = client.cluster.bind(client) as (...args: unknown[]) => Promise<unknown>;
  const late = { platform: 'slack', channelId: 'late' };
  let [looks, limit] = [0, 6];
  const slot = slotOf('{nobody}');
  client.cluster = (async (...args: unknown[]) => {
    // The layout is asked for before and behind every round.
    if (args[0] === 'NODES' && ++looks <= limit) {
      await (looks % 2 === 1 ? moveKeyByKey(slot, home, away) : moveKeyByKey(slot, away, home));
      const key = sharded.key(late, 'conversation:slack:late');
      if (looks === limit) await node.set(key, JSON.stringify({ ...STATE, ...late }));
    }
    return nodesOf(...args);
  }) as typeof client.cluster;
  const store = new ConversationStore(client, { sharded: true });
  assert.ok((await listed(store)).includes('late'), 'what came in the sixth round');
  [looks, limit] = [0, 100];
  const error = await rejection(() => listed(store));
  assert.is(error.code, 'UNAVAILABLE');
  assert.match(error.message, /^slots of the cluster moved during each of 16 scans/);
  if (looks % 2 === 1) await moveKeyByKey(slot, away, home);
});

test('a newer version on one master stops the load on all', async () => {
  await idle.function('LOAD', libraryOf('9.0.0'));
  const error = await rejection(() => loadLibrary(cluster));
  assert.is(error.code, 'LIBRARY_TOO_NEW');
  assert.match(error.message, new RegExp(`^127\\.0\\.0\\.1:${away.port} has conversation 9\\.0\\.0, which is newer`));
  assert.equal(await node.function('LIST'), []);
});

test('a master that is down is named, and keeps nobody from the others', async () => {
  const address = `127.0.0.1:${away.port}`;
  await kill(away);
  const error = (await rejection(() => loadLibrary(cluster))) as AggregateError;
  assert.instance(error, AggregateError);
  assert.match(
    error.message,
    new RegExp(`^library conversation: 1 of 2 masters failed; ${address}: connect ECONNREFUSED`),
  );
  assert.is(await node.fcall('conv_version', 0), LIBRARY_VERSION);
  const checked = await cli(['check', '--url', `redis://127.0.0.1:${home.port}`]);
  assert.match(
    checked.stdout,
    new RegExp(`^${address} +failed: the connection was refused; no server listens there\\.$`, 'm'),
  );
  assert.match(checked.stderr, /^1 of 2 masters do not serve apps of conversation /);
  await node.function('FLUSH');
  assert.is((await new ConversationStore(connect(), TAGGED).claim({ ...STATE })).outcome, 'claimed');
});

function byAddress<T extends { address: string }>(reports: T[]): T[] {
  return reports.sort((a, b) => (a.address < b.address ? -1 : 1));
}

test.run();
