import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findRedisBinary } from '../../scripts/redis/binary.ts';
import { freePort } from '../../scripts/redis/free-port.ts';
import { ConversationStore } from '../../src/index.ts';
import { STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { cli, failed, succeeded } from './cli.ts';

const test = suite('the command line and a Sentinel');
const redis = withRedis(test);
const START_LIMIT_MS = 10_000;

const folders: string[] = [];
const sentinels: ChildProcess[] = [];
let serverPort: number;
let port: number;

test.before(async () => {
  const url = new URL((await redis.server()).url);
  const client = new Redis(url.href);
  await new ConversationStore(client).claim(STATE);
  client.disconnect();
  serverPort = Number(url.port);
  ({ port } = await startSentinel());
});
test.after(() => {
  for (const sentinel of sentinels) sentinel.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true });
});

async function startSentinel(): Promise<{ port: number; sentinel: ChildProcess }> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'conversation-state-sentinel-'));
  folders.push(folder);
  const config = join(folder, 'sentinel.conf');
  const monitor = `sentinel monitor chat 127.0.0.1 ${serverPort} 1`;
  writeFileSync(config, [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, monitor, ''].join('\n'));
  const sentinel = spawn((await findRedisBinary()).path, [config, '--sentinel'], { stdio: 'ignore' });
  sentinels.push(sentinel);
  await answers(port);
  return { port, sentinel };
}

async function answers(port: number): Promise<void> {
  const admin = new Redis({ port, retryStrategy: () => 50, maxRetriesPerRequest: null });
  admin.on('error', () => {});
  const late = sleep(START_LIMIT_MS, undefined, { ref: false }).then(() => {
    throw new Error('the Sentinel does not answer');
  });
  await Promise.race([admin.ping(), late]);
  admin.disconnect();
}

test('the server is found through the Sentinels that know it', async () => {
  const through = ['--sentinel', `127.0.0.1:${port}`, '--name', 'chat'];
  const check = await cli(['check', ...through]);
  assert.equal([check.stdout, check.stderr, check.code], ['chat (by Sentinel)  conversation 1.0.0 is there\n', '', 0]);
  const list = await cli(['list', '--json', ...through]);
  assert.match(list.stdout, '"jobId":"j1"');
  assert.equal([list.stderr, list.code], ['', 0]);
});

test('the server and the Sentinels each have their own user', async () => {
  const through = ['--sentinel', `127.0.0.1:${port}`, '--name', 'chat'];
  for (const [name, at] of [
    ['operator', serverPort],
    ['asker', port],
  ] as const) {
    const admin = new Redis({ port: at });
    await admin.call('ACL', 'SETUSER', name, 'on', `>${name}-Pa55`, '~*', '&*', '+@all');
    admin.disconnect();
  }
  const users = { REDIS_USERNAME: 'operator', SENTINEL_USERNAME: 'asker' };
  const passwords = { REDIS_PASSWORD: 'operator-Pa55', SENTINEL_PASSWORD: 'asker-Pa55' };
  succeeded(
    await cli(['check', ...through], { ...users, ...passwords }),
    'chat (by Sentinel)  conversation 1.0.0 is there',
  );
  const wrong = {
    REDIS_PASSWORD: 'the user name or the password is wrong.',
    SENTINEL_PASSWORD: 'the Sentinels refuse the user name or the password of SENTINEL_USERNAME and SENTINEL_PASSWORD.',
  };
  for (const [name, said] of Object.entries(wrong)) {
    const run = await cli(['check', ...through], { ...users, ...passwords, [name]: 'Wr0ng' });
    failed(run, `chat (by Sentinel): ${said}`);
  }
});

test('a Sentinel in place of the server is said to be one', async () => {
  for (const command of ['load', 'check', 'list']) {
    failed(
      await cli([command, '--url', `redis://127.0.0.1:${port}`]),
      `127.0.0.1:${port}: this is a Sentinel, not the server that it watches. Name the server by it: ` +
        '--sentinel host:port --name NAME (SENTINEL MASTERS tells the name)',
    );
  }
});

test('a name that the Sentinels do not know, and Sentinels that are not there, are told apart', async () => {
  failed(
    await cli(['check', '--sentinel', `127.0.0.1:${port}`, '--name', 'other']),
    'other (by Sentinel): the Sentinels do not know a server of that name. SENTINEL MASTERS tells which they know.',
  );
  failed(
    await cli(['check', '--sentinel', `127.0.0.1:${await freePort()}`, '--name', 'chat']),
    'chat (by Sentinel): none of the Sentinels could be reached.',
  );
});

test('a Sentinel that takes connections and never answers does not keep the next one from being asked', async () => {
  const { port: stopped, sentinel } = await startSentinel();
  sentinel.kill('SIGSTOP');
  const { stdout, stderr, code } = await cli([
    ...['check', '--sentinel', `127.0.0.1:${stopped},127.0.0.1:${port}`, '--name', 'chat'],
  ]);
  assert.equal([stdout, stderr, code], ['chat (by Sentinel)  conversation 1.0.0 is there\n', '', 0]);
});

test('a server in place of a Sentinel is said to be none', async () => {
  failed(
    await cli(['check', '--sentinel', `127.0.0.1:${serverPort}`, '--name', 'chat']),
    'chat (by Sentinel): what answers there is not a Sentinel, which listens on port 26379 as a rule.',
  );
});

test.run();
