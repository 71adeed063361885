import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { quoted, shown, shownJson, span, unescaped } from '../../src/cli/print.ts';
import { type Column, tableOf } from '../../src/cli/table.ts';

const test = suite('how the command line writes');

test('a time span has its two largest units', () => {
  const cases: [ms: number, text: string][] = [
    [999, '0s'],
    [45_000, '45s'],
    [60_000, '1m'],
    [7_199_999, '1h59m'],
    [86_400_000, '1d'],
    [90_061_000, '1d1h'],
  ];
  for (const [ms, text] of cases) assert.is(span(ms), text);
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

test('a table that is too wide loses empty columns, then what may be left out, then the middle of ids', () => {
  const columns: Column<string[]>[] = [
    { head: 'ID', cell: ([id = '']) => id, isId: 'cut last' },
    { head: 'KEY', cell: ([, key = '']) => key, isId: 'cut last' },
    { head: 'NONE', cell: () => '' },
    { head: 'B', cell: ([, , b = '']) => b, spare: 2 },
    { head: 'C', cell: ([, , , c = '']) => c, spare: 1, align: 'right' },
  ];
  const rows = [
    ['0123456789', 'k1', 'bbbb', '1'],
    ['x', 'k22', '', '22'],
  ];
  for (const [width, expected] of [
    [99, ['ID          KEY  NONE  B      C', '0123456789  k1         bbbb   1', 'x           k22              22']],
    [25, ['ID          KEY  B      C', '0123456789  k1   bbbb   1', 'x           k22        22']],
    [24, ['ID          KEY  B', '0123456789  k1   bbbb', 'x           k22']],
    [12, ['ID       KEY', '012…789  k1', 'x        k22']],
  ] as const) {
    assert.equal(tableOf(columns, rows, width), [...expected], String(width));
  }
});

test('an id that no command takes is cut before the others, down to its head', () => {
  const columns: Column<string>[] = [
    { head: 'JOB', cell: (text) => text, isId: 'cut last' },
    { head: 'QUESTION', cell: (text) => text, isId: 'cut first' },
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

test.run();
