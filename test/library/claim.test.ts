import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, DEFAULT_TTL, JOB, json, PAIR, withLibrary } from '../support/library.ts';

const test = suite('conv_claim');
const it = withLibrary(test);

it('the first claim of a free channel is claimed, and both keys stand', async ({ call, redis }) => {
  assert.equal(await call('conv_claim', PAIR, json()), ['claimed', json()]);
  assert.is(await redis.get(CHANNEL), json());
  assert.is(await redis.get(JOB), CHANNEL);
  assert.is(await redis.dbsize(), 2);
});

it('both keys expire at one millisecond, two hours later unless told otherwise', async ({ call, living, redis }) => {
  await living(DEFAULT_TTL, () => call('conv_claim', PAIR, json()));
  await redis.flushall();
  await living(DEFAULT_TTL, () => call('conv_claim', PAIR, json(), ''));
  await redis.flushall();
  await living(5_000, () => call('conv_claim', PAIR, json(), 5_000));
});

it('the longest time to live is 999999999999 ms', async ({ call, living }) => {
  await living(999_999_999_999, () => call('conv_claim', PAIR, json(), '999999999999'));
});

it('the shortest time to live is 1 ms', async ({ call, redis }) => {
  assert.equal(await call('conv_claim', PAIR, json(), '1'), ['claimed', json()]);
  await sleep(10);
  assert.is(await redis.exists(CHANNEL, JOB), 0);
});

it("another job's claim is held, sees the holder's state and changes nothing", async ({ call, unchanged }) => {
  await call('conv_claim', PAIR, json(), 60_000);
  const other = json({ jobId: 'j2' });
  const reply = await unchanged(() => call('conv_claim', [CHANNEL, 'job-index:j2'], other));
  assert.equal(reply, ['held', json()]);
});

it('a claim is held by a pending question and all, byte for byte', async ({ call, redis }) => {
  await call('conv_claim', PAIR, json());
  const stored = await call('conv_set_pending', PAIR, 'q1');
  const reply = await call('conv_claim', [CHANNEL, 'job-index:j2'], json({ jobId: 'j2' }));
  assert.equal(reply, ['held', stored]);
  assert.is(await redis.get(CHANNEL), stored);
});

it('the same call again is claimed again and changes nothing, whatever else it carries', async ({
  call,
  unchanged,
}) => {
  const stored = json({ transcript: [], claimId: 'c1' });
  await call('conv_claim', PAIR, stored, 60_000);
  const again = () => call('conv_claim', PAIR, json({ userId: 'U2', claimId: 'c1' }), 1_000);
  assert.equal(await unchanged(again), ['claimed', stored]);
});

it('another call for the same job is held, with the stored state, and shortens no deadline', async ({
  call,
  unchanged,
}) => {
  for (const [first, second] of [
    [undefined, undefined],
    ['c1', undefined],
    [undefined, 'c1'],
    ['c1', 'c2'],
  ]) {
    await call('conv_remove', [CHANNEL]);
    await call('conv_claim', PAIR, json({ claimId: first }), 60_000);
    const reply = await unchanged(() => call('conv_claim', PAIR, json({ claimId: second }), 1_000));
    assert.equal(reply, ['held', json({ claimId: first })]);
  }
});

it("another job's claim is held, also with the holder's claim id", async ({ call, unchanged }) => {
  await call('conv_claim', PAIR, json({ claimId: 'c1' }));
  const other = json({ jobId: 'j2', claimId: 'c1' });
  assert.equal(await unchanged(() => call('conv_claim', [CHANNEL, 'job-index:j2'], other)), [
    'held',
    json({ claimId: 'c1' }),
  ]);
});

it('a claim that was abandoned lapses, and the next one is claimed', async ({ call }) => {
  await call('conv_claim', PAIR, json(), 5);
  await sleep(20);
  const other = json({ jobId: 'j2' });
  assert.equal(await call('conv_claim', [CHANNEL, 'job-index:j2'], other), ['claimed', other]);
});

it('a channel is free when its state is gone, even if the index of the last job is not', async ({
  call,
  living,
  redis,
}) => {
  await call('conv_claim', PAIR, json());
  await redis.del(CHANNEL);
  assert.equal(await living(DEFAULT_TTL, () => call('conv_claim', PAIR, json())), ['claimed', json()]);
  await redis.del(CHANNEL);
  const other = json({ jobId: 'j2' });
  assert.equal(await call('conv_claim', [CHANNEL, 'job-index:j2'], other), ['claimed', other]);
  assert.is(await call('conv_get_by_job', [JOB]), null, "the last job's index never leads to another job's state");
});

it('a job whose stale index leads to a channel that another job holds is told so', async ({
  call,
  redis,
  unchanged,
}) => {
  await call('conv_claim', PAIR, json());
  await redis.set('job-index:j2', CHANNEL, 'PX', 60_000);
  const reply = await unchanged(() => call('conv_claim', [CHANNEL, 'job-index:j2'], json({ jobId: 'j2' })));
  assert.equal(reply, ['held', json()]);
});

it('a job that is bound to one channel cannot claim another', async ({ call, refused }) => {
  await call('conv_claim', PAIR, json());
  const other = json({ channelId: 'C2' });
  const message = await refused(() => call('conv_claim', ['conversation:slack:C2', JOB], other));
  assert.match(message, /^CONVJOB .*bound to another conversation/);
});

it('a job that was removed can claim another channel', async ({ call }) => {
  await call('conv_claim', PAIR, json());
  await call('conv_remove', [JOB]);
  const other = json({ channelId: 'C2' });
  assert.equal(await call('conv_claim', ['conversation:slack:C2', JOB], other), ['claimed', other]);
});

it('one job id under two prefixes is two jobs', async ({ call, redis }) => {
  await call('conv_claim', PAIR, json());
  const reply = await call('conv_claim', ['b:conversation:slack:C1', 'b:job-index:j1'], json());
  assert.equal(reply, ['claimed', json()]);
  assert.is(await redis.dbsize(), 4);
});

test.run();
