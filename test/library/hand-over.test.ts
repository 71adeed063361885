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
const HELD = ['claim', [CHANNEL, 'job-index:j3'], THIRD] as const;

it('otherwise it is gone, held or a duplicate, and nothing changes or is told', async (at) => {
  for (const [prepare, next, ...reply] of [
    [[], NEXT, 'gone', null],
    [[HELD], NEXT, 'held', THIRD],
    [[HELD], second({ deliveryId: 'd3' }), 'duplicate', THIRD],
    [[['claim', SECOND, second({ claimId: 'c9' })]], NEXT, 'held', second({ claimId: 'c9' })],
    [
      [
        ['claim', PAIR, json()],
        ['update', PAIR, '{}', 'd2'],
      ],
      second({ deliveryId: 'd2' }),
      'duplicate',
      json(),
    ],
    [
      [
        ['claim', PAIR, json({ deliveryId: 'd2' })],
        ['remove', PAIR],
      ],
      second({ deliveryId: 'd2' }),
      'duplicate',
      null,
    ],
  ] as const) {
    await at.redis.flushall();
    for (const [name, keys, ...args] of prepare) await at.call(name, keys, ...args);
    assert.equal(await at.still('hand_over', TOLD, next, '', 'type', 'stop'), reply);
    // Neither a watch entry of the outgoing job nor an inbox that was read makes a difference.
    if (reply[0] === 'held') await at.redis.zadd(WATCH, 1, `j1\n${CHANNEL}`);
    await at.redis.xadd(INBOX, '1-1', 'text', 'read');
    await at.redis.xdel(INBOX, '1-1');
    assert.equal(await at.still('hand_over', TOLD, next, '', 'type', 'stop'), reply);
  }
});

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

test.run();
