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
const claim = (job: string): Call => ({ name: 'claim', channel, job, state: documentOf({ ...STATE, jobId: job }) });
const answer = (answerId: string): Call => ({ name: 'answer', channel, questionId: 'q1', answerId });
const note = (text: string, from: number, to: number): Happened => {
  const call: Call = { name: 'update', channel, job: 'j1', patch: [['note', text]], stream: 'heard', text };
  return made(call, from, to, 'updated', json({ note: text }));
};
const get: Call = { name: 'get', channel };
const remove: Call = { name: 'remove', channel, job: 'j1' };
const unsure: Happened = { ...made(remove, 2, 3), isUnsure: true };

const first = json();
const asked = json({ pendingQuestionId: 'q1' });
const answered = (answerId: string) => json({ lastAnswer: { questionId: 'q1', answerId } });
const begun = made(claim('j1'), 0, 1, 'claimed', first);
const asking = made({ name: 'set_pending', channel, questionId: 'q1' }, 2, 7, '', asked);
const lapsed = { ...EMPTY, watch: new Map([[watched('j1', channel), 1]]) };

/** What happens, behind a claim or from what was there before, and what the stream hears of it. */
type Case = [what: string, happened: Happened[], heard?: string[], before?: typeof EMPTY];

/** What the runs below do not show: there no call is unsure, and all that really happens is to be taken. */
const TAKEN: Case[] = [
  ['a removal that may have been sent again', [begun, unsure, made(remove, 2, 3, 'gone', null)]],
  ['one that was not', [begun, unsure, made(remove, 2, 3, 'removed', first)]],
  ['notes that overlap, in one order', [begun, note('a', 2, 5), note('b', 3, 4)], ['a', 'b']],
  ['and in the other', [begun, note('a', 2, 5), note('b', 3, 4)], ['b', 'a']],
];
const REFUSED: Case[] = [
  ['two winners of one claim', [begun, made(claim('j2'), 0, 2, 'claimed', json({ jobId: 'j2' }))]],
  ['a held claim without a holder', [made(claim('j1'), 0, 1, 'held', json({ jobId: 'j2' }))]],
  ['two answers', [begun, asking, ...['a', 'b'].map((id) => made(answer(id), 8, 9, 'accepted', answered(id)))]],
  ['a read that misses what was there before it', [begun, made(get, 2, 3, '', null)]],
  ['a read of what is still to come', [made(get, 0, 1, '', first), made(claim('j1'), 2, 3, 'claimed', first)]],
  ['reads in the wrong order', [begun, asking, made(get, 3, 4, '', asked), made(get, 5, 6, '', first)]],
  ...[[], ['a'], ['b'], ['a', 'a', 'b'], ['a', 'b', 'b']].map((heard): Case => {
    return [`two notes heard as ${heard}`, [begun, note('a', 2, 5), note('b', 3, 4)], heard];
  }),
  ['notes heard in the wrong order', [begun, note('a', 2, 5), note('b', 6, 7)], ['b', 'a']],
  ['a removal of what is not there', [begun, made(remove, 2, 3, 'gone', null)]],
  ['what may have been sent again before the call', [begun, { ...unsure, from: 4, to: 5 }, made(get, 2, 3, '', null)]],
  ['two removals', [1, 2].map((to) => made(remove, 0, to, 'lapsed', null)), [], lapsed],
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
