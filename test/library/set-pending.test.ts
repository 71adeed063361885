import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, DEFAULT_TTL, FENCED, JOB, json, PAIR, REFERENCES, withLibrary } from '../support/library.ts';

const test = suite('conv_set_pending');
const it = withLibrary(test);

for (const [form, keys] of Object.entries(REFERENCES)) {
  it(`${form}: the question is remembered, and the new state answered`, async ({ call, redis }) => {
    await call('conv_set', PAIR, json());
    assert.is(await call('conv_set_pending', keys, 'q1'), json({ pendingQuestionId: 'q1' }));
    assert.is(await redis.get(CHANNEL), json({ pendingQuestionId: 'q1' }));
    assert.is(await redis.get(JOB), CHANNEL);
  });

  it(`${form}: both deadlines move together`, async ({ call, living }) => {
    await call('conv_set', PAIR, json(), 1_000);
    await living(DEFAULT_TTL, () => call('conv_set_pending', keys, 'q1'));
    await living(60_000, () => call('conv_set_pending', keys, 'q2', 60_000));
    await living(DEFAULT_TTL, () => call('conv_set_pending', keys, 'q2', ''));
    await living(999_999_999_999, () => call('conv_set_pending', keys, '', '999999999999'));
  });

  it(`${form}: another question replaces it, an empty one clears it`, async ({ call }) => {
    await call('conv_set', PAIR, json());
    await call('conv_set_pending', keys, 'q1');
    assert.is(await call('conv_set_pending', keys, 'q2'), json({ pendingQuestionId: 'q2' }));
    assert.is(await call('conv_set_pending', keys, ''), json({ pendingQuestionId: null }));
  });

  it(`${form}: sent twice, it answers the same and renews`, async ({ call, living, redis }) => {
    await call('conv_set', PAIR, json());
    const once = await call('conv_set_pending', keys, 'q1', 1_000);
    assert.is(await living(60_000, () => call('conv_set_pending', keys, 'q1', 60_000)), once);
    assert.is(await redis.get(CHANNEL), once);
    const cleared = await call('conv_set_pending', keys, '', 1_000);
    assert.is(await living(60_000, () => call('conv_set_pending', keys, '', 60_000)), cleared);
  });

  it(`${form}: nil where there is no conversation, and none comes to be`, async ({ call, dump }) => {
    assert.is(await call('conv_set_pending', keys, 'q1'), null);
    assert.is(await call('conv_set_pending', keys, ''), null);
    assert.equal(await dump(), {});
  });

  it(`${form}: differing deadlines come together`, async ({ call, living, redis }) => {
    await call('conv_set', PAIR, json());
    await redis.pexpire(JOB, 5_000);
    await living(DEFAULT_TTL, () => call('conv_set_pending', keys, 'q1'));
    await redis.persist(CHANNEL);
    await living(DEFAULT_TTL, () => call('conv_set_pending', keys, 'q1'));
  });
}

for (const [form, keys] of Object.entries(FENCED)) {
  it(`${form}: nil for a job that was displaced, and the new job's keys stand`, async ({ call, redis, unchanged }) => {
    await call('conv_set', PAIR, json());
    await call('conv_set', [CHANNEL, 'job-index:j2'], json({ jobId: 'j2' }), 60_000);
    assert.is(await unchanged(() => call('conv_set_pending', keys, 'q1')), null);
    await redis.set(JOB, CHANNEL, 'PX', 60_000);
    assert.is(await unchanged(() => call('conv_set_pending', keys, 'q1')), null, 'not by a stale index either');
  });
}

for (const keys of [[CHANNEL], PAIR]) {
  it(`with ${keys.length} keys: an index that is missing comes back`, async ({ call, living, redis }) => {
    await call('conv_set', PAIR, json());
    for (const [damage, questionId] of [
      ['missing', 'q1'],
      ['missing', 'q1'],
      ['elsewhere', 'q2'],
    ] as const) {
      if (damage === 'missing') await redis.del(JOB);
      else await redis.set(JOB, 'conversation:slack:C2');
      await living(DEFAULT_TTL, () => call('conv_set_pending', keys, questionId));
      assert.is(await redis.get(JOB), CHANNEL, damage);
    }
  });
}

it('by channel: the question of whichever job holds it', async ({ call, living }) => {
  await call('conv_set', PAIR, json());
  await call('conv_set', [CHANNEL, 'job-index:j2'], json({ jobId: 'j2' }));
  const ask = () => call('conv_set_pending', [CHANNEL], 'q1');
  const both = [CHANNEL, 'job-index:j2'];
  assert.is(await living(DEFAULT_TTL, ask, both), json({ jobId: 'j2', pendingQuestionId: 'q1' }));
});

it('a question id of 1024 bytes, with quotes, backslashes and characters of any script, is kept', async ({
  call,
  redis,
}) => {
  await call('conv_set', PAIR, json());
  for (const id of ['"', '\\', '\\"', '\\u0041', 'é€😀\u2028', '/', ' ', '{"a":[', 'x'.repeat(1024), 'é'.repeat(512)]) {
    const text = String(await call('conv_set_pending', PAIR, id));
    assert.is(JSON.parse(text).pendingQuestionId, id);
    assert.is(await redis.get(CHANNEL), text);
    assert.is(await call('conv_set_pending', PAIR, id), text, 'and known again');
  }
});

it('a state of 256 KiB may become a byte shorter, but not a byte longer', async ({ call, refused }) => {
  const empty = json({ pendingQuestionId: 'ab', note: '' });
  const full = json({ pendingQuestionId: 'ab', note: 'n'.repeat(262_144 - empty.length) });
  await call('conv_set', PAIR, full);
  const message = await refused(() => call('conv_set_pending', PAIR, 'abc'));
  assert.match(message, /^CONVSTATE .*262145 bytes.*262144/);
  assert.is(String(await call('conv_set_pending', PAIR, 'a')).length, 262_143);
  assert.is(String(await call('conv_set_pending', PAIR, 'ab')).length, 262_144);
});

test.run();
