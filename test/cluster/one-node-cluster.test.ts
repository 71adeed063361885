import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { slotOf } from '../../scripts/redis/slot.ts';
import { ConversationStore } from '../../src/index.ts';
import { PARTITIONS, partitionName } from '../../src/keys/prefix.ts';
import { cli } from '../cli/cli.ts';
import { all, refusal, wiretap } from '../store/store.ts';
import { STATE } from '../support/library.ts';
import { rejection } from '../support/rejection.ts';
import { clientOf, type Node, startAlone, stopAll } from './nodes.ts';

const test = suite('a store on a cluster of one node');
const C1 = { platform: 'slack', channelId: 'C1' };
const J1 = { jobId: 'j1' };
const TAGGED = { prefix: '{t}:' };
const CONVERSATION = '{t}:conversation:slack:C1';
const INDEX = '{t}:job-index:j1';
const INBOX = '{t}:conversation-inbox:slack:C1';
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
  const place = [
    '--url',
    `redis://127.0.0.1:${home.port}`,
    '--prefix',
    '{t}:',
    '--platform',
    'slack',
    '--channel',
    'C1',
  ];
  const { stdout, code } = await cli(['show', ...place]);
  assert.match(stdout, `redis-cli -h 127.0.0.1 -p ${home.port} -c FCALL conv_remove 1 '${CONVERSATION}'`);
  assert.is(code, 1);
});

test("the client's own keyPrefix counts", async () => {
  const tagged = clientOf([home], { keyPrefix: '{t}:' });
  const store = new ConversationStore(tagged);
  await store.set(STATE);
  assert.is((await store.getByJobId('j1'))?.channelId, 'C1');
  assert.is((await store.setPendingQuestion(C1, 'q'))?.pendingQuestionId, 'q');
  assert.is(await node.get(INDEX), CONVERSATION);
  const error = await rejection(() => new ConversationStore(tagged, { sharded: true }));
  assert.match(error.message, /^prefix must not contain "{"/);
});

/** The functions that a task calls, each with the keys that it declares, and what is read before. */
async function declared(task: () => Promise<unknown>): Promise<string[]> {
  const wire = await wiretap(node);
  const sent = await wire.during(task);
  wire.stop();
  return sent.flatMap(([command = '', name = '', count, ...keys]) => {
    if (command === 'get' || command === 'getex') return [`${command} ${name}`];
    return command.startsWith('fcall') ? [[name, ...keys.slice(0, Number(count))].join(' ')] : [];
  });
}

test('every call declares all keys it may touch, and one that names channel and job is one command', async () => {
  const stream = { stream: '{t}:s', fields: { a: 1 } };
  const next = { ...STATE, jobId: 'j2', claimId: 'c2' };
  const pair = `${CONVERSATION} ${INDEX}`;
  const further = `${INBOX} {t}:conversation-handled:slack:C1 ${WATCH}`;
  const whole = `${pair} ${further}`;
  const byChannel = `conv_get ${CONVERSATION}`;
  const byJob = `getex ${INDEX}`;
  const calls: [call: (ref: typeof C1 | typeof J1) => Promise<unknown>, name: string][] = [
    [(ref) => store.setPendingQuestion(ref, 'q'), 'conv_set_pending'],
    [(ref) => store.answerQuestion(ref, 'q'), 'conv_answer'],
    [(ref) => store.update(ref, { userId: 'U2' }), 'conv_update'],
    [(ref) => store.remove(ref), 'conv_remove'],
  ];
  const others: [call: () => Promise<unknown>, ...keys: string[]][] = [
    ...calls.flatMap(([call, name]): typeof others => [
      [() => call(C1), byChannel, `${name} ${whole}`],
      [() => call(J1), byJob, `${name} ${whole}`],
      [() => call({ ...C1, ...J1 }), `${name} ${whole}`],
    ]),
    [() => store.get(C1), byChannel],
    [() => store.get(J1), byJob, `conv_get ${pair}`],
    [() => store.getByJobId('j1'), byJob, `conv_get_by_job ${pair} ${INBOX} ${WATCH}`],
    [() => store.getByJobId('j1', { renew: false }), byJob, `conv_get ${pair}`],
    [() => store.answerQuestion(J1, 'q', stream), byJob, `conv_answer ${whole} {t}:s`],
    [() => store.update(J1, {}, stream), byJob, `conv_update ${whole} {t}:s`],
    [() => store.handOver(J1, next, stream), `conv_hand_over ${pair} {t}:job-index:j2 ${further} {t}:s`],
    [() => store.set(STATE), `conv_set ${whole}`],
    [() => store.claim(STATE), `conv_claim ${whole}`],
    [() => store.claim(STATE, { replicas: 1, timeoutMs: 1 }), `conv_claim ${whole}`],
  ];
  for (const [call, ...keys] of others) {
    await store.remove(C1);
    await store.set({ ...STATE, pendingQuestionId: 'q' });
    assert.equal(await declared(call), keys, `${call}: ${keys}`);
  }
});

test('where there is no conversation, every reference says so', async () => {
  const gone = { outcome: 'gone', state: null };
  for (const ref of [C1, J1, { ...C1, ...J1 }]) {
    assert.equal([await store.get(ref), await store.setPendingQuestion(ref, 'q')], [null, null]);
    assert.equal([await store.answerQuestion(ref, 'q'), await store.remove(ref)], [gone, gone]);
  }
  assert.equal([await store.getByJobId('j1'), await node.dbsize()], [null, 0]);
});

test('an index that its job does not hold ends in nothing, and one that leads out of its prefix is unreadable', async () => {
  await store.set({ ...STATE, jobId: 'j2' });
  await node.set(INDEX, CONVERSATION);
  for (const call of [store.getByJobId('j1'), store.get(J1), store.setPendingQuestion(J1, 'q')]) {
    assert.is(await call, null);
  }
  await node.set(INDEX, '{other}:conversation:slack:C1');
  await refusal(store.setPendingQuestion(J1, 'q'), 'CONVCORRUPT');
});

test('what cannot be read is refused by every call but remove, which removes it', async () => {
  await node.set(CONVERSATION, 'no JSON');
  await refusal(store.setPendingQuestion(C1, 'q'), 'CONVCORRUPT');
  await refusal(store.answerQuestion(C1, 'q'), 'CONVCORRUPT');
  await refusal(store.get(C1), 'CONVCORRUPT');
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
    const [job, ...others] = await all(watching.due());
    assert.equal([job?.reason, job?.state?.jobId, others], ['silent', state.jobId, []]);
    if (!job) continue;
    assert.is((await watching.remove(job)).outcome, 'waiting');
    assert.is((await watching.remove(job, { discardInbox: true })).outcome, 'removed');
    assert.is((await watching.remove(job)).outcome, 'gone');
    assert.is((await watching.claim({ ...state, claimId: 'c3', deliveryId: 'd1' })).outcome, 'duplicate');
    await node.flushall();
  }
});

test("a node that lost the library gets it back on the call that notices; with load: 'never' it is an error that names the node", async () => {
  await store.set(STATE);
  for (const call of [() => store.get(C1), () => store.setPendingQuestion(C1, 'q'), () => store.getByJobId('j1')]) {
    await node.function('FLUSH');
    assert.is.not(await call(), null);
  }
  await node.function('FLUSH');
  const never = new ConversationStore(cluster, { ...TAGGED, load: 'never' });
  const error = await refusal(never.get(C1), 'LIBRARY_MISSING');
  assert.match(error.message, new RegExp(`^127\\.0\\.0\\.1:${home.port} has no library conversation, this client`));
});

test('autopipelining changes nothing', async () => {
  const store = new ConversationStore(clientOf([home], { enableAutoPipelining: true }), { sharded: true });
  const lives = Array.from({ length: 40 }, async (_, n) => {
    const channel = { platform: 'slack', channelId: `C${n}` };
    const jobId = store.newJobId(channel);
    await store.claim({ ...STATE, ...channel, jobId });
    const pending = await store.setPendingQuestion(channel, `q${n}`);
    assert.equal([pending?.jobId, pending?.pendingQuestionId], [jobId, `q${n}`]);
    assert.is((await store.remove({ jobId })).outcome, 'removed');
  });
  await Promise.all(lives);
});

test('a claim that waits for replicas where there are none says so', async () => {
  const result = await store.claim(STATE, { replicas: 1, timeoutMs: 10 });
  assert.equal(result, { outcome: 'claimed', state: STATE, replicas: 0 });
});

test.run();
