import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { slotOf } from '../../scripts/redis/slot.ts';
import { LIBRARY_VERSION } from '../../src/index.ts';
import { Load, TENANT } from './load.ts';
import * as cluster from './nodes.ts';

const test = suite('a cluster under load: no wrong answer');
let nodes: cluster.Node[];
let load: Load;

test.before(async () => {
  nodes = await cluster.startCluster();
  load = new Load(nodes);
  await load.settle();
});
test.after(() => {
  load.close();
  cluster.stopAll();
});

async function threeMasters(): Promise<[cluster.Master, cluster.Master, cluster.Master]> {
  return (await cluster.masters(nodes)) as [cluster.Master, cluster.Master, cluster.Master];
}

function version({ admin }: cluster.Node): Promise<unknown> {
  return admin.fcall('conv_version', 0).catch(() => null);
}

async function notFound({ admin }: cluster.Node): Promise<number> {
  return Number(/errorstat_ERR:count=(\d+)/.exec(await admin.info('errorstats'))?.[1] ?? 0);
}

test("while a tenant's slot moves key by key, there and back", async () => {
  const [first, second] = await threeMasters();
  const move = (from: cluster.Master, to: cluster.Master) => cluster.moveKeyByKey(slotOf(TENANT), from.node, to.node);
  const there = await load.under("a tenant's slot, there", nodes, () => move(first, second));
  const back = await load.under("a tenant's slot, back", nodes, () => move(second, first));
  assert.equal([...there, ...back], []);
});

test('while every slot of one master moves to another, there and back', async () => {
  const [first, second, third] = await threeMasters();
  const count = 5_461;
  const there = await load.under('all slots of a master, there', nodes, () =>
    cluster.reshard(nodes, first.id, second.id, count),
  );
  const between = await cluster.masters(nodes);
  assert.equal(between.map(({ id }) => id).sort(), [second.id, third.id].sort());
  const back = await load.under('all slots of a master, back', nodes, () =>
    cluster.reshard(nodes, second.id, first.id, count),
  );
  assert.equal((await threeMasters())[0].slots, first.slots);
  assert.equal([...there, ...back], []);
});

test('while a master is added by hand, without the library, and given slots', async () => {
  const node = await cluster.startNode();
  await cluster.introduce(nodes, node);
  nodes.push(node);
  assert.is(await version(node), null);
  const id = String(await node.admin.cluster('MYID'));
  const wrong = await load.under('a master added, given slots', nodes, () => cluster.reshard(nodes, 'all', id, 1_200));
  assert.is((await cluster.masters(nodes)).length, 4);
  assert.is(await version(node), LIBRARY_VERSION, 'a call that noticed has loaded it');
  assert.equal(wrong, []);
});

test('while a master is restarted empty of functions', async () => {
  const [{ node }] = await threeMasters();
  load.resends = true;
  const wrong = await load.under('a master without functions', nodes, async () => {
    await cluster.restartWithoutFunctions(node);
    await cluster.settled(nodes);
    await cluster.until('a call that noticed has loaded it', 60_000, async () => (await version(node)) !== null);
  });
  assert.ok((await notFound(node)) > 0, 'calls found it without the library');
  assert.is(await version(node), LIBRARY_VERSION, 'one of them has loaded it');
  assert.equal(wrong, []);
});

test.run();
