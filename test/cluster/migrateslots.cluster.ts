import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { engine } from '../../scripts/redis/debian.ts';
import { slotOf } from '../../scripts/redis/slot.ts';
import { ConversationError, ConversationStore, LIBRARY_VERSION, loadLibrary } from '../../src/index.ts';
import { clientOf, introduce, type Node, startNode, stopAll, until } from './nodes.ts';

const test = suite(
  'slots that Valkey moves at once, with CLUSTER MIGRATESLOTS, to a master that never had the library',
);
const PREFIX = '{shop}:';
const WORKERS = 8;
const MOVE_LIMIT_MS = 60_000;

let from: Node;
let to: Node;

test.before.each(async () => {
  const { server } = await engine('valkey 9.1');
  [from, to] = await Promise.all([startNode({}, server), startNode({}, server)]);
  await from.admin.cluster('ADDSLOTSRANGE', 0, 16_383);
  await loadLibrary(from.admin);
});
test.after.each(stopAll);

function version({ admin }: Node): Promise<unknown> {
  return admin.fcall('conv_version', 0).catch(() => null);
}

/** Moves the slot of the conversations, and waits until it has moved. */
async function move(): Promise<void> {
  const slot = String(slotOf(PREFIX));
  const id = String(await to.admin.cluster('MYID'));
  await from.admin.call('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', slot, slot, 'NODE', id);
  await until('the slot has moved', MOVE_LIMIT_MS, async () => {
    const told = JSON.stringify(await from.admin.call('CLUSTER', 'GETSLOTMIGRATIONS'));
    if (/"(failed|cancelled)"/.test(told)) throw new Error(`the slot did not move: ${told}`);
    return told.includes('"success"');
  });
}

/**
 * Claims channels, one after the other, while the slot moves and until enough were claimed behind that. Then each has to
 * have the job that was told so. Returns the codes of the errors on the way; the call is sent again then.
 */
async function claimsUnderMove(store: ConversationStore, behind: () => Promise<void>): Promise<Set<string>> {
  // A store that is ready has checked the masters that there were.
  await store.ready();
  await introduce([from], to);
  const claimed: { channelId: string; jobId: string }[] = [];
  const codes = new Set<string>();
  let isOver = false;
  const worker = async (name: number) => {
    for (let n = 0; !isOver; n++) {
      const [channelId, jobId] = [`C${name}-${n}`, `j${name}-${n}`];
      const state = { platform: 'slack', channelId, jobId, claimId: jobId, userId: 'U1', project: 'web', ticketId: n };
      for (let outcome = ''; outcome !== 'claimed' && !isOver; ) {
        try {
          ({ outcome } = await store.claim({ ...state, startedAt: '2026-01-31T09:30:00Z' }));
          claimed.push({ channelId, jobId });
        } catch (error) {
          if (!(error instanceof ConversationError)) throw error;
          codes.add(error.code);
          await sleep(10);
        }
      }
    }
  };
  const workers = Promise.all(Array.from({ length: WORKERS }, (_, name) => worker(name)));
  const enough = (more: number) => {
    const wanted = claimed.length + more;
    return until('enough is claimed', MOVE_LIMIT_MS, async () => claimed.length >= wanted);
  };
  try {
    await enough(200);
    await move();
    await behind();
    await enough(200);
  } finally {
    isOver = true;
  }
  await workers;
  for (const { channelId, jobId } of claimed) {
    assert.is((await store.get({ platform: 'slack', channelId }))?.jobId, jobId);
  }
  assert.is(new Set(claimed.map(({ jobId }) => jobId)).size, claimed.length, 'none was claimed twice');
  assert.is(await to.admin.dbsize(), 2 * claimed.length, 'all of them are there, each with its index');
  return codes;
}

test("with load: 'auto' the call that notices loads it, and no claim is lost or refused", async () => {
  const store = new ConversationStore(clientOf([from]), { prefix: PREFIX });
  const codes = await claimsUnderMove(store, async () => {});
  assert.equal([...codes], []);
  assert.is(await version(to), LIBRARY_VERSION);
});

test("with load: 'never' calls are LIBRARY_MISSING until it is loaded, and no claim is lost", async () => {
  const store = new ConversationStore(clientOf([from]), { prefix: PREFIX, load: 'never' });
  const codes = await claimsUnderMove(store, async () => {
    const read = () => store.get({ platform: 'slack', channelId: 'C0-0' });
    const code = await read().then(
      () => 'none',
      (error: ConversationError) => error.code,
    );
    assert.is(code, 'LIBRARY_MISSING');
    assert.is(await version(to), null, 'nobody has loaded it');
    await loadLibrary(to.admin);
  });
  assert.equal([...codes], ['LIBRARY_MISSING']);
});

test.run();
