import { setTimeout } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ConversationError,
  ConversationStore,
  checkLibrary,
  LIBRARY_SOURCE,
  LIBRARY_VERSION,
  loadLibrary,
} from '../../src/index.ts';
import { compareVersions, compatibility } from '../../src/library/decision.ts';
import { withRedis } from '../support/redis.ts';
import { LIBRARY_RETOUCHED, libraryOf } from './versions.ts';

const test = suite('the library on a server');
const redis = withRedis(test);

const ref = { platform: 'slack', channelId: 'C1' };
const state = {
  ...ref,
  jobId: 'j1',
  userId: 'U1',
  project: 'website',
  ticketId: 12,
  startedAt: '2026-01-31T09:30:00Z',
};
const COMMAND = 'load it with: npx --no conversation-state load --url redis://…';

let client: Redis;

test.before(async () => {
  client = await redis.connect();
});
test.before.each(async () => {
  await client.function('FLUSH');
  await client.flushall();
});

type Refusal = Error & { command?: { args?: unknown } };

async function version(): Promise<unknown> {
  return client.fcall_ro('conv_version', 0).catch(() => null);
}

async function rejects(promise: Promise<unknown>, code: string, message: string): Promise<void> {
  const error = await promise.then(
    () => assert.unreachable(`expected ${code}`),
    (error: unknown) => error,
  );
  assert.instance(error, ConversationError);
  assert.is((error as ConversationError).code, code);
  assert.is((error as ConversationError).message, message);
}

for (const protocol of [2, 3] as const) {
  test(`is loaded once, compared to the byte and reported, over RESP${protocol}`, async () => {
    const client = await redis.connect({ protocol });
    const missing = { present: false, found: null, current: false, foreign: null };
    assert.equal(await checkLibrary(client), { ...missing, loaded: false });
    assert.equal(await loadLibrary(client), { ...missing, loaded: true });
    const current = { present: true, found: LIBRARY_VERSION, current: true, loaded: false, foreign: null };
    assert.equal(await checkLibrary(client), current);
    assert.equal(await loadLibrary(client), current);
    await client.function('LOAD', 'REPLACE', LIBRARY_RETOUCHED);
    const retouched = { present: true, found: LIBRARY_VERSION, current: false, foreign: null };
    assert.equal(await checkLibrary(client), { ...retouched, loaded: false });
    assert.equal(await loadLibrary(client), { ...retouched, loaded: true });
    assert.equal(await checkLibrary(client), current);
  });

  test(`an older one is replaced, a newer one only by force, over RESP${protocol}`, async () => {
    const client = await redis.connect({ protocol });
    await client.function('LOAD', libraryOf('0.9.0'));
    assert.equal(await loadLibrary(client), {
      present: true,
      found: '0.9.0',
      current: false,
      loaded: true,
      foreign: null,
    });
    assert.is(await version(), LIBRARY_VERSION);
    await client.function('LOAD', 'REPLACE', libraryOf('1.2.0'));
    const newer = { present: true, found: '1.2.0', current: false, foreign: null };
    assert.equal(await loadLibrary(client), { ...newer, loaded: false }, 'it serves this client');
    assert.is(await version(), '1.2.0');
    await client.function('LOAD', 'REPLACE', libraryOf('2.2.0'));
    await rejects(
      loadLibrary(client),
      'LIBRARY_TOO_NEW',
      `the server has conversation 2.2.0, which is newer than this ${LIBRARY_VERSION}; nothing was changed`,
    );
    assert.is(await version(), '2.2.0');
    assert.equal(await loadLibrary(client, { force: true }), {
      present: true,
      found: '2.2.0',
      current: false,
      loaded: true,
      foreign: null,
    });
    assert.is(await version(), LIBRARY_VERSION);
  });
}

test('one with the functions of this library and a version that cannot be read is replaced', async () => {
  await client.function('LOAD', libraryOf('soon'));
  assert.equal(await loadLibrary(client), {
    present: true,
    found: null,
    current: false,
    loaded: true,
    foreign: null,
  });
});

test('a load that the server refuses leaves what was there, and the error holds no source', async () => {
  await client.function('LOAD', "#!lua name=other\nredis.register_function('conv_get', function() end)");
  const error = await loadLibrary(client).then(
    () => new Error('it was loaded') as Refusal,
    (error: Refusal) => error,
  );
  assert.is((error as ConversationError).code, 'LIBRARY_FOREIGN');
  assert.match(
    error.message,
    /^the server has a library other with a function name of conversation; nothing was changed/,
  );
  assert.is(error.command?.args, undefined);
  assert.is(await loadLibrary(client, { force: true }).catch(({ code }) => code), 'LIBRARY_FOREIGN', 'nor by force');
  assert.is(((await client.function('LIST')) as unknown[]).length, 1);
});

test("a stranger's library of the same name is named and left there, and replaced by force alone", async () => {
  const source = "#!lua name=conversation\nredis.register_function('conv_talk', function() return 'hello' end)";
  await client.function('LOAD', source);
  const message =
    "the server has another program's library conversation; nothing was changed. Find out whose it is; load with " +
    'force to replace it';
  await rejects(loadLibrary(client), 'LIBRARY_FOREIGN', message);
  await rejects(new ConversationStore(client).claim(state), 'LIBRARY_FOREIGN', message);
  assert.is((await checkLibrary(client)).foreign, 'conversation');
  assert.is(await client.fcall('conv_talk', 0), 'hello');
  assert.is((await loadLibrary(client, { force: true })).loaded, true);
  assert.is(await version(), LIBRARY_VERSION);
});

test('versions are ordered by number, part by part', () => {
  const ordered = ['0.9.0', '0.10.0', '1.0.0', '1.0.9', '1.0.10', '1.2.0', '1.10.0', '2.0.0', '10.0.0'];
  for (const [left, a] of ordered.entries()) {
    for (const [right, b] of ordered.entries()) {
      assert.is(Math.sign(compareVersions(a, b)), Math.sign(left - right), `${a} and ${b}`);
    }
  }
});

test('a server serves a client of its major version that is not newer', () => {
  assert.is(compatibility(null), 'missing');
  assert.is(compatibility('0.9.9'), 'outdated');
  assert.is(compatibility(LIBRARY_VERSION), 'serving');
  assert.is(compatibility('1.0.1'), 'serving');
  assert.is(compatibility('1.10.0'), 'serving');
  assert.is(compatibility('2.0.0'), 'too new');
  assert.is(compatibility('10.0.0'), 'too new');
});

for (const [found, source] of [
  ['no library', null],
  ['an older library', libraryOf('0.9.0')],
] as const) {
  test(`load: 'auto' loads over ${found}, on the first call`, async () => {
    if (source) await client.function('LOAD', source);
    assert.is((await new ConversationStore(client).claim(state)).outcome, 'claimed');
    assert.is(await version(), LIBRARY_VERSION);
  });
}

for (const [load, newer] of [
  ['auto', '1.0.1'],
  ['auto', '1.2.0'],
  ['never', '1.2.0'],
] as const) {
  test(`an app of ${LIBRARY_VERSION} with load: '${load}' works on a library of ${newer} and leaves it there`, async () => {
    await client.function('LOAD', libraryOf(newer));
    const store = new ConversationStore(client, { load });
    assert.is((await store.claim(state)).outcome, 'claimed');
    assert.is((await store.get(ref))?.jobId, 'j1');
    assert.is((await store.remove(state)).outcome, 'removed');
    assert.is(await version(), newer);
  });
}

for (const load of ['auto', 'never'] as const) {
  test(`a newer major version is LIBRARY_TOO_NEW with load: '${load}', and is left there`, async () => {
    await client.function('LOAD', libraryOf('2.0.0'));
    await rejects(
      new ConversationStore(client, { load }).claim(state),
      'LIBRARY_TOO_NEW',
      `the server has conversation 2.0.0, which is newer than this ${LIBRARY_VERSION}; nothing was changed`,
    );
    assert.is(await version(), '2.0.0');
    assert.is(await client.dbsize(), 0);
  });
}

test("load: 'never' says which command loads a library that is missing or outdated, and works once it is there", async () => {
  const store = new ConversationStore(client, { load: 'never' });
  const needs = `this client needs ${LIBRARY_VERSION}; ${COMMAND}`;
  await rejects(store.claim(state), 'LIBRARY_MISSING', `the server has no library conversation, ${needs}`);
  assert.is(await version(), null);
  await client.function('LOAD', libraryOf('0.9.0'));
  await rejects(store.ready(), 'LIBRARY_OUTDATED', `the server has an older (0.9.0) library conversation, ${needs}`);
  assert.is(await version(), '0.9.0');
  await client.function('LOAD', 'REPLACE', LIBRARY_SOURCE);
  assert.is((await store.claim(state)).outcome, 'claimed');
});

test('many first calls at once check and load once', async () => {
  const own = await redis.connect();
  await client.config('RESETSTAT');
  const store = new ConversationStore(own);
  const claims = await Promise.all(Array.from({ length: 50 }, () => store.claim({ ...state, claimId: 'c1' })));
  assert.ok(claims.every(({ outcome }) => outcome === 'claimed'));
  const stats = await client.info('commandstats');
  assert.match(stats, /^cmdstat_function\|load:calls=1,/m);
  // 50 claims, the version asked for once, and nothing more.
  assert.match(stats, /^cmdstat_fcall:calls=50,/m);
  assert.match(stats, /^cmdstat_fcall_ro:calls=1,/m);
});

test("a server that loses its library is healed by the call that notices, with load: 'auto'", async () => {
  const calls: [name: string, call: (store: ConversationStore) => Promise<unknown>][] = [
    ['claim', (store) => store.claim(state)],
    ['set', (store) => store.set(state)],
    ['get', (store) => store.get(ref)],
    ['getByJobId', (store) => store.getByJobId('j1')],
    ['setPendingQuestion', (store) => store.setPendingQuestion(ref, 'q1')],
    ['answerQuestion', (store) => store.answerQuestion(ref, 'q1')],
    ['clearPendingQuestion', (store) => store.clearPendingQuestion(ref)],
    ['list', async (store) => (await store.list().next()).value],
    ['remove', (store) => store.remove(state)],
  ];
  const store = new ConversationStore(client);
  await store.claim(state);
  for (const [name, call] of calls) {
    await client.function('FLUSH');
    assert.ok(await call(store), name);
    assert.is(await version(), LIBRARY_VERSION, name);
  }
});

test('many calls that notice at once have the library loaded once', async () => {
  const store = new ConversationStore(client);
  await store.claim(state);
  await client.function('FLUSH');
  await client.config('RESETSTAT');
  const states = await Promise.all(Array.from({ length: 50 }, () => store.get(ref)));
  assert.ok(states.every((found) => found?.jobId === 'j1'));
  const stats = await client.info('commandstats');
  assert.match(stats, /^cmdstat_function\|load:calls=1,/m);
  // Each call twice, and the version asked for once.
  assert.match(stats, /^cmdstat_fcall_ro:calls=101,/m);
});

test("a server that loses its library is LIBRARY_MISSING on the call that notices, with load: 'never'", async () => {
  await client.function('LOAD', LIBRARY_SOURCE);
  const store = new ConversationStore(client, { load: 'never' });
  await store.claim(state);
  await client.function('FLUSH');
  const message = `the server has no library conversation, this client needs ${LIBRARY_VERSION}; ${COMMAND}`;
  await rejects(store.get(ref), 'LIBRARY_MISSING', message);
  await rejects(store.get(ref), 'LIBRARY_MISSING', message);
  await client.function('LOAD', LIBRARY_SOURCE);
  assert.is((await store.get(ref))?.jobId, 'j1');
});

test('a server that loses its library and gets a newer major version is LIBRARY_TOO_NEW', async () => {
  const store = new ConversationStore(client);
  await store.claim(state);
  await client.function('FLUSH');
  await client.function('LOAD', libraryOf('2.0.0').replaceAll("'conv_get_by_job'", "'conv_read'"));
  const message = `the server has conversation 2.0.0, which is newer than this ${LIBRARY_VERSION}; nothing was changed`;
  await rejects(store.getByJobId('j1'), 'LIBRARY_TOO_NEW', message);
  await rejects(store.claim(state), 'LIBRARY_TOO_NEW', message);
});

/** The source of a library that answers so to conv_version. */
function strangerOf(name: string, answer: string, flags = "'no-writes'"): string {
  return (
    `#!lua name=${name}\nredis.register_function{ function_name = 'conv_version', flags = { ${flags} }, ` +
    `callback = function() return ${answer} end }`
  );
}

const STRANGERS: [what: string, name: string, source: string][] = [
  [
    'one function of ours',
    'conversation',
    "#!lua name=conversation\nredis.register_function('conv_get', function() return 'hello' end)",
  ],
  ['one function of ours', 'other', "#!lua name=other\nredis.register_function('CONV_GET', function() end)"],
  ...['conversation', 'other'].flatMap((name): [string, string, string][] => [
    [`the version ${LIBRARY_VERSION}`, name, strangerOf(name, `'${LIBRARY_VERSION}'`)],
    [`the version ${LIBRARY_VERSION} without a flag`, name, strangerOf(name, `'${LIBRARY_VERSION}'`, '')],
    ['an older version', name, strangerOf(name, "'0.9.0'")],
    ['a newer version', name, strangerOf(name, "'2.0.0'")],
    ['a version that is none', name, strangerOf(name, "'hello'")],
    ['a number for a version', name, strangerOf(name, '7')],
    ['an error for a version', name, strangerOf(name, 'error("no")')],
  ]),
  ['all of ours but the version', 'conversation', libraryOf('2.0.0').replaceAll("'conv_version'", "'conv_release'")],
];

for (const [what, name, source] of STRANGERS) {
  test(`a stranger's library ${name} with ${what} is LIBRARY_FOREIGN, and is left there`, async () => {
    await client.function('LOAD', source);
    const before = await client.function('LIST', 'WITHCODE');
    const named = new RegExp(`^the server has (?:a|another program's) library ${name}\\b.*; nothing was changed`);
    for (const call of [
      () => loadLibrary(client),
      () => new ConversationStore(client).claim(state),
      () => new ConversationStore(client, { load: 'never' }).claim(state),
    ]) {
      const error = await call().then(
        () => assert.unreachable('LIBRARY_FOREIGN was expected'),
        (error: unknown) => error,
      );
      assert.is((error as ConversationError).code, 'LIBRARY_FOREIGN', String(error));
      assert.match((error as ConversationError).message, named);
    }
    assert.equal(await client.function('LIST', 'WITHCODE'), before);
  });
}

test('versions of this library with fewer or more functions than this client knows are no strangers', async () => {
  const fewer = libraryOf('0.9.0').replaceAll("'conv_due'", "'conv_silent'");
  const more = `${libraryOf('2.0.0')}redis.register_function('conv_more', function() end)\n`;
  await client.function('LOAD', fewer);
  assert.is((await checkLibrary(client)).foreign, null);
  await new ConversationStore(client).ready();
  assert.is(await version(), LIBRARY_VERSION);
  await client.function('LOAD', 'REPLACE', more);
  assert.is((await checkLibrary(client)).foreign, null);
  const codes = [loadLibrary(client), new ConversationStore(client).ready()].map((call) =>
    call.catch(({ code }) => code),
  );
  assert.equal(await Promise.all(codes), ['LIBRARY_TOO_NEW', 'LIBRARY_TOO_NEW']);
});

test('a user who may not list libraries is told what conv_version answers', async () => {
  const app = await redis.connect();
  await client.acl('SETUSER', 'app', 'reset', 'on', '>secret', '~*', '+@all', '-function|list');
  await app.auth('app', 'secret');
  const store = new ConversationStore(app, { load: 'never' });
  assert.is(await store.ready().catch(({ code }) => code), 'LIBRARY_MISSING');
  await client.function('LOAD', libraryOf('2.0.0'));
  assert.is(await store.ready().catch(({ code }) => code), 'LIBRARY_TOO_NEW');
  await client.acl('DELUSER', 'app');
});

test('apps go on while newer libraries are loaded under them', async () => {
  const app = await redis.connect();
  const store = new ConversationStore(app, { load: 'never' });
  await client.function('LOAD', LIBRARY_SOURCE);
  let calls = 0;
  let going = true;
  const work = (async () => {
    for (; going; calls++) {
      const own = { ...state, channelId: `C${calls % 5}`, jobId: `j${calls % 5}` };
      assert.is((await store.claim(own)).outcome, 'claimed');
      assert.is((await store.getByJobId(own.jobId))?.channelId, own.channelId);
      assert.is((await store.remove(own)).outcome, 'removed');
    }
  })();
  for (let minor = 1; minor <= 20; minor++) {
    const before = calls;
    await client.function('LOAD', 'REPLACE', libraryOf(`1.${minor}.0`));
    while (going && calls < before + 5) await Promise.race([work, setTimeout(1)]);
  }
  going = false;
  await work;
  assert.is(await version(), '1.20.0');
});

test('the logger hears at debug that the library was loaded, and nothing where it was there', async () => {
  const heard: string[] = [];
  const deaf = () => {};
  const logger = { debug: (line: string) => heard.push(line), info: deaf, warn: deaf, error: deaf };
  await new ConversationStore(client, { logger }).ready();
  await new ConversationStore(client, { logger }).ready();
  assert.equal(heard, [`library conversation ${LIBRARY_VERSION} loaded`]);
});

test('what comes to a server between the look and the load is not replaced', async () => {
  const stranger = "#!lua name=conversation\nredis.register_function('chat', function() return 1 end)";
  const namesake = "#!lua name=other\nredis.register_function('conv_get', function() return 1 end)";
  for (const [source, wanted] of [
    [libraryOf('1.2.0'), 'ready'],
    [libraryOf('2.0.0'), 'LIBRARY_TOO_NEW'],
    [stranger, 'LIBRARY_FOREIGN'],
    [namesake, 'LIBRARY_FOREIGN'],
    [libraryOf('0.9.0'), 'ready'],
  ] as const) {
    await client.function('FLUSH');
    const slow = await redis.connect();
    const look = (...args: string[]) => slow.call('FUNCTION', ...args);
    let looks = 0;
    Object.assign(slow, {
      async function(...args: string[]) {
        const found = await look(...args);
        if (args[0] === 'LIST' && ++looks === 1) await client.function('LOAD', source);
        return found;
      },
    });
    const outcome = await new ConversationStore(slow).ready().then(
      () => 'ready',
      (error: ConversationError) => error.code,
    );
    assert.is(outcome, wanted);
    const kept = JSON.stringify(await client.function('LIST', 'WITHCODE')).includes(JSON.stringify(source));
    assert.is(kept, source !== libraryOf('0.9.0'), 'only an older one is replaced');
  }
});

test.run();
