import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, DEFAULT_TTL, JOB, json, PAIR, withLibrary } from '../support/library.ts';

const test = suite('conv_set');
const it = withLibrary(test);

const SECOND = [CHANNEL, 'job-index:j2'];
const second = json({ jobId: 'j2' });

it('the first state of a channel answers nil, and both keys stand', async ({ call, redis }) => {
  assert.is(await call('conv_set', PAIR, json()), null);
  assert.is(await redis.get(CHANNEL), json());
  assert.is(await redis.get(JOB), CHANNEL);
  assert.is(await redis.dbsize(), 2);
});

it('both keys expire at one millisecond, two hours later unless told otherwise', async ({ call, living }) => {
  await living(DEFAULT_TTL, () => call('conv_set', PAIR, json()));
  await living(5_000, () => call('conv_set', PAIR, json(), 5_000));
  await living(DEFAULT_TTL, () => call('conv_set', PAIR, json(), ''));
  await living(999_999_999_999, () => call('conv_set', PAIR, json(), '999999999999'));
});

it('the last write wins and answers what stood there', async ({ call, redis }) => {
  await call('conv_set', PAIR, json());
  const next = json({ ticketId: 13 });
  assert.is(await call('conv_set', PAIR, next), json());
  assert.is(await redis.get(CHANNEL), next);
  assert.is(await redis.dbsize(), 2);
});

it('what is stored is what was given, byte for byte', async ({ call, redis }) => {
  const text = ` ${json().replace(':12,', ': 12.00 ,')}\n`;
  await call('conv_set', PAIR, text);
  assert.is(await redis.get(CHANNEL), text);
});

it('another job takes the channel over, and the index of the displaced job goes', async ({ call, living, redis }) => {
  await call('conv_set', PAIR, json());
  assert.is(await living(DEFAULT_TTL, () => call('conv_set', SECOND, second), SECOND), json());
  assert.is(await redis.get(CHANNEL), second);
  assert.is(await redis.get('job-index:j2'), CHANNEL);
  assert.is(await redis.exists(JOB), 0);
});

it('a job whose id looks like a pattern for that of the holder displaces it all the same', async ({ call, redis }) => {
  await call('conv_set', PAIR, json());
  await call('conv_set', [CHANNEL, 'job-index:j.'], json({ jobId: 'j.' }));
  assert.is(await redis.exists(JOB), 0);
});

it('the index of a displaced job stays where it leads elsewhere', async ({ call, redis }) => {
  await call('conv_set', PAIR, json());
  await redis.set(JOB, 'conversation:slack:C2');
  await call('conv_set', SECOND, second);
  assert.is(await redis.get(JOB), 'conversation:slack:C2');
});

it('a displaced job without an index does no harm', async ({ call, redis }) => {
  await call('conv_set', PAIR, json());
  await redis.del(JOB);
  assert.is(await call('conv_set', SECOND, second), json());
  assert.is(await redis.dbsize(), 2);
});

it('a job takes its channel back', async ({ call, redis }) => {
  await call('conv_set', PAIR, json());
  await call('conv_set', SECOND, second);
  assert.is(await call('conv_set', PAIR, json()), second);
  assert.equal((await redis.keys('*')).sort(), PAIR);
});

it('a job that is bound to one channel cannot be stored under another', async ({ call, refused }) => {
  await call('conv_set', PAIR, json());
  const other = json({ channelId: 'C2' });
  const message = await refused(() => call('conv_set', ['conversation:slack:C2', JOB], other));
  assert.match(message, /^CONVJOB .*bound to another conversation/);
});

it('sent twice, it leaves the same data', async ({ call, dump }) => {
  await call('conv_set', PAIR, json());
  await call('conv_set', SECOND, second);
  const once = valuesOf(await dump());
  assert.is(await call('conv_set', SECOND, second), second);
  assert.equal(valuesOf(await dump()), once);
});

for (const [name, value] of Object.entries({
  'no JSON': '{"jobId":',
  'no state': '{}',
  'an array': '[]',
  'no text of any kind': '\xff\0',
  empty: '',
})) {
  it(`what stands there and is ${name} is overwritten and answered`, async ({ call, living, redis }) => {
    await redis.set(CHANNEL, value);
    assert.is(await living(DEFAULT_TTL, () => call('conv_set', PAIR, json())), value);
    assert.is(await redis.get(CHANNEL), json());
    assert.is(await redis.get(JOB), CHANNEL);
  });
}

it('an index that can not be read is overwritten', async ({ call, living, redis }) => {
  for (const value of ['rubbish', '', 'conversation:', 'b:conversation:slack:C1', JOB]) {
    await redis.set(JOB, value);
    await living(DEFAULT_TTL, () => call('conv_set', PAIR, json()));
    assert.is(await redis.get(JOB), CHANNEL, value);
  }
});

it('a holder whose state also names another job, overruled, is displaced by that job', async ({ call, redis }) => {
  const twice = json({ jobId: 'j2' }).replace('{', '{"jobId":"j1",');
  await call('conv_set', [CHANNEL, 'job-index:j2'], twice);
  assert.is(await call('conv_set', PAIR, json()), twice);
  assert.is(await redis.exists('job-index:j2'), 0);
});

function valuesOf(keys: Record<string, { value: unknown }>): [string, unknown][] {
  return Object.entries(keys).map(([key, { value }]) => [key, value]);
}

test.run();
