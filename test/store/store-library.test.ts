import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore, LIBRARY_SOURCE, LIBRARY_VERSION, loadLibrary } from '../../src/index.ts';
import { STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { refusal } from './store.ts';

const test = suite('the store and the library it needs');
const server = withRedis(test);

let redis: Redis;

test.before(async () => {
  redis = await server.connect();
});
test.before.each(async () => {
  await redis.flushall();
  await redis.function('FLUSH');
});

/** The library as another version of it would be. */
async function stand(version: string): Promise<void> {
  const source = LIBRARY_SOURCE.replace(`VERSION = '${LIBRARY_VERSION}'`, `VERSION = '${version}'`);
  assert.is(source.includes(`'${version}'`), true);
  await redis.function('LOAD', 'REPLACE', source);
}

const version = () => redis.fcall_ro('conv_version', 0);

for (const call of ['ready', 'the first call'] as const) {
  const go = (store: ConversationStore) => (call === 'ready' ? store.ready() : store.claim(STATE));

  test(`${call} loads a library that is missing`, async () => {
    await go(new ConversationStore(redis));
    assert.is(await version(), LIBRARY_VERSION);
  });

  test(`${call} loads over an older library`, async () => {
    for (const older of ['0.9.0', '0.99.99']) {
      await stand(older);
      await go(new ConversationStore(redis));
      assert.is(await version(), LIBRARY_VERSION);
    }
  });

  test(`${call} is served by a newer library of the same major version, and leaves it`, async () => {
    for (const newer of ['1.0.1', '1.2.0', '1.10.0']) {
      await stand(newer);
      for (const load of ['auto', 'never'] as const) await go(new ConversationStore(redis, { load }));
      assert.is(await version(), newer);
    }
  });

  test(`${call} refuses a library of a newer major version, either way`, async () => {
    await stand('2.0.0');
    for (const load of ['auto', 'never'] as const) {
      const { message } = await refusal(Promise.resolve(go(new ConversationStore(redis, { load }))), 'LIBRARY_TOO_NEW');
      assert.match(message, /2\.0\.0.*1\.0\.0/);
    }
    assert.is(await version(), '2.0.0');
  });

  test(`${call} of a store that must not load says which command does`, async () => {
    const store = new ConversationStore(redis, { load: 'never' });
    const missing = await refusal(Promise.resolve(go(store)), 'LIBRARY_MISSING');
    assert.match(missing.message, 'npx --no conversation-state load --url');
    await stand('0.9.0');
    const outdated = await refusal(Promise.resolve(go(store)), 'LIBRARY_OUTDATED');
    assert.match(outdated.message, /0\.9\.0.*npx --no conversation-state load --url/);
    assert.is(await version(), '0.9.0');
    await loadLibrary(redis, { force: true });
    await go(store);
  });
}

test('a server that loses the library while running gets it back on the call that notices', async () => {
  const store = new ConversationStore(redis);
  await store.claim({ ...STATE, pendingQuestionId: 'q1' });
  const calls: (() => Promise<unknown>)[] = [
    () => store.get(STATE),
    () => store.getByJobId('j1'),
    () => store.setPendingQuestion(STATE, 'q2'),
    () => store.answerQuestion(STATE, 'q2'),
    () => store.list().next(),
    () => store.set(STATE),
    () => store.claim(STATE),
    () => store.remove(STATE),
  ];
  for (const call of calls) {
    await redis.function('FLUSH');
    await call();
    assert.is(await version(), LIBRARY_VERSION, call.toString());
  }
});

test('so it is when many calls notice at once', async () => {
  const store = new ConversationStore(redis);
  await store.ready();
  await redis.function('FLUSH');
  const replies = await Promise.all(Array.from({ length: 50 }, (_, n) => store.claim({ ...STATE, jobId: `j${n}` })));
  assert.is(replies.filter(({ outcome }) => outcome === 'claimed').length, 1);
});

test('a store that must not load says that the library was lost, and goes on when it is back', async () => {
  await loadLibrary(redis);
  const store = new ConversationStore(redis, { load: 'never' });
  await store.claim(STATE);
  await redis.function('FLUSH');
  await refusal(store.get(STATE), 'LIBRARY_MISSING');
  await loadLibrary(redis);
  assert.equal(await store.get(STATE), STATE);
});

test('a call that fails while the library is looked for can be repeated', async () => {
  const client = await server.connect({ enableOfflineQueue: false });
  const store = new ConversationStore(client);
  assert.match(String(await store.get(STATE).catch(String)), /writ|connection/i);
  await once(client, 'ready');
  assert.is(await store.get(STATE), null);
});

test.run();
