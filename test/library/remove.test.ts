import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HANDLED, INBOX, JOB, PAIR, SECOND, WATCH } from '../support/keys.ts';
import { FENCED, json, type Library, REFERENCES, second, withLibrary } from '../support/library.ts';

// A job that was displaced, or that lapsed, is in defects.test.ts and dispatcher-defects.test.ts.

const test = suite('conv_remove');
const it = withLibrary(test);

const CLAIMED = json({ deliveryId: 'd1', silentAfterMs: 60_000, starting: true });

/** A conversation of j1 on watch, whose inbox holds a message. */
async function busy({ call, redis }: Library, changes = {}): Promise<string> {
  const state = json({ deliveryId: 'd1', silentAfterMs: 60_000, ...changes });
  await call('set', PAIR, state);
  await redis.xadd(INBOX, '1-1', 'text', 'waits');
  return state;
}

for (const [form, keys] of Object.entries(REFERENCES)) {
  it(`${form}: all that is the conversation's goes; its message is handled, unless it is removed with retry`, async (at) => {
    await at.call('set', ['conversation:slack:C2', 'job-index:j2'], json({ jobId: 'j2', channelId: 'C2' }));
    await at.call('set', ['b:conversation:slack:C1', 'b:job-index:j1'], json());
    const before = await at.dump();
    for (const [handled, ...args] of [[['d1']], [['d1'], ''], [['d1'], 'all'], [[], 'retry']] as const) {
      const text = ` ${CLAIMED.replace('{', '{"transcript":[],')}\n`;
      await at.call('claim', PAIR, text);
      await at.redis.xadd(INBOX, '1-1', 'text', 'read');
      await at.redis.xdel(INBOX, '1-1');
      assert.equal(await at.call('remove', keys, ...args), ['removed', text]);
      assert.equal(await at.still('remove', keys, ...args), ['gone', null]);
      assert.equal(await at.redis.zrange(HANDLED, '0', '-1'), handled);
      await at.redis.del(HANDLED);
      assert.equal(await at.dump(), before, 'what belongs to other conversations stays, an inbox that was read goes');
    }
  });

  it(`${form}: while a message waits nothing goes, with or without retry, unless all may go`, async (at) => {
    const heard = await busy(at, { starting: false });
    assert.equal(
      await at.still('remove', keys, 'retry'),
      ['held', heard],
      'it was heard of, so it is not one to retry',
    );
    await at.redis.del(INBOX);
    assert.equal(await at.still('remove', keys, 'retry'), ['held', heard]);
    const state = await busy(at);
    for (const args of [[], [''], ['retry']]) {
      assert.equal(await at.still('remove', keys, ...args), ['waiting', state]);
    }
    assert.equal(await at.call('remove', keys, 'all'), ['removed', state]);
    assert.equal(Object.keys(await at.dump()), [HANDLED]);
  });
}

it('of a job that was displaced, only the stale index goes, whatever may go', async (at) => {
  await at.call('set', SECOND, second());
  await at.redis.xadd(INBOX, '1-1', 'text', 'for j2');
  const before = await at.dump();
  for (const keys of Object.values(FENCED)) {
    for (const args of [[], ['retry'], ['all']]) {
      await at.redis.set(JOB, CHANNEL);
      assert.equal(await at.call('remove', keys, ...args), ['held', second()]);
      assert.equal(await at.dump(), before);
    }
  }
});

it('where nobody holds the channel and a message waits, any job is told so, and only what may go goes', async (at) => {
  for (const isOnWatch of [true, false]) {
    await busy(at);
    await at.redis.del(CHANNEL);
    if (!isOnWatch) await at.redis.del(WATCH);
    for (const keys of [PAIR, SECOND, [JOB], [CHANNEL]]) {
      for (const args of [[], ['retry']]) {
        assert.equal(await at.still('remove', keys, ...args), ['waiting', null], keys.join(' '));
      }
    }
    assert.equal(await at.call('remove', PAIR, 'all'), [isOnWatch ? 'lapsed' : 'gone', null]);
    assert.equal(await at.dump(), {});
  }
});

it('by its index alone a lapsed job is known while the index leads to its channel, and gone after that', async (at) => {
  await at.call('claim', PAIR, CLAIMED);
  await at.redis.del(CHANNEL);
  assert.equal(await at.call('remove', [JOB]), ['lapsed', null]);
  await at.call('claim', PAIR, CLAIMED);
  await at.redis.del(...PAIR);
  assert.equal(await at.still('remove', [JOB]), ['gone', null]);
  assert.equal(await at.call('remove', PAIR), ['lapsed', null]);
});

it('an index that leads to another channel stays', async ({ call, redis }) => {
  for (const keys of [[CHANNEL], PAIR]) {
    await call('set', PAIR, json());
    await redis.set(JOB, 'conversation:slack:C2');
    assert.equal(await call('remove', keys), ['removed', json()]);
    assert.equal(await call('remove', keys), ['gone', null]);
    await call('set', SECOND, second());
    assert.equal(await call('remove', PAIR), ['held', second()]);
    assert.is(await redis.get(JOB), 'conversation:slack:C2');
    await redis.flushall();
  }
});

it('what cannot be read is removed by channel, whatever waits; by job it is refused and stays', async (at) => {
  for (const text of ['{"jobId":', '{}', '[]', '', json({ channelId: 'C2' })]) {
    for (const [left, ...args] of [[true], [true, 'retry'], [false, 'all']] as const) {
      await at.redis.mset(CHANNEL, text, JOB, CHANNEL);
      await at.redis.xadd(INBOX, '1-1', 'text', 'waits');
      for (const keys of Object.values(FENCED)) {
        assert.match(String(await at.unchanged(() => at.refusal('remove', keys, ...args))), /^CONVCORRUPT /);
      }
      assert.equal(await at.call('remove', [CHANNEL], ...args), ['removed', text]);
      assert.equal(Object.keys(await at.dump()), [...(left ? [INBOX] : []), JOB]);
      await at.redis.flushall();
    }
  }
});

test.run();
