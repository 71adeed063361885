import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { typescript } from '../../scripts/test/typescript.ts';
import { startProgram } from '../support/program.ts';
import { withRedis } from '../support/redis.ts';

const test = suite('finding and starting a Redis');
const redis = withRedis(test);
const folder = mkdtempSync(join(tmpdir(), 'a folder '));

test.after(() => rmSync(folder, { recursive: true }));

const STARTING = join(import.meta.dirname, 'starting.ts');
const begin = (env: NodeJS.ProcessEnv, way = 'stop') => startProgram([...typescript(), STARTING, way], env);

test('where there is only a server that is too old, it says what it tried and how to install Redis', async () => {
  writeFileSync(join(folder, 'redis-server'), '#!/bin/sh\necho "Redis server v=6.2.6"\n', { mode: 0o755 });
  const { code, stdout, stderr } = await begin({ PATH: folder, REDISMS_DOWNLOAD_MIRROR: 'http://127.0.0.1:1' }).ended;
  assert.equal([code, stdout], [1, '']);
  assert.match(stderr, `  On the PATH: ${folder}/redis-server is version 6.2.6; wanted is 7 or later\n`);
  assert.match(stderr, /\n {2}Debian: {6}.+\n {2}Download: {4}connect ECONNREFUSED.+\nTo install one: .+\n.*REDIS_URL/);
});

test('says in one line why the server of REDIS_URL can not be used, and never its password', async () => {
  const { url } = await redis.server('--requirepass', 'a-secret');
  const host = url.slice('redis://'.length);
  const cases: [string, string][] = [
    [`redis://:a-wrong-secret@${host}`, `${host}: the user name or the password is wrong.`],
    [url, `${host}: it requires a password: redis://user:password@host:port`],
    ['redis://:a-secret@127.0.0.1:1', '127.0.0.1:1: the connection was refused'],
    ['http://:a-secret@127.0.0.1', 'REDIS_URL is not the address of a Redis server.'],
  ];
  for (const [given, said] of cases) {
    const { code, stderr } = await begin({ REDIS_URL: given }).ended;
    assert.is(code, 1);
    assert.match(stderr, said);
    assert.not.match(stderr, 'secret');
    assert.is(stderr.split('\n').length, 2);
  }
});

test('gives the reason when the server does not start', async () => {
  const error = await redis.server('--no-such-setting', '1').catch((reason: Error) => reason);
  assert.match((error as Error).message, /did not start:.*no-such-setting/s);
});

for (const way of ['stop', 'unref', 'exit', 'throw', 'SIGTERM', 'SIGKILL']) {
  test(`a server is gone after ${way}`, async () => {
    const { child, ended } = begin({}, way);
    child.stdout.once('data', () => way.startsWith('SIG') && child.kill(way as NodeJS.Signals));
    const { stdout } = await ended;
    const { port, hostname } = new URL(JSON.parse(stdout).url);
    for (let isTaken = true; isTaken; await sleep(50)) {
      const socket = connect(Number(port), hostname);
      isTaken = await once(socket, 'connect').then(
        () => true,
        () => false,
      );
      socket.destroy();
    }
  });
}

test('npm test refuses a server of REDIS_URL with anything on it, and touches nothing', async () => {
  const server = await redis.server();
  const client = await redis.connect({}, server);
  await client.set('mine', '1');
  const npmTest = [join(import.meta.dirname, '..', '..', 'scripts', 'test.ts'), 'library/keys'];
  const { code, stdout } = await startProgram([...typescript(), ...npmTest], { REDIS_URL: server.url }).ended;
  assert.match(`${code} ${stdout}`, /^1 The server of REDIS_URL holds keys\..*\n0 passed, 1 failed\n$/s);
  assert.is(await client.get('mine'), '1');
});

test.run();
