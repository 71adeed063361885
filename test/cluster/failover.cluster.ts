import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { slotOf } from '../../scripts/redis/slot.ts';
import { type ClaimOptions, ConversationStore, LIBRARY_VERSION } from '../../src/index.ts';
import { connect, Load, patiently } from './load.ts';
import * as cluster from './nodes.ts';

const WRITERS = 6;
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

/** Conversations in the slots of one master. */
class Ledger {
  readonly #client = connect(nodes);
  readonly #store = new ConversationStore(this.#client, { sharded: true });
  readonly #entries: { channelId: string; jobId: string; isConfirmed: boolean }[] = [];
  readonly #isHere: (slot: number) => boolean;
  readonly #options: ClaimOptions;

  constructor(isHere: (slot: number) => boolean, options: ClaimOptions = {}) {
    this.#isHere = isHere;
    this.#options = options;
  }

  /** Claims a channel, notes it where that was acknowledged, then asks a question and answers it. */
  async write(): Promise<void> {
    const channel = { platform: 'slack', channelId: '' };
    do channel.channelId = `L${channels++}`;
    while (!this.#isHere(slotOf(this.#store.inboxKey(channel))));
    const ref = { ...channel, jobId: this.#store.newJobId(channel) };
    const state = { ...ref, userId: 'U1', project: 'web', ticketId: 12, startedAt: '2026-01-31T09:30:00Z' };
    const claim = await patiently(() => this.#store.claim(state, this.#options));
    if (claim.outcome !== 'claimed') return;
    this.#entries.push({ ...ref, isConfirmed: (claim.replicas ?? 0) > 0 });
    await patiently(() => this.#store.setPendingQuestion(ref, 'q'));
    const stream = this.#store.key(channel, channel.channelId);
    const answer = { answerId: 'a', stream, fields: { answer: 'yes' } };
    await patiently(() => this.#store.answerQuestion(ref, 'q', answer));
  }

  /** Prints how many of the acknowledged claims there were and how many are lost. What is there must be whole. */
  async judge(): Promise<{ claims: number; lost: number; confirmed: number; lostConfirmed: number }> {
    const left = await Promise.all(this.#entries.map((entry) => this.#isThere(entry)));
    const lost = this.#entries.filter((_, n) => !left[n]);
    const verdict = {
      claims: this.#entries.length,
      lost: lost.length,
      confirmed: this.#entries.filter(({ isConfirmed }) => isConfirmed).length,
      lostConfirmed: lost.filter(({ isConfirmed }) => isConfirmed).length,
    };
    console.log('  on the killed master:', JSON.stringify(verdict));
    return verdict;
  }

  async #isThere({ channelId, jobId }: { channelId: string; jobId: string }): Promise<boolean> {
    const channel = { platform: 'slack', channelId };
    const [own, byJob] = [await this.#store.get({ ...channel, jobId }), await this.#store.get({ jobId })];
    assert.equal(byJob, own, 'a job finds what its channel shows');
    const conversation = this.#store.key(channel, `conversation:slack:${channelId}`);
    const index = this.#store.key(channel, `job-index:${jobId}`);
    assert.is(await this.#client.get(index), own && conversation, 'index and state exist together');
    const [expires, too] = [await this.#client.pexpiretime(conversation), await this.#client.pexpiretime(index)];
    assert.is(expires, too, 'and expire at one millisecond');
    const answers = await this.#client.xlen(this.#store.key(channel, channelId));
    if (own) assert.is(answers, own.lastAnswer ? 1 : 0, 'an answer is kept and published in one step');
    return own !== null;
  }
}

/** Kills the master in the middle of the slots under load, and waits until its replica serves them. */
async function failOver(name: string, behindMs: number) {
  const [, victim] = await cluster.masters(nodes);
  const [replica] = (await cluster.replicas(nodes, victim)) as [cluster.Node];
  const isHere = (slot: number) => cluster.holds(victim, slot);
  // Each with a client of its own: WAIT holds up what is behind it on a connection.
  const [without, waiting] = [new Ledger(isHere), new Ledger(isHere, { replicas: 1, timeoutMs: 150 })];
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
