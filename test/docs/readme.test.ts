import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LIBRARY_SOURCE, LIBRARY_VERSION } from '../../src/index.ts';
import { withRedis } from '../support/redis.ts';

const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
const blocks = [...readme.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)].map(([, language, text]) => ({
  language,
  text: text ?? '',
}));
const lines = blocks.filter(({ language }) => language === 'sh').flatMap(({ text }) => text.trim().split('\n'));

/** A redis-cli line as the words a shell would make of it, without redis-cli itself. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '').slice(1);
}

const test = suite('README');
const redis = withRedis(test);

test('the two commands stand alone on their lines', () => {
  assert.ok(lines.includes('npm ci && npm start'));
  assert.ok(lines.includes('npm test'));
});

test('the TypeScript example compiles and tells the story its comments tell', async () => {
  const [example] = blocks.filter(({ language }) => language === 'ts');
  assert.ok(example);
  const client = await redis.connect();
  await client.flushall();
  const folder = await mkdtemp(join(import.meta.dirname, 'readme-'));
  try {
    const file = join(folder, 'example.ts');
    await writeFile(file, example.text.replace("'conversation-state'", "'../../../src/index.ts'"));
    const run = promisify(execFile);
    const tsc = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc');
    const project = join(folder, 'tsconfig.json');
    await writeFile(project, JSON.stringify({ extends: '../../../tsconfig.json', include: ['example.ts'] }));
    await run(process.execPath, [tsc, '-p', project]);
    const env = { ...process.env, REDIS_URL: await redis.url() };
    const { stdout } = await run(process.execPath, ['--import', 'tsx', file], { env });
    const heard = stdout.trim().split('\n');
    assert.ok(heard.includes('conversation claimed: slack C0123ABCD, job agent-web-12'));
    assert.ok(heard.includes('agent-web-12 speaks in C0123ABCD'));
    assert.equal(
      heard.filter((line) => /^(accepted|removed)$/.test(line)),
      ['accepted', 'removed'],
    );
    const left = (await client.keys('*')).sort();
    assert.equal(left, ['conversation-handled:slack:C0123ABCD', 'job:agent-web-12:in']);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('the redis-cli lines answer what the table says', async () => {
  const client = await redis.connect();
  await client.flushall();
  await client.function('LOAD', 'REPLACE', LIBRARY_SOURCE);
  const calls = lines.filter((line) => /^redis-cli (FCALL|XRANGE)/.test(line));
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
  const users = lines.filter((line) => line.startsWith('redis-cli ACL SETUSER'));
  assert.is(users.length, 3);
  for (const line of users) {
    const [command = '', ...args] = words(line);
    await admin.call(command, ...args);
  }
  await admin.set('foreign', 'secret');
  const as = (username: string) =>
    new Redis(url, { username, password: `${username}-password`, enableReadyCheck: false });
  const [app, deployer, ops] = [as('app'), as('deployer'), as('ops')];
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
    assert.equal(await allowed(ops, calls), yes('get', 'scan', 'deadline'));
    assert.is(await admin.get('conversation:slack:C1'), text);
  } finally {
    for (const client of [admin, app, deployer, ops]) client.disconnect();
  }
});

test('the state that is shown is one that the library takes', async () => {
  const client = await redis.connect();
  await client.function('LOAD', 'REPLACE', LIBRARY_SOURCE);
  const [shown] = blocks.filter(({ language }) => language === 'json');
  assert.ok(shown);
  const keys = ['conversation:slack:C0123ABCD', 'job-index:agent-web-12'];
  assert.is(await client.fcall('conv_set', 2, ...keys, shown.text), null);
});

test.run();
