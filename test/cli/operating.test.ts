import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { cli, startCli } from './cli.ts';
import { operating } from './operating.ts';

const test = suite('the command line for whoever is on call');
const server = withRedis(test);
let redis: Redis;
let url: string;

test.before(async () => {
  redis = await server.connect();
  url = await server.url();
});

operating(test, () => {
  const env = { REDIS_URL: url, NO_COLOR: '1' };
  return { redis, run: (...args) => cli(args, env), start: (...args) => startCli(args, env) };
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
