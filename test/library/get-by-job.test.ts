import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, DEFAULT_TTL, FENCED, JOB, json, PAIR, withLibrary } from '../support/library.ts';

const test = suite('conv_get_by_job');
const it = withLibrary(test);

for (const [form, keys] of Object.entries(FENCED)) {
  it(`${form}: the state as it is stored, both deadlines renewed`, async ({ call, living, redis }) => {
    const text = ` ${json({ transcript: [] })}\n`;
    await call('conv_set', PAIR, text, 1_000);
    assert.is(await living(DEFAULT_TTL, () => call('conv_get_by_job', keys)), text);
    assert.is(await living(60_000, () => call('conv_get_by_job', keys, 60_000)), text);
    assert.is(await living(DEFAULT_TTL, () => call('conv_get_by_job', keys, '')), text);
    assert.is(await living(999_999_999_999, () => call('conv_get_by_job', keys, '999999999999')), text);
    assert.is(await redis.get(CHANNEL), text);
    assert.is(await redis.get(JOB), CHANNEL);
  });

  it(`${form}: nil where there is no conversation, and none comes to be`, async ({ call, dump }) => {
    assert.is(await call('conv_get_by_job', keys), null);
    assert.equal(await dump(), {});
  });

  it(`${form}: nil for a job that was displaced, and the new job's keys stand`, async ({ call, redis, unchanged }) => {
    await call('conv_set', PAIR, json());
    await call('conv_set', [CHANNEL, 'job-index:j2'], json({ jobId: 'j2' }), 60_000);
    assert.is(await unchanged(() => call('conv_get_by_job', keys)), null);
    await redis.set(JOB, CHANNEL, 'PX', 60_000);
    assert.is(await unchanged(() => call('conv_get_by_job', keys)), null, 'not by a stale index either');
  });

  it(`${form}: differing deadlines come together`, async ({ call, living, redis }) => {
    await call('conv_set', PAIR, json());
    await redis.pexpire(JOB, 5_000);
    await living(DEFAULT_TTL, () => call('conv_get_by_job', keys));
    await redis.persist(CHANNEL);
    await living(DEFAULT_TTL, () => call('conv_get_by_job', keys));
  });

  it(`${form}: nil where only the index is left, which stays as it is`, async ({ call, redis, unchanged }) => {
    await call('conv_set', PAIR, json());
    await redis.del(CHANNEL);
    assert.is(await unchanged(() => call('conv_get_by_job', keys)), null);
  });
}

it('by both keys: an index that is missing comes back', async ({ call, living, redis }) => {
  await call('conv_set', PAIR, json());
  await redis.del(JOB);
  assert.is(await living(60_000, () => call('conv_get_by_job', PAIR, 60_000)), json());
  assert.is(await redis.get(JOB), CHANNEL);
});

it('by both keys: an index that leads elsewhere comes back', async ({ call, living, redis }) => {
  await call('conv_set', PAIR, json());
  await redis.set(JOB, 'rubbish');
  assert.is(await living(60_000, () => call('conv_get_by_job', PAIR, 60_000)), json());
  assert.is(await redis.get(JOB), CHANNEL);
});

it('a channel alone names no job', async ({ call, refused }) => {
  await call('conv_set', PAIR, json());
  assert.match(await refused(() => call('conv_get_by_job', [CHANNEL])), /^CONVKEY a job must be named/);
});

test.run();
