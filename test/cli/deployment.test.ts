import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../../scripts/redis/free-port.ts';
import { startRedis } from '../../scripts/redis/start.ts';
import { LIBRARY_SOURCE, LIBRARY_VERSION } from '../../src/index.ts';
import { LIBRARY_RETOUCHED, libraryOf } from '../deploy/versions.ts';
import { withRedis } from '../support/redis.ts';
import { cli, failed, startCli, succeeded } from './cli.ts';

const test = suite('load and check');
const server = withRedis(test);
const THIS = `conversation ${LIBRARY_VERSION}`;
const NPX = 'npx --no conversation-state';
/** Libraries of other programs: one of this name, and one with a function name of this one. */
const STRANGER = "#!lua name=conversation\nredis.register_function('talk', function() return 'hi' end)";
const TAKEN = "#!lua name=other\nredis.register_function('CONV_GET', function() end)";

let client: Redis;
let env: { REDIS_URL: string };
let name: string;

test.before(async () => {
  client = await server.connect();
  env = { REDIS_URL: await server.url() };
  name = new URL(env.REDIS_URL).host;
});

/** The server with this library alone, or without any. */
async function having(source: string | null): Promise<unknown> {
  await client.function('FLUSH');
  if (source) await client.function('LOAD', source);
  return client.function('LIST', 'WITHCODE');
}

test('load brings a server to this version and says what was there', async () => {
  const cases: [source: string | null, said: string][] = [
    [null, `${THIS} loaded, there was none`],
    [LIBRARY_SOURCE, `${THIS} is there already`],
    [LIBRARY_RETOUCHED, `${THIS} loaded, replacing a ${LIBRARY_VERSION} of another source`],
    [libraryOf('unknown'), `${THIS} loaded, replacing one without a version`],
  ];
  for (const [source, said] of cases) {
    await having(source);
    succeeded(await cli(['load'], env), `${name}  ${said}`);
    const [library] = (await client.function('LIST', 'WITHCODE')) as Record<string, unknown>[];
    assert.ok(JSON.stringify(library).includes(JSON.stringify(LIBRARY_SOURCE).slice(1, -1)), said);
  }
});

test('load changes nothing where it is not sure, and --force does where that is possible', async () => {
  const back = `which is newer than this ${LIBRARY_VERSION}; nothing was changed. To go back to ${LIBRARY_VERSION} all the same: --force`;
  const cases: [source: string, said: string, forced: string | null][] = [
    [
      libraryOf('0.9.0'),
      `conversation 0.9.0, whose apps would stop if ${LIBRARY_VERSION} took its place; nothing was changed. When none of them runs any more, load with force.`,
      'replacing 0.9.0',
    ],
    [libraryOf('2.0.0'), `conversation 2.0.0, ${back}`, 'replacing 2.0.0'],
    [libraryOf('10.0.0'), `conversation 10.0.0, ${back}`, 'replacing 10.0.0'],
    [
      STRANGER,
      "another program's library conversation; nothing was changed. Find out whose it is; load with force to replace it.",
      'replacing one without a version',
    ],
    [
      TAKEN,
      'a library other with a function name of conversation; nothing was changed. Find out whose it is; if nobody needs it, FUNCTION DELETE other makes room.',
      null,
    ],
  ];
  for (const [source, said, forced] of cases) {
    const before = await having(source);
    failed(await cli(['load'], env), `${name}: the server has ${said}`);
    assert.equal(await client.function('LIST', 'WITHCODE'), before);
    const run = await cli(['load', '--force'], env);
    if (forced) succeeded(run, `${name}  ${THIS} loaded, ${forced}`);
    else failed(run, `${name}: the server has ${said}`);
  }
});

test('load leaves a newer library that serves this version where it is', async () => {
  await having(libraryOf('1.2.0'));
  const said = `conversation 1.2.0 is there, which is newer and serves apps of ${LIBRARY_VERSION}`;
  succeeded(await cli(['load'], env), `${name}  ${said}`);
  assert.is(await client.fcall('conv_version', 0), '1.2.0');
});

test('check says what is there, whether it serves this version, and what to do; it changes nothing', async () => {
  const toLoad = `To load it: ${NPX} load`;
  const cases: [source: string | null, out: string, advice: string | null, exact?: string][] = [
    [LIBRARY_SOURCE, `${THIS} is there`, null],
    [LIBRARY_RETOUCHED, `${THIS} is there, of another source`, null, toLoad],
    [
      libraryOf('1.2.0'),
      `conversation 1.2.0 is there, newer than this ${LIBRARY_VERSION}`,
      null,
      `Apps of ${LIBRARY_VERSION} work on it.`,
    ],
    [null, 'there is no library conversation', toLoad],
    [
      libraryOf('0.9.0'),
      `conversation 0.9.0 is there, older than this ${LIBRARY_VERSION}`,
      `Apps of 0.9.0 would stop without it. When none of them runs any more: ${NPX} load --force`,
    ],
    [libraryOf('unknown'), 'a library conversation without a version is there', toLoad],
    [
      libraryOf('2.0.0'),
      `conversation 2.0.0 is there, newer than this ${LIBRARY_VERSION}`,
      `Apps of ${LIBRARY_VERSION} do not work on it: update them.`,
    ],
    [
      STRANGER,
      "another program's library conversation is there",
      `Find out whose it is; ${NPX} load --force replaces it.`,
    ],
    [
      TAKEN,
      'the library other has a function name of conversation',
      'Find out whose it is; if nobody needs it, FUNCTION DELETE other makes room.',
    ],
  ];
  for (const [source, said, advice, exact] of cases) {
    const before = await having(source);
    const out = `${name}  ${said}`;
    const run = await cli(['check'], env);
    if (advice) failed(run, `${name} does not serve apps of ${THIS}. ${advice}`, { out });
    else succeeded(run, out);
    if (exact) failed(await cli(['check', '--exact'], env), `${name} is not at ${THIS}. ${exact}`, { out });
    assert.equal(await client.function('LIST', 'WITHCODE'), before);
  }
});

test('load and check print an object for each server with --json', async () => {
  await having(null);
  const none = { present: false, found: null, current: false, loaded: false, foreign: null, address: name };
  const check = await cli(['check', '--json'], env);
  assert.equal([JSON.parse(check.stdout), check.code], [{ ...none, serves: false }, 1]);
  const load = await cli(['load', '--json'], env);
  assert.equal([JSON.parse(load.stdout), load.code], [{ ...none, loaded: true, serves: true }, 0]);
});

test('load waits for a server that is not there yet, for as long as it is told', async () => {
  const port = await freePort();
  const refused = `127.0.0.1:${port}: the connection was refused; no server listens there.`;
  const url = ['--url', `redis://127.0.0.1:${port}`];
  failed(await cli(['load', '--wait', '1', ...url]), `${refused} Trying again for 1 s.\n${refused}`);
  const { child, ended } = startCli(['load', '--wait', '600', ...url]);
  await once(child.stderr, 'data');
  const late = await startRedis({ args: ['--port', String(port)] });
  try {
    const stdout = `127.0.0.1:${port}  ${THIS} loaded, there was none\n`;
    assert.equal(await ended, { stdout, stderr: `${refused} Trying again for 600 s.\n`, code: 0 });
  } finally {
    await late.stop();
  }
});

test.run();
