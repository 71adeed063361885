import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HANDLED, INBOX, JOB, PAIR, SECOND, WATCH } from '../support/keys.ts';
import { FENCED, json, type Library, REFERENCES, second, withLibrary } from '../support/library.ts';

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
  it(`${form}: both keys and the watch entry go, what stood there is answered, a second time it is gone`, async (at) => {
    await at.call('set', ['conversation:slack:C2', 'job-index:j2'], json({ jobId: 'j2', channelId: 'C2' }));
    await at.call('set', ['b:conversation:slack:C1', 'b:job-index:j1'], json());
    const before = await at.dump();
    for (const args of [[], [''], ['retry'], ['all']]) {
      const text = ` ${json({ transcript: [], silentAfterMs: 60_000 })}\n`;
      await at.call('set', PAIR, text);
      assert.equal(await at.call('remove', keys, ...args), ['removed', text]);
      assert.equal(await at.call('remove', keys, ...args), ['gone', null]);
      assert.equal(await at.dump(), before, 'what belongs to other conversations stays');
    }
  });

  it(`${form}: while a message waits nothing goes, with or without retry, unless all may go`, async (at) => {
    const state = await busy(at);
    for (const args of [[], [''], ['retry']]) {
      assert.equal(await at.still('remove', keys, ...args), ['waiting', state]);
    }
    assert.equal(await at.call('remove', keys, 'all'), ['removed', state]);
    assert.equal(Object.keys(await at.dump()), [HANDLED]);
  });

  it(`${form}: an inbox whose messages have all been read does not wait, and goes`, async (at) => {
    const state = await busy(at);
    await at.redis.xdel(INBOX, '1-1');
    assert.equal(await at.call('remove', keys), ['removed', state]);
    assert.equal(Object.keys(await at.dump()), [HANDLED]);
  });

  it(`${form}: the message of the job is handled, unless it is removed with retry`, async (at) => {
    for (const [args, isHandled] of [
      [[], true],
      [['all'], true],
      [['retry'], false],
    ] as const) {
      await at.call('claim', PAIR, CLAIMED);
      assert.equal(await at.call('remove', keys, ...args), ['removed', CLAIMED]);
      assert.equal(await at.redis.zrange(HANDLED, '0', '-1'), isHandled ? ['d1'] : []);
      await at.redis.flushall();
    }
  });

  it(`${form}: a job that was heard of is not removed with retry, whatever waits`, async (at) => {
    const state = await busy(at, { starting: false });
    assert.equal(await at.still('remove', keys, 'retry'), ['held', state]);
    await at.redis.del(INBOX);
    assert.equal(await at.still('remove', keys, 'retry'), ['held', state]);
    assert.equal(await at.call('remove', keys), ['removed', state]);
  });
}

for (const [form, keys] of Object.entries(FENCED)) {
  it(`${form}: a job that was displaced is told who holds the channel; only its stale index goes`, async (at) => {
    await at.call('set', PAIR, json());
    await at.call('set', SECOND, second());
    await at.redis.xadd(INBOX, '1-1', 'text', 'for j2');
    const before = await at.dump();
    for (const args of [[], ['retry'], ['all']]) {
      const reply = await at.call('remove', keys, ...args);
      assert.equal(
        reply,
        form === 'by job' ? ['gone', null] : ['held', second()],
        'by job alone, its index went before',
      );
      await at.redis.set(JOB, CHANNEL);
      assert.equal(await at.call('remove', keys, ...args), ['held', second()]);
      assert.equal(await at.dump(), before);
    }
  });

  it(`${form}: where only the index is left it is gone, and the index goes`, async ({ call, redis, dump }) => {
    await call('set', PAIR, json());
    await redis.del(CHANNEL);
    assert.equal(await call('remove', keys), ['gone', null]);
    assert.equal(await dump(), {});
  });
}

it('a job that lapsed is told once, with whatever holds its channel now, and its message is not handled', async (at) => {
  for (const holder of [null, second()]) {
    await at.call('claim', PAIR, CLAIMED);
    await at.redis.del(CHANNEL);
    if (holder) await at.call('claim', SECOND, holder);
    assert.equal(await at.call('remove', PAIR), ['lapsed', holder]);
    assert.equal(await at.still('remove', PAIR), [holder ? 'held' : 'gone', holder]);
    assert.equal(Object.keys(await at.dump()), holder ? [CHANNEL, 'job-index:j2'] : []);
  }
});

it('where nobody holds the channel and a message waits, any job is told so, and all that goes is what may go', async (at) => {
  for (const isOnWatch of [true, false]) {
    await busy(at);
    await at.redis.del(CHANNEL);
    if (!isOnWatch) await at.redis.del(WATCH);
    for (const keys of [PAIR, SECOND, [JOB], [CHANNEL]]) {
      for (const args of [[], ['retry']]) {
        const remove = () => at.call('remove', keys, ...args);
        assert.equal(await at.unchanged(remove), ['waiting', null], keys.join(' '));
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

it('by both keys: an index that leads to another channel stays', async ({ call, redis }) => {
  await call('set', PAIR, json());
  await redis.set(JOB, 'conversation:slack:C2');
  assert.equal(await call('remove', PAIR), ['removed', json()]);
  assert.equal(await call('remove', PAIR), ['gone', null]);
  await call('set', SECOND, second());
  assert.equal(await call('remove', PAIR), ['held', second()]);
  assert.is(await redis.get(JOB), 'conversation:slack:C2');
});

it("by channel: the holder's index goes, but where it leads elsewhere it stays", async ({ call, redis, dump }) => {
  await call('set', PAIR, json());
  await redis.set(JOB, 'conversation:slack:C2');
  assert.equal(await call('remove', [CHANNEL]), ['removed', json()]);
  assert.equal(Object.keys(await dump()), [JOB]);
});

it('by channel or both keys: a missing index does no harm', async ({ call, redis, dump }) => {
  for (const keys of [[CHANNEL], PAIR]) {
    await call('set', PAIR, json());
    await redis.del(JOB);
    assert.equal(await call('remove', keys), ['removed', json()]);
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
  it(`what cannot be read because it is ${name} is removed by channel, whatever waits, and by job it stays`, async (at) => {
    for (const [args, left] of [
      [[], true],
      [['retry'], true],
      [['all'], false],
    ] as const) {
      await at.redis.mset(CHANNEL, text, JOB, CHANNEL);
      await at.redis.xadd(INBOX, '1-1', 'text', 'waits');
      for (const keys of Object.values(FENCED)) {
        assert.match(await at.refusal('remove', keys, ...args), /^CONVCORRUPT /);
      }
      assert.equal(await at.call('remove', [CHANNEL], ...args), ['removed', text]);
      assert.equal(Object.keys(await at.dump()), [...(left ? [INBOX] : []), JOB]);
      await at.redis.del(INBOX);
    }
  });
}

it("by channel: the index of another channel's state stays", async ({ call, redis }) => {
  await call('set', ['conversation:slack:C2', JOB], json({ channelId: 'C2' }));
  await redis.copy('conversation:slack:C2', CHANNEL);
  await call('remove', [CHANNEL]);
  assert.is(await call('get', [JOB]), json({ channelId: 'C2' }));
});

it('what may be said of a removal is retry or all', async (at) => {
  await at.call('set', PAIR, json());
  for (const word of ['1', '0', 'yes', 'ALL', ' retry', 'retry,all']) {
    const message = await at.refusal('remove', PAIR, word);
    assert.match(message, /^CONVARG .*retry.*all/, word);
  }
});

test.run();
