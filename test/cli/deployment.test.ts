import { once } from 'node:events';
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

const client = await server.connect();
const env = { REDIS_URL: await server.url() };
const name = new URL(env.REDIS_URL).host;

/** The server with this library alone, or without any. */
async function having(source: string | null): Promise<unknown> {
  await client.function('FLUSH');
  if (source) await client.function('LOAD', source);
  return client.function('LIST', 'WITHCODE');
}

/** What is on a server, and what check and load say of it: advice where it does not serve, a refusal where load is not sure. */
type Case = { source: string | null; is: string } & {
  [Said in 'advice' | 'exact' | 'loaded' | 'refused' | 'forced']?: string;
};

const TO_LOAD = `To load it: ${NPX} load`;
const BACK = `which is newer than this ${LIBRARY_VERSION}; nothing was changed. To go back to ${LIBRARY_VERSION} all the same: --force`;
const MAKE_ROOM = 'Find out whose it is; if nobody needs it, FUNCTION DELETE other makes room.';
const CASES: Case[] = [
  {
    source: null,
    is: 'there is no library conversation',
    advice: TO_LOAD,
    loaded: `${THIS} loaded, there was none`,
  },
  { source: LIBRARY_SOURCE, is: `${THIS} is there`, loaded: `${THIS} is there` },
  {
    source: LIBRARY_RETOUCHED,
    is: `${THIS} is there, of another source`,
    exact: TO_LOAD,
    loaded: `${THIS} loaded, replacing a ${LIBRARY_VERSION} of another source`,
  },
  {
    source: libraryOf('1.2.0'),
    is: `conversation 1.2.0 is there, newer than this ${LIBRARY_VERSION}`,
    exact: `Apps of ${LIBRARY_VERSION} work on it.`,
    loaded: `conversation 1.2.0 is there, newer than this ${LIBRARY_VERSION}`,
  },
  {
    source: libraryOf('unknown'),
    is: 'a library conversation without a version is there',
    advice: TO_LOAD,
    loaded: `${THIS} loaded, replacing one without a version`,
  },
  {
    source: libraryOf('0.9.0'),
    is: `conversation 0.9.0 is there, older than this ${LIBRARY_VERSION}`,
    advice: `Apps of 0.9.0 would stop without it. When none of them runs any more: ${NPX} load --force`,
    refused: `conversation 0.9.0, whose apps would stop if ${LIBRARY_VERSION} took its place; nothing was changed. When none of them runs any more, load with force.`,
    forced: 'replacing 0.9.0',
  },
  {
    source: libraryOf('10.0.0'),
    is: `conversation 10.0.0 is there, newer than this ${LIBRARY_VERSION}`,
    advice: `Apps of ${LIBRARY_VERSION} do not work on it: update them.`,
    refused: `conversation 10.0.0, ${BACK}`,
    forced: 'replacing 10.0.0',
  },
  {
    source: STRANGER,
    is: "another program's library conversation is there",
    advice: `Find out whose it is; ${NPX} load --force replaces it.`,
    refused:
      "another program's library conversation; nothing was changed. Find out whose it is; load with force to replace it.",
    forced: 'replacing one without a version',
  },
  {
    source: TAKEN,
    is: 'the library other has a function name of conversation',
    advice: MAKE_ROOM,
    refused: `a library other with a function name of conversation; nothing was changed. ${MAKE_ROOM}`,
  },
];

test('check says what is there, whether it serves this version, and what to do; it changes nothing', async () => {
  for (const { source, is, advice, exact } of CASES) {
    const before = await having(source);
    const out = `${name}  ${is}`;
    const run = await cli(['check'], env);
    if (advice) failed(run, `${name}: apps of ${THIS} are not served. ${advice}`, { out });
    else succeeded(run, out);
    if (exact) failed(await cli(['check', '--exact'], env), `${name}: not at ${THIS}. ${exact}`, { out });
    assert.equal(await client.function('LIST', 'WITHCODE'), before);
  }
});

test('load brings a server to this version where it is sure, and --force does where that is possible', async () => {
  for (const { source, loaded, refused, forced } of CASES) {
    const before = await having(source);
    const isKept = loaded === undefined || / is there/.test(loaded);
    const refusal = `${name}: the server has ${refused}`;
    const run = await cli(['load'], env);
    if (loaded) succeeded(run, `${name}  ${loaded}`);
    else failed(run, refusal);
    if (isKept) assert.equal(await client.function('LIST', 'WITHCODE'), before);
    const force = await cli(['load', '--force'], env);
    if (forced) succeeded(force, `${name}  ${THIS} loaded, ${forced}`);
    else if (refused) failed(force, refusal);
    const isOurs = JSON.stringify(await client.function('LIST', 'WITHCODE')).includes(JSON.stringify(LIBRARY_SOURCE));
    assert.is(isOurs, source !== TAKEN, loaded ?? refused);
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
