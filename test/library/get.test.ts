import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, INBOX, JOB, PAIR, SECOND } from '../support/keys.ts';
import { DEFAULT_TTL, FENCED, json, REFERENCES, second, withLibrary } from '../support/library.ts';

const test = suite('get and conv_get_by_job');
const it = withLibrary(test);

for (const [form, keys] of Object.entries(REFERENCES)) {
  it(`get ${form}: the state as it is stored, and nothing changes; nil where there is none`, async (at) => {
    const text = ` ${json({ transcript: [] })}\n`;
    assert.is(await at.still('get', keys), null);
    await at.call('set', PAIR, text);
    assert.is(await at.still('get', keys), text);
    assert.is(await at.read('get', keys), text, 'read-only');
  });
}

for (const [form, keys] of Object.entries(FENCED)) {
  it(`get_by_job ${form}: the state as it is stored; nil where there is none, and none comes to be`, async (at) => {
    const text = ` ${json({ transcript: [], starting: false })}\n`;
    assert.is(await at.still('get_by_job', keys), null);
    await at.call('set', PAIR, text);
    assert.is(await at.call('get_by_job', keys), text);
    assert.equal(await at.redis.mget(CHANNEL, JOB), [text, CHANNEL]);
  });

  for (const name of ['get', 'get_by_job']) {
    it(`${name} ${form}: nil for a job that was displaced, and the new job's keys stand`, async (at) => {
      await at.call('set', PAIR, json());
      await at.call('set', SECOND, second(), 60_000);
      assert.is(await at.still(name, keys), null);
      await at.redis.set(JOB, CHANNEL, 'PX', 60_000);
      assert.is(await at.still(name, keys), null, 'not by a stale index either');
    });

    it(`${name} ${form}: nil where only the index is left, which stays as it is`, async (at) => {
      await at.call('set', PAIR, json());
      await at.redis.del(CHANNEL);
      assert.is(await at.still(name, keys), null);
    });
  }

  it(`get_by_job ${form}: what the job says it has read is deleted, and nothing else`, async (at) => {
    await at.call('set', PAIR, json(), 30_000);
    for (const id of ['1-1', '1-2', '2-0', '9-0']) await at.redis.xadd(INBOX, id, 'text', id);
    for (const [lastSeen, left] of [
      ['0-0', ['1-1', '1-2', '2-0', '9-0']],
      ['', ['1-1', '1-2', '2-0', '9-0']],
      ['1-1', ['1-2', '2-0', '9-0']],
      ['1-1', ['1-2', '2-0', '9-0']],
      ['8-5', ['9-0']],
      ['999999999999999-0', []],
    ] as const) {
      const heard = await at.living(60_000, () => at.call('get_by_job', keys, 60_000, lastSeen));
      assert.is(heard, json());
      assert.equal(
        await at.said(INBOX),
        left.map((id) => `text ${id}`),
        `after ${lastSeen}`,
      );
    }
    assert.equal(await at.call('remove', PAIR), ['removed', json()]);
  });

  it(`get_by_job ${form}: a job that does not hold the channel has read nothing`, async (at) => {
    await at.call('set', SECOND, second());
    await at.redis.set(JOB, CHANNEL, 'PX', 60_000);
    await at.redis.xadd(INBOX, '1-1', 'text', 'waits');
    assert.is(await at.still('get_by_job', keys, '', '1-1'), null);
    await at.redis.del(CHANNEL);
    assert.is(await at.still('get_by_job', keys, '', '1-1'), null);
  });
}

it('what comes after everything was read has a later id, also where the clock went back', async (at) => {
  await at.call('set', PAIR, json());
  await at.redis.xadd(INBOX, '99999999999999-5', 'text', 'of tomorrow');
  await at.call('get_by_job', PAIR, '', '99999999999999-5');
  await at.call('claim', SECOND, second({ deliveryId: 'd2' }), '', 'text', 'of today');
  const unread = await at.redis.xrange(INBOX, '(99999999999999-5', '+');
  assert.equal(
    unread.map(([, fields]) => fields),
    [['text', 'of today']],
    'a reader that goes on finds it',
  );
});

it('by channel: get answers whichever job holds it, get_by_job names no job', async (at) => {
  await at.call('set', PAIR, json());
  await at.call('set', SECOND, second());
  assert.is(await at.call('get', [CHANNEL]), second());
  assert.match(await at.refusal('get_by_job', [CHANNEL]), /^CONVKEY a job must be named/);
});

it('get by both keys: the state alone decides, an index that is missing does not matter', async ({ call, redis }) => {
  await call('set', PAIR, json());
  await redis.del(JOB);
  assert.is(await call('get', PAIR), json());
  assert.is(await call('get', [JOB]), null);
});

/** Every call that changes a conversation, whose index is mended on the way. */
const CHANGES: Record<string, [keys: string[], ...args: string[]][]> = {
  get_by_job: [[PAIR]],
  set_pending: [
    [[CHANNEL], 'q1'],
    [PAIR, 'q1'],
    [PAIR, 'q2'],
    [PAIR, ''],
  ],
  answer: [
    [[CHANNEL], 'q1', 'a1'],
    [PAIR, 'q1', 'a1'],
  ],
};

for (const [name, forms] of Object.entries(CHANGES)) {
  it(`${name}: an index that is missing, leads elsewhere or has another deadline comes back`, async (at) => {
    for (const [keys, ...args] of forms) {
      for (const damage of [
        () => at.redis.del(JOB),
        () => at.redis.set(JOB, 'rubbish'),
        () => at.redis.set(JOB, 'conversation:slack:C2'),
        () => at.redis.pexpire(JOB, 5_000),
        () => at.redis.persist(CHANNEL),
      ]) {
        await at.call('set', PAIR, json({ pendingQuestionId: 'q1' }), 60_000);
        await damage();
        await at.living(DEFAULT_TTL, () => at.call(name, keys, ...args));
        assert.is(await at.redis.get(JOB), CHANNEL, damage.toString());
        await at.redis.flushall();
      }
    }
  });
}

test.run();
