import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { spawn } from '@lydell/node-pty';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { quoted, shown, shownJson, unescaped } from '../../src/cli/print.ts';
import { withProgress } from '../../src/cli/screen.ts';
import { type Column, tableOf } from '../../src/cli/table.ts';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, STATE, WATCH } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { COMMAND_LINE, cli } from './cli.ts';

const test = suite('the command line on a terminal');
const server = withRedis(test);
const LONG = { channelId: 'C07F2KQ1M9T:1700000000.000100', jobId: 'fix-web-14-83bf5c8d-1111-2222-3333-444455556666' };

const redis = await server.connect();
const url = await server.url();
const store = new ConversationStore(redis, { silentAfterMs: 3_600_000 });

test.before(() => store.ready());
test.before.each(async () => void (await redis.flushall()));

/** Runs a command on a terminal of its own; once the text before a key has appeared, it is typed, or sent as a signal. */
function onTerminal(
  args: string[],
  { rows = 24, after = '', key = '', env = {} as NodeJS.ProcessEnv } = {},
): Promise<{ text: string; code: number }> {
  // Each of them decides over colours by itself.
  const { NO_COLOR: _, FORCE_COLOR: __, CI: ___, ...inherited } = process.env;
  const child = spawn(process.execPath, [...COMMAND_LINE, ...args], {
    cwd: join(import.meta.dirname, '..', '..'),
    env: { ...inherited, TERM: 'xterm-256color', REDIS_URL: url, ...env },
    cols: 80,
    rows,
  });
  let text = '';
  let isTyped = key === '';
  child.onData((piece) => {
    text += piece;
    if (isTyped || !text.includes(after)) return;
    isTyped = true;
    if (key.startsWith('SIG')) child.kill(key);
    else child.write(key);
  });
  return new Promise((resolve) => child.onExit(({ exitCode }) => resolve({ text, code: exitCode })));
}

/** The lines that a command prints where the terminal has so many columns. */
async function linesIn(columns: number, ...args: string[]): Promise<string[]> {
  const { stdout, stderr } = await cli(args, { REDIS_URL: url }, columns);
  return stripVTControlCharacters(stdout + stderr)
    .trimEnd()
    .split('\n');
}

test('list fits the terminal: empty columns go first, ids are cut last, and --wide cuts nothing', async () => {
  await store.claim({ ...STATE, ...LONG, project: 'a-project-with-a-long-name', ticketId: 'WEB-1234' });
  for (const [columns, head, isCut] of [
    [170, 'PLATFORM CHANNEL JOB PROJECT TICKET STARTED QUESTION UNREAD STATUS LEFT', false],
    [150, 'PLATFORM CHANNEL JOB PROJECT TICKET STARTED LEFT', false],
    [120, 'PLATFORM CHANNEL JOB TICKET STARTED LEFT', false],
    [100, 'PLATFORM CHANNEL JOB LEFT', false],
    [80, 'PLATFORM CHANNEL JOB LEFT', true],
    [40, 'PLATFORM CHANNEL JOB LEFT', true],
  ] as const) {
    const [first = '', line = '', ...others] = await linesIn(columns, 'list');
    assert.is(first.replace(/ +/g, ' '), head);
    assert.equal(others, isCut ? ['Where an id is cut, --wide shows it whole.'] : []);
    assert.ok(line.length === first.length && line.length <= columns, line);
    assert.is(line.includes(LONG.channelId) && line.includes(LONG.jobId), !isCut, line);
    assert.match(line, /^slack +C07\S*00 +fix\S*6 /);
  }
  const [, line = '', ...others] = await linesIn(80, 'list', '--wide');
  assert.match(line, new RegExp(`${LONG.channelId} +${LONG.jobId} +a-project-with-a-long-name`));
  assert.equal(others, []);
});

test('help and doctor break their lines between words where the terminal ends', async () => {
  for (const args of [['help'], ['help', 'release'], ['doctor']]) {
    const lines = await linesIn(80, ...args);
    assert.ok(lines.length > 5);
    for (const line of lines) assert.ok(line.length <= 80 || line.startsWith('  npx '), line);
  }
});

test('there are colours on a terminal, and none with NO_COLOR', async () => {
  await store.claim(STATE);
  await redis.zadd(WATCH, Date.now() - 60_000, `j1\n${CHANNEL}`);
  assert.match((await onTerminal(['list'])).text, '\u001b[31m');
  assert.not.match((await onTerminal(['list'], { env: { NO_COLOR: '1' } })).text, '\u001b[');
});

test('watch draws in place, no more lines than there are, and q, Ctrl-C and SIGTERM give the terminal back', async () => {
  for (let n = 0; n < 12; n++) await store.claim({ ...STATE, channelId: `C${n}`, jobId: `j${n}` });
  for (const key of ['q', '\u0003', 'SIGTERM']) {
    const { text, code } = await onTerminal(['watch', '--sort', 'job'], { rows: 6, after: '…', key });
    assert.is(code, 0);
    assert.ok(text.startsWith('\u001b[?1049h'));
    const [screen = ''] = text.split('\u001b[H').slice(1);
    assert.match(screen, '12 conversations\u001b[K');
    assert.is(screen.split('\u001b[J')[0]?.split('\n').length, 6);
    assert.ok(text.endsWith('\u001b[?25h\u001b[?1049l'), JSON.stringify(text.slice(-40)));
  }
});

test('release asks, and does what it is told', async () => {
  await store.claim(STATE);
  const args = ['release', '--job', 'j1', '--reason', 'hangs', '--by', 'ann'];
  const question = 'Release slack C1 from job j1, started 2026-01-31T09:30:00.000Z? [y/N] ';
  for (const key of ['n\r', '\u0003']) {
    const { text, code } = await onTerminal(args, { after: '[y/N] ', key });
    const said = stripVTControlCharacters(text);
    assert.ok(said.includes(question) && said.endsWith('\nNothing was changed.\r\n'), said);
    assert.is(code, 1);
  }
  assert.ok(await store.get(STATE));
  const released = await onTerminal(args, { after: '[y/N] ', key: 'y\r' });
  assert.match(released.text, 'released slack C1 from job j1: hangs (ann)');
  assert.is(released.code, 0);
  assert.is(await store.get(STATE), null);
});

test('nothing that a terminal would obey or hide is left, and what is shown can be given back', () => {
  const nasty = 'a\u001b[2J\u009b31m\u202e\u2028\u2029\u200d\ud800z😀\n';
  assert.is(shown(nasty), 'a\\u{1b}[2J\\u{9b}31m\\u{202e}\\u{2028}\\u{2029}\\u{200d}\\u{d800}z😀\\u{a}');
  for (const text of [nasty, '\\u{41}', '\\\\u{202e}\\', '\u{e0041}']) assert.is(unescaped(shown(text)), text);
  const json = shownJson({ nasty, tag: '\u{e0041}' }, 2);
  assert.not.match(json, /[^\n\P{Cc}]|[\p{Cf}\p{Zl}\p{Zp}]/u);
  assert.equal(JSON.parse(json), { nasty, tag: '\u{e0041}' });
  assert.is(json.split('\n').length, 4);
});

test('a word for a shell keeps what a terminal would obey or not show as an escape', () => {
  assert.is(quoted("it's"), "'it'\\''s'");
  assert.is(quoted('a\u202eb\u{e0001}'), "'a'$'\\U0000202e''b'$'\\U000e0001'''");
});

test('an id that no command takes is cut before the others, down to its head', () => {
  const columns: Column<string>[] = [
    { head: 'JOB', cell: String, isId: 'cut last' },
    { head: 'QUESTION', cell: String, isId: 'cut first' },
  ];
  for (const [width, line] of [
    [22, '0123456789  0123456789'],
    [20, '0123456789  0123…789'],
    [17, '012…789  0123…789'],
  ] as const) {
    assert.is(tableOf(columns, ['0123456789'], width)[1], line);
  }
});

test('a character takes the columns that it has on a terminal, and none is cut in two', () => {
  const columns: Column<string>[] = [
    { head: 'A', cell: (text) => text, isId: 'cut last' },
    { head: 'B', cell: () => '|' },
  ];
  const rows = ['a中文频道', '😀😀😀', '🇩🇪e\u0301'];
  assert.equal(tableOf(columns, rows, 99).slice(1), ['a中文频道  |', '😀😀😀     |', '🇩🇪e\u0301        |']);
  assert.equal(tableOf(columns, rows, 8).slice(1), ['a中…道  |', '😀…😀  |', '🇩🇪e\u0301    |']);
});

test('a table of very many rows is one table', () => {
  const rows = Array.from({ length: 200_000 }, (_, n) => `C${n}`);
  const lines = tableOf([{ head: 'CHANNEL', cell: (row: string) => row, align: 'right' }], rows, 80);
  assert.equal([lines.length, lines[1], lines[200_000]], [200_001, '     C0', 'C199999']);
});

test('what scans for long says how far it has come, and leaves nothing of that behind', async () => {
  const { stderr } = process;
  const { isTTY, columns, write } = stderr;
  const written: string[] = [];
  const said = () => '7 keys looked at.';
  const isShown = () =>
    new Promise<void>((resolve) => {
      const hear = (text: string) => written.push(text) && resolve();
      Object.assign(stderr, { isTTY: true, columns: 80, write: hear });
    });
  await withProgress(said, isShown).finally(() => Object.assign(stderr, { isTTY, columns, write }));
  assert.equal([written[0], written.at(-1)], ['\r\u001b[K7 keys looked at.', '\r\u001b[K']);
});

test.run();
