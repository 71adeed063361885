import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { engine } from '../../scripts/redis/debian.ts';
import { slotOf } from '../../scripts/redis/slot.ts';
import { ConversationStore, LIBRARY_VERSION, loadLibrary } from '../../src/index.ts';
import { refusal } from '../store/store.ts';
import { STATE } from '../support/library.ts';
import { Load, TENANT } from './load.ts';
import { clientOf, introduce, type Node, startAlone, startNode, stopAll, until, versionOn } from './nodes.ts';

const test = suite('slots that Valkey moves, with CLUSTER MIGRATESLOTS, to a master that never had the library');

let from: Node;
let to: Node;

test.before.each(async () => {
  const { server } = await engine('valkey 9.1');
  [from, to] = await Promise.all([startAlone(server), startNode(server)]);
  await loadLibrary(from.admin);
});
test.after.each(stopAll);

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
  const load = new Load([from]);
  await load.settle();
  await introduce([from], to);
  await load.under("a tenant's slot to a master without the library", async () => {
    await move();
    await until('a call that noticed has loaded it', async () => (await versionOn(to)) === LIBRARY_VERSION);
  });
});

test("with load: 'never' calls are LIBRARY_MISSING until it is loaded, and nothing is lost", async () => {
  const store = new ConversationStore(clientOf([from]), { prefix: TENANT, load: 'never' });
  await store.set(STATE);
  await introduce([from], to);
  await move();
  for (const call of [store.get(STATE), store.set(STATE)]) await refusal(call, 'LIBRARY_MISSING');
  assert.is(await versionOn(to), null, 'nobody has loaded it');
  await loadLibrary(to.admin);
  assert.equal(await store.get(STATE), STATE);
});

test.run();
