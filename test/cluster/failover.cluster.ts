import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Ledger, type Verdict } from './ledger.ts';
import { connect, Load } from './load.ts';
import * as cluster from './nodes.ts';

const WRITERS = 6;
const BEFORE_MS = 2_000;
/** By how much the replica is behind the master in the second round. */
const BEHIND_MS = 600;

const test = suite('a master killed, its replica promoted');
const clients: Cluster[] = [];
let nodes: cluster.Node[];
let load: Load;

test.before(async () => {
  nodes = await cluster.startCluster();
  clients.push(connect(nodes), connect(nodes));
  load = new Load(nodes);
  load.resends = true;
  await load.settle();
});
test.after(() => {
  load.close();
  cluster.stopAll();
});

/** Kills the master in the middle of the slots under load, and waits until its replica serves them. */
async function failOver(name: string, behindMs: number): Promise<Record<'without' | 'with', Verdict>> {
  const [, victim] = (await cluster.masters(nodes)) as [cluster.Master, cluster.Master];
  const replica = (await cluster.replicas(nodes, victim))[0] as cluster.Node;
  const isHere = (slot: number) => cluster.holds(victim, slot);
  const [plain, waiting] = clients as [Cluster, Cluster];
  const ledgers = {
    without: new Ledger(plain, isHere),
    // WAIT holds up what is behind it on a connection.
    with: new Ledger(waiting, isHere, { replicas: 1, timeoutMs: 150 }),
  };
  load.avoid = isHere;
  const wrong = await load.under(name, nodes, async () => {
    let isOver = false;
    const write = async (ledger: Ledger) => {
      while (!isOver) {
        await ledger.write();
        await sleep(10);
      }
    };
    const writers = Array.from({ length: WRITERS }, () => [write(ledgers.without), write(ledgers.with)]).flat();
    await sleep(BEFORE_MS);
    if (behindMs > 0) {
      // What the master sends is not applied, and gone with the master.
      await replica.admin.call('CLIENT', 'PAUSE', '60000', 'WRITE');
      await sleep(behindMs);
    }
    await cluster.kill(victim.node);
    if (behindMs > 0) await replica.admin.call('CLIENT', 'UNPAUSE');
    await cluster.promoted(replica);
    await sleep(1_000);
    isOver = true;
    await Promise.all(writers);
    await cluster.restart(victim.node);
    await cluster.settled(nodes);
  });
  const verdicts = { without: await ledgers.without.judge(), with: await ledgers.with.judge() };
  show(verdicts);
  assert.equal([...wrong, ...verdicts.without.wrong, ...verdicts.with.wrong], []);
  return verdicts;
}

function show({ without, with: waited }: Record<'without' | 'with', Verdict>): void {
  const { claims, confirmed, lostClaims, lostConfirmed } = waited;
  const rows = [
    ['claims without replicas', without.claims, without.lostClaims],
    ['  later questions and answers', '', without.lostSteps],
    ['claims with replicas: 1, which had them', confirmed, lostConfirmed],
    ['  which said that none had them', claims - confirmed, lostClaims - lostConfirmed],
    ['  later questions and answers', '', waited.lostSteps],
  ];
  console.log(`  ${'on the killed master'.padEnd(42)}${'made'.padStart(8)}${'lost'.padStart(8)}`);
  for (const [name, made, lost] of rows) {
    console.log(`  ${String(name).padEnd(42)}${String(made).padStart(8)}${String(lost).padStart(8)}`);
  }
}

test('with a replica that keeps up', async () => {
  const verdicts = await failOver('a master killed', 0);
  assert.ok(verdicts.without.claims > 0 && verdicts.with.confirmed > 0);
  assert.is(verdicts.with.lostConfirmed, 0);
});

test('with a replica that is behind: what it was asked for is there, other claims are lost', async () => {
  const verdicts = await failOver('a master killed, its replica behind', BEHIND_MS);
  assert.ok(verdicts.without.lostClaims > 0, 'claims that nobody waited for are lost');
  assert.ok(verdicts.with.confirmed > 0);
  assert.is(verdicts.with.lostConfirmed, 0);
});

test.run();
