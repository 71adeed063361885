import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FUNCTIONS } from '../../src/conversation.gen.ts';
import {
  type ConversationErrorCode,
  ConversationStore,
  checkLibrary,
  LIBRARY_SOURCE,
  LIBRARY_VERSION,
  loadLibrary,
} from '../../src/index.ts';
import { decide } from '../../src/library/report.ts';
import { listener, refusal } from '../store/store.ts';
import { SOURCE, STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { LIBRARY_RETOUCHED, libraryOf } from './versions.ts';

const test = suite('the library on a server');
const redis = withRedis(test);

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

test('the server lists eleven functions with their flags, as they were generated from the source', async () => {
  await loadLibrary(client);
  const [library = []] = (await listed()) as unknown[][];
  const functions = library[5] as ['name', string, 'description', null, 'flags', string[]][];
  const found = functions.map(([, name, , , , flags]) => `${name} ${flags}`).sort();
  assert.is(found.length, 11);
  assert.equal(FUNCTIONS.map(({ name, flags }) => `${name} ${flags}`).sort(), found);
  assert.equal([library.at(-1), LIBRARY_SOURCE, await version()], [SOURCE, SOURCE, '1.0.0']);
});

const RULES = [
  { load: 'auto', force: false },
  { load: 'never', force: false },
  { load: 'auto', force: true },
] as const;
/** What is decided for a client of 1.2.0, by what was found and by each of the rules. */
const DECISIONS: [found: string | null, ...decided: string[]][] = [
  [null, 'load', 'LIBRARY_MISSING', 'load'],
  ['1.1.10', 'load', 'LIBRARY_OUTDATED', 'load'],
  ['0.10.0', 'LIBRARY_OUTDATED', 'LIBRARY_OUTDATED', 'load'],
  ['1.2.0', 'load', 'keep', 'load'],
  ['1.2.1', 'keep', 'keep', 'load'],
  ['1.10.0', 'keep', 'keep', 'load'],
  ['10.0.0', 'LIBRARY_TOO_NEW', 'LIBRARY_TOO_NEW', 'load'],
];
test('what becomes of a library is decided by its version and by who asks', async () => {
  for (const [found, ...wanted] of DECISIONS) {
    const report = { found, current: false, foreign: null };
    const decided = RULES.map(async (rule) => decide(report, rule, 'the server', '1.2.0'));
    assert.equal(await Promise.all(decided.map((decision) => decision.catch(({ code }) => code))), wanted, `${found}`);
    assert.is(decide({ ...report, current: true }, RULES[1], 'the server', '1.2.0'), 'keep');
  }
});

/** What a first call ends with, by what is there and with each `load`; cli/deployment.test.ts has force, and the messages. */
const FIRST_CALLS: [source: string | null, auto: string, never: string][] = [
  [null, 'claimed', 'LIBRARY_MISSING'],
  [libraryOf('0.9.0'), 'LIBRARY_OUTDATED', 'LIBRARY_OUTDATED'],
  [LIBRARY_RETOUCHED, 'claimed', 'claimed'],
  [libraryOf('1.10.0'), 'claimed', 'claimed'],
  [libraryOf('10.0.0'), 'LIBRARY_TOO_NEW', 'LIBRARY_TOO_NEW'],
];
test('a first call loads what is missing, works with what serves it, or says what is to be done', async () => {
  for (const [source, auto, never] of FIRST_CALLS) {
    await client.function('FLUSH');
    if (source !== null) await client.function('LOAD', source);
    const before = await listed();
    for (const [load, wanted] of Object.entries({ never, auto }) as ['never' | 'auto', string][]) {
      const claim = new ConversationStore(client, { load }).claim(STATE);
      assert.is(await claim.then(({ outcome }) => outcome).catch(({ code }) => code), wanted);
      if (source !== null || load === 'never') assert.equal(await listed(), before);
    }
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
    (store) => store.get(STATE),
    (store) => store.getByJobId('j1'),
    (store) => store.update(STATE, {}),
    (store) => store.list().next(),
    (store) => store.due().next(),
    (store) => store.remove(STATE),
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
    fcall: (...args: [string, number]) => client.function('FLUSH').then(() => fcall.apply(flighty, args)),
  });
  await refusal(new ConversationStore(flighty).claim(STATE), 'LIBRARY_MISSING');
  await client.function('LOAD', 'REPLACE', libraryOf('1.2.0').replaceAll("'conv_update'", "'conv_patch'"));
  await refusal(new ConversationStore(client).update(STATE, {}), 'LIBRARY_MISSING');
});

/** The source of a library that answers so to conv_version. */
const strangerOf = (name: string, answer: string, flags = "'no-writes'") =>
  `#!lua name=${name}\nredis.register_function{ function_name = 'conv_version', flags = { ${flags} }, ` +
  `callback = function() return ${answer} end }`;

const VERSION = `'${LIBRARY_VERSION}'`;
for (const name of ['conversation', 'other']) {
  const sources = [
    ...["'conv_get'", "'CONV_GET'"].map((functions) => library(name, functions)),
    ...[VERSION, "'0.9.0'", "'2.0.0'", "'hello'", '7', 'error("no")'].map((answer) => strangerOf(name, answer)),
    strangerOf(name, VERSION, ''),
  ];
  if (name === 'conversation') {
    sources.push(library(name, "'chat'"), libraryOf('2.0.0').replaceAll("'conv_version'", "'conv_release'"));
  }
  test(`another program's library ${name} is LIBRARY_FOREIGN, whatever of ours it has, and is left there`, async () => {
    const said = new RegExp(`^the server has (?:a|another program's) library ${name}\\b.*; nothing was changed`);
    for (const source of sources) {
      await client.function('FLUSH');
      await client.function('LOAD', source);
      const before = await listed();
      const calls = [
        () => loadLibrary(client),
        () => new ConversationStore(client).claim(STATE),
        () => new ConversationStore(client, { load: 'never' }).claim(STATE),
        ...(name === 'other' ? [() => loadLibrary(client, { force: true })] : []),
      ];
      for (const call of calls) assert.match((await refusal(call(), 'LIBRARY_FOREIGN')).message, said, source);
      assert.equal(await listed(), before);
      assert.is((await checkLibrary(client)).foreign, name);
      if (name === 'conversation') assert.is((await loadLibrary(client, { force: true })).loaded, true);
    }
  });
}

test('versions of this library with fewer or more functions than this client knows are not foreign', async () => {
  const fewer = libraryOf('0.9.0').replaceAll("'conv_due'", "'conv_silent'");
  const more = `${libraryOf('2.0.0')}redis.register_function('conv_more', function() end)\n`;
  for (const source of [fewer, more]) {
    await client.function('LOAD', 'REPLACE', source);
    assert.is((await checkLibrary(client)).foreign, null);
    await refusal(loadLibrary(client), source === fewer ? 'LIBRARY_OUTDATED' : 'LIBRARY_TOO_NEW');
  }
});

test('a user who may not list or load libraries hears what conv_version answers, and what is to be done', async () => {
  const app = await redis.connect();
  for (const denied of ['-function|list', '-function|load', '-function']) {
    await client.function('FLUSH');
    await client.acl('SETUSER', 'app', 'reset', 'on', '>secret', '~*', '+@all', denied);
    await app.auth('app', 'secret');
    const ready = (load: 'auto' | 'never') => new ConversationStore(app, { load }).ready();
    await refusal(ready('never'), 'LIBRARY_MISSING');
    if (denied === '-function|list') await ready('auto');
    else await refusal(ready('auto'), 'LIBRARY_MISSING');
    await client.function('LOAD', 'REPLACE', libraryOf('2.0.0'));
    await refusal(ready('auto'), 'LIBRARY_TOO_NEW');
    for (const other of [library('conversation', "'chat'"), library('other', "'conv_get'")]) {
      await client.function('FLUSH');
      await client.function('LOAD', other);
      await refusal(ready('auto'), denied === '-function' ? 'LIBRARY_MISSING' : 'LIBRARY_FOREIGN');
    }
  }
  await client.acl('DELUSER', 'app');
});

test('the logger hears at debug that the library was loaded, and nothing where it was there', async () => {
  const logger = listener();
  for (let n = 0; n < 2; n++) await new ConversationStore(client, { logger }).ready();
  assert.equal(logger.heard, [`debug: library conversation ${LIBRARY_VERSION} loaded`]);
});

/** What was there, what comes, and what then becomes of a first call or of a load. */
const COMES: [before: string | null, source: string, code?: ConversationErrorCode][] = [
  [null, libraryOf('1.2.0')],
  [null, libraryOf('2.0.0'), 'LIBRARY_TOO_NEW'],
  [null, library('conversation', "'chat'"), 'LIBRARY_FOREIGN'],
  [null, library('other', "'conv_get'"), 'LIBRARY_FOREIGN'],
  [LIBRARY_RETOUCHED, libraryOf('1.2.0')],
  [LIBRARY_RETOUCHED, libraryOf('2.0.0'), 'LIBRARY_TOO_NEW'],
];
test('what comes to a server between the look and the load is not replaced', async () => {
  for (const [before, source, code] of COMES) {
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
    await (code ? refusal(load, code) : load);
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
