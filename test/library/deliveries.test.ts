import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HANDLED, INBOX, JOB, json, type Library, PAIR, withLibrary } from '../support/library.ts';

const test = suite('deliveries and the inbox');
const it = withLibrary(test);

const DAY = 86_400_000;
const SECOND = [CHANNEL, 'job-index:j2'];

/** The state of a claim, by the names of its job, its call and its message. */
const state = (jobId: string, claimId?: string, deliveryId?: string) => json({ jobId, claimId, deliveryId });
const holder = state('j1', 'c1', 'd1');

/** A claim of another job for a message that says something. */
const follow = ({ call }: Library, claimId: string, deliveryId: string, text = 'more') =>
  call('conv_claim', SECOND, state('j2', claimId, deliveryId), '', '', 'text', text);

async function said({ redis }: Library): Promise<string[][]> {
  return (await redis.xrange(INBOX, '-', '+')).map(([, fields]) => fields);
}

it('a redelivery while its job runs is a duplicate and changes nothing', async (at) => {
  await at.call('conv_claim', PAIR, holder, 60_000);
  for (const again of [state('j2', 'c2', 'd1'), state('j1', 'c2', 'd1'), state('j2', undefined, 'd1')]) {
    const keys = JSON.parse(again).jobId === 'j1' ? PAIR : SECOND;
    assert.equal(await at.unchanged(() => at.call('conv_claim', keys, again)), ['duplicate', holder]);
  }
});

it('a redelivery after its job was removed is a duplicate, for a day', async (at) => {
  await at.call('conv_claim', PAIR, holder);
  await at.call('conv_remove', PAIR);
  assert.ok((await at.redis.pttl(HANDLED)) > DAY - 60_000);
  for (const again of [state('j2', 'c2', 'd1'), state('j2', undefined, 'd1')]) {
    assert.equal(await at.unchanged(() => at.call('conv_claim', SECOND, again)), ['duplicate', null]);
  }
  assert.equal(await at.unchanged(() => at.call('conv_claim', PAIR, holder)), ['duplicate', null], 'its own call too');
  await at.redis.zadd(HANDLED, Date.now() - DAY - 1_000, 'd1');
  assert.equal(((await at.call('conv_claim', SECOND, state('j2', 'c2', 'd1'))) as string[])[0], 'claimed');
});

it('a redelivery after its job was removed for a retry, or lapsed, starts it', async (at) => {
  await at.call('conv_claim', PAIR, holder);
  await at.call('conv_remove', PAIR, '', '1');
  const again = state('j2', 'c2', 'd1');
  assert.equal(await at.call('conv_claim', SECOND, again), ['claimed', again]);
  await at.redis.del(CHANNEL, 'job-index:j2');
  assert.equal(await at.call('conv_claim', PAIR, holder), ['claimed', holder]);
});

it('what was told held is a duplicate from then on, and the same call is held again', async (at) => {
  await at.call('conv_claim', PAIR, holder, 60_000);
  const claim = () => at.call('conv_claim', SECOND, state('j2', 'c2', 'd2'));
  assert.equal(await claim(), ['held', holder]);
  assert.equal(await at.unchanged(claim), ['held', holder]);
  assert.equal(await at.unchanged(() => at.call('conv_claim', SECOND, state('j2', 'c3', 'd2'))), ['duplicate', holder]);
  assert.equal(await at.unchanged(() => at.call('conv_claim', SECOND, state('j2', undefined, 'd2'))), [
    'duplicate',
    holder,
  ]);
  await at.call('conv_remove', PAIR);
  assert.equal(await at.unchanged(claim), ['duplicate', null], 'without a holder there is none to show');
  assert.equal((await at.redis.zrange(HANDLED, '0', '-1')).sort(), ['d1', 'd1\n', 'd2', 'd2\nc2']);
});

it('what was told held without a claim id is handled too, and its redelivery a duplicate', async (at) => {
  await at.call('conv_claim', PAIR, holder);
  const claim = () => at.call('conv_claim', SECOND, state('j2', undefined, 'd2'));
  assert.equal(await claim(), ['held', holder]);
  assert.equal(await at.redis.zrange(HANDLED, '0', '-1'), ['d2', 'd2\n']);
  assert.equal(await at.unchanged(claim), ['duplicate', holder]);
});

it('a claim without a delivery is held and leaves nothing behind', async (at) => {
  await at.call('conv_claim', PAIR, holder);
  assert.equal(await at.unchanged(() => at.call('conv_claim', SECOND, state('j2', 'c2'))), ['held', holder]);
});

it('what comes while a job runs is queued in order, once a call, and its delivery is handled', async (at) => {
  await at.living(60_000, () => at.call('conv_claim', PAIR, holder, 60_000));
  assert.equal(await follow(at, 'c2', 'd2', 'one'), ['queued', holder]);
  assert.equal(await follow(at, 'c3', 'd3', 'two'), ['queued', holder]);
  assert.equal(await at.unchanged(() => follow(at, 'c2', 'd2', 'one')), ['queued', holder]);
  assert.equal(await at.unchanged(() => follow(at, 'c4', 'd2', 'one')), ['duplicate', holder]);
  assert.equal(await said(at), [
    ['text', 'one'],
    ['text', 'two'],
  ]);
  assert.ok((await at.redis.pttl(INBOX)) > DAY - 60_000);
  assert.ok((await at.redis.pttl(CHANNEL)) <= 60_000, 'the deadline of the conversation is left alone');
});

it('a queued call of the same job is a call of its own', async (at) => {
  await at.call('conv_claim', PAIR, holder);
  const follow = state('j1', 'c2', 'd2');
  assert.equal(await at.call('conv_claim', PAIR, follow, '', '', 'text', 'more'), ['queued', holder]);
  assert.equal(await said(at), [['text', 'more']]);
});

it('an inbox of 1000 is full: nothing is added, and a redelivery may try again', async (at) => {
  await at.call('conv_claim', PAIR, holder);
  const pipeline = at.redis.pipeline();
  for (let entry = 0; entry < 999; entry++) pipeline.xadd(INBOX, '*', 'n', entry);
  await pipeline.exec();
  assert.equal(await follow(at, 'c2', 'd2'), ['queued', holder]);
  assert.equal(await at.unchanged(() => follow(at, 'c3', 'd3')), ['full', holder]);
  await at.redis.xtrim(INBOX, 'MAXLEN', 500);
  assert.equal(await follow(at, 'c4', 'd3'), ['queued', holder]);
});

it('1024 fields of any bytes reach the inbox', async (at) => {
  await at.call('conv_claim', PAIR, holder);
  const fields = Array.from({ length: 1_024 }, (_, n) => [`f${n}`, n === 0 ? '\0"é\n' : '']).flat();
  await at.call('conv_claim', SECOND, state('j2', 'c2', 'd2'), '', '', ...fields);
  assert.equal(await said(at), [fields]);
});

it('a claim with fields takes a free channel and leaves the inbox alone', async (at) => {
  await at.redis.xadd(INBOX, '1-1', 'text', 'of a job that died');
  assert.equal(((await follow(at, 'c2', 'd2')) as string[])[0], 'claimed');
  assert.equal(await said(at), [['text', 'of a job that died']]);
});

it('the last thousand deliveries are known, and none older', async (at) => {
  await at.call('conv_claim', PAIR, holder);
  const pipeline = at.redis.pipeline();
  const claim = (n: number) => state('j2', `c${n}`, `m${n}`);
  for (let n = 0; n < 1_001; n++) pipeline.fcall('conv_claim', 2, ...SECOND, claim(n));
  await pipeline.exec();
  assert.is(await at.redis.zcard(HANDLED), 2_000);
  assert.equal(((await at.call('conv_claim', SECOND, state('j2', 'x', 'm1'))) as string[])[0], 'duplicate');
  assert.equal(((await at.call('conv_claim', SECOND, state('j2', 'x', 'm0'))) as string[])[0], 'held');
});

it('deliveries older than a day go with the next one', async (at) => {
  await at.call('conv_claim', PAIR, holder);
  await at.redis.zadd(HANDLED, Date.now() - DAY - 1_000, 'old', Date.now() - DAY + 60_000, 'young');
  await at.call('conv_claim', SECOND, state('j2', 'c2', 'd2'));
  assert.equal(await at.redis.zrange(HANDLED, '0', '-1'), ['young', 'd2', 'd2\nc2']);
});

it('one message delivered to 50 dispatchers at once starts one job', async (at) => {
  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      at.call('conv_claim', [CHANNEL, `job-index:k${n}`], state(`k${n}`, `c${n}`, 'd1')),
    ),
  );
  const outcomes = (replies as string[][]).map(([outcome]) => outcome);
  assert.is(outcomes.filter((outcome) => outcome === 'claimed').length, 1);
  assert.is(outcomes.filter((outcome) => outcome === 'duplicate').length, 49);
  assert.is(await at.redis.dbsize(), 2);
});

it('a removal with what was read waits for what was not, and takes the inbox along', async (at) => {
  await at.call('conv_claim', PAIR, holder);
  await follow(at, 'c2', 'd2', 'one');
  for (const keys of [[CHANNEL], [JOB], PAIR]) {
    for (const lastSeen of ['0', '0-0', '1700000000000', '1-1']) {
      assert.equal(await at.unchanged(() => at.call('conv_remove', keys, lastSeen)), ['waiting', holder]);
    }
  }
  const [[first = ''] = []] = await at.redis.xrange(INBOX, '-', '+');
  await follow(at, 'c3', 'd3', 'two');
  assert.equal(await at.unchanged(() => at.call('conv_remove', PAIR, first)), ['waiting', holder]);
  const last = (await at.redis.xrange(INBOX, '-', '+')).at(-1)?.[0] ?? '';
  assert.equal(await at.call('conv_remove', PAIR, last), ['removed', holder]);
  assert.equal(Object.keys(await at.dump()), [HANDLED]);
});

it('a removal with what was read removes where there is no inbox, and leaves one alone that it was not told of', async (at) => {
  await at.call('conv_claim', PAIR, holder);
  assert.equal(await at.call('conv_remove', PAIR, '0'), ['removed', holder]);
  await at.redis.del(HANDLED);
  await at.call('conv_claim', PAIR, holder);
  await follow(at, 'c2', 'd2');
  assert.equal(await at.call('conv_remove', PAIR), ['removed', holder]);
  assert.equal(await said(at), [['text', 'more']]);
});

it('a removal that removes nothing leaves the inbox', async (at) => {
  await at.call('conv_claim', PAIR, holder);
  await follow(at, 'c2', 'd2');
  assert.equal(await at.unchanged(() => at.call('conv_remove', SECOND, '99')), ['held', holder]);
  await at.redis.del(CHANNEL);
  assert.equal(((await at.call('conv_remove', PAIR, '99')) as string[])[0], 'gone');
  assert.equal(await said(at), [['text', 'more']]);
});

test.run();
