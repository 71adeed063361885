import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { effort } from '../support/effort.ts';
import { json, STATE } from '../support/library.ts';
import { seed } from '../support/random.ts';
import { withRedis } from '../support/redis.ts';
import { documentOf } from './document.ts';
import { histories } from './histories.ts';
import { type Happened, isLinearizable } from './linearizable.ts';
import { EMPTY, watched } from './model.ts';

const test = suite('linearizability');
const redis = withRedis(test);

const channel = 'slack:C1';
const asked = json({ pendingQuestionId: 'q1' });
const answered = (answerId: string) => json({ lastAnswer: { questionId: 'q1', answerId } });

function claim(job: string, [from, to]: [number, number], ...found: Happened['found'] & object): Happened {
  return { call: { name: 'claim', channel, job, state: documentOf({ ...STATE, jobId: job }) }, found, from, to };
}

function get([from, to]: [number, number], state: string | null): Happened {
  return { call: { name: 'get', channel }, found: ['', state], from, to };
}

function ask([from, to]: [number, number]): Happened {
  return { call: { name: 'set_pending', channel, questionId: 'q1' }, found: ['', asked], from, to };
}

function answer(answerId: string, [from, to]: [number, number], ...found: Happened['found'] & object): Happened {
  return { call: { name: 'answer', channel, questionId: 'q1', answerId }, found, from, to };
}

test('the checker takes calls that overlap, in whatever order explains them', () => {
  assert.ok(isLinearizable([]));
  assert.ok(isLinearizable([claim('j2', [0, 3], 'held', json()), claim('j1', [1, 2], 'claimed', json())]));
  assert.ok(isLinearizable([claim('j1', [0, 3], 'claimed', json()), get([1, 2], null)]));
  assert.ok(isLinearizable([claim('j1', [0, 3], 'claimed', json()), get([1, 2], json())]));
  const won = answered('a2');
  assert.ok(
    isLinearizable([
      claim('j1', [0, 1], 'claimed', json()),
      ask([2, 3]),
      answer('a1', [4, 8], 'answered', won),
      answer('a2', [5, 7], 'accepted', won),
      answer('a2', [6, 9], 'accepted', won),
    ]),
  );
});

test('the checker refuses two winners of one claim', () => {
  const second = json({ jobId: 'j2' });
  assert.not.ok(isLinearizable([claim('j1', [0, 3], 'claimed', json()), claim('j2', [1, 2], 'claimed', second)]));
});

test('the checker refuses two accepted answers', () => {
  const history = [
    claim('j1', [0, 1], 'claimed', json()),
    ask([2, 3]),
    answer('a1', [4, 7], 'accepted', answered('a1')),
    answer('a2', [5, 6], 'accepted', answered('a2')),
  ];
  assert.not.ok(isLinearizable(history));
});

test('the checker refuses a read that misses what was replied before the read was made', () => {
  assert.not.ok(isLinearizable([claim('j1', [0, 1], 'claimed', json()), get([2, 3], null)]));
});

test('the checker refuses a read that sees what was not yet asked for', () => {
  assert.not.ok(isLinearizable([get([0, 1], json()), claim('j1', [2, 3], 'claimed', json())]));
});

test('the checker refuses two reads that see the same change in another order', () => {
  const history = [claim('j1', [0, 1], 'claimed', json()), ask([2, 7]), get([3, 4], asked), get([5, 6], json())];
  assert.not.ok(isLinearizable(history));
  assert.ok(isLinearizable([...history.slice(0, 2), get([3, 4], json()), get([5, 6], asked)]));
});

test('the checker refuses a held claim without a holder', () => {
  assert.not.ok(isLinearizable([claim('j1', [0, 1], 'held', json({ jobId: 'j2' }))]));
});

function send(text: string, [from, to]: [number, number], state = json({ note: text })): Happened {
  const call = { channel, job: 'j1', patch: [['note', text] as [string, unknown]], stream: 'heard', text };
  return { call: { name: 'update', ...call }, found: ['updated', state], from, to };
}

test('the checker refuses messages that a stream heard twice, not at all or in an order that no calls explain', () => {
  const history = [claim('j1', [0, 1], 'claimed', json()), send('a', [2, 5]), send('b', [3, 4])];
  assert.ok(isLinearizable(history, EMPTY, ['a', 'b']));
  assert.ok(isLinearizable(history, EMPTY, ['b', 'a']));
  for (const heard of [[], ['a'], ['b'], ['a', 'a', 'b'], ['a', 'b', 'b']]) {
    assert.not.ok(isLinearizable(history, EMPTY, heard), heard.join());
  }
  const inTurn = [...history.slice(0, 2), send('b', [6, 7])];
  assert.ok(isLinearizable(inTurn, EMPTY, ['a', 'b']));
  assert.not.ok(isLinearizable(inTurn, EMPTY, ['b', 'a']));
});

function handOver(successor: string, [from, to]: [number, number], ...found: Happened['found'] & object): Happened {
  const state = documentOf({ ...STATE, jobId: successor });
  return { call: { name: 'hand_over', channel, job: 'j1', successor, state }, found, from, to };
}

test('the checker refuses two successors of one job, and takes an execution whose reply was lost', () => {
  const [second, third] = [json({ jobId: 'j2' }), json({ jobId: 'j3' })];
  const history = [claim('j1', [0, 1], 'claimed', json()), handOver('j2', [2, 5], 'claimed', second)];
  assert.ok(isLinearizable([...history, handOver('j3', [3, 4], 'held', second)]));
  assert.not.ok(isLinearizable([...history, handOver('j3', [3, 4], 'claimed', third)]));
  const lost = { ...handOver('j3', [3, 9], '', null), found: undefined };
  assert.ok(isLinearizable([claim('j1', [0, 1], 'claimed', json()), lost, handOver('j2', [4, 5], 'held', third)]));
});

test('the checker refuses two removals that are told that a job lapsed', () => {
  const before = { ...EMPTY, watch: new Map([[watched('j1', channel), 1]]) };
  const remove = (from: number, to: number, outcome: string): Happened => {
    return { call: { name: 'remove', channel, job: 'j1' }, found: [outcome, null], from, to };
  };
  assert.ok(isLinearizable([remove(0, 3, 'gone'), remove(1, 2, 'lapsed')], before));
  assert.not.ok(isLinearizable([remove(0, 3, 'lapsed'), remove(1, 2, 'lapsed')], before));
  assert.not.ok(isLinearizable([remove(0, 1, 'gone'), remove(2, 3, 'lapsed')], before));
  assert.not.ok(isLinearizable([remove(0, 1, 'lapsed')]), 'nobody was watched');
});

test('calls of eight connections on one conversation reply as if they were made one after the other', async () => {
  console.log(await histories(await redis.url(), seed, effort(300, 2_000)));
});

test('over bad networks they do so too, and a call that is sent again changes nothing more', async () => {
  console.log(await histories(await redis.url(), seed, effort(100, 700), true));
});

test.run();
