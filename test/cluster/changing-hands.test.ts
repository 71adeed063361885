import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { STATE } from '../support/library.ts';
import { rejection } from '../support/rejection.ts';
import { clientOf, type Node, startAlone, stopAll } from './nodes.ts';

// On a cluster a call that names only the channel or only the job reads the other key first. In between the
// conversation may change hands.

const test = suite('a conversation on a cluster that changes hands under a call');
const C1 = { platform: 'slack', channelId: 'C1' };
const TAGGED = { prefix: '{t}:' };

let home: Node;
let node: Redis;
let store: ConversationStore;

test.before(async () => {
  home = await startAlone();
  node = home.admin;
  store = new ConversationStore(clientOf([home]), TAGGED);
});
test.after(stopAll);
test.before.each(async () => {
  await node.flushall();
});

/** A store whose client does something else right after each of its first reads of one key. */
function interrupted(times: number, between: (time: number) => Promise<unknown>): ConversationStore {
  const client = clientOf([home]);
  const call = client.call.bind(client) as (...args: unknown[]) => Promise<unknown>;
  let time = 0;
  client.call = async (...args: unknown[]) => {
    const reply = await call(...args);
    if ((args[0] === 'getex' || args[1] === 'conv_get') && time < times) await between(time++);
    return reply;
  };
  return new ConversationStore(client, TAGGED);
}

test('a channel that changes hands under a call is followed', async () => {
  const calls: [(store: ConversationStore) => Promise<unknown>, (reply: never) => unknown][] = [
    [(store) => store.setPendingQuestion(C1, 'q'), (state: { jobId: string }) => state.jobId],
    [(store) => store.answerQuestion(C1, 'q0'), (reply: { state: { jobId: string } }) => reply.state.jobId],
    [(store) => store.remove(C1), (reply: { state: { jobId: string } }) => reply.state.jobId],
  ];
  for (const [call, holder] of calls) {
    await store.set({ ...STATE, jobId: 'taken-over' });
    const racing = interrupted(3, (time) => store.set({ ...STATE, jobId: `taker-${time}`, pendingQuestionId: 'q0' }));
    assert.is(holder((await call(racing)) as never), 'taker-2');
  }
});

test('a channel that is freed under a call is gone', async () => {
  await store.set({ ...STATE });
  const racing = interrupted(1, () => store.remove(C1));
  assert.is(await racing.setPendingQuestion(C1, 'q'), null);
  assert.is(await node.dbsize(), 0, 'and not brought back');
});

test('a job that moves to another channel under a call is followed', async () => {
  await store.set({ ...STATE });
  const racing = interrupted(1, async () => {
    await store.remove(C1);
    await store.set({ ...STATE, channelId: 'C2' });
  });
  assert.is((await racing.setPendingQuestion({ jobId: 'j1' }, 'q'))?.channelId, 'C2');
});

test('a job that loses its channel under a call reaches nothing', async () => {
  const taken = JSON.stringify({ ...STATE, jobId: 'j2' });
  const calls: [(store: ConversationStore) => Promise<unknown>, unknown][] = [
    [(store) => store.setPendingQuestion({ jobId: 'j1' }, 'q'), null],
    [(store) => store.answerQuestion({ jobId: 'j1' }, 'q'), { outcome: 'gone', state: null }],
    [(store) => store.getByJobId('j1'), null],
    [(store) => store.remove({ jobId: 'j1' }), { outcome: 'held', state: { ...STATE, jobId: 'j2' } }],
  ];
  for (const [call, reply] of calls) {
    await node.flushall();
    await store.set({ ...STATE });
    assert.equal(await call(interrupted(1, () => store.set({ ...STATE, jobId: 'j2' }))), reply);
    assert.is(await node.get('{t}:conversation:slack:C1'), taken);
  }
});

test('a channel that changes hands without end makes the call end in an error', async () => {
  await store.set({ ...STATE });
  const racing = interrupted(99, (time) => store.set({ ...STATE, jobId: `taker-${time}` }));
  const error = await rejection(() => racing.setPendingQuestion(C1, 'q'));
  assert.is(error.code, 'CONVKEY');
  assert.match(error.message, /^the conversation changed hands 16 times .*; name channel and job$/);
});

/** A watched job whose state lapses under the first call of a store; then something else happens. */
async function lapsing(then: () => Promise<unknown>): Promise<ConversationStore> {
  await new ConversationStore(clientOf([home]), { ...TAGGED, silentAfterMs: 60_000 }).claim(STATE);
  return interrupted(1, async () => {
    await node.pexpire('{t}:conversation:slack:C1', 1);
    await node.pexpire('{t}:job-index:j1', 1);
    await sleep(5);
    await then();
  });
}

test('a removal by channel whose holder lapses under it removes the next holder', async () => {
  const next = { ...STATE, jobId: 'j2' };
  const racing = await lapsing(() => store.claim(next));
  assert.equal(await racing.remove(C1), { outcome: 'removed', state: next });
  assert.is(await store.get(C1), null);
});

test('a removal by channel whose holder lapses under it, and has no successor, hears of it, as nobody else will', async () => {
  const racing = await lapsing(() => Promise.resolve());
  assert.equal(await racing.remove(C1), { outcome: 'lapsed', state: null });
  assert.is(await node.dbsize(), 0, 'the job is no longer on watch');
});

test('a removal by job whose state lapses under it is told so, and the next holder stays', async () => {
  const next = { ...STATE, jobId: 'j2' };
  const racing = await lapsing(() => store.claim(next));
  assert.equal(await racing.remove({ jobId: 'j1' }), { outcome: 'lapsed', state: next });
  assert.equal(await store.get(C1), next);
});

test.run();
