import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromInfo } from '../../src/cli/doctor/server.ts';
import { ConversationStore } from '../../src/index.ts';
import { withRedis } from '../support/redis.ts';
import { cli } from './cli.ts';

const test = suite('doctor');
const server = withRedis(test);
let redis: Redis;
let url: string;

/** What the store's functions and the store itself run. */
const COMMANDS =
  'fcall fcall_ro get set del exists pexpireat pexpiretime time xadd xlen xrange zadd zcard zrem zscore ' +
  'zrangebyscore zremrangebyscore zremrangebyrank scan';
const KEYS = '~conversation:* ~conversation-inbox:* ~conversation-handled:* ~conversation-watch ~job-index:* ~job:*';

test.before(async () => {
  redis = await server.connect();
  url = await server.url();
});
test.before.each(async () => {
  await redis.flushall();
  await new ConversationStore(redis).ready();
});

interface Finding {
  check: string;
  level: string;
  found: string;
  advice?: string;
  command?: string;
}

async function doctor(check: string, args: string[] = [], env = {}): Promise<Finding[]> {
  const { stdout, stderr } = await cli(['doctor', '--json', ...args], { REDIS_URL: url, ...env });
  assert.ok(stdout !== '', stderr);
  const findings: Finding[] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return findings.filter((finding) => finding.check === check);
}

/** The findings of a reply of INFO with some members, each as `level check`. */
function told(values: Record<string, string | number>): string[] {
  const healthy = {
    redis_version: '7.0.15',
    role: 'master',
    maxmemory_policy: 'noeviction',
    used_memory: 10,
    maxmemory: 1_000,
    aof_enabled: 1,
    connected_slaves: 1,
    slave0: 'ip=127.0.0.1,port=1,state=online,offset=1,lag=0',
  };
  const info = Object.entries({ ...healthy, ...values }).map(([name, value]) => `${name}:${value}\r\n`);
  return fromInfo(info.join('')).flatMap(({ check, level }) => (level === 'ok' ? [] : [`${level} ${check}`]));
}

test('a server that is as it should be has no other mark', () => {
  assert.equal(told({}), []);
  assert.equal(told({ valkey_version: '9.1.0' }), []);
});

test('what INFO says against a server is told apart: wrong, or worth a look', () => {
  const cases: [Record<string, string | number>, string][] = [
    [{ redis_version: '6.2.7' }, 'wrong server'],
    [{ loading: 1 }, 'wrong server'],
    [{ role: 'slave' }, 'wrong server'],
    [{ maxmemory_policy: 'allkeys-lru' }, 'wrong eviction'],
    [{ maxmemory: 0 }, 'warning memory'],
    [{ used_memory: 850 }, 'warning memory'],
    [{ used_memory: 1_000 }, 'wrong memory'],
    [{ aof_enabled: 0 }, 'warning persistence'],
    [{ rdb_last_bgsave_status: 'err' }, 'wrong persistence'],
    [{ aof_last_write_status: 'err' }, 'wrong persistence'],
    [{ connected_slaves: 0 }, 'warning replicas'],
    [{ slave0: 'ip=127.0.0.1,port=1,state=online,offset=1,lag=60' }, 'warning replica'],
    [{ slave0: 'ip=127.0.0.1,port=1,state=wait_bgsave,offset=1,lag=0' }, 'warning replica'],
  ];
  for (const [values, finding] of cases) assert.equal(told(values), [finding]);
});

test('each right that the store needs is missed where a user lacks it', async () => {
  const user = (...rules: string[]) =>
    redis.call(
      'ACL',
      'SETUSER',
      'app',
      'reset',
      ...KEYS.split(' '),
      ...COMMANDS.split(' ').map((c) => `+${c}`),
      ...rules,
    );
  const rights = async (...args: string[]) => (await doctor('rights', ['--user', 'app', ...args]))[0];
  await user();
  assert.equal(await rights('--stream', 'job:j1:in'), {
    server: url.slice('redis://'.length),
    check: 'rights',
    level: 'ok',
    found: 'User app has all rights that the store needs.',
  });
  for (const command of COMMANDS.split(' ')) {
    await user(`-${command}`);
    const { level, found } = (await rights()) ?? {};
    assert.is(level, 'wrong', command);
    assert.match(found ?? '', `needs: ${command.toUpperCase()}`);
  }
  for (const pattern of KEYS.split(' ')) {
    await user('resetkeys', ...KEYS.split(' ').filter((other) => other !== pattern));
    assert.is((await rights('--stream', 'job:j1:in'))?.level, 'wrong', pattern);
  }
});

test('whoever lacks rights is told to name the user of the apps, in case it is another', async () => {
  const looks = ['+info', '+fcall', '+fcall_ro', '+hello', '+time', '+acl|whoami', '+acl|dryrun'];
  await redis.call('ACL', 'SETUSER', 'looker', 'on', '>p', '-@all', ...looks);
  const env = { REDIS_URL: url.replace('redis://', 'redis://looker:p@') };
  const advice = async (...args: string[]) => (await doctor('rights', args, env))[0]?.advice;
  assert.match((await advice()) ?? '', /^If this is not the user of the apps, name that one: --user app\./);
  assert.match((await advice('--user', 'looker')) ?? '', /^Give it the rights/);
});

test('a library that is missing, and a user who may not look, are said; the rest is looked at all the same', async () => {
  await redis.function('FLUSH');
  assert.is((await doctor('library'))[0]?.found, 'There is no library conversation.');
  assert.is((await doctor('keys'))[0]?.found, 'Not looked at: that takes the library.');
  await redis.function('LOAD', 'REPLACE', "#!lua name=other\nredis.register_function('conv_get', function() end)");
  assert.match((await doctor('library'))[0]?.found ?? '', 'The library other has a function name of conversation.');
  await redis.function('FLUSH');
  await new ConversationStore(redis).ready();
  await redis.call('ACL', 'SETUSER', 'oncall', 'on', '>p', '-@all', '+info', '+fcall_ro', '+hello', '+time');
  const env = { REDIS_URL: url.replace('redis://', 'redis://oncall:p@') };
  const said = async (check: string) => (await doctor(check, [], env)).map(({ level, found }) => `${level} ${found}`);
  assert.equal(await said('library'), ['warning Not checked: this user may not run FUNCTION LIST.']);
  assert.equal(await said('rights'), ['warning Not checked: this user may not run ACL WHOAMI.']);
  assert.equal(await said('keys'), ['warning Not checked: this user may not run SCAN.']);
  assert.is(
    (await said('server'))[0]?.startsWith('ok Redis') || (await said('server'))[0]?.startsWith('ok Valkey'),
    true,
  );
});

test('a user who is not there, and a cluster prefix without a cluster, are mistakes of the command line or said', async () => {
  const { stderr, code } = await cli(['doctor', '--user', 'ghost'], { REDIS_URL: url });
  assert.is(code, 1);
  assert.match(stderr, /'ghost' not found/);
});

test('a user who may call none of the functions that write is taken for somebody on call, unless it is named', async () => {
  await redis.call('ACL', 'SETUSER', 'oncall', 'reset', 'on', '>p', '~*', '+@all', '-fcall');
  const env = { REDIS_URL: url.replace('redis://', 'redis://oncall:p@') };
  const [own] = await doctor('rights', [], env);
  assert.is(own?.level, 'warning');
  assert.is(own?.found, 'User oncall only looks, so its rights are not those of an app.');
  assert.is(own?.advice, "Name the app's user to have its rights checked: --user app.");
  assert.is((await doctor('rights', ['--user', 'oncall'], env))[0]?.level, 'wrong');
  for (const rules of [
    ['+fcall', '-zadd'],
    ['+zadd', 'resetkeys', '~other:*'],
  ]) {
    await redis.call('ACL', 'SETUSER', 'oncall', ...rules);
    assert.is((await doctor('rights', [], env))[0]?.level, 'wrong', rules.join(' '));
  }
});

test('what cannot be read comes with a command that deletes it, as a shell takes it', async () => {
  const channelId = 'it\'s "$(id)" \\';
  await redis.set(`conversation:slack:${channelId}`, '{"secret": 1', 'PX', 60_000);
  const command = (await doctor('keys')).find((finding) => finding.command)?.command ?? '';
  const channel = ['--platform', 'slack', '--channel', channelId];
  const shown = await cli(['show', ...channel], { REDIS_URL: url });
  assert.ok(shown.stdout.includes(command), shown.stdout);
  const released = await cli(['release', '--job', 'j', '--reason', 'r', '--yes', ...channel], { REDIS_URL: url });
  assert.is(released.code, 1);
  assert.ok(released.stderr.includes(command) && !released.stderr.includes('secret'), released.stderr);
  const { stdout } = await promisify(execFile)('sh', ['-c', command.replace('redis-cli', "printf '%s\\n'")]);
  const [, host, , port, name = '', ...call] = stdout.trim().split('\n');
  assert.equal([host, port, name], ['127.0.0.1', new URL(url).port, 'FCALL']);
  assert.equal(await redis.call(name, ...call), ['removed', '{"secret": 1']);
  assert.equal(
    (await doctor('keys')).map(({ level }) => level),
    ['ok'],
  );
});

test.run();
