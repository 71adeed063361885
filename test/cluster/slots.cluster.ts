import { once } from 'node:events';
import { Redis } from 'ioredis';
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
test.after(cluster.stopAll);

/** Moves slots with `redis-cli --cluster reshard`, one key after the other. */
async function reshard(from: string, to: string, slots: number): Promise<void> {
  const place = `127.0.0.1:${nodes[0]?.port}`;
  const wanted = (await slotCount(to)) + slots;
  for (let left = slots; left > 0; left = wanted - (await slotCount(to))) {
    const options = ['--cluster-from', from, '--cluster-to', to, '--cluster-slots', left, '--cluster-pipeline', 1];
    await cluster.clusterCli('reshard', place, ...options).catch(async (error: unknown) => {
      // Valkey moves no slot while a replica is slow to say that it has heard of the one before.
      if (!String(error).includes('NOREPLICAS')) throw error;
      await cluster.clusterCli('fix', place);
    });
    await cluster.settled(nodes);
  }
}

async function slotCount(id: string): Promise<number> {
  const master = (await cluster.masters(nodes)).find((each) => each.id === id);
  return Array.from({ length: 16_384 }, (_, slot) => slot).filter((slot) => master && cluster.holds(master, slot))
    .length;
}

test("while a tenant's slot moves key by key, there and back", async () => {
  const [{ node: first }, { node: second }] = await cluster.masters(nodes);
  await load.under("a tenant's slot, there", () => cluster.moveKeyByKey(slotOf(TENANT), first, second));
  await load.under("a tenant's slot, back", () => cluster.moveKeyByKey(slotOf(TENANT), second, first));
});

test('while every slot of one master moves to another, there and back', async () => {
  const [first, second, third] = await cluster.masters(nodes);
  const count = await slotCount(first.id);
  await load.under('all slots of a master, there', () => reshard(first.id, second.id, count));
  const between = await cluster.masters(nodes);
  assert.equal(between.map(({ id }) => id).sort(), [second.id, third.id].sort());
  await load.under('all slots of a master, back', () => reshard(second.id, first.id, count));
  assert.equal((await cluster.masters(nodes))[0].slots, first.slots);
});

test('while a master is added by hand, without the library, and given slots', async () => {
  const node = await cluster.startNode();
  await cluster.introduce(nodes, node);
  nodes.push(node);
  assert.is(await cluster.versionOn(node), null);
  const id = String(await node.admin.cluster('MYID'));
  await load.under('a master added, given slots', () => reshard('all', id, 1_200));
  assert.is((await cluster.masters(nodes)).length, 4);
  assert.is(await cluster.versionOn(node), LIBRARY_VERSION, 'a call that noticed has loaded it');
});

/** Restarts a server with its keys and without its functions, before it can be missed. */
async function restartWithoutFunctions(node: cluster.Node): Promise<void> {
  // In one go: a call in between would load them again. Not by a client that sends again what had no answer.
  const client = new Redis({ port: node.port, retryStrategy: () => null });
  client.on('error', () => {});
  const last = client.pipeline().function('FLUSH').call('SHUTDOWN', 'SAVE');
  await Promise.all([once(node.process, 'exit'), last.exec()]);
  await cluster.restart(node);
}

test('while a master is restarted empty of functions', async () => {
  const [{ node }] = await cluster.masters(nodes);
  load.resends = true;
  await load.under('a master without functions', async () => {
    await restartWithoutFunctions(node);
    await cluster.settled(nodes);
    await cluster.until('a call that noticed has loaded it', async () => (await cluster.versionOn(node)) !== null);
  });
  assert.match(await node.admin.info('errorstats'), 'errorstat_ERR:', 'calls found it without the library');
  assert.is(await cluster.versionOn(node), LIBRARY_VERSION, 'one of them has loaded it');
});

test.run();
