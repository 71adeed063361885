import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Redis } from 'ioredis';
import type { Test } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, JOB, STATE, WATCH } from '../support/library.ts';
import { dump } from '../support/redis.ts';
import type { CliRun } from './cli.ts';

/** How the command line is run, and where. */
export interface Place {
  redis: Redis;
  run(...args: string[]): Promise<Pick<CliRun, 'stdout' | 'stderr' | 'code'>>;
  /** Starts it and leaves it to the test to end it. */
  start(...args: string[]): ChildProcess;
}

const LONG_AGO = new Date(Date.now() - 2 * 3_600_000).toISOString();

/** Registers what must hold of the commands for whoever is on call, run from the source or from the package. */
export function operating<T>(test: Test<T>, place: () => Place): void {
  const register = (name: string, body: (found: Place & { store: ConversationStore }) => Promise<void>) =>
    test(name, async () => {
      const found = place();
      await found.redis.flushall();
      const store = new ConversationStore(found.redis, { silentAfterMs: 3_600_000 });
      await store.ready();
      await body({ ...found, store });
    });

  register('list shows a line for each conversation, and says where there is none', async ({ run, redis, store }) => {
    const none = await run('list');
    assert.equal([none.stdout, none.stderr, none.code], ['', 'There is no conversation.\n', 0]);
    await store.claim({ ...STATE, startedAt: LONG_AGO });
    await store.setPendingQuestion(STATE, 'q1');
    await store.claim({ ...STATE, jobId: 'j2', claimId: 'c2', deliveryId: 'd2' }, { queue: { text: 'more' } });
    await redis.zadd(WATCH, Date.now() - 60_000, `j1\n${CHANNEL}`);
    const { stdout, stderr, code } = await run('list');
    assert.equal([stderr, code], ['', 0]);
    const [head = '', line = '', end] = stdout.split('\n');
    assert.is(head, 'PLATFORM  CHANNEL  JOB  PROJECT  TICKET  STARTED  QUESTION  UNREAD  SILENT   LEFT');
    assert.match(line, /^slack {5}C1 {7}j1 {3}web {6}12 +2h {2}q1 +1 +1m(\d+s)? {2}1h59m$/);
    assert.is(end, '');
  });

  register('list --json prints an object a line, also for what cannot be read', async ({ run, redis, store }) => {
    await store.claim({ ...STATE, startedAt: LONG_AGO });
    await redis.set('conversation:slack:C2', '{"secret": 1', 'PX', 60_000);
    const { stdout } = await run('list', '--json', '--sort', 'channel');
    const [first, second] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const { leftMs, ...others } = first;
    assert.ok(leftMs > 7_100_000 && leftMs <= 7_200_000);
    const { jobId, platform, channelId, project, ticketId } = STATE;
    const shown = { platform, channelId, jobId, project, ticketId, startedAt: LONG_AGO, pendingQuestionId: null };
    assert.equal(others, { ...shown, unread: 0, silentMs: null });
    assert.ok(second.unreadable && second.leftMs > 0 && !stdout.includes('secret'));
  });

  register('list chooses by platform, silence and question, and puts in order', async ({ run, redis, store }) => {
    for (const [n, platform] of ['slack', 'teams', 'slack'].entries()) {
      const startedAt = new Date(Date.now() - n * 60_000);
      await store.claim({ ...STATE, platform, channelId: `C${n}`, jobId: `j${n}`, startedAt });
    }
    await store.setPendingQuestion({ jobId: 'j1' }, 'q');
    await redis.zadd(WATCH, Date.now() - 60_000, 'j2\nconversation:slack:C2');
    const jobs = async (...args: string[]) =>
      (await run('list', '--json', ...args)).stdout.match(/"jobId":"\w+"/g)?.map((text) => text.slice(9, -1));
    assert.equal(await jobs('--sort', 'started'), ['j2', 'j1', 'j0']);
    assert.equal(await jobs('--platform', 'Slack', '--sort', 'job'), ['j0', 'j2']);
    assert.equal(await jobs('--silent'), ['j2']);
    assert.equal(await jobs('--waiting'), ['j1']);
  });

  register('list orders by every column, also what cannot be read and what has no deadline', async (found) => {
    const { run, redis, store } = found;
    for (const [n, [platform, channelId]] of Object.entries({ 1: ['teams', 'C1'], 2: ['slack', 'C2'] })) {
      const startedAt = new Date(Date.now() - Number(n) * 60_000);
      await store.claim({ ...STATE, platform: platform ?? '', channelId: channelId ?? '', jobId: `j${n}`, startedAt });
    }
    await store.claim({ ...STATE, channelId: 'C2', jobId: 'j9', claimId: 'c9' }, { queue: { text: 'more' } });
    await redis.zadd(WATCH, Date.now() - 60_000, 'j1\nconversation:teams:C1');
    await redis.set('conversation:discord:C3', '{"secret": 1');
    await redis.set('conversation:discord', 'no conversation');
    const platforms = async (sort: string) =>
      (await run('list', '--json', '--sort', sort)).stdout.match(/"platform":"\w/g)?.map((text) => text.slice(-1));
    assert.equal(await platforms('platform'), ['d', 's', 't']);
    assert.equal(await platforms('channel'), ['t', 's', 'd']);
    assert.equal(await platforms('job'), ['d', 't', 's']);
    assert.equal(
      (await platforms('started'))?.filter((first) => first !== 'd'),
      ['s', 't'],
    );
    assert.is((await platforms('unread'))?.[0], 's');
    assert.is((await platforms('silent'))?.[0], 't');
    assert.is((await platforms('left'))?.[2], 'd');
    const { stdout } = await run('list', '--sort', 'platform');
    assert.match(stdout, /\ndiscord {3}C3 {7}\(unreadable\) .* {2}for ever\nslack /);
    assert.is((await run('list', '--waiting')).stderr, 'There is no such conversation.\n');
  });

  register('what somebody named a channel never reaches the terminal as a command', async ({ run, store }) => {
    const channelId = 'C "1"\u202e\u2028x';
    await store.claim({ ...STATE, channelId, project: '\u001b[2J\u009b31m' });
    const runs = [await run('list'), await run('list', '--json'), await run('show', '--job', 'j1')];
    runs.push(await run('show', '--platform', 'slack', '--channel', channelId, '--json'));
    for (const { stdout, code } of runs) {
      assert.is(code, 0);
      assert.not.match(stdout, /[^\n\P{Cc}]|[\p{Cf}\p{Zl}]/u);
    }
    assert.is(JSON.parse(runs[1]?.stdout ?? '').channelId, channelId);
    assert.match(runs[0]?.stdout ?? '', 'C "1"\\u{202e}\\u{2028}x');
  });

  register('show tells the state, both deadlines, the inbox and the last answer', async ({ run, store }) => {
    await store.claim(STATE);
    await store.setPendingQuestion(STATE, 'q1');
    await store.answerQuestion(STATE, 'q1', { answerId: 'yes' });
    await store.claim({ ...STATE, jobId: 'j2', claimId: 'c2', deliveryId: 'd2' }, { queue: { text: 'more' } });
    const { stdout, code } = await run('show', '--job', 'j1');
    assert.is(code, 0);
    assert.match(
      stdout,
      /^slack C1, job j1\nkey {12}conversation:slack:C1, ends in 1h59m\nindex {10}job-index:j1, ends in/,
    );
    assert.match(
      stdout,
      /\nquestion {7}none is pending\nlast answer {4}yes, to q1\ninbox {10}1 unread\n {2}\d+-0 {2}text=more\n/,
    );
    assert.match(stdout, /\n {4}"userId": "U1",\n/);
    assert.not.match(stdout, /^wrong/m);
    const json = JSON.parse((await run('show', '--platform', 'slack', '--channel', 'C1', '--json')).stdout);
    assert.is(json.state.jobId, 'j1');
    assert.equal([json.inbox[0].fields, json.wrong], [['text', 'more'], []]);
    const gone = await run('show', '--job', 'j9');
    assert.equal([gone.stdout, gone.stderr, gone.code], ['', 'There is no conversation that job j9 holds.\n', 1]);
  });

  register(
    'show tells what waits, how long the job has been silent, and what of the inbox it leaves out',
    async (found) => {
      const { run, redis, store } = found;
      await store.claim(STATE);
      await store.setPendingQuestion(STATE, 'q1');
      for (let n = 0; n < 22; n++) {
        await store.claim({ ...STATE, jobId: 'j2', claimId: 'c2', deliveryId: `d${n}` }, { queue: { n: String(n) } });
      }
      await redis.zadd(WATCH, Date.now() - 60_000, `j1\n${CHANNEL}`);
      await redis.persist(CHANNEL);
      await redis.persist(JOB);
      const { stdout } = await run('show', '--job', 'j1', '--platform', 'slack', '--channel', 'C1');
      assert.match(stdout, /, no deadline\nindex {10}job-index:j1, no deadline\nquestion {7}q1 is pending\n/);
      assert.match(stdout, /\nsilent {9}for 1m(\ds)? longer than it may be\ninbox {10}22 unread\n/);
      assert.match(stdout, / n=19\n {2}and 2 more\nstate\n/);
      assert.match(stdout, /\nwrong {10}It has no deadline: it stays until it is removed\.\n$/);
      await redis.set(CHANNEL, '{"secret"', 'PX', 60_000);
      const byChannel = await run('show', '--platform', 'slack', '--channel', 'C1');
      assert.match(byChannel.stdout, /^slack C1\nkey .*\ninbox {10}22 unread\n/);
      assert.match(byChannel.stdout, /\nwrong {10}What is stored cannot be read as a state\./);
      const byJob = await run('show', '--job', 'j1');
      assert.equal([byJob.stdout, byJob.code], ['', 1]);
      const nobody = await run('show', '--job', 'j9', '--platform', 'slack', '--channel', 'C9');
      assert.is(nobody.stderr, 'There is no conversation in slack C9 that job j9 holds.\n');
      assert.not.match(byJob.stderr + byChannel.stdout, 'secret');
    },
  );

  register('show says what is wrong', async ({ run, redis, store }) => {
    const wrong = async () =>
      JSON.parse((await run('show', '--platform', 'slack', '--channel', 'C1', '--json')).stdout).wrong.join(' ');
    await store.claim(STATE);
    assert.is(await wrong(), '');
    await redis.pexpire(JOB, 1_000_000);
    assert.match(await wrong(), 'do not expire together');
    await redis.persist(CHANNEL);
    assert.match(await wrong(), 'no deadline');
    await redis.set(JOB, 'conversation:slack:C2');
    assert.match(await wrong(), 'leads to another channel');
    await redis.del(JOB);
    assert.match(await wrong(), 'The index of its job is not there');
    const { stdout } = await run('show', '--platform', 'slack', '--channel', 'C1');
    assert.match(stdout, '\nindex          job-index:j1, not there\n');
    await redis.set(CHANNEL, '{"secret"', 'PX', 1_000_000);
    assert.match(
      await wrong(),
      /^What is stored cannot be read as a state\. Every claim is refused\. To delete it, .*: redis-cli -h \S+ -p \d+ FCALL conv_remove 1 'conversation:slack:C1'$/,
    );
  });

  register('due looks at silent jobs and changes nothing', async ({ run, redis, store }) => {
    const none = await run('due');
    assert.equal([none.stdout, none.stderr, none.code], ['', 'No watched job is silent.\n', 0]);
    await store.claim(STATE);
    await store.claim({ ...STATE, channelId: 'C2', jobId: 'j2', claimId: 'c2' });
    await redis.zadd(WATCH, Date.now() - 60_000, `j1\n${CHANNEL}`, Date.now() - 90_000, 'j9\nconversation:slack:C9');
    // No call can name what these entries name, so nobody is shown them.
    for (const odd of ['entry', `\n${CHANNEL}`, 'j1\nconversation:Bad Platform:C1']) await redis.zadd(WATCH, 1, odd);
    const before = await dump(redis);
    const { stdout } = await run('due');
    const lines = stdout.trim().split('\n');
    assert.is(lines[0], 'PLATFORM  CHANNEL  JOB  SILENT  CHANNEL IS');
    assert.match(lines[1] ?? '', /^slack {5}C9 {7}j9 {4,}1m3\ds {2}not held$/);
    assert.match(lines[2] ?? '', /^slack {5}C1 {7}j1 {4,}1m(\ds)? {2,}held$/);
    assert.equal(await dump(redis), before);
    await redis.set(CHANNEL, '{"secret"');
    assert.match((await run('due')).stdout, /\nslack {5}C1 {7}j1 +\S+ {2}unreadable\n/);
    const [json] = (await run('due', '--json')).stdout.split('\n').map((line) => line && JSON.parse(line));
    assert.equal(
      { ...json, silentMs: 0 },
      { jobId: 'j9', platform: 'slack', channelId: 'C9', silentMs: 0, holds: false },
    );
  });

  register('doctor says what is wrong with the keys, an example each, and changes nothing', async (found) => {
    const { run, redis, store } = found;
    const amiss = async () =>
      (await run('doctor', '--json')).stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
        .filter(({ check }) => check === 'keys')
        .map(({ level, found }) => `${level} ${found}`);
    assert.equal(await amiss(), ['ok No problems in 0 conversations, 0 indexes, 0 inboxes, 0 watched jobs.']);
    for (let n = 1; n <= 6; n++) await store.claim({ ...STATE, channelId: `C${n}`, jobId: `j${n}`, claimId: `c${n}` });
    await redis.set('conversation:slack:C1', '{"secret"', 'PX', 60_000);
    await redis.persist('conversation:slack:C2');
    await redis.pexpire('job-index:j3', 500_000);
    await redis.del('job-index:j4', 'conversation:slack:C5');
    await store.claim(
      { ...STATE, channelId: 'C6', jobId: 'j7', claimId: 'c7', deliveryId: 'd' },
      { queue: { text: 'more' } },
    );
    await redis.del('conversation:slack:C6', 'job-index:j6');
    await redis.zadd(WATCH, Date.now() - 700_000, 'j3\nconversation:slack:C3');
    // What other programs keep under such names is none of its business.
    await redis.set('conversation:other', 'x');
    await redis.rpush('conversation:slack:list', 'x');
    const before = await dump(redis);
    const expected = [
      'ok Looked at 5 conversations, 4 indexes, 1 inbox, 6 watched jobs.',
      'warning Inboxes with messages whose channel no job has: 1 (conversation-inbox:slack:C6).',
      'warning Indexes that lead to no conversation of their job: 1 (job-index:j5).',
      'warning Watched jobs that are silent and that no sweep has looked at for ten minutes: 1 (j3).',
      'warning Watched jobs that no longer hold their channel: 2 (j5, j6).',
      'wrong Conversations that cannot be read: 1 (conversation:slack:C1).',
      'wrong Conversations whose index expires at another time: 1 (conversation:slack:C3).',
      'wrong Conversations without a deadline: 1 (conversation:slack:C2).',
      'wrong Conversations without an index that leads to them: 1 (conversation:slack:C4).',
    ];
    assert.equal((await amiss()).sort(), expected);
    const { stdout, stderr, code } = await run('doctor');
    assert.is(code, 1);
    assert.match(stderr, /^\d+ things are wrong\.\n$/);
    assert.match(stdout, /\n✗ keys {9}Conversations without a deadline: 1 .*\n {15}Nobody frees such a channel/);
    assert.equal(await dump(redis), before);
    assert.not.match(stdout, 'secret');
  });

  register(
    'release tells the job who took the channel and why, and forgets the conversation',
    async ({ run, redis, store }) => {
      await store.claim(STATE);
      const args = ['release', '--job', 'j1', '--reason', 'hangs', '--by', 'ann', '--stream', 'job:j1:in', '--yes'];
      const { stdout, stderr, code } = await run(...args);
      assert.equal([stdout, stderr, code], ['released slack C1 from job j1: hangs (ann)\n', '', 0]);
      const told = ['type', 'Released', 'jobId', 'j1', 'by', 'ann', 'reason', 'hangs'];
      assert.equal((await redis.xrange('job:j1:in', '-', '+'))[0]?.[1], told);
      assert.equal([await store.get(STATE), await redis.exists(CHANNEL, JOB)], [null, 0]);
      const again = await run(...args);
      assert.equal([again.stdout, again.code], ['', 1]);
      assert.is(again.stderr, 'There is no conversation that job j1 holds. Nothing was changed.\n');
      assert.is(await redis.xlen('job:j1:in'), 1);
    },
  );

  register(
    'release takes nothing from another job, and says which one holds the channel',
    async ({ run, redis, store }) => {
      await store.claim({ ...STATE, jobId: 'j2' });
      const before = await dump(redis);
      const { stdout, stderr, code } = await run(
        ...['release', '--job', 'j1', '--platform', 'slack', '--channel', 'C1', '--reason', 'hangs', '--yes'],
      );
      assert.equal([stdout, code], ['', 1]);
      assert.is(stderr, 'held: slack C1 is held by job j2. Nothing was changed.\n');
      assert.equal(await dump(redis), before);
    },
  );

  register('release wants the job, a reason, and somebody to ask', async ({ run, store }) => {
    await store.claim(STATE);
    for (const [args, said] of [
      [['--reason', 'x', '--yes'], 'release needs --job ID: the job to take the channel from.'],
      [['--job', 'j1', '--yes'], 'release needs --reason TEXT: why, for whoever asks later.'],
      [['--job', 'j1', '--reason', ' ', '--yes'], 'release needs --reason TEXT: why, for whoever asks later.'],
      [
        ['--job', 'j1', '--reason', 'x'],
        'release asks before it changes anything, and here is no terminal to ask on: give --yes.',
      ],
    ] as const) {
      const { stdout, stderr, code } = await run('release', ...args);
      assert.equal([stdout, stderr, code], ['', `${said}\n`, 2]);
    }
    assert.ok(await store.get(STATE));
  });

  register('watch prints one list after the other in a pipe, and ends with it', async ({ start, store }) => {
    await store.claim(STATE);
    const child = start('watch');
    let text = '';
    await new Promise<void>((resolve) => {
      child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
        if ((text.match(/^PLATFORM/gm)?.length ?? 0) > 1) resolve();
      });
    });
    assert.match(text, /^\d{4}-[\d-]+T[\d:.]+Z {2}1 conversation\nPLATFORM .*\nslack .*\n\n\d{4}-/);
    assert.not(text.includes('\u001b'));
    // The reader goes, and the next turn has nobody to write to.
    child.stdout?.destroy();
    const [code] = await once(child, 'exit');
    assert.is(code, 0);
  });

  register(
    'keys prints the bare key, so that a shell can put it into another command',
    async ({ run, redis, store }) => {
      await store.claim(STATE);
      const index = await run('keys', '--job', 'j1');
      assert.equal([index.stdout, index.stderr, index.code], ['job-index:j1\n', '', 0]);
      const { stdout } = await run('keys', '--platform', 'Slack', '--channel', 'C1');
      assert.is(await redis.get(index.stdout.trimEnd()), stdout.trimEnd());
    },
  );

  register('a store with a prefix or with partitions is found by it', async ({ run, redis }) => {
    await new ConversationStore(redis, { prefix: 'tenant:' }).claim(STATE);
    const sharded = new ConversationStore(redis, { prefix: 's:', sharded: true, silentAfterMs: 1 });
    const jobId = sharded.newJobId(STATE);
    await sharded.claim({ ...STATE, jobId });
    assert.is((await run('list', '--json')).stdout, '');
    assert.match((await run('list', '--json', '--prefix', 'tenant:')).stdout, '"jobId":"j1"');
    for (const command of ['list', 'due']) {
      assert.match((await run(command, '--json', '--prefix', 's:', '--sharded')).stdout, `"jobId":"${jobId}"`);
    }
    assert.match((await run('show', '--job', jobId, '--prefix', 's:', '--sharded')).stdout, `job ${jobId}`);
    const { stdout, stderr, code } = await run('show', '--job', 'j1', '--sharded');
    assert.equal([stdout, code], ['', 2]);
    assert.match(stderr, 'jobId was not made by newJobId');
  });

  register('without the library every command says so, with the command that loads it', async ({ run, redis }) => {
    await redis.function('FLUSH');
    const commands = [['list'], ['due'], ['show', '--job', 'j'], ['release', '--job', 'j', '--reason', 'r', '--yes']];
    for (const args of commands) {
      const { stdout, stderr, code } = await run(...args);
      assert.equal([stdout, code], ['', 1]);
      assert.match(stderr, /: the server has no library conversation, this client needs 1\.0\.0; load it with: npx /);
    }
  });
}
