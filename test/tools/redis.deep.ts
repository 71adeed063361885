import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { typescript } from '../../scripts/test/typescript.ts';
import { withRedis } from '../support/redis.ts';

const test = suite('finding and starting a Redis');
const redis = withRedis(test);
const folder = mkdtempSync(join(tmpdir(), 'a folder '));

test.after(() => rmSync(folder, { recursive: true }));

/** Runs one of the project's programs: how it ended and what it said. */
async function run(script: string[], env: Record<string, string>, whenHeard = (_pid: number) => {}) {
  const { REDIS_URL: _, ...inherited } = process.env;
  const child = spawn(process.execPath, [...typescript(), ...script], { env: { ...inherited, ...env } });
  child.stdout.once('data', () => whenHeard(child.pid as number));
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number | null, stdout, stderr };
}

const start = (env: Record<string, string>, way = 'stop', whenStarted?: (pid: number) => void) =>
  run([join(import.meta.dirname, 'starting.ts'), way], env, whenStarted);

test('where there is only a server that is too old, it says what it tried and how to install Redis', async () => {
  writeFileSync(join(folder, 'redis-server'), '#!/bin/sh\necho "Redis server v=6.2.6"\n', { mode: 0o755 });
  const { code, stdout, stderr } = await start({ PATH: folder, REDISMS_DOWNLOAD_MIRROR: 'http://127.0.0.1:1' });
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
    const { code, stderr } = await start({ REDIS_URL: given });
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
    const { stdout } = await start({}, way, (pid) => way.startsWith('SIG') && process.kill(pid, way));
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
  const npmTest = [join(import.meta.dirname, '..', '..', 'scripts', 'test.ts'), 'library/get'];
  const { code, stdout } = await run(npmTest, { REDIS_URL: server.url });
  assert.match(`${code} ${stdout}`, /^1 The server of REDIS_URL holds keys\..*\n0 passed, 1 failed\n$/s);
  assert.is(await client.get('mine'), '1');
});

test.run();
