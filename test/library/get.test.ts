import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, FENCED, JOB, json, PAIR, REFERENCES, withLibrary } from '../support/library.ts';

const test = suite('conv_get');
const it = withLibrary(test);

for (const [form, keys] of Object.entries(REFERENCES)) {
  it(`${form}: the state as it is stored, and nothing changes`, async ({ call, unchanged }) => {
    const text = ` ${json({ transcript: [] })}\n`;
    await call('conv_set', PAIR, text);
    assert.is(await unchanged(() => call('conv_get', keys)), text);
  });

  it(`${form}: nil where there is no conversation`, async ({ call, dump }) => {
    assert.is(await call('conv_get', keys), null);
    assert.equal(await dump(), {});
  });

  it(`${form}: it can be called read-only`, async ({ call, read }) => {
    await call('conv_set', PAIR, json());
    assert.is(await read('conv_get', keys), json());
  });
}

for (const [form, keys] of Object.entries(FENCED)) {
  it(`${form}: nil for a job that was displaced`, async ({ call, redis }) => {
    await call('conv_set', PAIR, json());
    await call('conv_set', [CHANNEL, 'job-index:j2'], json({ jobId: 'j2' }));
    assert.is(await call('conv_get', keys), null);
    await redis.set(JOB, CHANNEL);
    assert.is(await call('conv_get', keys), null, 'not by a stale index either');
  });
}

it('by channel: whichever job holds it', async ({ call }) => {
  await call('conv_set', PAIR, json());
  const next = json({ jobId: 'j2' });
  await call('conv_set', [CHANNEL, 'job-index:j2'], next);
  assert.is(await call('conv_get', [CHANNEL]), next);
});

it('by job: nil where only the index is left', async ({ call, redis }) => {
  await call('conv_set', PAIR, json());
  await redis.del(CHANNEL);
  assert.is(await call('conv_get', [JOB]), null);
});

it('by both keys: the state alone decides, an index that is missing does not matter', async ({ call, redis }) => {
  await call('conv_set', PAIR, json());
  await redis.del(JOB);
  assert.is(await call('conv_get', PAIR), json());
  assert.is(await call('conv_get', [JOB]), null);
});

test.run();
