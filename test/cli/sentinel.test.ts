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
import { cli, failed } from './cli.ts';

const test = suite('the command line and a Sentinel');
const redis = withRedis(test);
const START_LIMIT_MS = 10_000;

let folder: string;
let sentinel: ChildProcess;
let port: number;

test.before(async () => {
  const url = new URL((await redis.server()).url);
  const client = new Redis(url.href);
  await new ConversationStore(client).claim(STATE);
  client.disconnect();
  port = await freePort();
  folder = mkdtempSync(join(tmpdir(), 'conversation-state-sentinel-'));
  const config = join(folder, 'sentinel.conf');
  writeFileSync(config, `port ${port}\nbind 127.0.0.1\ndir ${folder}\nsentinel monitor chat 127.0.0.1 ${url.port} 1\n`);
  sentinel = spawn((await findRedisBinary()).path, [config, '--sentinel'], { stdio: 'ignore' });
  await answers();
});
test.after(() => {
  sentinel.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

async function answers(): Promise<void> {
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

test.run();
