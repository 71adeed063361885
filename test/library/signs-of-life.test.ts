import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HAND_OVER, HANDLED, INBOX, JOB, PAIR, SECOND, WATCH } from '../support/keys.ts';
import { DAY, DEFAULT_TTL, FENCED, json, now, REFERENCES, second, withLibrary } from '../support/library.ts';

// What renews what, every call against the deadline, `starting`, the watch and the inbox; and who is due. What a job that
// was displaced reads is in defects.test.ts, that one caller is told of a due job in dispatcher-defects.test.ts.

const test = suite('conv_get, conv_get_by_job and conv_due');
const it = withLibrary(test);

const TEXT = ` ${json({ transcript: [], starting: false })}\n`;

it('both getters return the state as it is stored; nil where there is none, also with an index that is left', async (at) => {
  for (const [name, forms] of Object.entries({ get: REFERENCES, get_by_job: FENCED })) {
    for (const keys of Object.values(forms)) {
      assert.is(await at.still(name, keys), null);
      await at.call('set', PAIR, TEXT);
      assert.is(await at.call(name, keys), TEXT);
      if (name === 'get') assert.is(await at.unchanged(() => at.read(name, keys)), TEXT, 'read-only');
      assert.equal(await at.redis.mget(CHANNEL, JOB), [TEXT, CHANNEL]);
      await at.redis.del(CHANNEL);
      assert.is(await at.still(name, keys), null);
      await at.redis.del(JOB);
    }
  }
});

/** What a call is to a job (it is heard of, its silence is counted from now, or neither), and what the deadline is then. */
const DEADLINES = {
  'sign of life': 'at least ttlMs from now',
  'silence from now': 'ttlMs from now',
  nothing: 'as it was',
};
type Row = [sign: keyof typeof DEADLINES, name: string, keys: readonly string[], ...args: (string | number)[]];

/** Every call on a conversation whose question q1 is pending and whose question q0 was answered last. */
const CALLS: Record<string, Row> = {
  'get_by_job by job': ['sign of life', 'get_by_job', [JOB]],
  'get_by_job by both keys': ['sign of life', 'get_by_job', PAIR],
  'the same question by channel': ['sign of life', 'set_pending', [CHANNEL], 'q1'],
  'another question by both keys': ['sign of life', 'set_pending', PAIR, 'q2'],
  'the question answered last': ['sign of life', 'set_pending', PAIR, 'q0'],
  'a cleared question': ['silence from now', 'set_pending', [JOB], ''],
  'an answer': ['silence from now', 'answer', [CHANNEL], 'q1', 'a1'],
  'an answer that comes second': ['nothing', 'answer', PAIR, 'q0', 'a1'],
  'a stale answer': ['nothing', 'answer', PAIR, 'q9', 'a1'],
  'an update by channel': ['nothing', 'update', [CHANNEL], '{"pod":1}'],
  'an update by both keys': ['nothing', 'update', PAIR, '{}'],
  'a claim sent again': ['nothing', 'claim', PAIR, json(), 1_000],
  'a claim that is held': ['nothing', 'claim', SECOND, second(), DAY],
  'a late hand-over': ['nothing', 'hand_over', [CHANNEL, 'job-index:j3', 'job-index:j2'], second(), DAY],
  'a removal by another job': ['nothing', 'remove', SECOND],
};

const STORED = {
  pendingQuestionId: 'q1',
  lastAnswer: { questionId: 'q0', answerId: 'a0' },
  silentAfterMs: 60_000,
};

/** How long the conversation lives before a call, -1 for ever, and the TTL that a renewal gives. */
const LIVES = [
  { ttl: 600_000, ttlMs: '' },
  { ttl: 600_000, ttlMs: '999999999999' },
  { ttl: 3 * DAY, ttlMs: 60_000 },
  { ttl: -1, ttlMs: 60_000 },
];

for (const [name, [sign, called, keys, ...args]] of Object.entries(CALLS)) {
  it(`${name}: the deadline is ${DEADLINES[sign]}, to the job it is ${sign}`, async (at) => {
    const stays = sign === 'nothing';
    for (const { ttl, ttlMs } of LIVES) {
      const call = () => at.call(called, keys, ...args, ...(stays ? [] : [ttlMs]));
      const given = Number(ttlMs || DEFAULT_TTL);
      await at.redis.flushall();
      await at.call('set', PAIR, json({ ...STORED, starting: true }), ttl > 0 ? ttl : DAY);
      await at.redis.xadd(INBOX, '1-1', 'text', 'waits');
      await at.redis.pexpire(INBOX, DAY);
      await at.redis.zadd(WATCH, 5, `j1\n${CHANNEL}`);
      if (ttl < 0) for (const key of PAIR) await at.redis.persist(key);
      const [before, inbox] = [await at.redis.pexpiretime(CHANNEL), await at.redis.pexpiretime(INBOX)];
      const isAsItWas = stays || (sign === 'sign of life' && ttl > given);
      if (isAsItWas) await call();
      else await at.living(given, call);
      const after = await at.redis.pexpiretime(CHANNEL);
      assert.is(await at.redis.pexpiretime(JOB), after, `${ttl}`);
      if (isAsItWas) assert.is(after, before, `${ttl}`);
      assert.is(await at.redis.pexpiretime(INBOX), stays ? inbox : after + 7 * DAY, `the inbox with ${ttl}`);
      const score = await at.redis.zscore(WATCH, `j1\n${CHANNEL}`);
      assert.is(score === '5', sign === 'nothing', `the watch with ${ttl}`);
      assert.is(JSON.parse(String(await at.redis.get(CHANNEL))).starting, sign !== 'sign of life');
    }
    for (const [starting, index] of [
      [undefined, null],
      [null, 'rubbish'],
      [false, 'conversation:slack:C2'],
    ] as const) {
      await at.call('set', PAIR, json({ ...STORED, starting }));
      await at.redis.del(HANDLED);
      // Every renewal that names the channel brings the index back.
      if (!stays && keys[0] === CHANNEL) await (index === null ? at.redis.del(JOB) : at.redis.set(JOB, index));
      await at.call(called, keys, ...args);
      const found = [await at.redis.get(JOB), await at.redis.pexpiretime(JOB)];
      assert.equal(found, [CHANNEL, await at.redis.pexpiretime(CHANNEL)], `the index was ${index}`);
      assert.is(JSON.parse(String(await at.redis.get(CHANNEL))).starting, starting, `${starting} stays`);
    }
  });
}

it('a question that is cleared with none pending sets the deadline all the same', async ({ call, living }) => {
  await call('set', PAIR, json({ pendingQuestionId: null }), 3 * DAY);
  for (const _ of [1, 2]) await living(60_000, () => call('set_pending', PAIR, '', 60_000));
});

it('the ttlMs of a new state is what it gives, empty the default, at most 999999999999', async ({ call, living }) => {
  for (const [ttl, arg] of [
    [60_000, 60_000],
    [DEFAULT_TTL, ''],
    [999_999_999_999, '999999999999'],
  ] as const) {
    await living(ttl, () => call('claim', PAIR, json(), arg));
    await living(ttl, () => call('hand_over', HAND_OVER, second(), arg), SECOND);
    await living(ttl, () => call('set', PAIR, json(), arg));
    await call('remove', PAIR);
  }
});

it('a claim that is starting is named once it has lapsed, not a millisecond sooner', async ({ call, outcome }) => {
  const claim = json({ silentAfterMs: 5_000, starting: true, deliveryId: 'd1' });
  for (let round = 0; round < 50; round++) {
    await call('claim', PAIR, claim, 2);
    for (let due: unknown = []; (due as string[]).length === 0; ) due = await call('due', [WATCH], 60_000);
    assert.is(await outcome('remove', PAIR), 'lapsed', 'not removed, after which its message would be a duplicate');
  }
});

it('due jobs are named with the moment since when they are due, the longest due first, and put off', async (at) => {
  const time = await now(at.redis);
  const entry = (id: string, ago: number) => [time - ago, `${id}\nconversation:slack:${id}`];
  await at.redis.zadd(WATCH, ...entry('B', 100), ...entry('A', 200), ...entry('C', -60_000));
  const named = ['A', 'conversation:slack:A', String(time - 200), 'B', 'conversation:slack:B', String(time - 100)];
  assert.equal(await at.call('due', [WATCH], 5_000), named);
  const until = Number(await at.redis.zscore(WATCH, 'A\nconversation:slack:A'));
  assert.ok(until >= time + 5_000 && until <= (await now(at.redis)) + 5_000);
  assert.equal(await at.still('due', [WATCH], 5_000), []);
  assert.is(await at.redis.zcard(WATCH), 3);
});

it('no more are named than the limit, 100 where none is given', async (at) => {
  await at.redis.zadd(WATCH, ...Array.from({ length: 250 }, (_, n) => [n + 1, `j${n}\n${CHANNEL}`]).flat());
  assert.equal(await at.call('due', [WATCH], 60_000, '2'), ['j0', CHANNEL, '1', 'j1', CHANNEL, '2']);
  for (const [named, ...limit] of [[100], [100, ''], [48, '1000']] as const) {
    assert.is(((await at.call('due', [WATCH], 60_000, ...limit)) as string[]).length, 3 * named);
  }
});

it('an empty watch, and an entry that is not a job, name no job', async (at) => {
  assert.equal(await at.still('due', [WATCH], 1), []);
  await at.redis.zadd(WATCH, 1, 'rubbish');
  assert.equal(await at.call('due', [WATCH], 60_000), []);
  assert.equal(await at.still('due', [WATCH], 60_000), []);
});

test.run();
