import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { typescript } from '../../scripts/test/typescript.ts';
import { dump, withRedis } from '../support/redis.ts';

const SCRIPT = join(import.meta.dirname, '..', '..', 'scripts', 'start.ts');
const STORY = join(import.meta.dirname, '..', '..', 'scripts', 'start', 'events.jsonl');

const test = suite('npm start');
const redis = withRedis(test);

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

interface Row {
  line: number;
  from: string;
  event: string;
  outcome: string;
  stored: string;
  left: string;
  seconds: number;
}

function begin(args: string[], env: Record<string, string | undefined>): ChildProcess {
  const { FORCE_COLOR, NO_COLOR, INIT_CWD, REDIS_URL, ...rest } = process.env;
  return spawn(process.execPath, [...typescript(), SCRIPT, ...args], { env: { ...rest, ...env } });
}

async function ending(child: ChildProcess): Promise<Ended> {
  assert.ok(child.stdout && child.stderr);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code, stdout, stderr };
}

/** Plays on the server of the tests. */
async function play(args: string[], { input = '', ...env }: Record<string, string> = {}): Promise<Ended> {
  const child = begin(args, { REDIS_URL: await redis.url(), ...env });
  child.stdin?.end(input);
  return ending(child);
}

/** A row of the timeline has a time, and two spaces between its cells. */
function rows(stdout: string): Row[] {
  return stdout.split('\n').flatMap((line) => {
    const [time, number, from, event, outcome, stored = '', left = ''] = line.trim().split(/ {2,}/);
    if (!time || !/^[\d.]+ s$/.test(time) || !number || !from || !event || !outcome) return [];
    return [{ line: Number(number), from, event, outcome, stored, left, seconds: Number.parseFloat(time) }];
  });
}

let played: Promise<Ended> | undefined;

/** The story as it is shipped, played once for all tests that look at it. */
function story(): Promise<Ended> {
  played ??= play([]);
  return played;
}

/** The story in no time: what would have lapsed holds its channel on. */
async function withoutWaiting(): Promise<string> {
  return (await readFile(STORY, 'utf8')).replace(/^.*waitMs.*$/m, '');
}

/** What the story says of the events that hold these words, in order. */
async function told(words: RegExp): Promise<Row[]> {
  return rows((await story()).stdout).filter(({ from, event }) => words.test(`${from} ${event}`));
}

async function outcomes(words: RegExp): Promise<string[]> {
  return (await told(words)).map(({ outcome }) => outcome);
}

test('the shipped story plays to its end, with no line that could not be used', async () => {
  const { code, stdout, stderr } = await story();
  assert.is(stderr, '');
  assert.is(code, 0);
  assert.not.match(stdout, 'skipped');
  assert.match(
    stdout,
    /^Alive {5}fix-70-\w+ in slack C07F2KQ1M9T,\n {10}fix-web-14-\w+ in teams 19:\w+@thread\.tacv2$/m,
  );
});

test('every event of the shipped file has its row', async () => {
  const events = (await readFile(STORY, 'utf8')).split('\n').flatMap((line, index) => {
    const event = line && JSON.parse(line);
    return event && !['scene', 'waitMs', 'dies', 'spawn'].some((name) => name in event) ? [index + 1] : [];
  });
  assert.equal(
    rows((await story()).stdout).flatMap(({ line }) => (Number.isNaN(line) ? [] : [line])),
    events,
  );
});

test('a message that is delivered again is a duplicate, while its job runs and after its end', async () => {
  assert.equal(await outcomes(/fix #65/), ['claimed', 'duplicate']);
  assert.equal(await outcomes(/fix #80/), ['claimed', 'duplicate']);
});

test('a claim is short until the job speaks', async () => {
  const [claim] = await told(/fix #65/);
  const [word] = await told(/^fix-65-\w+ Progress: 1/);
  assert.match(claim?.left ?? '', /^[12]\.\d s$/);
  assert.is(word?.outcome, 'updated');
  assert.match(word?.left ?? '', /^(2:00:00|1:59:5\d)$/);
});

test('what comes while a job runs is queued and read by it, also between its last look and its end', async () => {
  assert.equal(await outcomes(/fix #66/), ['queued', 'inbox']);
  assert.equal(await outcomes(/fix #81/), ['queued', 'inbox']);
  assert.equal(await outcomes(/^fix-80-\w+ Done/), ['waiting', 'removed']);
});

test('a stop button reaches the job that it names, once', async () => {
  assert.equal(await outcomes(/stops fix-80/), ['updated', 'duplicate', 'gone']);
});

test('a message whose job could not be started is started by its redelivery', async () => {
  assert.equal(await outcomes(/fix #90/), ['removed', 'claimed']);
});

test('the sweep finds the silent jobs, and tells the living from the dead', async () => {
  const said = [...(await story()).stdout.matchAll(/sweep: (fix-[a-z]*-?\d+)\S* is si\S* +(\w+)/g)];
  assert.equal(said.map(([, job, outcome]) => `${job} ${outcome}`).sort(), [
    'fix-70 alive',
    'fix-90 removed',
    'fix-web-13 lapsed',
  ]);
});

test('of the clicks on one question one is accepted, again when it is sent again, and the others are answered', async () => {
  assert.equal(await outcomes(/^slack .* U06…AUR clicks yes on q1/), ['accepted', 'accepted']);
  assert.equal(await outcomes(/^slack .* U09…3T1 clicks no on q1/), ['answered']);
  assert.equal(await outcomes(/^teams .* clicks yes on q1/), ['accepted', 'accepted']);
  assert.equal(await outcomes(/^teams .* clicks no on q1/), ['answered']);
});

test('a click on a question that was replaced is stale', async () => {
  const [row] = await told(/clicks yes on q2/);
  assert.is(row?.outcome, 'stale');
  assert.match(row?.stored ?? '', /, asks q3$/);
});

test('jobs of three platforms come to their ends', async () => {
  assert.equal(await outcomes(/^teams .* fix WEB-12 in shop/), ['claimed']);
  assert.equal(await outcomes(/^github acme\/shop#218 .*fix this/), ['claimed']);
  const ends = await told(/^fix-(218|web-12)-\w+ (Error|Done)/);
  assert.equal(
    ends.map(({ outcome, stored }) => [outcome, stored]),
    [
      ['removed', 'nothing'],
      ['removed', 'nothing'],
    ],
  );
});

test('after a takeover nothing of the displaced job reaches the newcomer', async () => {
  const [takeover] = await told(/fix #70 in todo instead/);
  assert.is(takeover?.outcome, 'state');
  const late = await told(/^fix-65-\w+ (Progress: 7|Done)|clicks no on q3/);
  assert.equal(
    late.map(({ outcome }) => outcome),
    ['null', 'gone', 'held'],
  );
  for (const { stored } of late) assert.is(stored, takeover?.stored);
});

test('the claim of a job that says nothing lapses, and the next job has the channel and the inbox', async () => {
  assert.equal(await outcomes(/fix WEB-13/), ['claimed']);
  assert.equal(await outcomes(/fix WEB-14/), ['queued', 'claimed', 'inbox']);
  assert.equal(await outcomes(/^fix-web-13-\w+ Progress/), ['null']);
});

test('a job that nobody started, small talk and the words of a bot change nothing', async () => {
  assert.equal(await outcomes(/^fix-9-00c0ffee/), ['gone']);
  assert.equal(await outcomes(/thanks|bot_message/), ['ignored', 'ignored']);
});

test('the timeline fits 120 columns and is plain in a pipe', async () => {
  const { stdout } = await story();
  assert.not.match(stdout, '\u001B');
  const timeline = stdout.split('\n');
  assert.equal(
    timeline.filter((line) => line.length > 120),
    [],
  );
});

test('FORCE_COLOR colours it', async () => {
  const input = await readFile(STORY, 'utf8');
  const { code, stdout } = await play(['-'], { input: input.split('\n').slice(0, 3).join('\n'), FORCE_COLOR: '1' });
  assert.is(code, 0);
  assert.match(stdout, '\u001B[32mclaimed');
  assert.match(stdout, '\u001B[1mA message claims its channel');
});

test('a server of REDIS_URL is left with the keys it had', async () => {
  const client = await redis.connect();
  await client.set('conversation:slack:C07F2KQ1M9T', 'not ours');
  const before = await dump(client);
  const { code, stdout } = await play(['-'], { input: await withoutWaiting() });
  assert.is(code, 0);
  assert.match(stdout, /^Alive {5}fix-70-/m);
  assert.match(stdout, /every key begins with demo:\w+:$/m);
  assert.equal(await dump(client), before);
  await client.flushall();
});

test('standard input is read line by line, and a line that cannot be used is named while the rest goes on', async () => {
  const message = (await readFile(STORY, 'utf8')).split('\n')[1] ?? '';
  const lines = [
    `\uFEFF${message}\r`,
    '',
    'hello',
    '[1]',
    '{"type":"event_callback","event":{"type":"message","channel":"C1","text":"fix #1 in a"}}',
    '{"shape":"none"}',
    '{"type":"Question","jobId":"j1","text":"and the question\'s name?"}',
    message.replace('C07F2KQ1M9T', 'a\\u0007b'),
    '{"type":"Done","jobId":"j1","text":"the\\u001b[31mend"}',
  ];
  const { code, stdout, stderr } = await play(['-'], { input: lines.join('\n') });
  assert.is(code, 0);
  assert.is(stderr, '');
  const skipped = [...stdout.matchAll(/skipped: (.*)/g)].map(([, reason]) => reason);
  assert.is(skipped.length, 6);
  assert.match(skipped[0] ?? '', /^line 3 is not JSON: /);
  assert.equal(skipped.slice(1, 5), [
    'line 4 is not a JSON object',
    'line 5 is not usable: event.user must be a non-empty string',
    'line 6 is of no known shape: it is not what Slack, Teams, GitHub or a job sends',
    'line 7 is not usable: questionId must be a non-empty string',
  ]);
  assert.match(skipped[5] ?? '', /^line 8 was refused: INVALID_ARGUMENT, channelId must be/);
  assert.equal(
    rows(stdout).map(({ line, outcome }) => [line, outcome]),
    [
      [1, 'claimed'],
      [9, 'gone'],
    ],
  );
  assert.not.match(stdout, '\u001B');
});

test('input without events is no error', async () => {
  const { code, stdout } = await play(['-']);
  assert.is(code, 0);
  assert.match(stdout, /^Outcomes {2}none, because no events came$/m);
  assert.match(stdout, /^Alive {5}no conversation$/m);
});

test('a file that is not there, or is none, is one clear sentence', async () => {
  const missing = await play(['nowhere.jsonl'], { INIT_CWD: '/somewhere' });
  assert.equal(missing, {
    code: 1,
    stdout: '',
    stderr: "/somewhere/nowhere.jsonl can't be read: there is no such file.\n",
  });
  const folder = await play([import.meta.dirname]);
  assert.equal(folder, { code: 1, stdout: '', stderr: `${import.meta.dirname} can't be read: it is a folder.\n` });
});

test('a wrong command line is one clear sentence and the usage', async () => {
  const wrong: [string[], RegExp][] = [
    [['--bogus'], /^Unknown option '--bogus'\.\n\nusage: /],
    [['a', 'b'], /^Wanted one file, 2 were given\.\n\nusage: /],
  ];
  for (const [args, sentence] of wrong) {
    const { code, stdout, stderr } = await play(args);
    assert.is(code, 2);
    assert.is(stdout, '');
    assert.match(stderr, sentence);
  }
  assert.match((await play(['--help'])).stdout, /^usage: npm start/);
});

test('a server that can not be reached is one clear sentence', async () => {
  const { code, stderr } = await ending(begin([], { REDIS_URL: 'redis://:secret@127.0.0.1:1' }));
  assert.is(code, 1);
  assert.is(stderr, "REDIS_URL: redis://127.0.0.1:1 can't be used: connect ECONNREFUSED 127.0.0.1:1\n");
});

test('input of which no line is an event exits 1', async () => {
  const { code, stderr } = await play(['-'], { input: 'hello\n[1]\n' });
  assert.equal([code, stderr], [1, 'No line of the input is an event.\n']);
});

test('the lines by hand are printed where the server goes on, otherwise one line says how to get them', async () => {
  const { stdout } = await story();
  assert.not.match(stdout, 'By hand');
  assert.match(stdout, /npm start -- --keep leaves .* redis-cli\.\n$/);
});

for (const [signal, code] of [
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  test(`${signal} to npm start ends it and its own Redis`, async () => {
    const { REDIS_URL, ...env } = process.env;
    const cwd = join(import.meta.dirname, '..', '..');
    const child = spawn('npm', ['start', '--silent', '--', '--keep'], { cwd, env, detached: true });
    const stdout = await heard(child, 'Ctrl-C');
    // A terminal that closes tells everybody in it, an init system only the one that it started.
    process.kill(signal === 'SIGHUP' ? -Number(child.pid) : Number(child.pid), signal);
    await once(child, 'exit');
    const url = /REDIS_URL=(\S+)/.exec(stdout)?.[1] ?? '';
    const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
    client.on('error', () => {});
    for (let tries = 0; tries < 100 && (await connects(client)); tries++) await sleep(100);
    assert.not.ok(await connects(client), 'its Redis goes on');
  });

  test(`${signal} in the middle ends it with ${code}, and its keys go`, async () => {
    const child = begin(['-'], { REDIS_URL: await redis.url() });
    const end = ending(child);
    child.stdin?.write(`${(await readFile(STORY, 'utf8')).split('\n')[1]}\n`);
    await heard(child, 'claimed');
    child.kill(signal);
    assert.is((await end).code, code);
    assert.equal(await dump(await redis.connect()), {});
  });
}

async function connects(client: Redis): Promise<boolean> {
  const connected = await client.connect().then(
    () => true,
    () => false,
  );
  client.disconnect();
  return connected;
}

test('Ctrl-C in the middle ends it, and its keys go', async () => {
  const child = begin(['-'], { REDIS_URL: await redis.url() });
  const end = ending(child);
  child.stdin?.write(`${(await readFile(STORY, 'utf8')).split('\n')[1]}\n`);
  await heard(child, 'claimed');
  child.kill('SIGINT');
  assert.is((await end).code, 130);
  assert.equal(await dump(await redis.connect()), {});
});

test('--keep leaves a server where the redis-cli lines answer, until Ctrl-C', async () => {
  const child = begin(['--keep', '-'], {});
  const end = ending(child);
  child.stdin?.end(await withoutWaiting());
  const stdout = await heard(child, 'Ctrl-C');
  const url = /REDIS_URL=(\S+)/.exec(stdout)?.[1] ?? '';
  const client = new Redis(url, { retryStrategy: () => null });
  try {
    const replies = new Map<string, unknown>();
    for (const [line] of stdout.matchAll(/(?<=^ {2}redis-cli ).*/gm)) {
      const [option, port, ...words] = wordsOf(line);
      assert.equal([option, port], ['-p', new URL(url).port]);
      const [command = '', ...args] = words[0] === '--scan' ? ['KEYS', '*'] : words;
      replies.set(command === 'GET' ? `GET ${args[0]?.split(':')[0]}` : command, await client.call(command, ...args));
    }
    const state = String(replies.get('GET conversation'));
    assert.equal([JSON.parse(state).platform, JSON.parse(state).pendingQuestionId], ['slack', 'q2']);
    assert.is(replies.get('GET job-index'), 'conversation:slack:C07F2KQ1M9T');
    assert.is(replies.get('FCALL_RO'), state);
    assert.ok(Number(replies.get('PTTL')) > 7_000_000);
    assert.ok((replies.get('KEYS') as string[]).includes('conversation-watch'));
    assert.is((replies.get('XRANGE') as unknown[]).length, 1);
    assert.is((replies.get('FCALL') as string[])[0], 'accepted');
  } finally {
    client.disconnect();
    child.kill('SIGINT');
  }
  assert.is((await end).code, 0);
  const gone = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  gone.on('error', () => {});
  assert.not.ok(
    await gone.connect().then(
      () => true,
      () => false,
    ),
  );
});

/** What a child has said by the time it has said this. */
async function heard(child: ChildProcess, words: string): Promise<string> {
  let said = '';
  child.stdout?.on('data', (chunk) => {
    said += chunk;
  });
  for (const end = Date.now() + 30_000; !said.includes(words); await sleep(20)) {
    assert.ok(Date.now() < end && child.exitCode === null, `waited for ${words}, heard: ${said}`);
  }
  return said;
}

/** What a shell makes of a line. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
}

test.run();
