import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HAND_OVER, HANDLED, INBOX, JOB, PAIR, SECOND, STREAM, WATCH } from '../support/keys.ts';
import { DAY, DEFAULT_TTL, failure, json, second, withLibrary } from '../support/library.ts';

// What renews what: every call against the deadline, `starting`, the watch and the inbox.

const test = suite('what renews what');
const it = withLibrary(test);

/** What becomes of the deadline: at least ttlMs from now, ttlMs from now, or what it was. */
type Deadline = 'at least' | 'exactly' | 'as it was';
/** What a call is to a job: it is heard of, its silence is counted from now, or neither. */
type Sign = 'sign of life' | 'silence from now' | 'nothing';
type Row = readonly [
  deadline: Deadline,
  sign: Sign,
  name: string,
  keys: readonly string[],
  ...args: (string | number)[],
];

/** Every call on a conversation whose question q1 is pending and whose question q0 was answered last. */
const CALLS: Record<string, Row> = {
  'get_by_job by job': ['at least', 'sign of life', 'get_by_job', [JOB]],
  'get_by_job by both keys': ['at least', 'sign of life', 'get_by_job', PAIR],
  'the same question by channel': ['at least', 'sign of life', 'set_pending', [CHANNEL], 'q1'],
  'the same question by job': ['at least', 'sign of life', 'set_pending', [JOB], 'q1'],
  'another question by channel': ['at least', 'sign of life', 'set_pending', [CHANNEL], 'q2'],
  'another question by both keys': ['at least', 'sign of life', 'set_pending', PAIR, 'q2'],
  'the question answered last': ['at least', 'sign of life', 'set_pending', PAIR, 'q0'],
  'a cleared question by job': ['exactly', 'silence from now', 'set_pending', [JOB], ''],
  'a cleared question by channel': ['exactly', 'silence from now', 'set_pending', [CHANNEL], ''],
  'an answer by channel': ['exactly', 'silence from now', 'answer', [CHANNEL], 'q1', 'a1'],
  'an answer by job': ['exactly', 'silence from now', 'answer', [JOB], 'q1', 'a1'],
  'an answer that comes second': ['as it was', 'nothing', 'answer', PAIR, 'q0', 'a1'],
  'a stale answer': ['as it was', 'nothing', 'answer', PAIR, 'q9', 'a1'],
  'an update by channel': ['as it was', 'nothing', 'update', [CHANNEL], '{"pod":1}'],
  'an update by both keys': ['as it was', 'nothing', 'update', PAIR, '{}'],
  'get by channel': ['as it was', 'nothing', 'get', [CHANNEL]],
  'get by job': ['as it was', 'nothing', 'get', [JOB]],
  'a claim sent again': ['as it was', 'nothing', 'claim', PAIR, json(), 1_000],
  'a claim that is held': ['as it was', 'nothing', 'claim', SECOND, second(), DAY],
  'a late hand-over': ['as it was', 'nothing', 'hand_over', [CHANNEL, 'job-index:j3', 'job-index:j2'], second(), DAY],
  'a removal by another job': ['as it was', 'nothing', 'remove', SECOND],
};

const STORED = {
  pendingQuestionId: 'q1',
  lastAnswer: { questionId: 'q0', answerId: 'a0' },
  silentAfterMs: 60_000,
};

/** How long the conversation has at the time of the call: less than the call gives, more, or without end. */
const LIVES = { 'that ends sooner': 600_000, 'that ends later': 3 * DAY, 'without a deadline': -1 };

for (const [name, [deadline, sign, called, keys, ...args]] of Object.entries(CALLS)) {
  it(`${name}: the deadline is ${deadline}${deadline === 'as it was' ? '' : ' ttlMs from now'}, to the job it is ${sign}`, async (at) => {
    for (const [life, ttl] of Object.entries(LIVES)) {
      await at.redis.flushall();
      await at.call('set', PAIR, json({ ...STORED, starting: true }), ttl > 0 ? ttl : DAY);
      await at.redis.xadd(INBOX, '1-1', 'text', 'waits');
      await at.redis.pexpire(INBOX, DAY);
      await at.redis.zadd(WATCH, 5, `j1\n${CHANNEL}`);
      if (ttl < 0) for (const key of PAIR) await at.redis.persist(key);
      const [before, inbox] = [await at.redis.pexpiretime(CHANNEL), await at.redis.pexpiretime(INBOX)];
      const isLater = deadline === 'at least' && ttl > DEFAULT_TTL;
      const call = () => at.call(called, keys, ...args);
      if (deadline === 'as it was' || isLater) await call();
      else await at.living(DEFAULT_TTL, call);
      const after = await at.redis.pexpiretime(CHANNEL);
      assert.is(await at.redis.pexpiretime(JOB), after, life);
      if (deadline === 'as it was' || isLater) assert.is(after, before, life);
      const lives = deadline === 'as it was' ? inbox : after + 7 * DAY;
      assert.is(await at.redis.pexpiretime(INBOX), lives, `the inbox of a conversation ${life}`);
      const score = await at.redis.zscore(WATCH, `j1\n${CHANNEL}`);
      assert.is(score === '5', sign === 'nothing', `the watch of a conversation ${life}`);
      assert.is(JSON.parse(String(await at.redis.get(CHANNEL))).starting, sign !== 'sign of life');
    }
    for (const starting of [undefined, null, false]) {
      await at.call('set', PAIR, json({ ...STORED, starting }));
      await at.redis.del(HANDLED);
      await at.call(called, keys, ...args);
      assert.is(JSON.parse(String(await at.redis.get(CHANNEL))).starting, starting, `${starting} stays`);
    }
  });
}

it('a question that is cleared with none pending sets the deadline all the same', async ({ call, living }) => {
  await call('set', PAIR, json({ pendingQuestionId: null }), 3 * DAY);
  for (const _ of [1, 2]) await living(60_000, () => call('set_pending', PAIR, '', 60_000));
});

it('the ttlMs of a call is what it gives, empty the default, at most 999999999999', async ({ call, living, redis }) => {
  for (const [ttl, arg] of [
    [60_000, 60_000],
    [DEFAULT_TTL, ''],
    [999_999_999_999, '999999999999'],
  ] as const) {
    await redis.flushall();
    await call('set', PAIR, json(STORED), 10_000);
    await living(ttl, () => call('get_by_job', [JOB], arg));
    await living(ttl, () => call('hand_over', HAND_OVER, second(), arg), SECOND);
    await living(ttl, () => call('set', PAIR, json(STORED), arg));
    await living(ttl, () => call('set_pending', PAIR, 'q2', arg));
    await living(ttl, () => call('answer', PAIR, 'q2', 'a2', arg));
    await living(ttl, () => call('set_pending', PAIR, '', arg));
    await call('remove', PAIR);
    await living(ttl, () => call('claim', PAIR, json(), arg));
  }
});

it('an inbox lives for 7 days longer than the conversation, and never ends sooner than it did', async (at) => {
  const [set, by] = [json(), second({ deliveryId: 'd2' })];
  for (const [free, name, keys, ...args] of [
    [false, 'set', PAIR, set, 600_000],
    [false, 'set', SECOND, by, 600_000],
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
    at.call('claim', SECOND, second({ deliveryId: `d${fields.length}` }), '', ...fields),
    at.call('answer', [...PAIR, STREAM], 'q1', `a${fields.length}`, '', ...fields),
    at.call('update', [...PAIR, STREAM], '{}', `u${fields.length}`, ...fields),
    at.call('hand_over', [...PAIR, 'job-index:j3', STREAM], json({ jobId: 'j3' }), '', ...fields),
  ];
  const most = Array.from({ length: 1_024 }, (_, n) => [`f${n}`, n === 0 ? '\0"é\n' : '']).flat();
  for (const fields of [most, ['f', 'v'.repeat(262_143)], ['é'.repeat(65_536), 'v'.repeat(131_072)]]) {
    await at.redis.flushall();
    await at.call('set', PAIR, json({ pendingQuestionId: 'q1' }));
    await Promise.all(publish(fields));
    for (const [stream, copies] of [
      [INBOX, 1],
      [STREAM, 3],
    ] as const) {
      const entries = (await at.redis.xrange(stream, '-', '+')).map(([, entry]) => entry);
      assert.equal(entries, Array(copies).fill(fields));
    }
  }
  await at.call('set', PAIR, json({ pendingQuestionId: 'q1' }));
  for (const [fields, message] of [
    [['f', 'v'.repeat(262_144)], /^CONVARG .*262144/],
    [['é'.repeat(65_536), 'v'.repeat(131_073)], /^CONVARG .*262144/],
    [Array(2_050).fill('f'), /^CONVARG wanted .* arguments, 20\d\d were given/],
  ] as const) {
    await at.unchanged(async () => {
      for (const call of publish([...fields])) assert.match(await failure(call), message);
    });
  }
});

test.run();
