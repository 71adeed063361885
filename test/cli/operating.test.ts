import { once } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, JOB, STATE, WATCH } from '../support/library.ts';
import { dump, withRedis } from '../support/redis.ts';
import { cli, failed, jsonLines, startCli, succeeded } from './cli.ts';

const test = suite('the command line for whoever is on call');
const server = withRedis(test);
const LONG_AGO = new Date(Date.now() - 26 * 3_600_000).toISOString();

const redis = await server.connect();
const env = { REDIS_URL: await server.url(), NO_COLOR: '1' };
const store = new ConversationStore(redis, { silentAfterMs: 3_600_000 });

test.before(() => store.ready());
test.before.each(async () => void (await redis.flushall()));

const run = (...args: string[]) => cli(args, env);
const CHANNEL_C1 = ['--platform', 'slack', '--channel', 'C1'];

const lines = async (...args: string[]) => jsonLines(await run(...args, '--json'));

/** Puts jobs on watch as due for so long. */
async function silence(ms: number, ...entries: string[]): Promise<void> {
  for (const entry of entries) await redis.zadd(WATCH, Date.now() - ms, entry);
}

async function queue(deliveryId: string, fields: Record<string, string>, channel = {}): Promise<void> {
  const next = { ...STATE, ...channel, jobId: 'next', claimId: 'next', deliveryId };
  assert.is((await store.claim(next, { queue: fields })).outcome, 'queued');
}

test('list shows a line for each conversation, or an object, and says where there is none', async () => {
  assert.equal(await run('list'), { stdout: '', stderr: 'There is no conversation.\n', code: 0 });
  await store.claim({ ...STATE, startedAt: LONG_AGO });
  await store.setPendingQuestion(STATE, 'q1');
  await queue('d2', { text: 'more' });
  await silence(60_000, `j1\n${CHANNEL}`);
  await redis.set('conversation:slack:C2', '{"secret": 1');
  await store.claim({ ...STATE, channelId: 'C3', jobId: 'j3', claimId: 'c3' }, { startWithinMs: 60_000 });
  const { stdout, stderr, code } = await run('list', '--sort', 'channel');
  assert.equal([stderr, code], ['', 0]);
  const [head = '', first = '', second = '', third = '', end] = stdout.split('\n');
  assert.is(head.replace(/ +/g, ' '), 'PLATFORM CHANNEL JOB PROJECT TICKET STARTED QUESTION UNREAD STATUS LEFT');
  assert.match(first, /^slack {5}C1 {7}j1 {12}web {6}12 +1d2h {2}q1 +1 {2}silent 1m(\d+s)? +1h59m$/);
  assert.match(second, /^slack {5}C2 {7}\(unreadable\) +for ever$/);
  assert.match(third, /^slack {5}C3 {7}j3 .* {2}starting +\d+[sm]$/);
  assert.is(end, '');
  const [{ leftMs, dueMs, ...others }, unreadable] = await lines('list', '--sort', 'channel');
  assert.ok(leftMs > 7_000_000 && leftMs <= 7_200_000 && dueMs >= 60_000);
  const { jobId, platform, channelId, project, ticketId } = STATE;
  const shown = { platform, channelId, jobId, project, ticketId, startedAt: LONG_AGO, pendingQuestionId: 'q1' };
  const watched = { starting: null, silentAfterMs: 3_600_000, answerBy: null, reason: 'silent', unread: 1 };
  assert.equal(others, { ...shown, ...watched });
  assert.equal(unreadable, { platform, channelId: 'C2', unreadable: true, unread: 0, leftMs: null });
});

test('list chooses by platform, silence and question, and orders by every column', async () => {
  for (const [n, platform] of ['slack', 'teams', 'web'].entries()) {
    const startedAt = new Date(Date.now() - n * 60_000);
    const channel = { ...STATE, platform, channelId: `C${n}`, jobId: `j${n}`, startedAt };
    await store.claim(channel, { ttlMs: (9 - n) * 100_000 });
  }
  await store.setPendingQuestion({ jobId: 'j1' }, 'q', { ttlMs: 850_000 });
  await queue('d', { text: 'more' }, { platform: 'web', channelId: 'C2' });
  await silence(60_000, 'j2\nconversation:web:C2');
  await redis.set('conversation:discord:C3', '{"secret": 1');
  await redis.set('conversation:discord', 'no conversation');
  const cases: [args: string, expected: RegExp][] = [
    ['--platform Slack', /^0$/],
    ['--silent', /^2$/],
    ['--waiting', /^1$/],
    ['--sort platform', /^3012$/],
    ['--sort channel', /^0123$/],
    ['--sort job', /^3012$/],
    ['--sort started', /^2103$/],
    ['--sort unread', /^2...$/],
    ['--sort due', /^2...$/],
    ['--sort left', /^2103$/],
  ];
  for (const [args, expected] of cases) {
    const found = await lines('list', ...args.split(' '));
    assert.match(found.map(({ channelId }) => channelId.slice(1)).join(''), expected, args);
  }
  assert.is((await run('list', '--waiting', '--platform', 'discord')).stderr, 'There is no such conversation.\n');
});

test('what somebody named a channel reaches the terminal as an escape, and can be given back as it is shown', async () => {
  const channelId = 'C "1"\u202e\u2028\u200dx';
  await store.claim({ ...STATE, channelId, jobId: 'j\u200d1', project: '\u001b[2J\u009b31m' });
  const list = await run('list');
  const [, channel = '', job = ''] = /\nslack {5}(.*x) {2}(\S+) /.exec(list.stdout) ?? [];
  assert.equal([channel, job], ['C "1"\\u{202e}\\u{2028}\\u{200d}x', 'j\\u{200d}1']);
  const json = await run('list', '--json');
  assert.is(JSON.parse(json.stdout).channelId, channelId);
  const shown = await run('show', '--platform', 'slack', '--channel', channel, '--job', job);
  for (const { stdout, code } of [list, json, shown]) {
    assert.is(code, 0);
    assert.not.match(stdout, /[^\n\P{Cc}]|[\p{Cf}\p{Zl}]/u);
  }
  const released = await run('release', '--job', job, '--reason', 'x', '--by', 'ann', '--yes');
  succeeded(released, `released slack ${channel} from job ${job}: x (ann)`);
});

test('show tells the state, both deadlines, the question, the inbox and the last answer', async () => {
  await store.claim(STATE);
  await store.setPendingQuestion(STATE, 'q1');
  await store.answerQuestion(STATE, 'q1', { answerId: 'yes' });
  for (let n = 0; n < 22; n++) await queue(`d${n}`, { n: String(n) });
  const { stdout, code } = await run('show', '--job', 'j1');
  assert.is(code, 0);
  for (const part of [
    /^slack C1, job j1\nkey {12}conversation:slack:C1, ends in 1h59m\nindex {10}job-index:j1, ends in 1h59m\n/,
    /\nquestion {7}no question is pending\n/,
    /\ninbox {10}22 unread messages\n {2}\d+-\d+ {2}\["n","0"\]\n.* \["n","19"\]\n {2}and 2 more\n/s,
    /\nstate\n {2}{\n {4}"jobId": "j1",\n.*"answerId": "yes".*\n {2}}\n$/s,
  ]) {
    assert.match(stdout, part);
  }
  await store.setPendingQuestion(STATE, 'q2', { answerWithinMs: 60_000 });
  await silence(60_000, `j1\n${CHANNEL}`);
  const byAll = await run('show', '--job', 'j1', ...CHANNEL_C1);
  assert.match(byAll.stdout, /\nquestion {7}q2 is pending until 20\S+Z\ndue {12}silent, overdue by 1m(\d+s)?\n/);
  const [json] = await lines('show', ...CHANNEL_C1);
  assert.equal([json.state.jobId, json.inbox[0].fields, json.wrong], ['j1', ['n', '0'], []]);
  for (const [args, which] of [
    [['--job', 'j9'], 'that job j9 holds'],
    [['--job', 'j9', ...CHANNEL_C1], 'in slack C1 that job j9 holds'],
    [['--platform', 'slack', '--channel', 'C9'], 'in slack C9'],
  ] as const) {
    failed(await run('show', ...args), `There is no conversation ${which}.`);
  }
});

test('show says what is wrong, and exits with 1 then', async () => {
  await store.claim(STATE);
  const unreadable = 'What is stored cannot be read as a state. Every claim is refused.';
  const endless = 'It has no deadline: it stays until it is removed.';
  for (const [breakIt, ...expected] of [
    [() => redis.pexpire(JOB, 1_000_000), 'Its two keys do not expire together.'],
    [() => redis.persist(CHANNEL), endless],
    [() => redis.set(JOB, 'conversation:slack:C2'), 'The index of its job leads to another channel.', endless],
    [() => redis.del(JOB), 'The index of its job is not there: the job does not find its channel.', endless],
    [() => redis.rpush(JOB, 'x'), 'The index of its job is a key of another type.', endless],
    [() => redis.set(CHANNEL, '{"secret"', 'PX', 1_000_000), unreadable],
    [() => redis.del(CHANNEL).then(() => redis.rpush(CHANNEL, 'x')), unreadable, endless],
  ] as const) {
    await breakIt();
    const { stdout, stderr, code } = await run('show', ...CHANNEL_C1, '--json');
    const { wrong } = JSON.parse(stdout);
    const sentences = wrong.map((sentence: string) => sentence.replace(/ To delete it, .*/, ''));
    assert.equal(sentences, expected);
    const said = expected.length === 1 ? 'One thing is wrong.\n' : '2 things are wrong.\n';
    assert.equal([stderr, code], [said, 1]);
  }
  const { stdout } = await run('show', ...CHANNEL_C1);
  const both = /^slack C1\nkey .*, no deadline\ninbox {10}empty\nwrong {10}What is stored .*\nwrong {10}It has/;
  assert.match(stdout, both);
});

test('due shows silent jobs and questions whose time is over, and changes nothing', async () => {
  const stderr = 'No job is silent, and no question has waited for too long.\n';
  assert.equal(await run('due'), { stdout: '', stderr, code: 0 });
  await store.claim(STATE);
  await store.claim({ ...STATE, channelId: 'C2', jobId: 'j2', claimId: 'c2' });
  await store.setPendingQuestion({ jobId: 'j2' }, 'q', { answerWithinMs: 1 });
  await redis.set('conversation:slack:C3', '{"secret"');
  await silence(60_000, `j1\n${CHANNEL}`);
  await silence(120_000, 'j9\nconversation:slack:C9');
  await silence(30_000, 'j3\nconversation:slack:C3');
  // No call can name what these entries name, so nobody is shown them.
  await silence(60_000, 'entry', `\n${CHANNEL}`, 'j1\nconversation:Bad Platform:C1');
  const before = await dump(redis);
  const { stdout } = await run('due');
  const table = stdout.trim().split('\n');
  const rows = table.map((line) => line.split(/ {2,}/).toSpliced(4, 1).join(' '));
  assert.equal(rows, [
    'PLATFORM CHANNEL JOB WHY CHANNEL IS',
    'slack C9 j9 silent not held',
    'slack C1 j1 silent held',
    'slack C3 j3 silent unreadable',
    'slack C2 j2 no answer held',
  ]);
  const [{ dueMs, ...json }] = await lines('due');
  assert.ok(dueMs >= 120_000);
  assert.equal(json, { jobId: 'j9', platform: 'slack', channelId: 'C9', reason: 'silent', holds: false });
  assert.equal(await dump(redis), before);
});

const RELEASE = ['release', '--job', 'j1', '--reason', 'hangs', '--by', 'ann', '--yes'];

test('release tells the job who took the channel and why, and forgets the conversation', async () => {
  await store.claim(STATE);
  const args = [...RELEASE, '--stream', 'job:j1:in'];
  succeeded(await run(...args), 'released slack C1 from job j1: hangs (ann)');
  assert.is(await redis.exists(CHANNEL, JOB), 0);
  failed(await run(...args), 'There is no conversation that job j1 holds. Nothing was changed.');
  const [[, fields] = [], ...others] = await redis.xrange('job:j1:in', '-', '+');
  assert.equal(fields, ['type', 'Released', 'jobId', 'j1', 'by', 'ann', 'reason', 'hangs']);
  assert.equal(others, []);
});

test('release leaves a channel with unread messages or of another job alone, and says why', async () => {
  await store.claim(STATE);
  await queue('d2', { text: 'more' });
  await store.claim({ ...STATE, channelId: 'C2', jobId: 'j2' });
  const before = await dump(redis);
  failed(await run(...RELEASE), /^waiting: 1 message unread, .* \(store\.handOver\); --discard-inbox .*\.\n$/);
  const ofOther = [...RELEASE, '--platform', 'slack', '--channel', 'C2'];
  failed(await run(...ofOther), 'held: slack C2 is held by job j2. It was not released.');
  assert.equal(await dump(redis), before);
  const [ended] = await lines(...RELEASE, '--discard-inbox');
  const { at, ...released } = ended;
  assert.ok(Date.parse(at) > 0);
  const what = { outcome: 'removed', platform: 'slack', channelId: 'C1', jobId: 'j1' };
  assert.equal(released, { ...what, by: 'ann', reason: 'hangs', discarded: 1 });
  assert.is(await redis.exists(CHANNEL, JOB, 'conversation-inbox:slack:C1'), 0);
});

test('watch prints one list after the other in a pipe, also after a lost connection, and ends with it', async () => {
  await store.claim(STATE);
  const { child, said, ended } = startCli(['watch'], env);
  const seen = async (text: RegExp) => {
    while (!text.test(said.stdout)) await once(child.stdout, 'data');
  };
  await seen(/ 1 conversation\n/);
  await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await seen(/Trying again.* 1 conversation\nPLATFORM .*\n\n/s);
  const time = /\d{4}-[\d-]+T[\d:.]+Z {2}/.source;
  const table = /\nPLATFORM .*\nslack .*\n\n/.source;
  const lost = /\S+: the connection was closed .* Trying again; this is what was there before\./.source;
  const shown = `${time}1 conversation${table}`;
  assert.match(said.stdout, new RegExp(`^(${shown})+${time}${lost}${table}${time}1 conversation\\n`));
  // The reader goes, and the next turn has nobody to write to.
  child.stdout.destroy();
  const { stderr, code } = await ended;
  assert.equal([stderr, code], ['', 0]);
});

test('without the library, or without a right, every command says so', async () => {
  await redis.call('ACL', 'SETUSER', 'reader', 'on', '>Wr0ng', '~*', '+@all', '-pttl');
  await store.claim(STATE);
  const reader = { REDIS_URL: env.REDIS_URL.replace('//', '//reader:Wr0ng@') };
  failed(await cli(['list'], reader), /^\S+: this user may not run PTTL\. It needs the right \+pttl\.\n$/);
  await redis.call('ACL', 'DELUSER', 'reader');
  await redis.function('FLUSH');
  const none = /: the server has no library conversation, this client needs 1\.0\.0; load it with: npx /;
  for (const args of [['list'], ['due'], ['show', '--job', 'j1'], RELEASE]) failed(await run(...args), none);
});

test.run();
