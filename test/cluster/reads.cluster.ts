import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ConversationReference, ConversationStore, LIBRARY_SOURCE } from '../../src/index.ts';
import { all } from '../store/store.ts';
import { connect } from './load.ts';
import * as cluster from './nodes.ts';

const CHANNELS = Array.from({ length: 60 }, (_, n) => ({ platform: 'slack', channelId: `C${n}` }));
const STATE = { userId: 'U1', project: 'web', ticketId: 12, startedAt: '2026-01-31T09:30:00.000Z' };

const test = suite('reads on replicas');
let nodes: cluster.Node[];
let replicas: cluster.Node[];
let store: ConversationStore;
let reader: ConversationStore;
let jobs: string[];

test.before(async () => {
  nodes = await cluster.startCluster();
  replicas = await cluster.replicas(nodes);
  store = new ConversationStore(connect(nodes), { sharded: true, silentAfterMs: 600_000 });
  reader = new ConversationStore(connect(nodes, { scaleReads: 'slave' }), { sharded: true });
  jobs = CHANNELS.map((channel) => store.newJobId(channel));
  await reader.ready();
  const claims = CHANNELS.map(async (channel, n) => {
    const state = { ...STATE, ...channel, jobId: jobs[n] as string };
    const result = await store.claim(state, { replicas: 1, timeoutMs: 5_000 });
    assert.ok('replicas' in result && result.replicas === 1, 'a replica has it');
  });
  await Promise.all(claims);
});
test.after(cluster.stopAll);

/** How often a task has masters and replicas run each command. */
async function counted(task: () => Promise<unknown>): Promise<Record<string, number>> {
  for (const { admin } of nodes) await admin.config('RESETSTAT');
  await task();
  const counts: Record<string, number> = {};
  for (const node of nodes) {
    const role = replicas.includes(node) ? 'replica' : 'master';
    for (const [, command, calls] of (await node.admin.info('commandstats')).matchAll(/cmdstat_(\w+):calls=(\d+)/g)) {
      if (!/^(fcall|fcall_ro|get|getex)$/.test(command ?? '')) continue;
      counts[`${role} ${command}`] = (counts[`${role} ${command}`] ?? 0) + Number(calls);
    }
  }
  return counts;
}

/** Does a task while what comes from a master waits at its replicas. They are read from all the same. */
async function whileBehind(task: () => Promise<void>): Promise<void> {
  for (const { admin } of replicas) await admin.call('CLIENT', 'PAUSE', '600000', 'WRITE');
  try {
    await task();
  } finally {
    for (const { admin } of replicas) await admin.call('CLIENT', 'UNPAUSE');
  }
}

// Inside a function a GET counts too: one for the state.
test('with scaleReads, what only reads is served by replicas alone; without, nothing is asked of them', async () => {
  const get = await counted(() => Promise.all(CHANNELS.map((channel) => reader.get(channel))));
  assert.equal(get, { 'replica fcall_ro': 60, 'replica get': 60 });
  const byJob = () => Promise.all(jobs.map((jobId) => reader.getByJobId(jobId, { renew: false })));
  assert.equal(await counted(byJob), { 'replica fcall_ro': 60, 'replica get': 120 });
  const without = await counted(() => Promise.all(CHANNELS.map((channel) => store.get(channel))));
  assert.equal(without, { 'master fcall': 60, 'master get': 60 });
});

test('what a call has to know for its keys is never asked of a replica', async () => {
  const write = () => Promise.all(jobs.map((jobId) => reader.setPendingQuestion({ jobId }, 'q')));
  const { 'master getex': asked, ...counts } = await counted(write);
  assert.is(asked, 60);
  for (const name of ['fcall', 'fcall_ro', 'getex']) assert.not(`replica ${name}` in counts, name);
});

test('a conversation that no replica has yet is found', async () => {
  const counts = await counted(() =>
    whileBehind(async () => {
      for (const { channelId } of CHANNELS) {
        const channel = { platform: 'teams', channelId };
        await store.claim({ ...STATE, ...channel, jobId: store.newJobId(channel) });
        assert.is((await reader.get(channel))?.channelId, channelId);
      }
    }),
  );
  assert.is(counts['replica fcall_ro'], 60);
  assert.is(counts['master fcall'], 120, 'one claim each, and one look where the replica had nothing');
});

test('defect 53: an inbox is read, and its fence asked, where replicas are behind: a job that was replaced reads nothing', async () => {
  await whileBehind(async () => {
    const inbox = async (ref: ConversationReference) =>
      (await all(reader.inbox(ref))).map(({ fields }) => fields['text']);
    for (const [n, channel] of CHANNELS.entries()) {
      const [jobId = '', next] = [jobs[n], store.newJobId(channel)];
      const { outcome } = await store.claim({ ...STATE, ...channel, jobId: next }, { queue: { text: 'more' } });
      assert.is(outcome, 'queued');
      const own = { ...channel, jobId };
      for (const ref of [channel, { jobId }, own]) assert.equal(await inbox(ref), ['more']);
      assert.is((await store.handOver(own, { ...STATE, ...channel, jobId: next })).outcome, 'claimed');
      jobs[n] = next;
      for (const ref of [{ jobId }, own]) assert.equal(await inbox(ref), []);
      assert.equal(await inbox({ jobId: next }), ['more']);
    }
  });
});

test('a replica without the library does not stand in the way', async () => {
  for (const { admin } of replicas) {
    await admin.config('SET', 'replica-read-only', 'no');
    await admin.function('FLUSH');
  }
  for (const channel of CHANNELS) assert.is((await reader.get(channel))?.channelId, channel.channelId);
  for (const { admin } of replicas) {
    await admin.function('LOAD', LIBRARY_SOURCE);
    await admin.config('SET', 'replica-read-only', 'yes');
  }
});

test.run();
