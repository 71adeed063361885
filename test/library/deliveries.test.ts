import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HANDLED, INBOX, JOB, PAIR, SECOND } from '../support/keys.ts';
import { DAY, json, type Library, now, second, withLibrary } from '../support/library.ts';

const test = suite('deliveries and the inbox');
const it = withLibrary(test);

const HOLDER = json({ deliveryId: 'd1' });

/** A claim of another job for a message, which is queued where it has a text. */
const follow = ({ call }: Library, claimId: string | undefined, deliveryId: string, text?: string) =>
  call('claim', SECOND, second({ claimId, deliveryId }), '', ...(text === undefined ? [] : ['text', text]));

for (const [starting, outcome] of [
  [undefined, 'duplicate'],
  [null, 'duplicate'],
  [false, 'duplicate'],
  [true, 'starting'],
] as const) {
  it(`a redelivery whose job holds the channel is ${outcome} and changes nothing (starting: ${starting})`, async (at) => {
    const holder = json({ deliveryId: 'd1', starting });
    await at.call('claim', PAIR, holder, 60_000);
    for (const fields of [[], ['text', 'again']]) {
      for (const [keys, state] of [
        [SECOND, second({ deliveryId: 'd1' })],
        [PAIR, json({ claimId: 'c2', deliveryId: 'd1' })],
      ] as const) {
        assert.equal(await at.still('claim', keys, state, '', ...fields), [outcome, holder]);
      }
    }
    assert.equal(await at.unchanged(() => follow(at, undefined, 'd1')), [outcome, holder]);
    await at.call('get_by_job', [JOB]);
    assert.is(((await follow(at, 'c2', 'd1')) as string[])[0], 'duplicate', 'once the job was heard of');
    await at.redis.del(...PAIR);
    assert.is(((await follow(at, 'c2', 'd1')) as string[])[0], 'claimed', 'once it has lapsed');
  });
}

it('a redelivery after its job was removed is a duplicate, for a day', async (at) => {
  await at.call('claim', PAIR, HOLDER);
  await at.living(DAY, () => at.call('remove', PAIR), [HANDLED]);
  for (const claimId of ['c2', undefined]) {
    for (const text of [undefined, 'again']) {
      if (claimId === undefined && text) continue;
      assert.equal(await at.unchanged(() => follow(at, claimId, 'd1', text)), ['duplicate', null]);
    }
  }
  assert.equal(await at.still('claim', PAIR, HOLDER), ['duplicate', null], 'its own call too');
  await at.redis.zadd(HANDLED, (await now(at.redis)) - DAY - 1_000, 'd1');
  assert.is(((await follow(at, 'c2', 'd1')) as string[])[0], 'claimed');
});

it('held decides nothing: the same message may come again, be queued, or start a job', async (at) => {
  await at.call('claim', PAIR, HOLDER, 60_000);
  for (const claimId of ['c2', 'c2', 'c3', undefined]) {
    assert.equal(await at.unchanged(() => follow(at, claimId, 'd2')), ['held', HOLDER]);
    assert.equal(await at.unchanged(() => follow(at, claimId, 'd3')), ['held', HOLDER]);
  }
  assert.equal(await follow(at, 'c2', 'd2', 'queue it after all'), ['queued', HOLDER]);
  await at.call('remove', PAIR, 'all');
  assert.is(((await follow(at, 'c3', 'd3')) as string[])[0], 'claimed');
});

it('what comes while a job runs is queued in order, once a call, and its delivery is handled', async (at) => {
  await at.call('claim', PAIR, HOLDER, 60_000);
  assert.equal(await follow(at, 'c2', 'd2', 'one'), ['queued', HOLDER]);
  await at.living(DAY, () => follow(at, 'c3', 'd3', 'two'), [HANDLED]);
  assert.equal(await at.unchanged(() => follow(at, 'c2', 'd2', 'one')), ['queued', HOLDER]);
  assert.equal(await at.unchanged(() => follow(at, 'c2', 'd2')), ['queued', HOLDER], 'by the same call');
  assert.equal(await at.unchanged(() => follow(at, 'c4', 'd2', 'one')), ['duplicate', HOLDER]);
  assert.equal(await at.unchanged(() => follow(at, undefined, 'd2')), ['duplicate', HOLDER]);
  assert.equal(await at.said(INBOX), ['text one', 'text two']);
  assert.equal((await at.redis.zrange(HANDLED, '0', '-1')).sort(), ['d2', 'd2\nc2', 'd3', 'd3\nc3']);
});

it('a resend of what was queued is queued while any job holds the channel, and a duplicate after that', async (at) => {
  await at.call('claim', PAIR, HOLDER);
  await follow(at, 'c2', 'd2', 'one');
  const next = json({ jobId: 'j3', claimId: 'c3' });
  await at.call('hand_over', [CHANNEL, JOB, 'job-index:j3'], next);
  assert.equal(await at.unchanged(() => follow(at, 'c2', 'd2', 'one')), ['queued', next]);
  await at.call('remove', [CHANNEL], 'all');
  assert.equal(await at.unchanged(() => follow(at, 'c2', 'd2', 'one')), ['duplicate', null]);
});

it('a queued call of the same job is a call of its own', async (at) => {
  await at.call('claim', PAIR, HOLDER);
  const state = json({ claimId: 'c2', deliveryId: 'd2' });
  assert.equal(await at.call('claim', PAIR, state, '', 'text', 'more'), ['queued', HOLDER]);
  assert.equal(await at.said(INBOX), ['text more']);
});

it('an inbox of 1000 is full: nothing is added, and a redelivery may try again', async (at) => {
  await at.call('claim', PAIR, HOLDER);
  const pipeline = at.redis.pipeline();
  for (let entry = 0; entry < 999; entry++) pipeline.xadd(INBOX, `1-${entry}`, 'n', entry);
  await pipeline.exec();
  assert.equal(await follow(at, 'c2', 'd2', 'more'), ['queued', HOLDER]);
  assert.equal(await at.unchanged(() => follow(at, 'c3', 'd3', 'more')), ['full', HOLDER]);
  await at.call('get_by_job', [JOB], '', '1-500');
  assert.equal(await follow(at, 'c3', 'd3', 'more'), ['queued', HOLDER]);
});

it('an entry of an inbox has at most 1024 fields of any bytes, 256 KiB in all, and both ids', async (at) => {
  await at.call('claim', PAIR, HOLDER);
  const claim = (n: number, ...fields: string[]) =>
    at.call('claim', SECOND, second({ claimId: `c${n}`, deliveryId: `m${n}` }), '', ...fields);
  const most = Array.from({ length: 1_024 }, (_, n) => [`f${n}`, n === 0 ? '\0"é\n' : '']).flat();
  await claim(1, ...most);
  await claim(2, 'text', 'x'.repeat(262_140));
  const entries = await at.redis.xrange(INBOX, '-', '+');
  assert.equal(
    entries.map(([, fields]) => fields),
    [most, ['text', 'x'.repeat(262_140)]],
  );
  for (const [fields, message] of [
    [['text', 'x'.repeat(262_141)], /^CONVARG .*262144/],
    [Array(2_050).fill('f'), /^CONVARG wanted .* arguments, [0-9]+ were given/],
    [['text'], /^CONVARG every field needs a value/],
  ] as const) {
    assert.match(await at.refused(() => claim(3, ...fields)), message);
  }
  for (const ids of [
    { claimId: undefined },
    { deliveryId: undefined },
    { deliveryId: null },
    { claimId: null, deliveryId: 'd3' },
  ]) {
    const message = await at.refusal('claim', SECOND, second(ids), '', 'text', 'more');
    assert.match(message, /^CONVARG fields .* need a claimId and a deliveryId in the state/);
  }
});

it('the last 10,000 deliveries are known, and none older than a day', async (at) => {
  await at.call('set', PAIR, json());
  const time = await now(at.redis);
  const members = Array.from({ length: 10_000 }, (_, n) => [time - 10_000 + n, `m${n}`]).flat();
  await at.redis.zadd(HANDLED, ...members);
  await at.call('update', PAIR, '{}', 'new');
  assert.is(await at.redis.zcard(HANDLED), 10_000);
  assert.is(await at.outcome('claim', SECOND, second({ deliveryId: 'm1' })), 'duplicate');
  assert.is(await at.outcome('claim', SECOND, second({ deliveryId: 'm0' })), 'held');
  await at.redis.del(HANDLED);
  await at.redis.zadd(HANDLED, time - DAY - 1_000, 'old', time - DAY + 60_000, 'young');
  await at.call('update', PAIR, '{}', 'new');
  assert.equal(await at.redis.zrange(HANDLED, '0', '-1'), ['young', 'new']);
});

test.run();
