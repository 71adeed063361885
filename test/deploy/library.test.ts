import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type ConversationErrorCode,
  ConversationStore,
  checkLibrary,
  LIBRARY_SOURCE,
  LIBRARY_VERSION,
  loadLibrary,
} from '../../src/index.ts';
import { compareVersions, compatibility, decide } from '../../src/library/decision.ts';
import { refusal } from '../store/store.ts';
import { STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { LIBRARY_RETOUCHED, libraryOf } from './versions.ts';

const test = suite('the library on a server');
const redis = withRedis(test);

const COMMAND = `this client needs ${LIBRARY_VERSION}; load it with: npx --no conversation-state load --url redis://…`;
const NONE = { present: false, found: null, current: false, loaded: false, foreign: null };

let client: Redis;

test.before(async () => {
  client = await redis.connect();
});
test.before.each(async () => {
  await client.function('FLUSH');
  await client.flushall();
});

const version = () => client.fcall_ro('conv_version', 0).catch(() => null);
const listed = () => client.function('LIST', 'WITHCODE');

/** A library with another function of its own. */
const library = (name: string, functions: string) =>
  `#!lua name=${name}\nredis.register_function(${functions}, function() return 'hello' end)`;

for (const protocol of [2, 3] as const) {
  test(`it is loaded once, compared to the byte and reported, over RESP${protocol}`, async () => {
    const client = await redis.connect({ protocol });
    assert.equal(await checkLibrary(client), NONE);
    assert.equal(await loadLibrary(client), { ...NONE, loaded: true });
    const current = { ...NONE, present: true, found: LIBRARY_VERSION, current: true };
    assert.equal(await loadLibrary(client), current);
    await client.function('LOAD', 'REPLACE', LIBRARY_RETOUCHED);
    assert.equal(await checkLibrary(client), { ...current, current: false });
    assert.equal(await loadLibrary(client), { ...current, current: false, loaded: true });
    await client.function('LOAD', 'REPLACE', libraryOf('soon'));
    assert.equal(await loadLibrary(client), { ...NONE, present: true, loaded: true }, 'a version that cannot be read');
    assert.equal(await checkLibrary(client), current);
  });
}

test('versions are ordered by number, part by part', () => {
  const ordered = ['0.9.0', '0.10.0', '1.0.0', '1.0.9', '1.0.10', '1.2.0', '1.10.0', '2.0.0', '10.0.0'];
  for (const [left, a] of ordered.entries()) {
    for (const [right, b] of ordered.entries()) {
      assert.is(Math.sign(compareVersions(a, b)), Math.sign(left - right), `${a} and ${b}`);
    }
  }
  assert.is(compatibility('1.10.0', '1.2.0'), 'serving');
  assert.is(compatibility('1.1.9', '1.2.0'), 'outdated');
});

/** What is decided for a client of 1.2.0, by what was found and in which way it may load. */
const DECISIONS: [found: string | null, auto: string, never: string, force: string][] = [
  [null, 'load', 'LIBRARY_MISSING', 'load'],
  ['1.1.9', 'load', 'LIBRARY_OUTDATED', 'load'],
  ['0.9.0', 'LIBRARY_OUTDATED', 'LIBRARY_OUTDATED', 'load'],
  ['1.2.0', 'load', 'keep', 'load'],
  ['1.10.0', 'keep', 'keep', 'load'],
  ['2.0.0', 'LIBRARY_TOO_NEW', 'LIBRARY_TOO_NEW', 'load'],
];
test('what becomes of a library is decided by its version and by who asks', () => {
  const rules = [
    { load: 'auto', force: false },
    { load: 'never', force: false },
    { load: 'auto', force: true },
  ] as const;
  for (const [found, ...wanted] of DECISIONS) {
    const report = { found, current: false, foreign: null };
    const decided = (rule: (typeof rules)[number]) => {
      try {
        return decide(report, rule, 'the server', '1.2.0');
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    assert.equal(rules.map(decided), wanted, String(found));
    assert.is(decide({ ...report, current: true }, rules[1], 'the server', '1.2.0'), 'keep');
  }
});

/** A library that is there, and what then comes of a first call with `load: 'auto'` and with `load: 'never'`. */
const FOUND: [what: string, source: string | null, auto: string, never: string][] = [
  ['no library', null, 'loaded', `LIBRARY_MISSING the server has no library conversation, ${COMMAND}`],
  [
    'an older major version',
    libraryOf('0.9.0'),
    `LIBRARY_OUTDATED the server has conversation 0.9.0, whose apps would stop if ${LIBRARY_VERSION} took its place; ` +
      'nothing was changed. When none of them runs any more, load with force',
    `LIBRARY_OUTDATED the server has an older (0.9.0) library conversation, ${COMMAND}`,
  ],
  ['this version of another text', LIBRARY_RETOUCHED, 'kept', 'kept'],
  ['a newer one of this major version', libraryOf('1.10.0'), 'kept', 'kept'],
  ...['2.0.0', '10.0.0'].map((newer): (typeof FOUND)[number] => {
    const said = `LIBRARY_TOO_NEW the server has conversation ${newer}, which is newer than this ${LIBRARY_VERSION}; nothing was changed`;
    return [`version ${newer}`, libraryOf(newer), said, said];
  }),
];
for (const [what, source, ...wanted] of FOUND) {
  test(`a store that finds ${what} loads it, works with it, or says what is to be done`, async () => {
    for (const [at, load] of (['auto', 'never'] as const).entries()) {
      await client.function('FLUSH');
      if (source !== null) await client.function('LOAD', source);
      const before = await listed();
      const call = new ConversationStore(client, { load }).claim(STATE);
      const outcome = await call.then(
        async () => ((await version()) !== null && source === null ? 'loaded' : 'kept'),
        (error) => `${error.code} ${error.message}`,
      );
      assert.is(outcome, wanted[at]);
      if (outcome !== 'loaded') assert.equal(await listed(), before);
    }
  });
}

test('another major version is replaced by force alone', async () => {
  for (const [other, code] of [
    ['0.9.0', 'LIBRARY_OUTDATED'],
    ['2.0.0', 'LIBRARY_TOO_NEW'],
  ] as const) {
    await client.function('LOAD', 'REPLACE', libraryOf(other));
    await refusal(loadLibrary(client), code);
    assert.is(await version(), other);
    assert.is((await loadLibrary(client, { force: true })).loaded, true);
    assert.is(await version(), LIBRARY_VERSION);
  }
});

test('many first calls at once check and load once, and so do many that notice that it was lost', async () => {
  const store = new ConversationStore(await redis.connect());
  for (const versions of [1, 2]) {
    await client.function('FLUSH');
    await client.config('RESETSTAT');
    await Promise.all(Array.from({ length: 50 }, () => store.get(STATE)));
    const stats = await client.info('commandstats');
    assert.match(stats, /^cmdstat_function\|load:calls=1,/m);
    // Those that notice were made once already.
    assert.match(stats, new RegExp(`^cmdstat_fcall_ro:calls=${50 * versions + 1},`, 'm'));
  }
});

test("a server that loses its library is healed by the call that notices, or LIBRARY_MISSING with load: 'never'", async () => {
  const calls: ((store: ConversationStore) => Promise<unknown>)[] = [
    (store) => store.claim(STATE),
    (store) => store.set(STATE),
    (store) => store.get(STATE),
    (store) => store.getByJobId('j1'),
    (store) => store.setPendingQuestion(STATE, 'q1'),
    (store) => store.answerQuestion(STATE, 'q1'),
    (store) => store.update(STATE, {}),
    (store) => store.list().next(),
    (store) => store.due().next(),
    (store) => store.handOver(STATE, { ...STATE, jobId: 'j2' }),
    (store) => store.remove({ jobId: 'j2' }),
  ];
  const [auto, never] = [new ConversationStore(client), new ConversationStore(client, { load: 'never' })];
  await auto.ready();
  for (const call of calls) {
    await client.function('FLUSH');
    await refusal(call(never), 'LIBRARY_MISSING');
    assert.ok(await call(auto), call.toString());
    assert.is(await version(), LIBRARY_VERSION, call.toString());
  }
});

test('a library that vanishes again and again is LIBRARY_MISSING, and so is a function that it lacks', async () => {
  const flighty = await redis.connect();
  const { fcall } = flighty;
  Object.assign(flighty, {
    async fcall(...args: [string, number]) {
      await client.function('FLUSH');
      return fcall.apply(flighty, args);
    },
  });
  await refusal(new ConversationStore(flighty).claim(STATE), 'LIBRARY_MISSING');
  await client.function('LOAD', 'REPLACE', libraryOf('1.2.0').replaceAll("'conv_update'", "'conv_patch'"));
  await refusal(new ConversationStore(client).update(STATE, {}), 'LIBRARY_MISSING');
});

/** The source of a library that answers so to conv_version. */
function strangerOf(name: string, answer: string, flags = "'no-writes'"): string {
  return (
    `#!lua name=${name}\nredis.register_function{ function_name = 'conv_version', flags = { ${flags} }, ` +
    `callback = function() return ${answer} end }`
  );
}

const STRANGERS: [what: string, name: string, source: string][] = [
  ['one function of ours', 'conversation', library('conversation', "'conv_get'")],
  ['one function of ours in capitals', 'other', library('other', "'CONV_GET'")],
  ['a function of its own', 'conversation', library('conversation', "'chat'")],
  ...['conversation', 'other'].flatMap((name): typeof STRANGERS => [
    [`the version ${LIBRARY_VERSION}`, name, strangerOf(name, `'${LIBRARY_VERSION}'`)],
    [`the version ${LIBRARY_VERSION} without a flag`, name, strangerOf(name, `'${LIBRARY_VERSION}'`, '')],
    ['an older version', name, strangerOf(name, "'0.9.0'")],
    ['a newer version', name, strangerOf(name, "'2.0.0'")],
    ['something else for a version', name, strangerOf(name, "'hello'")],
    ['a number for a version', name, strangerOf(name, '7')],
    ['an error for a version', name, strangerOf(name, 'error("no")')],
  ]),
  ['all of ours but the version', 'conversation', libraryOf('2.0.0').replaceAll("'conv_version'", "'conv_release'")],
];
for (const [what, name, source] of STRANGERS) {
  test(`another program's library ${name} with ${what} is LIBRARY_FOREIGN, and is left there`, async () => {
    await client.function('LOAD', source);
    const before = await listed();
    for (const call of [
      () => loadLibrary(client),
      () => new ConversationStore(client).claim(STATE),
      () => new ConversationStore(client, { load: 'never' }).claim(STATE),
      ...(name === 'other' ? [() => loadLibrary(client, { force: true })] : []),
    ]) {
      const { message } = await refusal(call(), 'LIBRARY_FOREIGN');
      assert.match(
        message,
        new RegExp(`^the server has (?:a|another program's) library ${name}\\b.*; nothing was changed`),
      );
      assert.equal(await listed(), before);
    }
    assert.is((await checkLibrary(client)).foreign, name);
    if (name === 'conversation') assert.is((await loadLibrary(client, { force: true })).loaded, true);
  });
}

test('versions of this library with fewer or more functions than this client knows are not foreign', async () => {
  const fewer = libraryOf('0.9.0').replaceAll("'conv_due'", "'conv_silent'");
  const more = `${libraryOf('2.0.0')}redis.register_function('conv_more', function() end)\n`;
  for (const [source, code] of [
    [fewer, 'LIBRARY_OUTDATED'],
    [more, 'LIBRARY_TOO_NEW'],
  ] as const) {
    await client.function('LOAD', 'REPLACE', source);
    assert.is((await checkLibrary(client)).foreign, null);
    for (const call of [loadLibrary(client), new ConversationStore(client).ready()]) await refusal(call, code);
  }
});

test('a user who may not list or load libraries hears what conv_version answers, and what is to be done', async () => {
  for (const denied of ['-function|list', '-function|load', '-function']) {
    await client.function('FLUSH');
    const app = await redis.connect();
    await client.acl('SETUSER', 'app', 'reset', 'on', '>secret', '~*', '+@all', denied);
    await app.auth('app', 'secret');
    const codeOf = (load: 'auto' | 'never') =>
      new ConversationStore(app, { load }).ready().then(
        () => 'ready',
        ({ code }: { code: ConversationErrorCode }) => code,
      );
    assert.is(await codeOf('never'), 'LIBRARY_MISSING', denied);
    assert.is(await codeOf('auto'), denied === '-function|list' ? 'ready' : 'LIBRARY_MISSING', denied);
    await client.function('LOAD', 'REPLACE', libraryOf('2.0.0'));
    assert.is(await codeOf('auto'), 'LIBRARY_TOO_NEW', denied);
    await client.acl('DELUSER', 'app');
  }
});

test('apps go on while newer libraries are loaded under them', async () => {
  const store = new ConversationStore(await redis.connect(), { load: 'never' });
  await client.function('LOAD', LIBRARY_SOURCE);
  let calls = 0;
  let going = true;
  const work = (async () => {
    for (; going; calls++) {
      const own = { ...STATE, channelId: `C${calls % 5}`, jobId: `j${calls % 5}` };
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
  for (let n = 0; n < 2; n++) await new ConversationStore(client, { logger }).ready();
  assert.equal(heard, [`library conversation ${LIBRARY_VERSION} loaded`]);
});

test('what comes to a server between the look and the load is not replaced', async () => {
  for (const [before, source, wanted] of [
    [null, libraryOf('1.2.0'), 'ready'],
    [null, libraryOf('2.0.0'), 'LIBRARY_TOO_NEW'],
    [null, library('conversation', "'chat'"), 'LIBRARY_FOREIGN'],
    [null, library('other', "'conv_get'"), 'LIBRARY_FOREIGN'],
    [LIBRARY_RETOUCHED, libraryOf('1.2.0'), 'ready'],
    [LIBRARY_RETOUCHED, libraryOf('2.0.0'), 'LIBRARY_TOO_NEW'],
  ] as const) {
    await client.function('FLUSH');
    if (before !== null) await client.function('LOAD', before);
    const slow = await redis.connect();
    let looks = 0;
    Object.assign(slow, {
      async function(...args: string[]) {
        const found = await slow.call('FUNCTION', ...args);
        if (args[0] === 'LIST' && ++looks === 1) await client.function('LOAD', 'REPLACE', source);
        return found;
      },
    });
    const load = before === null ? new ConversationStore(slow).ready() : loadLibrary(slow);
    assert.is(
      await load.then(
        () => 'ready',
        ({ code }) => code,
      ),
      wanted,
    );
    assert.ok(JSON.stringify(await listed()).includes(JSON.stringify(source)), 'it is still there');
  }
});

test('a call that fails while the library is looked for can be repeated', async () => {
  const client = await redis.connect({ enableOfflineQueue: false });
  const store = new ConversationStore(client);
  await refusal(store.get(STATE), 'UNAVAILABLE');
  await once(client, 'ready');
  assert.is(await store.get(STATE), null);
});

test.run();
