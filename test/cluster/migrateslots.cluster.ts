import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { engine } from '../../scripts/redis/debian.ts';
import { slotOf } from '../../scripts/redis/slot.ts';
import { ConversationStore, LIBRARY_VERSION, loadLibrary } from '../../src/index.ts';
import { rejection } from '../support/rejection.ts';
import { Load, TENANT } from './load.ts';
import { clientOf, introduce, type Node, startNode, stopAll, until, versionOn } from './nodes.ts';

const test = suite('slots that Valkey moves, with CLUSTER MIGRATESLOTS, to a master that never had the library');

let from: Node;
let to: Node;

test.before.each(async () => {
  const { server } = await engine('valkey 9.1');
  [from, to] = await Promise.all([startNode(server), startNode(server)]);
  await from.admin.cluster('ADDSLOTSRANGE', 0, 16_383);
  await loadLibrary(from.admin);
});
test.after.each(stopAll);

/** A load whose stores are ready, so that they have checked the masters that there were. Then there is a further one. */
async function loadOf(load: 'auto' | 'never'): Promise<Load> {
  await until('the cluster is up', async () => String(await from.admin.cluster('INFO')).includes('cluster_state:ok'));
  const made = new Load([from], load);
  await made.settle();
  await introduce([from], to);
  return made;
}

/** Moves the slot of the tenant, and waits until it has moved. */
async function move(): Promise<void> {
  const slot = String(slotOf(TENANT));
  const id = String(await to.admin.cluster('MYID'));
  await from.admin.call('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', slot, slot, 'NODE', id);
  await until('the slot has moved', async () => {
    const told = JSON.stringify(await from.admin.call('CLUSTER', 'GETSLOTMIGRATIONS'));
    if (/"(failed|cancelled)"/.test(told)) throw new Error(`the slot did not move: ${told}`);
    return told.includes('"success"');
  });
}

test("with load: 'auto' the call that notices loads it, and no call is lost or refused", async () => {
  const load = await loadOf('auto');
  await load.under("a tenant's slot to a master without the library", async () => {
    await move();
    await until('a call that noticed has loaded it', async () => (await versionOn(to)) === LIBRARY_VERSION);
  });
});

test("with load: 'never' calls are LIBRARY_MISSING until it is loaded, and nothing is lost", async () => {
  const load = await loadOf('never');
  await load.under("a tenant's slot, load: 'never'", async () => {
    await move();
    const store = new ConversationStore(clientOf([from]), { prefix: TENANT, load: 'never' });
    const error = await rejection(() => store.get({ platform: 'slack', channelId: 'C0' }));
    assert.is(error.code, 'LIBRARY_MISSING');
    assert.is(await versionOn(to), null, 'nobody has loaded it');
    await loadLibrary(to.admin);
  });
});

test.run();
