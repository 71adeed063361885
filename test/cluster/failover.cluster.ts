import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { slotOf } from '../../scripts/redis/slot.ts';
import { type ClaimOptions, ConversationStore, LIBRARY_VERSION } from '../../src/index.ts';
import { STATE } from '../support/library.ts';
import { connect, Load, patiently } from './load.ts';
import * as cluster from './nodes.ts';

const WRITERS = 6;
const C = { platform: 'slack', channelId: '' };
/** By how much the replica is behind the master in the second round. */
const BEHIND_MS = 600;

const test = suite('a master killed, its replica promoted');
let nodes: cluster.Node[];
let load: Load;

test.before(async () => {
  nodes = await cluster.startCluster();
  load = new Load(nodes);
  load.resends = true;
  await load.settle();
});
test.after(cluster.stopAll);

let channels = 0;

/** Writes conversations to the slots of one master, and finds out what is left of those that were acknowledged. */
function ledgerOf(isHere: (slot: number) => boolean, options: ClaimOptions = {}) {
  // A client of its own: WAIT holds up what is behind it on a connection.
  const client = connect(nodes);
  const store = new ConversationStore(client, { sharded: true });
  const entries: { channel: typeof C; jobId: string; isConfirmed: boolean }[] = [];

  /** Claims a channel, notes it where that was acknowledged, then asks a question and answers it. */
  const write = async () => {
    const channel = { ...C };
    do channel.channelId = `L${channels++}`;
    while (!isHere(slotOf(store.inboxKey(channel))));
    const ref = { ...channel, jobId: store.newJobId(channel) };
    const claim = await patiently(() => store.claim({ ...STATE, ...ref, claimId: ref.jobId }, options));
    if (claim.outcome !== 'claimed') return;
    entries.push({ channel, jobId: ref.jobId, isConfirmed: (claim.replicas ?? 0) > 0 });
    await patiently(() => store.setPendingQuestion(ref, 'q'));
    const answer = { answerId: 'a', stream: store.key(channel, channel.channelId), fields: { answer: 'yes' } };
    await patiently(() => store.answerQuestion(ref, 'q', answer));
  };

  /** Whether a conversation is there. It is whole then. */
  const isThere = async ({ channel, jobId }: (typeof entries)[0]) => {
    const [own, byJob] = [await store.get({ ...channel, jobId }), await store.get({ jobId })];
    assert.equal(byJob, own, 'a job finds what its channel shows');
    const conversation = store.key(channel, `conversation:slack:${channel.channelId}`);
    const index = store.key(channel, `job-index:${jobId}`);
    assert.is(await client.get(index), own && conversation, 'index and state exist together');
    const expires = await client.pexpiretime(conversation);
    assert.is(await client.pexpiretime(index), expires, 'and expire at one millisecond');
    const answers = await client.xlen(store.key(channel, channel.channelId));
    if (own) assert.is(answers, own.lastAnswer ? 1 : 0, 'an answer is kept and published in one step');
    return own !== null;
  };

  /** Prints and returns how many claims were acknowledged, how many of them a replica had, and how many of each are lost. */
  const judge = async () => {
    const left = await Promise.all(entries.map(isThere));
    const lost = entries.filter((_, n) => !left[n]);
    const confirmed = (claims: typeof entries) => claims.filter(({ isConfirmed }) => isConfirmed).length;
    const [confirmedAll, lostConfirmed] = [confirmed(entries), confirmed(lost)];
    const verdict = { claims: entries.length, lost: lost.length, confirmed: confirmedAll, lostConfirmed };
    console.log('  on the killed master:', JSON.stringify(verdict));
    return verdict;
  };
  return { write, judge };
}

/** Kills the master in the middle of the slots under load, and waits until its replica serves them. */
async function failOver(name: string, behindMs: number) {
  const [, victim] = await cluster.masters(nodes);
  const [replica] = (await cluster.replicas(nodes, victim)) as [cluster.Node];
  const isHere = (slot: number) => cluster.holds(victim, slot);
  const [without, waiting] = [ledgerOf(isHere), ledgerOf(isHere, { replicas: 1, timeoutMs: 150 })];
  load.avoid = isHere;
  await load.under(name, async () => {
    let isOver = false;
    const writers = [without, waiting].flatMap((ledger) =>
      Array.from({ length: WRITERS }, async () => {
        for (; !isOver; await sleep(10)) await ledger.write();
      }),
    );
    await sleep(2_000);
    if (behindMs > 0) {
      // What the master sends is not applied, and gone with the master.
      await replica.admin.call('CLIENT', 'PAUSE', '60000', 'WRITE');
      await sleep(behindMs);
    }
    await cluster.kill(victim.node);
    if (behindMs > 0) await replica.admin.call('CLIENT', 'UNPAUSE');
    await cluster.until('the replica of the master that was killed is a master', async () =>
      /^role:master/m.test(await replica.admin.info('replication')),
    );
    await sleep(1_000);
    isOver = true;
    await Promise.all(writers);
    await cluster.restart(victim.node);
    await cluster.settled(nodes);
  });
  assert.is(await cluster.versionOn(replica), LIBRARY_VERSION);
  return { without: await without.judge(), waiting: await waiting.judge() };
}

test('with a replica that keeps up', async () => {
  const { without, waiting } = await failOver('a master killed', 0);
  assert.ok(without.claims > 0 && waiting.confirmed > 0);
  assert.is(waiting.lostConfirmed, 0);
});

test('with a replica that is behind: what it was asked for is there, other claims are lost', async () => {
  const { without, waiting } = await failOver('a master killed, its replica behind', BEHIND_MS);
  assert.ok(without.lost > 0, 'claims that nobody waited for are lost');
  assert.ok(waiting.confirmed > 0);
  assert.is(waiting.lostConfirmed, 0);
});

test.run();
