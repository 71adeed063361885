import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LIBRARY_SOURCE, LIBRARY_VERSION } from '../../src/index.ts';
import { partitionOf } from '../../src/keys/prefix.ts';
import { cli } from '../cli/cli.ts';
import { withRedis } from '../support/redis.ts';
import { linesOf, pageOf, words } from './pages.ts';

const page = pageOf('docs/redis-cli.md');
const readme = pageOf('README.md');

const test = suite('the lines for a shell');
const redis = withRedis(test);

test('the two commands of the README stand alone on their lines', () => {
  assert.ok(linesOf(readme, 'sh').includes('npm ci && npm start'));
  assert.ok(linesOf(readme, 'sh').includes('npm test'));
});

test('the redis-cli lines answer what the table says', async () => {
  const client = await redis.connect();
  await client.flushall();
  await client.function('LOAD', 'REPLACE', LIBRARY_SOURCE);
  const calls = linesOf(page, 'sh').filter((line) => /^redis-cli (FCALL|XRANGE)/.test(line));
  const replies: unknown[] = [];
  for (const line of calls) {
    const [command = '', ...args] = words(line);
    replies.push(await client.call(command, ...args));
  }
  const state = (reply: unknown) => JSON.parse(reply as string);
  const pair = (reply: unknown) => {
    const [outcome, text] = reply as [string, string];
    return [outcome, state(text).jobId];
  };
  assert.is(replies.length, 12);
  assert.equal(pair(replies[0]), ['claimed', 'j1']);
  assert.is(state(replies[1]).jobId, 'j1');
  assert.is(state(replies[2]).channelId, 'C1');
  assert.is(state((replies[3] as string[])[1]).pod, 'agent-7f');
  assert.is(state(replies[4]).pendingQuestionId, 'deploy-now');
  assert.equal(pair(replies[5]), ['accepted', 'j1']);
  assert.equal(
    (replies[6] as [string, string[]][]).map(([, fields]) => fields),
    [['answer', 'yes', 'by', 'U1']],
  );
  assert.equal(state(replies[7]).lastAnswer, { questionId: 'deploy-now', answerId: 'click-1' });
  assert.equal(pair(replies[8]), ['held', 'j2']);
  assert.equal(pair(replies[9]), ['removed', 'j2']);
  assert.equal(replies[10], []);
  assert.is(replies[11], LIBRARY_VERSION);
});

/** What a user may do: each call is allowed or not, and the server says which. */
async function allowed(client: Redis, calls: Record<string, [string, ...string[]]>): Promise<Record<string, boolean>> {
  const found: Record<string, boolean> = {};
  for (const [name, [command, ...args]] of Object.entries(calls)) {
    const error: unknown = await client.call(command, ...args).then(
      () => undefined,
      (error: unknown) => error,
    );
    const message = error instanceof Error ? error.message : '';
    if (message !== '' && !/NOPERM|ACL failure|permission/i.test(message)) throw error;
    found[name] = message === '';
  }
  return found;
}

test('each of the three users can do its work and nothing else', async () => {
  const { url } = await redis.server();
  const admin = new Redis(url);
  const users = linesOf(pageOf('docs/security.md'), 'sh').filter((line) => line.startsWith('redis-cli ACL SETUSER'));
  for (const line of users.slice(0, 5)) {
    const [command = '', ...args] = words(line);
    await admin.call(command, ...args);
  }
  await admin.set('foreign', 'secret');
  const as = (username: string) =>
    new Redis(url, { username, password: `${username}-password`, enableReadyCheck: false });
  const [app, deployer, oncall] = [as('app'), as('deployer'), as('oncall')];
  const text =
    '{"jobId":"j1","channelId":"C1","userId":"U1","platform":"slack","project":"p","ticketId":1,"startedAt":"2026-01-31T09:30:00Z"}';
  const taken = text.replace('j1', 'j2');
  const other = text.replace('j1', 'j3').replace('}', ',"claimId":"c3","deliveryId":"d3"}');
  const calls: Record<string, [string, ...string[]]> = {
    load: ['FUNCTION', 'LOAD', 'REPLACE', LIBRARY_SOURCE],
    listLibraries: ['FUNCTION', 'LIST'],
    claim: ['FCALL', 'conv_claim', '2', 'conversation:slack:C1', 'job-index:j1', text],
    get: ['FCALL_RO', 'conv_get', '1', 'conversation:slack:C1'],
    getByJob: ['FCALL', 'conv_get_by_job', '1', 'job-index:j1'],
    setPending: ['FCALL', 'conv_set_pending', '1', 'conversation:slack:C1', 'q1'],
    answer: ['FCALL', 'conv_answer', '2', 'job-index:j1', 'job:j1:in', 'q1', 'a1', '', 'answer', 'yes'],
    update: ['FCALL', 'conv_update', '2', 'job-index:j1', 'job:j1:in', '{}', '', 'd1', 'type', 'stop'],
    queue: ['FCALL', 'conv_claim', '2', 'conversation:slack:C1', 'job-index:j3', other, '', '', 'text', 'more'],
    watch: ['FCALL', 'conv_get_by_job', '1', 'job-index:j1', '', '1000'],
    due: ['FCALL', 'conv_due', '1', 'conversation-watch', '1000'],
    set: ['FCALL', 'conv_set', '2', 'conversation:slack:C1', 'job-index:j2', taken],
    scan: ['SCAN', '0'],
    remove: ['FCALL', 'conv_remove', '1', 'conversation:slack:C1'],
    deadline: ['PTTL', 'conversation:slack:C1'],
    foreignGet: ['GET', 'foreign'],
    foreignSet: ['SET', 'foreign', 'x'],
    foreignDel: ['DEL', 'foreign'],
    flush: ['FLUSHALL'],
    dropLibrary: ['FUNCTION', 'FLUSH'],
    config: ['CONFIG', 'GET', 'requirepass'],
    users: ['ACL', 'LIST'],
    script: ['EVAL', 'return 1', '0'],
    kill: ['CLIENT', 'KILL', 'ID', '999999'],
    publish: ['PUBLISH', 'channel', 'x'],
  };
  const names = Object.keys(calls);
  const yes = (...those: string[]) => Object.fromEntries(names.map((name) => [name, those.includes(name)]));
  try {
    assert.equal(await allowed(deployer, calls), yes('load', 'listLibraries'));
    const work = [
      'claim',
      'get',
      'getByJob',
      'setPending',
      'answer',
      'update',
      'queue',
      'watch',
      'due',
      'set',
      'scan',
      'remove',
    ];
    assert.equal(await allowed(app, calls), yes(...work));
    await admin.fcall('conv_set', 2, 'conversation:slack:C1', 'job-index:j1', text);
    assert.equal(await allowed(oncall, calls), yes('get', 'scan', 'deadline', 'listLibraries'));
    assert.is(await admin.get('conversation:slack:C1'), text);
  } finally {
    for (const client of [admin, app, deployer, oncall]) client.disconnect();
  }
});

test('the state that is shown is one that the library takes', async () => {
  const client = await redis.connect();
  await client.function('LOAD', 'REPLACE', LIBRARY_SOURCE);
  const [shown] = page.blocks.filter(({ language }) => language === 'json');
  assert.ok(shown);
  const keys = ['conversation:slack:C0123ABCD', 'job-index:agent-web-12'];
  assert.is(await client.fcall('conv_set', 2, ...keys, shown.text), null);
});

test('the command lines of the command line do what the page says', async () => {
  const client = await redis.connect();
  await client.flushall();
  const lines = linesOf(pageOf('docs/command-line.md'), 'sh').filter((line) => !line.startsWith('export '));
  const commands = lines.map((line) => words(line.replace(' --no ', ' ')));
  assert.ok(commands.length >= 7);
  for (const [, ...args] of commands) {
    const { stderr, code } = await cli(args, { REDIS_URL: await redis.url() });
    assert.is(code, 0, `${args.join(' ')}: ${stderr}`);
  }
});

test('a shell finds the partition of a channel as the page says', async () => {
  const lines = linesOf(pageOf('docs/cluster.md'), 'sh');
  const [, computed] = /# (\S+)$/.exec(lines[0] ?? '') ?? [];
  assert.is(computed, partitionOf('slack', 'C1'));
  const { stdout } = await promisify(execFile)('bash', ['-c', (lines[0] ?? '').replace(/#.*$/, '')]);
  assert.is(stdout.trim(), computed);
  assert.is(lines.length, 3);
  for (const line of lines.slice(1)) {
    const [command = '', printed] = line.split(' # ');
    const [, ...args] = words(command.trim().replace(' --no ', ' '));
    assert.is((await cli(args)).stdout.trim(), printed?.trim());
  }
});

test.run();
