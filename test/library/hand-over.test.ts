import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HAND_OVER, HANDLED, INBOX, JOB, PAIR, SECOND, STREAM, WATCH } from '../support/keys.ts';
import { DAY, json, type Library, second, withLibrary } from '../support/library.ts';

const test = suite('conv_hand_over');
const it = withLibrary(test);

const NEXT = second();
const TOLD = [...HAND_OVER, STREAM];

/** j1 holds the channel: it is on watch, started by d1, and a message waits in its inbox. */
async function busy({ call }: Library): Promise<void> {
  await call('claim', PAIR, json({ deliveryId: 'd1', silentAfterMs: 60_000 }));
  await call('claim', SECOND, second({ claimId: 'c0', deliveryId: 'd0' }), '', 'text', 'waits');
}

it('the successor has the channel, and the outgoing job ends with its index, watch entry and message', async (at) => {
  await busy(at);
  assert.equal(await at.call('hand_over', HAND_OVER, NEXT), ['claimed', NEXT]);
  assert.equal(await at.redis.mget(CHANNEL, 'job-index:j2', JOB), [NEXT, CHANNEL, null]);
  assert.is(await at.redis.exists(WATCH), 0);
  assert.equal((await at.redis.zrange(HANDLED, '0', '-1')).sort(), ['d0', 'd0\nc0', 'd1']);
  assert.equal(await at.still('remove', PAIR), ['held', NEXT]);
  assert.equal(await at.said(INBOX), ['text waits'], 'which is for the successor');
  assert.equal(await at.still('remove', SECOND), ['waiting', NEXT]);
});

it('the successor is on watch where its state says so, and a starting one until its deadline', async (at) => {
  for (const [starting, due] of [
    [undefined, 5_000],
    [true, 30_000],
  ] as const) {
    await busy(at);
    const next = second({ silentAfterMs: 5_000, starting });
    await at.dueIn(due, () => at.call('hand_over', HAND_OVER, next, 30_000), 'j2');
    assert.is(await at.redis.zcard(WATCH), 1);
    await at.redis.flushall();
  }
});

it('the outgoing job is told in the same step, once, and the same call again returns what is stored by then', async (at) => {
  await at.call('claim', PAIR, json());
  const handOver = () => at.call('hand_over', TOLD, second({ starting: true }), 60_000, 'type', 'stop');
  assert.equal(await at.living(DAY, handOver, [STREAM]), ['claimed', second({ starting: true })]);
  const stored = await at.call('set_pending', SECOND, 'q1');
  assert.equal(await at.unchanged(handOver), ['claimed', stored]);
  assert.equal(await at.said(STREAM), ['type stop']);
});

const THIRD = json({ jobId: 'j3', deliveryId: 'd3' });
const third = ({ call }: Library, state = THIRD) => call('claim', [CHANNEL, 'job-index:j3'], state);

/** What stands; the state that is brought; the outcome and whose state it comes with. */
const REFUSALS: Record<string, [prepare: (at: Library) => Promise<unknown>, next: string, reply: unknown[]]> = {
  'the channel is free and the outgoing job has nothing there': [async () => {}, NEXT, ['gone', null]],
  'all messages of a free channel have been read': [
    async ({ redis }) => {
      await redis.xadd(INBOX, '1-1', 'text', 'read');
      await redis.xdel(INBOX, '1-1');
    },
    NEXT,
    ['gone', null],
  ],
  'another job holds the channel': [third, NEXT, ['held', THIRD]],
  'another job holds the channel, and the outgoing one is still on watch': [
    async (at) => {
      await third(at);
      await at.redis.zadd(WATCH, 1, `j1\n${CHANNEL}`);
    },
    NEXT,
    ['held', THIRD],
  ],
  'another job, started by the same message, holds the channel': [
    third,
    second({ deliveryId: 'd3' }),
    ['duplicate', THIRD],
  ],
  'another claim of the same successor holds the channel': [
    ({ call }) => call('claim', SECOND, second({ claimId: 'c9' })),
    NEXT,
    ['held', second({ claimId: 'c9' })],
  ],
  'the message was handled, and a job holds the channel': [
    async ({ call }) => {
      await call('claim', PAIR, json());
      await call('update', PAIR, '{}', 'd2');
    },
    second({ deliveryId: 'd2' }),
    ['duplicate', json()],
  ],
  'the message was handled, and the channel is free': [
    async ({ call }) => {
      await call('claim', PAIR, json({ deliveryId: 'd2' }));
      await call('remove', PAIR);
    },
    second({ deliveryId: 'd2' }),
    ['duplicate', null],
  ],
};

for (const [name, [prepare, next, reply]] of Object.entries(REFUSALS)) {
  it(`${reply[0]}, and nothing changes or is told: ${name}`, async (at) => {
    await prepare(at);
    assert.equal(await at.still('hand_over', TOLD, next, '', 'type', 'stop'), reply);
  });
}

it('where nobody holds the channel, a job on watch or a message that waits can be taken over', async (at) => {
  for (const leave of [
    () => at.redis.zadd(WATCH, 1, `j1\n${CHANNEL}`),
    () => at.redis.xadd(INBOX, '1-1', 'text', 'waits'),
    async () => {
      await busy(at);
      await at.redis.del(CHANNEL);
    },
  ]) {
    await leave();
    const before = await at.said(INBOX);
    assert.equal(await at.call('hand_over', TOLD, NEXT, '', 'type', 'stop'), ['claimed', NEXT], leave.toString());
    assert.equal(await at.said(INBOX), before);
    assert.equal(await at.said(STREAM), ['type stop']);
    assert.is(await at.redis.exists(JOB, WATCH), 0);
    await at.redis.flushall();
  }
});

it("the outgoing job's index stays where it leads elsewhere", async (at) => {
  await at.call('claim', PAIR, json());
  await at.redis.set(JOB, 'conversation:slack:C2');
  assert.is(await at.outcome('hand_over', HAND_OVER, NEXT), 'claimed');
  assert.is(await at.redis.get(JOB), 'conversation:slack:C2');
});

it('a hand-over wants a claim id', async (at) => {
  await at.call('claim', PAIR, json());
  for (const claimId of [undefined, null]) {
    assert.match(await at.refusal('hand_over', HAND_OVER, second({ claimId })), /^CONVARG .*claimId/);
  }
});

test.run();
