import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { spawn } from '@lydell/node-pty';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { progress } from '../../src/cli/screen.ts';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, STATE, WATCH } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { COMMAND_LINE } from './cli.ts';

const test = suite('the command line on a terminal');
const server = withRedis(test);
const LIMIT_MS = 60_000;
const LONG = { channelId: 'C07F2KQ1M9T:1700000000.000100', jobId: 'fix-web-14-83bf5c8d-1111-2222-3333-444455556666' };

let redis: Redis;
let store: ConversationStore;
let url: string;

test.before(async () => {
  redis = await server.connect();
  url = await server.url();
});
test.before.each(async () => {
  await redis.flushall();
  store = new ConversationStore(redis, { silentAfterMs: 3_600_000 });
  await store.ready();
});

interface Session {
  text: string;
  code: number;
}

/** Runs a command on a terminal of its own; `keys` are typed, or signals sent, once each, as soon as the text before them has appeared. */
function onTerminal(
  args: string[],
  { columns = 80, rows = 24, keys = [] as [after: string, key: string][], env = {} as NodeJS.ProcessEnv } = {},
): Promise<Session> {
  // Each of them decides over colours by itself.
  const { NO_COLOR: _, FORCE_COLOR: __, CI: ___, ...inherited } = process.env;
  const child = spawn(process.execPath, [...COMMAND_LINE, ...args], {
    cwd: join(import.meta.dirname, '..', '..'),
    env: { ...inherited, TERM: 'xterm-256color', REDIS_URL: url, ...env },
    cols: columns,
    rows,
  });
  let text = '';
  const waiting = [...keys];
  child.onData((piece) => {
    text += piece;
    const [next] = waiting;
    if (!next || !text.includes(next[0])) return;
    waiting.shift();
    if (next[1].startsWith('SIG')) child.kill(next[1]);
    else child.write(next[1]);
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  return new Promise((resolve) =>
    child.onExit(({ exitCode }) => {
      clearTimeout(timer);
      resolve({ text, code: exitCode });
    }),
  );
}

function linesOf(text: string): string[] {
  return stripVTControlCharacters(text).trimEnd().split(/\r?\n/);
}

test('list fits the terminal: empty columns go first, ids are cut last, and --wide cuts nothing', async () => {
  await store.claim({ ...STATE, ...LONG, project: 'a-project-with-a-long-name', ticketId: 'WEB-1234' });
  const cut = 'Where an id is cut, --wide shows it whole.';
  for (const [columns, head, isCut] of [
    [170, 'PLATFORM CHANNEL JOB PROJECT TICKET STARTED QUESTION UNREAD STATUS LEFT', false],
    [150, 'PLATFORM CHANNEL JOB PROJECT TICKET STARTED LEFT', false],
    [120, 'PLATFORM CHANNEL JOB TICKET STARTED LEFT', false],
    [100, 'PLATFORM CHANNEL JOB LEFT', false],
    [80, 'PLATFORM CHANNEL JOB LEFT', true],
    [40, 'PLATFORM CHANNEL JOB LEFT', true],
  ] as const) {
    const { text, code } = await onTerminal(['list'], { columns });
    assert.is(code, 0);
    const [first = '', line = '', ...others] = linesOf(text);
    assert.is(first.replace(/ +/g, ' '), head);
    assert.equal(others, isCut ? [cut] : []);
    assert.ok(line.length === first.length && line.length <= columns, line);
    assert.is(line.includes(LONG.channelId) && line.includes(LONG.jobId), !isCut, line);
    assert.match(line, /^slack +C07\S*00 +fix\S*6 /);
  }
  const [, line = '', ...others] = linesOf((await onTerminal(['list', '--wide'], { columns: 80 })).text);
  assert.ok(
    line.includes(LONG.channelId) && line.includes(LONG.jobId) && line.includes('a-project-with-a-long-name'),
    line,
  );
  assert.equal(others, []);
});

test('help and doctor break their lines between words where the terminal ends', async () => {
  for (const args of [['help'], ['help', 'release'], ['doctor']]) {
    const { text } = await onTerminal(args, { columns: 80, rows: 60 });
    for (const line of linesOf(text)) assert.ok(line.length <= 80 || line.startsWith('  npx '), line);
  }
});

test('there are colours on a terminal, and none with NO_COLOR', async () => {
  await store.claim(STATE);
  await redis.zadd(WATCH, Date.now() - 60_000, `j1\n${CHANNEL}`);
  const RED = '\u001b[31m';
  assert.ok((await onTerminal(['list'])).text.includes(RED));
  assert.ok((await onTerminal(['shwo'])).text.includes(RED));
  for (const command of [['list'], ['shwo']]) {
    assert.not((await onTerminal(command, { env: { NO_COLOR: '1' } })).text.includes('\u001b['));
  }
});

test('watch draws in place, and q, Ctrl-C and SIGTERM give the terminal back', async () => {
  await store.claim(STATE);
  for (const key of ['q', '\u0003', 'SIGTERM']) {
    const { text, code } = await onTerminal(['watch', '--sort', 'job'], { keys: [['slack', key]] });
    assert.is(code, 0);
    assert.ok(text.startsWith('\u001b[?1049h'));
    assert.ok(text.includes('1 conversation\u001b[K'));
    assert.ok(text.endsWith('\u001b[?25h\u001b[?1049l'), JSON.stringify(text.slice(-40)));
  }
});

test('watch shows no more lines than there are', async () => {
  for (let n = 0; n < 12; n++) await store.claim({ ...STATE, channelId: `C${n}`, jobId: `j${n}` });
  const { text, code } = await onTerminal(['watch'], { rows: 6, keys: [['…', 'q']] });
  assert.is(code, 0);
  const [screen = ''] = text.split('\u001b[H').slice(1);
  assert.is((screen.split('\u001b[J')[0] ?? '').split('\n').length, 6);
});

test('release asks, and does what it is told', async () => {
  await store.claim(STATE);
  const args = ['release', '--job', 'j1', '--reason', 'hangs', '--by', 'ann'];
  const kept = await onTerminal(args, { keys: [['[y/N] ', 'n\r']] });
  assert.match(
    stripVTControlCharacters(kept.text),
    /Release slack C1 from job j1, started 2026-01-31T09:30:00.000Z\? \[y\/N\] /,
  );
  assert.match(kept.text, 'Nothing was changed.');
  assert.is(kept.code, 1);
  assert.ok(await store.get(STATE));
  for (const key of ['\u0003', '\u0004']) {
    const left = await onTerminal(args, { keys: [['[y/N] ', key]] });
    assert.is(linesOf(left.text).at(-1), 'Nothing was changed.');
    assert.is(left.code, 1);
  }
  const released = await onTerminal(args, { keys: [['[y/N] ', 'y\r']] });
  assert.match(released.text, 'released slack C1 from job j1: hangs (ann)');
  assert.is(released.code, 0);
  assert.is(await store.get(STATE), null);
});

test('what scans for long says how far it has come, and leaves nothing of that behind', async () => {
  const { stderr } = process;
  const { isTTY, columns, write } = stderr;
  const written: string[] = [];
  Object.assign(stderr, { isTTY: true, columns: 80 });
  const isShown = new Promise<void>((resolve) => {
    stderr.write = (text: string | Uint8Array) => {
      written.push(String(text));
      resolve();
      return true;
    };
  });
  const bar = progress(() => '7 keys looked at.');
  try {
    await isShown;
    bar.end();
    assert.equal([written[0], written.at(-1)], ['\r\u001b[K7 keys looked at.', '\r\u001b[K']);
  } finally {
    Object.assign(stderr, { isTTY, columns, write });
  }
});

test.run();
