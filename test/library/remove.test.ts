import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, FENCED, JOB, json, PAIR, REFERENCES, withLibrary } from '../support/library.ts';

const test = suite('conv_remove');
const it = withLibrary(test);

const second = json({ jobId: 'j2' });

for (const [form, keys] of Object.entries(REFERENCES)) {
  it(`${form}: both keys go, and what stood there is answered`, async ({ call, dump }) => {
    const text = ` ${json({ transcript: [] })}\n`;
    await call('conv_set', PAIR, text);
    assert.equal(await call('conv_remove', keys), ['removed', text]);
    assert.equal(await dump(), {});
  });

  it(`${form}: a second time it is gone`, async ({ call, dump }) => {
    await call('conv_set', PAIR, json());
    await call('conv_remove', keys);
    assert.equal(await call('conv_remove', keys), ['gone', null]);
    assert.equal(await dump(), {});
  });

  it(`${form}: what belongs to other conversations stays`, async ({ call, dump }) => {
    await call('conv_set', ['conversation:slack:C2', 'job-index:j2'], json({ jobId: 'j2', channelId: 'C2' }));
    await call('conv_set', ['b:conversation:slack:C1', 'b:job-index:j1'], json());
    const before = await dump();
    await call('conv_set', PAIR, json());
    await call('conv_remove', keys);
    assert.equal(await dump(), before);
  });
}

for (const [form, keys] of Object.entries(FENCED)) {
  it(`${form}: a job that was displaced is told who holds the channel, and nothing goes`, async ({
    call,
    redis,
    unchanged,
  }) => {
    await call('conv_set', PAIR, json());
    await call('conv_set', [CHANNEL, 'job-index:j2'], second);
    const reply = await unchanged(() => call('conv_remove', keys));
    assert.equal(reply, form === 'by job' ? ['gone', null] : ['held', second], 'by job alone, its index went before');

    const before = { ...(await redis.mget(CHANNEL, 'job-index:j2')) };
    await redis.set(JOB, CHANNEL);
    assert.equal(await call('conv_remove', keys), ['held', second]);
    assert.is(await redis.exists(JOB), 0, 'a stale index goes');
    assert.equal({ ...(await redis.mget(CHANNEL, 'job-index:j2')) }, before);
    assert.is(await redis.dbsize(), 2);
  });

  it(`${form}: where only the index is left it is gone, and the index goes`, async ({ call, dump, redis }) => {
    await call('conv_set', PAIR, json());
    await redis.del(CHANNEL);
    assert.equal(await call('conv_remove', keys), ['gone', null]);
    assert.equal(await dump(), {});
  });
}

it('by both keys: an index that leads to another channel stays', async ({ call, redis }) => {
  await call('conv_set', PAIR, json());
  await redis.set(JOB, 'conversation:slack:C2');
  assert.equal(await call('conv_remove', PAIR), ['removed', json()]);
  assert.is(await redis.get(JOB), 'conversation:slack:C2');
  assert.equal(await call('conv_remove', PAIR), ['gone', null]);
  assert.is(await redis.get(JOB), 'conversation:slack:C2');
  await call('conv_set', [CHANNEL, 'job-index:j2'], second);
  assert.equal(await call('conv_remove', PAIR), ['held', second]);
  assert.is(await redis.get(JOB), 'conversation:slack:C2');
});

it("by channel: the holder's index goes, wherever it leads elsewhere it stays", async ({ call, dump, redis }) => {
  await call('conv_set', PAIR, json());
  await redis.set(JOB, 'conversation:slack:C2');
  assert.equal(await call('conv_remove', [CHANNEL]), ['removed', json()]);
  assert.equal(Object.keys(await dump()), [JOB]);
});

it('by channel or both keys: a missing index does no harm', async ({ call, dump, redis }) => {
  for (const keys of [[CHANNEL], PAIR]) {
    await call('conv_set', PAIR, json());
    await redis.del(JOB);
    assert.equal(await call('conv_remove', keys), ['removed', json()]);
    assert.equal(await dump(), {});
  }
});

for (const [name, text] of Object.entries({
  'no JSON': '{"jobId":',
  'no state': '{}',
  'an array': '[]',
  empty: '',
  'the state of another channel': json({ channelId: 'C2' }),
})) {
  it(`by channel: what can not be read because it is ${name} is removed`, async ({ call, dump, redis }) => {
    await redis.set(CHANNEL, text);
    assert.equal(await call('conv_remove', [CHANNEL]), ['removed', text]);
    assert.equal(await dump(), {});
  });

  it(`by job: what can not be read because it is ${name} stays`, async ({ call, redis, refused }) => {
    await redis.set(CHANNEL, text);
    await redis.set(JOB, CHANNEL);
    for (const keys of Object.values(FENCED)) {
      assert.match(await refused(() => call('conv_remove', keys)), /^CONVCORRUPT /);
    }
  });
}

it("by channel: the index of another channel's state stays", async ({ call, redis }) => {
  await call('conv_set', ['conversation:slack:C2', JOB], json({ channelId: 'C2' }));
  await redis.copy('conversation:slack:C2', CHANNEL);
  await call('conv_remove', [CHANNEL]);
  assert.is(await call('conv_get', [JOB]), json({ channelId: 'C2' }));
});

test.run();
