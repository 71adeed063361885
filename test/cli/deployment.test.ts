import { once } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort, startRedis } from '../../scripts/redis/start.ts';
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

const client = await server.connect();
const env = { REDIS_URL: await server.url() };
const name = new URL(env.REDIS_URL).host;

/** The server with this library alone, or without any. */
async function having(source: string | null): Promise<unknown> {
  await client.function('FLUSH');
  if (source) await client.function('LOAD', source);
  return client.function('LIST', 'WITHCODE');
}

const V = LIBRARY_VERSION;
const NONE = `no library conversation, this client needs ${V}; load it with: ${NPX} load --url redis://…`;
const KEPT = 'nothing was changed';
const OLD = `conversation 0.9.0, whose apps would stop if ${V} took its place; ${KEPT}. When none of them runs any more: ${NPX} load --force`;
const NEW = `conversation 10.0.0, which is newer than this ${V}; ${KEPT}. Apps of ${V} do not work on it: update them`;
const STRANGE = `another program's library conversation; ${KEPT}. Find out whose it is; ${NPX} load --force replaces it`;
const NO_ROOM = `a library other with a function name of conversation; ${KEPT}. Find out whose it is; if nobody needs it, FUNCTION DELETE other makes room`;
const NEWER = `conversation 1.2.0 is there, newer than this ${V}`;
/** A library, what check says of it, why it does not serve this version, and what load and load --force say. */
const CASES: [source: string | null, is: string, refusal: string, loaded: string, forced?: string][] = [
  [null, 'there is no library conversation', NONE, `${THIS} loaded, there was none`],
  [LIBRARY_SOURCE, `${THIS} is there`, '', `${THIS} is there`],
  [LIBRARY_RETOUCHED, `${THIS} is there, of another source`, '', `${THIS} loaded, replacing a ${V} of another source`],
  [libraryOf('1.2.0'), NEWER, '', NEWER],
  [
    libraryOf('unknown'),
    'a library conversation without a version is there',
    NONE,
    `${THIS} loaded, replacing one without a version`,
  ],
  [libraryOf('0.9.0'), `conversation 0.9.0 is there, older than this ${V}`, OLD, '', 'replacing 0.9.0'],
  [libraryOf('10.0.0'), `conversation 10.0.0 is there, newer than this ${V}`, NEW, '', 'replacing 10.0.0'],
  [STRANGER, "another program's library conversation is there", STRANGE, '', 'replacing one without a version'],
  [TAKEN, 'the library other has a function name of conversation', NO_ROOM, ''],
];

test('check says what is there, whether it serves this version, and what to do; it changes nothing', async () => {
  for (const [source, is, refusal] of CASES) {
    const before = await having(source);
    const why = refusal && ` ${name} has ${refusal}.`;
    for (const [args, said] of [
      [['check'], refusal && `apps of ${THIS} are not served.${why}`],
      [['check', '--exact'], source !== LIBRARY_SOURCE && `not at ${THIS}.${why}`],
    ] as const) {
      const [run, out] = [await cli(args, env), `${name}  ${is}`];
      if (said) failed(run, `${name}: ${said}`, { out });
      else succeeded(run, out);
    }
    assert.equal(await client.function('LIST', 'WITHCODE'), before);
  }
});

test('load brings a server to this version where it is sure, and --force does where that is possible', async () => {
  for (const [source, is, refusal, loaded, forced] of CASES) {
    const before = await having(source);
    const back = source === libraryOf('10.0.0') ? ` To go back to ${LIBRARY_VERSION} all the same: --force` : '';
    const refused = `${name}: the server has ${refusal}.${back}`;
    const run = await cli(['load'], env);
    if (loaded) succeeded(run, `${name}  ${loaded}`);
    else failed(run, refused);
    if (!loaded || loaded === is) assert.equal(await client.function('LIST', 'WITHCODE'), before);
    const force = await cli(['load', '--force'], env);
    if (forced) succeeded(force, `${name}  ${THIS} loaded, ${forced}`);
    else if (!loaded) failed(force, refused);
    const isOurs = JSON.stringify(await client.function('LIST', 'WITHCODE')).includes(JSON.stringify(LIBRARY_SOURCE));
    assert.is(isOurs, source !== TAKEN, is);
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
