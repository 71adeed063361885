import { inspect } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { slotOf } from '../../scripts/redis/slot.ts';
import { ConversationStore } from '../../src/index.ts';
import { all, refusal } from '../store/store.ts';
import { STATE } from '../support/library.ts';
import { clientOf, introduce, moveKeyByKey, type Node, startAlone, startNode, stopAll } from './nodes.ts';

const test = suite('slots that move between two masters');
/** Conversations in slots of their own. */
const CHANNELS = Array.from({ length: 8 }, (_, n) => ({ platform: 'slack', channelId: `C${n}` }));

let home: Node;
let away: Node;
let sharded: ConversationStore;

test.before(async () => {
  [home, away] = await Promise.all([startAlone(), startNode()]);
  await introduce([home], away);
  sharded = new ConversationStore(clientOf([home]), { sharded: true });
});
test.after(stopAll);

for (const enableAutoPipelining of [false, true]) {
  test(`a slot that stays on the move ends the client's patience in so many words, autopipelining ${enableAutoPipelining}`, async () => {
    const client = clientOf([home], { enableAutoPipelining, maxRedirections: 2, retryDelayOnTryAgain: 10 });
    const store = new ConversationStore(client, { prefix: '{t}:', silentAfterMs: 1 });
    const whole = { ...STATE, channelId: 'C2', jobId: 'j2' };
    for (const state of [STATE, whole]) await store.set(state);
    await home.admin.del('{t}:job-index:j1');
    await home.admin.cluster('SETSLOT', slotOf('{t}'), 'MIGRATING', String(await away.admin.cluster('MYID')));
    try {
      // One of its keys is there and one is not: the server asks to try again until all have moved.
      const claim = { ...STATE, userId: 'sesame' };
      const calls = [
        ...[1, 2, 3].map(() => store.setPendingQuestion(STATE, 'q')),
        store.claim(claim, { replicas: 1, timeoutMs: 10 }),
      ];
      for (const error of await Promise.all(calls.map((call) => refusal(call, 'UNAVAILABLE')))) {
        assert.match(error.message, /^Too many Cluster redirections\. Last error: .*TRYAGAIN/);
        assert.not.match(inspect(error, { depth: 9 }), 'sesame', 'its cause holds no state');
      }
      const found: string[] = [];
      const sweep = async () => {
        for await (const { jobId } of store.due()) found.push(jobId);
      };
      await refusal(sweep(), 'UNAVAILABLE');
      assert.equal(found, ['j2'], 'it keeps no other job from the sweep');
    } finally {
      await home.admin.cluster('SETSLOT', slotOf('{t}'), 'STABLE');
      await home.admin.flushall();
    }
  });
}

test('list finds a conversation whose slot moves away and back while it scans', async () => {
  const slots = CHANNELS.map((channel) => slotOf(sharded.inboxKey(channel)));
  for (const [n, channel] of CHANNELS.entries()) {
    await sharded.set({ ...STATE, ...channel, jobId: sharded.newJobId(channel) });
    if (n % 2 === 1) await moveKeyByKey(slots[n] as number, home, away);
  }
  assert.is(await away.admin.dbsize(), 8, 'half of them are there, each with its index');
  // Of the master that is scanned second, one goes to the first when that is done, and back when the second is.
  let [slot, first, second] = [0, home, away];
  const found: string[] = [];
  for await (const { channelId } of sharded.list()) {
    const count = found.push(channelId);
    if (count === 4) {
      const isAway = Number(channelId.slice(1)) % 2 === 1;
      [first, second] = isAway ? [away, home] : [home, away];
      slot = slots[isAway ? 0 : 1] as number;
      await moveKeyByKey(slot, second, first);
    }
    if (count === 7) await moveKeyByKey(slot, first, second);
  }
  const channels = CHANNELS.map(({ channelId }) => channelId);
  assert.equal(found.sort(), channels);
});

test('list looks again for as long as slots move, and is UNAVAILABLE where they never rest', async () => {
  const client = clientOf([home]);
  const nodesOf = client.cluster.bind(client) as (...args: unknown[]) => Promise<unknown>;
  const late = { platform: 'slack', channelId: 'late' };
  let [looks, limit] = [0, 6];
  const slot = slotOf('{nobody}');
  client.cluster = (async (...args: unknown[]) => {
    // The layout is asked for before and behind every round.
    if (args[0] === 'NODES' && ++looks <= limit) {
      await (looks % 2 === 1 ? moveKeyByKey(slot, home, away) : moveKeyByKey(slot, away, home));
      const state = { ...STATE, ...late, jobId: sharded.newJobId(late) };
      if (looks === limit) await sharded.set(state);
    }
    return nodesOf(...args);
  }) as typeof client.cluster;
  const store = new ConversationStore(client, { sharded: true });
  const listed = await all(store.list());
  assert.ok(
    listed.some(({ channelId }) => channelId === 'late'),
    'what came in the sixth round',
  );
  [looks, limit] = [0, 100];
  const error = await refusal(all(store.list()), 'UNAVAILABLE');
  assert.match(error.message, /^slots of the cluster moved during each of 16 scans/);
});

test.run();
