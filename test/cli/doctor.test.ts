import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { rightsFindings } from '../../src/cli/doctor/rights.ts';
import { fromInfo } from '../../src/cli/doctor/server.ts';
import { storedFindings } from '../../src/cli/doctor/stored.ts';
import { connect } from '../../src/connection.ts';
import { ConversationStore } from '../../src/index.ts';
import { log } from '../../src/log.ts';
import { CHANNEL, JOB, STATE, WATCH } from '../support/library.ts';
import { dump, withRedis } from '../support/redis.ts';
import { cli, failed, jsonLines } from './cli.ts';

const test = suite('doctor');
const server = withRedis(test);
const redis = await server.connect();
const url = await server.url();

/** What the store's functions and the store itself run. */
const COMMANDS = (
  'fcall fcall_ro get set del pexpireat pexpiretime time xadd xlen xrange xtrim zadd zcard zrem zscore ' +
  'zrangebyscore zremrangebyscore zremrangebyrank scan'
).split(' ');
const SPACE = { prefix: '', sharded: false };
const PLACE = ['--platform', 'slack', '--channel', 'C1'];
const KEYS = ['conversation:*', 'conversation-inbox:*', 'conversation-handled:*', WATCH, 'job-index:*', 'job:*'].map(
  (pattern) => `~${pattern}`,
);

test.before.each(async () => {
  await redis.flushall();
  await new ConversationStore(redis).ready();
});

async function doctor(check: string, args: string[] = [], env = {}): Promise<Finding[]> {
  const run = await cli(['doctor', '--json', ...args], { REDIS_URL: url, ...env });
  assert.ok(run.stdout !== '', run.stderr);
  return jsonLines(run).filter((finding) => finding.check === check);
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
    slave0: 'ip=127.0.0.1,port=1,state=online,offset=1,lag=0',
  };
  const info = Object.entries({ ...healthy, ...values }).map(([name, value]) => `${name}:${value}\r\n`);
  return fromInfo(info.join('')).flatMap(({ check, level }) => (level === 'ok' ? [] : [`${level} ${check}`]));
}

test('what INFO says against a server is told apart: nothing, wrong, or worth a look', () => {
  const cases: [Record<string, string | number>, string?][] = [
    [{}],
    [{ valkey_version: '9.1.0' }],
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
    [{ slave0: '' }, 'warning replicas'],
    [{ slave0: 'ip=127.0.0.1,port=1,state=online,offset=1,lag=60' }, 'warning replica'],
    [{ slave0: 'ip=127.0.0.1,port=1,state=wait_bgsave,offset=1,lag=0' }, 'warning replica'],
  ];
  for (const [values, ...findings] of cases) assert.equal(told(values), findings);
});

test('each right that the store needs is missed where a user lacks it', async () => {
  const rights = async (...rules: string[]) => {
    await redis.call('ACL', 'SETUSER', 'app', 'reset', ...KEYS, ...COMMANDS.map((name) => `+${name}`), ...rules);
    return (await rightsFindings(redis, SPACE, { user: 'app', cluster: false, stream: 'job:j1:in' }))[0];
  };
  const found = 'User app has all rights that the store needs.';
  assert.equal(await rights(), { check: 'rights', level: 'ok', found });
  for (const command of COMMANDS) {
    const { level, found = '' } = (await rights(`-${command}`)) ?? {};
    assert.is(level, 'wrong', command);
    assert.match(found, `needs: ${command.toUpperCase()}`);
  }
  for (const pattern of KEYS) {
    const others = KEYS.filter((other) => other !== pattern);
    assert.is((await rights('resetkeys', ...others))?.level, 'wrong', pattern);
  }
});

test('a user without the rights of an app is told to name that one, and a user who only reads is no app', async () => {
  const env = { REDIS_URL: url.replace('redis://', 'redis://oncall:p@') };
  const cases: [rules: string[], args: string[], level: string, advice: RegExp][] = [
    [['-fcall'], [], 'warning', /^Name the app's user to have its rights checked: --user app\.$/],
    [['-fcall'], ['--user', 'oncall'], 'wrong', /^Give it the rights of the line "app"/],
    [['-zadd'], [], 'wrong', /^If this is not the user of the apps, name that one: --user app\./],
    [['resetkeys', '~other:*'], [], 'wrong', /^If this is not the user of the apps/],
  ];
  for (const [rules, args, level, advice] of cases) {
    await redis.call('ACL', 'SETUSER', 'oncall', 'reset', 'on', '>p', '~*', '+@all', ...rules);
    const [finding] = await doctor('rights', args, env);
    assert.is(finding?.level, level, rules.join(' '));
    assert.match(finding?.advice ?? '', advice);
  }
  failed(await cli(['doctor', '--user', 'ghost'], { REDIS_URL: url }), /'ghost' not found/);
});

test('a library that is missing, and a user who may not look, are said; the rest is looked at all the same', async () => {
  await redis.function('FLUSH');
  const [missing] = await doctor('library');
  assert.is(missing?.found, 'There is no library conversation.');
  assert.match(missing?.advice ?? '', 'load it with: npx --no conversation-state load --url redis://…');
  assert.is((await doctor('keys'))[0]?.found, 'Not checked: that takes every server, with the library.');
  await new ConversationStore(redis).ready();
  await redis.call('ACL', 'SETUSER', 'blind', 'on', '>p', '-@all', '+info', '+fcall_ro', '+hello', '+time');
  const env = { REDIS_URL: url.replace('redis://', 'redis://blind:p@') };
  for (const [check, command] of [
    ['library', 'FUNCTION LIST. It needs the right +function|list'],
    ['rights', 'ACL WHOAMI. It needs the right +acl|whoami'],
    ['keys', 'SCAN. It needs the right +scan'],
  ] as const) {
    const [{ level, found } = {}] = await doctor(check, [], env);
    assert.equal([level, found], ['warning', `Not checked: this user may not run ${command}.`]);
  }
  assert.match((await doctor('server', [], env))[0]?.found ?? '', /^(Redis|Valkey)/);
});

/** Everything that doctor says of the keys. */
function ofKeys(space = SPACE): Promise<Finding[]> {
  return storedFindings({ client: redis, connection: connect(redis, 'never', log(undefined)), space });
}

/** The same, as `level found`, in order. */
async function keysFound(): Promise<string[]> {
  return (await ofKeys()).map(({ level, found }) => `${level} ${found}`).sort();
}

const NOTHING = 'ok No problems in 0 conversations, 0 indexes, 0 inboxes, 0 lists of deliveries, 0 watches.';

test('doctor says everything that is wrong with the keys, each with examples, and changes nothing', async () => {
  assert.equal(await keysFound(), [NOTHING]);
  const store = new ConversationStore(redis, { silentAfterMs: 3_600_000 });
  for (let n = 1; n <= 6; n++) await store.claim({ ...STATE, channelId: `C${n}`, jobId: `j${n}`, claimId: `c${n}` });
  await redis.persist('conversation:slack:C2');
  await redis.pexpire('job-index:j3', 500_000);
  await redis.del('job-index:j2', 'job-index:j4', 'conversation:slack:C5', 'conversation:slack:C6');
  // One that holds its channel, and one that no longer does.
  for (const n of [3, 5]) await redis.zadd(WATCH, Date.now() - 700_000, `j${n}\nconversation:slack:C${n}`);
  for (const name of ['conversation', 'conversation-inbox', 'conversation-handled']) {
    await redis.rpush(`${name}:slack:L`, 'x');
  }
  await redis.rpush('job-index:L', 'x');
  // What other programs keep under such names is none of its business.
  await redis.set('conversation:other', 'x');
  const before = await dump(redis);
  assert.equal(await keysFound(), [
    'ok Looked at 6 conversations, 5 indexes, 1 inbox, 1 list of deliveries, 1 watch.',
    'warning Indexes that lead to no conversation of their job: 2 (job-index:j5, job-index:j6).',
    'warning Watches with jobs that are due and that no sweep has looked at for ten minutes: 1 (conversation-watch).',
    'wrong Keys of another type than theirs: 4 (conversation-inbox:slack:L, conversation:slack:L, job-index:L, …).',
    'wrong Keys that do not fit the others of their conversation: 3 (conversation:slack:C2, conversation:slack:C3, conversation:slack:C4).',
  ]);
  const { stdout, stderr, code } = await cli(['doctor'], { REDIS_URL: url });
  assert.equal([stderr, code], [`${stdout.match(/^✗/gm)?.length} things are wrong.\n`, 1]);
  const three = '\n✗ keys {9}Keys that do not fit .*: 3 .*\n {15}One of them is missing, .*\n {15}redis-cli -h ';
  assert.match(stdout, new RegExp(three));
  assert.equal(await dump(redis), before);
});

const TEXT = JSON.stringify(STATE);
const ODD = 'conversation:slack:it\'s "$(id)" \\';
const INBOX = 'conversation-inbox:slack:C1';

/** What doctor finds, and what breaks the keys of a conversation so. */
const BROKEN: Record<string, (() => Promise<unknown>)[]> = {
  'Keys of another type than theirs': [() => redis.rpush('conversation:slack:X', 'a'), () => redis.rpush(WATCH, 'a')],
  'Conversations that cannot be read': [() => redis.set(ODD, '{"secret": 1')],
  'Keys that do not fit the others of their conversation': [
    () => redis.mset(CHANNEL, TEXT, JOB, CHANNEL),
    () => redis.set(CHANNEL, TEXT, 'PX', 60_000),
    () => redis.mset(CHANNEL, TEXT, JOB, 'conversation:slack:C9'),
    () => redis.set(CHANNEL, TEXT, 'PX', 60_000).then(() => redis.set(JOB, CHANNEL)),
  ],
  'Conversations whose job holds another channel': [
    () =>
      new ConversationStore(redis)
        .claim({ ...STATE, channelId: 'C2' })
        .then(() => redis.set(CHANNEL, TEXT, 'PX', 60_000)),
  ],
  'Indexes that lead to no conversation of their job': [() => redis.set(JOB, 'conversation:slack:C9')],
};

/** Breaks the keys, and runs the command against the one problem that doctor finds then, as a shell takes it. */
async function mended(what: string, breaks: () => Promise<unknown>): Promise<string> {
  await redis.flushall();
  await breaks();
  const finding = (await ofKeys()).find(({ found }) => found.startsWith(`${what}: 1 `));
  assert.ok(finding?.command, what);
  return (await promisify(execFile)('sh', ['-c', finding.command])).stdout;
}

test('the command that doctor gives leaves nothing wrong with the keys', async () => {
  for (const [what, all] of Object.entries(BROKEN)) {
    for (const breaks of all) {
      assert.not.match(await mended(what, breaks), /^(ERR|CONV|WRONGTYPE)/m);
      assert.match((await keysFound()).join(), /^ok No problems in [^,]*,[^,]*,[^,]*,[^,]*,[^,]*$/, what);
    }
  }
});

test('what is not broken but worth a look is shown by the command that doctor gives', async () => {
  const unread = 'Inboxes with messages whose channel no job has';
  assert.match(await mended(unread, () => redis.xadd(INBOX, '*', 'text', 'more')), /text\nmore\n/);
  await redis.zadd('t:conversation-watch', Date.now() - 700_000, 'j1\nt:conversation:slack:C1');
  const [, finding] = await ofKeys({ prefix: 't:', sharded: false });
  assert.is(finding?.command, "npx --no conversation-state due --prefix 't:'");
  assert.match((await cli(['due', '--prefix', 't:'], { REDIS_URL: url })).stdout, /\nslack +C1 +j1 /);
});

test('release and show give the command against what cannot be read, too, and none of the three shows it', async () => {
  await redis.set(CHANNEL, '{"secret": 1', 'PX', 60_000);
  const command = (await doctor('keys')).find((finding) => finding.command)?.command ?? '';
  for (const args of [['doctor'], ['show', ...PLACE], ['release', '--job', 'j', '--reason', 'r', '--yes', ...PLACE]]) {
    const { stdout, stderr, code } = await cli(args, { REDIS_URL: url });
    assert.is(code, 1);
    assert.ok(`${stdout}${stderr}`.includes(command) && !`${stdout}${stderr}`.includes('secret'));
  }
});

test.run();
