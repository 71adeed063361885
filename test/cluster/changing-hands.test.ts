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
const J1 = { jobId: 'j1' };
const NEXT = { ...STATE, jobId: 'j2' };
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
  await store.set(STATE);
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

const take = (time: number) => store.set({ ...STATE, jobId: `taker-${time}`, pendingQuestionId: 'q0' });

test('a channel that changes hands under a call is followed', async () => {
  assert.is((await interrupted(3, take).setPendingQuestion(C1, 'q'))?.jobId, 'taker-2');
  assert.is((await interrupted(3, take).answerQuestion(C1, 'q0')).state?.jobId, 'taker-2');
  assert.is((await interrupted(3, take).remove(C1)).state?.jobId, 'taker-2');
});

test('a channel that changes hands without end makes the call end in an error', async () => {
  const error = await rejection(() => interrupted(99, take).setPendingQuestion(C1, 'q'));
  assert.is(error.code, 'CONVKEY');
  assert.match(error.message, /^the conversation changed hands 16 times .*; name channel and job$/);
});

test('a channel that is freed under a call is gone', async () => {
  const racing = interrupted(1, () => store.remove(C1));
  assert.is(await racing.setPendingQuestion(C1, 'q'), null);
  assert.is(await node.dbsize(), 0, 'and not brought back');
});

test('a job that moves to another channel under a call is followed', async () => {
  const racing = interrupted(1, async () => {
    await store.remove(C1);
    await store.set({ ...STATE, channelId: 'C2' });
  });
  assert.is((await racing.setPendingQuestion(J1, 'q'))?.channelId, 'C2');
});

test('a job that loses its channel under a call reaches nothing', async () => {
  const calls: [(store: ConversationStore) => Promise<unknown>, unknown][] = [
    [(store) => store.setPendingQuestion(J1, 'q'), null],
    [(store) => store.answerQuestion(J1, 'q'), { outcome: 'gone', state: null }],
    [(store) => store.getByJobId('j1'), null],
    [(store) => store.remove(J1), { outcome: 'held', state: NEXT }],
  ];
  for (const [call, reply] of calls) {
    await store.set(STATE);
    assert.equal(await call(interrupted(1, () => store.set(NEXT))), reply);
    assert.equal(await store.get(C1), NEXT);
  }
});

/** What is removed, who claims the channel when the state has lapsed under the call, and what the call then returns. */
const LAPSES: [ref: typeof C1 | typeof J1, next: typeof NEXT | null, outcome: string][] = [
  [C1, NEXT, 'removed'],
  [C1, null, 'lapsed'],
  [J1, NEXT, 'lapsed'],
];
for (const [ref, next, outcome] of LAPSES) {
  const what = `by ${'jobId' in ref ? 'job' : 'channel'}, with ${next ? 'a' : 'no'} next holder`;
  test(`a removal whose state lapses under it, ${what}, hears ${outcome}: nobody else will tell`, async () => {
    await new ConversationStore(clientOf([home]), { ...TAGGED, silentAfterMs: 60_000 }).set(STATE);
    const racing = interrupted(1, async () => {
      await node.pexpire('{t}:conversation:slack:C1', 1);
      await node.pexpire('{t}:job-index:j1', 1);
      await sleep(5);
      if (next) await store.claim(next);
    });
    assert.equal(await racing.remove(ref), { outcome, state: next });
    assert.equal(await store.get(C1), outcome === 'removed' ? null : next);
    assert.is(await node.zcard('{t}:conversation-watch'), 0, 'the job is no longer on watch');
  });
}

test.run();
