import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { typescript } from '../../scripts/test/typescript.ts';
import { dump, withRedis } from '../support/redis.ts';

const support = suite('what the tests stand on');
const redis = withRedis(support);

/** Runs `npm test -- words`; stdout in lines. */
function npmTest(words: string[], env: Record<string, string> = {}): Promise<{ code: number; lines: string[] }> {
  const args = [...typescript(), join(import.meta.dirname, '..', '..', 'scripts', 'test.ts'), ...words];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env: { ...process.env, ...env } }, (error, stdout) => {
      resolve({ code: error ? Number(error.code) : 0, lines: stdout.trimEnd().split('\n') });
    });
  });
}

support('dump shows every key with type, value and deadline, alike in RESP2 and RESP3', async () => {
  const client = await redis.connect({ protocol: 2 });
  const deadline = Date.now() + 60_000;
  await client.set('text', '{"a":[],"ü":1.10}', 'PXAT', deadline);
  await client.set('bytes', Buffer.from([0xff, 0x00]));
  await client.rpush('list', 'one', 'two');
  await client.hset('hash', 'field', 'value');
  await client.sadd('set', 'member');
  await client.xadd('stream', '1-1', 'field', 'value');
  await client.pexpireat('stream', deadline);
  const expected = {
    bytes: { type: 'string', value: 'bytes ff00', deadline: -1 },
    hash: { type: 'hash', value: ['field', 'value'], deadline: -1 },
    list: { type: 'list', value: ['one', 'two'], deadline: -1 },
    set: { type: 'set', value: ['member'], deadline: -1 },
    stream: { type: 'stream', value: [['1-1', ['field', 'value']]], deadline },
    text: { type: 'string', value: '{"a":[],"ü":1.10}', deadline },
  };
  assert.equal(await dump(client), expected);
  assert.equal(await dump(await redis.connect({ protocol: 3 })), expected);
  assert.equal(Object.keys(await dump(client)), Object.keys(expected), 'in order');
});

support('dump tells a changed value and a changed deadline', async () => {
  const client = await redis.connect();
  await client.set('key', 'value', 'PX', 60_000);
  const before = await dump(client);
  await client.pexpire('key', 50_000);
  assert.not.equal(await dump(client), before);
});

support('the tests refuse a server of REDIS_URL with anything on it, and touch nothing', async () => {
  const server = await redis.server();
  const client = await redis.connect({}, server);
  const refusal = async () => {
    const { code, lines } = await npmTest(['library/claim'], { REDIS_URL: server.url });
    assert.is(code, 1);
    assert.is(lines.at(-1), '0 passed, 1 failed');
    return lines.join('\n');
  };
  await client.select(3);
  await client.set('mine', '1');
  assert.match(await refusal(), 'The server of REDIS_URL holds keys.');
  assert.is(await client.get('mine'), '1');
  await client.flushall();
  await client.function('LOAD', "#!lua name=mine\nredis.register_function('mine', function() return 1 end)");
  assert.match(await refusal(), 'The server of REDIS_URL holds function libraries.');
  assert.is(await client.fcall('mine', 0), 1);
});

support('npm test names the files there are when a word matches none', async () => {
  const { code, lines } = await npmTest(['no-such-file']);
  assert.is(code, 1);
  assert.match(lines.join('\n'), "No test file's path holds no-such-file. There are: ");
  assert.is(lines.at(-1), '0 passed, 1 failed');
});

support.run();
