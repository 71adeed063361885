import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HAND_OVER, INBOX, JOB, PAIR, SECOND, STREAM } from '../support/keys.ts';
import { DAY, failure, json, second, withLibrary } from '../support/library.ts';

// Whose stream it is and how long it lives is in the files of the defects, what is queued in claims.test.ts.

const test = suite('entries of inboxes and streams');
const it = withLibrary(test);

it('what the job says it has read is deleted, and what comes then is behind it, also where the clock went back', async (at) => {
  const tomorrow = '99999999999999-5';
  await at.call('set', PAIR, json(), 30_000);
  for (const id of ['1-1', '1-2', '2-0', tomorrow]) await at.redis.xadd(INBOX, id, 'id', id);
  for (const [lastSeen, ...left] of [
    ['0-0', '1-1', '1-2', '2-0', tomorrow],
    ['', '1-1', '1-2', '2-0', tomorrow],
    ['1-1', '1-2', '2-0', tomorrow],
    ['1-1', '1-2', '2-0', tomorrow],
    ['8-5', tomorrow],
    ['999999999999999-0'],
  ] as const) {
    assert.is(await at.living(60_000, () => at.call('get_by_job', PAIR, 60_000, lastSeen)), json());
    assert.is((await at.said(INBOX)).join().replaceAll('id ', ''), left.join(), `after ${lastSeen}`);
  }
  await at.call('claim', SECOND, second({ deliveryId: 'd2' }), '', 'text', 'of today');
  const unread = await at.redis.xrange(INBOX, `(${tomorrow}`, '+');
  assert.equal(unread[0]?.[1], ['text', 'of today'], 'a reader that goes on finds it');
});

it('an inbox of 1000 is full: nothing is added, and a redelivery may try again', async (at) => {
  const queue = (deliveryId: string) => at.call('claim', SECOND, second({ deliveryId }), '', 'text', 'more');
  await at.call('claim', PAIR, json());
  await at.redis.eval("for n = 1, 999 do redis.call('XADD', KEYS[1], '1-' .. n, 'n', n) end", 1, INBOX);
  assert.equal(await queue('d2'), ['queued', json()]);
  assert.equal(await at.unchanged(() => queue('d3')), ['full', json()]);
  await at.call('get_by_job', [JOB], '', '1-500');
  assert.equal(await queue('d3'), ['queued', json()]);
});

it('an inbox lives for 7 days longer than the conversation, and never ends sooner than it did', async (at) => {
  const [set, by] = [json(), second({ deliveryId: 'd2' })];
  for (const [free, name, keys, ...args] of [
    [false, 'set', PAIR, set, 600_000],
    [false, 'hand_over', HAND_OVER, by, 600_000],
    [true, 'claim', PAIR, set, 600_000],
    [false, 'claim', SECOND, by, 600_000, 'text', 'queued'],
  ] as const) {
    for (const before of [0, 600_000, 30 * DAY, -1]) {
      await at.redis.flushall();
      await at.call('set', PAIR, json(), 3 * DAY);
      if (before !== 0) await at.redis.xadd(INBOX, '1-1', 'text', 'waits');
      if (before > 0) await at.redis.pexpire(INBOX, before);
      if (free) await at.redis.del(PAIR);
      const deadline = await at.redis.pexpiretime(INBOX);
      await at.call(name, keys, ...args);
      const wanted = before <= 600_000 && before >= 0 ? (await at.redis.pexpiretime(CHANNEL)) + 7 * DAY : deadline;
      const isThere = before !== 0 || args.length > 2;
      assert.is(await at.redis.pexpiretime(INBOX), isThere ? wanted : -2, `${name} ${before}`);
    }
  }
});

it('a stream keeps about the last 10,000 entries', async (at) => {
  await at.call('set', PAIR, json());
  await at.redis.eval("for n = 1, 10200 do redis.call('XADD', KEYS[1], '*', 'n', n) end", 1, STREAM);
  await at.call('update', [...PAIR, STREAM], '{}', 'd9', 'f', 'v');
  const length = await at.redis.xlen(STREAM);
  assert.ok(length >= 10_000 && length <= 10_150, `the stream has ${length} entries`);
  assert.equal((await at.redis.xrevrange(STREAM, '+', '-', 'COUNT', 1))[0]?.[1], ['f', 'v']);
});

it('1024 fields of any bytes, at most 256 KiB in all, reach a stream or an inbox', async (at) => {
  const publish = (fields: string[]) => [
    at.call('claim', SECOND, second({ deliveryId: 'd2' }), '', ...fields),
    at.call('answer', [...PAIR, STREAM], 'q1', 'a1', '', ...fields),
    at.call('update', [...PAIR, STREAM], '{}', 'u1', ...fields),
    at.call('hand_over', [...PAIR, 'job-index:j3', STREAM], json({ jobId: 'j3' }), '', ...fields),
  ];
  const most = Array.from({ length: 1_024 }, (_, n) => [`f${n}`, n === 0 ? '\0"é\n' : '']).flat();
  for (const [fields, refusal] of [
    [most],
    [['f', 'v'.repeat(262_143)]],
    [['é'.repeat(65_536), 'v'.repeat(131_072)]],
    [['f', 'v'.repeat(262_144)], /^CONVARG .*262144/],
    [['é'.repeat(65_536), 'v'.repeat(131_073)], /^CONVARG .*262144/],
    [Array<string>(2_050).fill('f'), /^CONVARG wanted .* arguments, 20\d\d were given/],
  ] as [string[], RegExp?][]) {
    await at.redis.flushall();
    await at.call('set', PAIR, json({ pendingQuestionId: 'q1' }));
    if (refusal) for (const call of publish(fields)) assert.match(await failure(call), refusal);
    else await Promise.all(publish(fields));
    const entries = async (key: string) => (await at.redis.xrange(key, '-', '+')).map(([, entry]) => entry);
    assert.equal([await entries(INBOX), await entries(STREAM)], refusal ? [[], []] : [[fields], Array(3).fill(fields)]);
  }
});

test.run();
