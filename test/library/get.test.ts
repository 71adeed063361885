import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, INBOX, JOB, PAIR, SECOND } from '../support/keys.ts';
import { DEFAULT_TTL, FENCED, json, REFERENCES, second, withLibrary } from '../support/library.ts';

// What a job that was displaced reads is in defects.test.ts, what is renewed in renewals.test.ts.

const test = suite('conv_get and conv_get_by_job');
const it = withLibrary(test);

const TEXT = ` ${json({ transcript: [], starting: false })}\n`;

it('get returns the state as it is stored and changes nothing, nil where there is none', async (at) => {
  for (const keys of Object.values(REFERENCES)) assert.is(await at.still('get', keys), null);
  await at.call('set', PAIR, TEXT);
  for (const keys of Object.values(REFERENCES)) {
    assert.is(await at.still('get', keys), TEXT);
    assert.is(await at.read('get', keys), TEXT, 'read-only');
  }
  await at.redis.del(JOB);
  assert.is(await at.call('get', PAIR), TEXT, 'the state alone decides, not its index');
});

it('get_by_job returns the state as it is stored; nil where there is none, also with an index that is left', async (at) => {
  for (const keys of Object.values(FENCED)) {
    assert.is(await at.still('get_by_job', keys), null);
    await at.call('set', PAIR, TEXT);
    assert.is(await at.call('get_by_job', keys), TEXT);
    assert.equal(await at.redis.mget(CHANNEL, JOB), [TEXT, CHANNEL]);
    await at.redis.del(CHANNEL);
    assert.is(await at.still('get_by_job', keys), null);
    assert.is(await at.still('get_by_job', keys, '', '1-1'), null);
  }
});

it('what the job says it has read is deleted, and nothing else', async (at) => {
  await at.call('set', PAIR, json(), 30_000);
  for (const id of ['1-1', '1-2', '2-0', '9-0']) await at.redis.xadd(INBOX, id, 'id', id);
  for (const [lastSeen, ...left] of [
    ['0-0', '1-1', '1-2', '2-0', '9-0'],
    ['', '1-1', '1-2', '2-0', '9-0'],
    ['1-1', '1-2', '2-0', '9-0'],
    ['1-1', '1-2', '2-0', '9-0'],
    ['8-5', '9-0'],
    ['999999999999999-0'],
  ] as const) {
    assert.is(await at.living(60_000, () => at.call('get_by_job', PAIR, 60_000, lastSeen)), json());
    assert.is((await at.said(INBOX)).join().replaceAll('id ', ''), left.join(), `after ${lastSeen}`);
  }
});

it('what comes after everything was read has a later id, also where the clock went back', async (at) => {
  await at.call('set', PAIR, json());
  await at.redis.xadd(INBOX, '99999999999999-5', 'text', 'of tomorrow');
  await at.call('get_by_job', PAIR, '', '99999999999999-5');
  await at.call('claim', SECOND, second({ deliveryId: 'd2' }), '', 'text', 'of today');
  const unread = await at.redis.xrange(INBOX, '(99999999999999-5', '+');
  assert.equal(unread[0]?.[1], ['text', 'of today'], 'a reader that goes on finds it');
});

it('an index that is missing, leads elsewhere or has another deadline comes back with every renewal', async (at) => {
  for (const [name, keys, ...args] of [
    ['get_by_job', PAIR],
    ['set_pending', [CHANNEL], 'q1'],
    ['set_pending', PAIR, 'q1'],
    ['set_pending', PAIR, 'q2'],
    ['set_pending', PAIR, ''],
    ['answer', [CHANNEL], 'q1', 'a1'],
    ['answer', PAIR, 'q1', 'a1'],
  ] as const) {
    for (const damage of [
      () => at.redis.del(JOB),
      () => at.redis.set(JOB, 'rubbish'),
      () => at.redis.set(JOB, 'conversation:slack:C2'),
      () => at.redis.pexpire(JOB, 5_000),
      () => at.redis.persist(CHANNEL),
    ]) {
      await at.redis.flushall();
      await at.call('set', PAIR, json({ pendingQuestionId: 'q1' }), 60_000);
      await damage();
      await at.living(DEFAULT_TTL, () => at.call(name, keys, ...args));
      assert.is(await at.redis.get(JOB), CHANNEL, `${name} ${damage}`);
    }
  }
});

test.run();
