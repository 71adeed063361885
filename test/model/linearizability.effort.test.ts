import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { effort } from '../support/effort.ts';
import { json, STATE } from '../support/library.ts';
import { seed } from '../support/random.ts';
import { withRedis } from '../support/redis.ts';
import { documentOf } from './document.ts';
import { histories } from './histories.ts';
import { type Happened, isLinearizable } from './linearizable.ts';
import { type Call, EMPTY, watched } from './model.ts';

const test = suite('linearizability');
const redis = withRedis(test);

const channel = 'slack:C1';
type Told = [outcome: string, state: string | null];

/** A call that began and ended at these moments; without a reply where that was lost. */
const made = (call: Call, from: number, to: number, ...told: Told | []): Happened => {
  return { call, found: told.length > 0 ? (told as Told) : undefined, from, to };
};
const unsure = (call: Call, from: number, to: number): Happened => ({ ...made(call, from, to), isUnsure: true });
const stateOf = (jobId: string) => documentOf({ ...STATE, jobId });
const claim = (job: string): Call => ({ name: 'claim', channel, job, state: stateOf(job) });
const follow = (job: string): Call => ({ name: 'hand_over', channel, job: 'j1', successor: job, state: stateOf(job) });
const answer = (answerId: string): Call => ({ name: 'answer', channel, questionId: 'q1', answerId });
const note = (text: string): Call => {
  return { name: 'update', channel, job: 'j1', patch: [['note', text]], stream: 'heard', text };
};
const get: Call = { name: 'get', channel };
const remove: Call = { name: 'remove', channel, job: 'j1' };

const [first, second, third] = [json(), json({ jobId: 'j2' }), json({ jobId: 'j3' })];
const asked = json({ pendingQuestionId: 'q1' });
const answered = (answerId: string) => json({ lastAnswer: { questionId: 'q1', answerId } });
const begun = made(claim('j1'), 0, 1, 'claimed', first);
const asking = made({ name: 'set_pending', channel, questionId: 'q1' }, 2, 7, '', asked);
const noted = (text: string, from: number, to: number) => made(note(text), from, to, 'updated', json({ note: text }));
const lapsed = { ...EMPTY, watch: new Map([[watched('j1', channel), 1]]) };

/** What happens, behind a claim or from what was there before, and what the stream hears of it. */
type Case = [what: string, happened: Happened[], heard?: string[], before?: typeof EMPTY];

const TAKEN: Case[] = [
  ['nothing', []],
  ['a claim held by one that began later', [made(claim('j2'), 0, 3, 'held', first), begun]],
  ['a read of either side of what overlaps', [begun, asking, made(get, 3, 4, '', first), made(get, 5, 6, '', asked)]],
  [
    'one of two answers that overlap, and it again',
    [
      ...[begun, asking, made(answer('a1'), 6, 12, 'answered', answered('a2'))],
      ...[8, 9].map((from) => made(answer('a2'), from, 11, 'accepted', answered('a2'))),
    ],
  ],
  ['notes that overlap, in one order', [begun, noted('a', 2, 5), noted('b', 3, 4)], ['a', 'b']],
  ['and in the other', [begun, noted('a', 2, 5), noted('b', 3, 4)], ['b', 'a']],
  ['one successor', [begun, made(follow('j2'), 2, 5, 'claimed', second), made(follow('j3'), 3, 4, 'held', second)]],
  ['an execution without a reply', [begun, made(follow('j3'), 3, 9), made(follow('j2'), 4, 5, 'held', third)]],
  ['a removal that may have been sent again', [begun, unsure(remove, 2, 3), made(remove, 2, 3, 'gone', null)]],
  ['one that was not', [begun, unsure(remove, 2, 3), made(remove, 2, 3, 'removed', first)]],
  ['one removal', [made(remove, 0, 3, 'gone', null), made(remove, 1, 2, 'lapsed', null)], [], lapsed],
];
const REFUSED: Case[] = [
  ['two winners of one claim', [begun, made(claim('j2'), 0, 2, 'claimed', second)]],
  ['a held claim without a holder', [made(claim('j1'), 0, 1, 'held', second)]],
  ['two answers', [begun, asking, ...['a', 'b'].map((id) => made(answer(id), 8, 9, 'accepted', answered(id)))]],
  ['a read that misses what was there before it', [begun, made(get, 2, 3, '', null)]],
  ['a read of what is still to come', [made(get, 0, 1, '', first), made(claim('j1'), 2, 3, 'claimed', first)]],
  ['reads in the wrong order', [begun, asking, made(get, 3, 4, '', asked), made(get, 5, 6, '', first)]],
  ...[[], ['a'], ['b'], ['a', 'a', 'b'], ['a', 'b', 'b']].map((heard): Case => {
    return [`two notes heard as ${heard}`, [begun, noted('a', 2, 5), noted('b', 3, 4)], heard];
  }),
  ['notes heard in the wrong order', [begun, noted('a', 2, 5), noted('b', 6, 7)], ['b', 'a']],
  ['a removal of what is not there', [begun, made(remove, 2, 3, 'gone', null)]],
  ['what may have been sent again before the call', [begun, unsure(remove, 4, 5), made(get, 2, 3, '', null)]],
  ['two successors', [begun, ...['j2', 'j3'].map((job) => made(follow(job), 2, 3, 'claimed', json({ jobId: job })))]],
  ['two removals', [1, 2].map((to) => made(remove, 0, to, 'lapsed', null)), [], lapsed],
  ['a removal that comes too late', [made(remove, 0, 1, 'gone', null), made(remove, 2, 3, 'lapsed', null)], [], lapsed],
  ['a removal of a job that nobody watched', [made(remove, 0, 1, 'lapsed', null)]],
];

test('the checker takes and refuses what it must', () => {
  const isTaken = ([, happened, heard, before]: Case) => isLinearizable(happened, before, heard);
  assert.equal(
    [...TAKEN, ...REFUSED].filter(isTaken).map(([what]) => what),
    TAKEN.map(([what]) => what),
  );
});

test('calls of eight connections on one conversation reply as if they were made one after the other', async () => {
  console.log(await histories(await redis.url(), seed, effort(100, 6_000)));
});

test('over bad networks they do so too, and a call that is sent again changes nothing more', async () => {
  console.log(await histories(await redis.url(), seed, effort(40, 2_000), true));
});

test.run();
