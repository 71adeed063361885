import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { cli } from './cli.ts';
import { operating } from './operating.ts';

const test = suite('the command line for whoever is on call');
const server = withRedis(test);
let redis: Redis;
let url: string;

test.before(async () => {
  redis = await server.connect();
  url = await server.url();
});

operating(test, () => ({ redis, run: (...args) => cli(args, { REDIS_URL: url, NO_COLOR: '1' }) }));

test('watch prints one list after the other in a pipe, and ends with it', async () => {
  await redis.flushall();
  const store = new ConversationStore(redis);
  await store.claim(STATE);
  const child = spawn(process.execPath, ['--import', 'tsx', join('src', 'cli', 'main.ts'), 'watch'], {
    cwd: join(import.meta.dirname, '..', '..'),
    env: { ...process.env, REDIS_URL: url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  await new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      if ((text.match(/^PLATFORM/gm)?.length ?? 0) > 1) resolve();
    });
  });
  assert.match(text, /^\d{4}-[\d-]+T[\d:.]+Z {2}1 conversation\nPLATFORM .*\nslack .*\n\n\d{4}-/);
  assert.not(text.includes('\u001b'));
  // The reader goes, and the next turn has nobody to write to.
  child.stdout.destroy();
  const [code] = await once(child, 'exit');
  assert.is(code, 0);
});

test('a user without rights is told which command is missing', async () => {
  await redis.call('ACL', 'SETUSER', 'reader', 'on', '>pw', '~*', '+@all', '-pttl');
  try {
    const { port } = new URL(url);
    const store = new ConversationStore(redis);
    await store.claim(STATE);
    const { stderr, code } = await cli(['list', '--url', `redis://reader:pw@127.0.0.1:${port}`]);
    assert.is(code, 1);
    assert.match(stderr, /this user may not run PTTL/);
    assert.not.match(stderr, /\bpw\b/);
  } finally {
    await redis.call('ACL', 'DELUSER', 'reader');
  }
});

test.run();
