import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nearest } from '../../src/cli/help.ts';
import { readSentinels } from '../../src/cli/sentinel.ts';
import { lengthOf, quoted, shown, shownJson, span, tableOf, wrapped } from '../../src/cli/text.ts';

const test = suite('how the command line writes and reads');

test('a time span has its two largest units', () => {
  const cases: [ms: number, text: string][] = [
    [0, '0s'],
    [999, '0s'],
    [45_000, '45s'],
    [60_000, '1m'],
    [61_000, '1m1s'],
    [7_199_999, '1h59m'],
    [86_400_000, '1d'],
    [90_061_000, '1d1h'],
  ];
  for (const [ms, text] of cases) assert.is(span(ms), text);
});

test('nothing that a terminal would obey or hide is left, and JSON gives it back', () => {
  const nasty = 'a\u001b[2J\u009b31m\u202e\u2028\u2029\u200b\ud800z😀\n';
  assert.is(shown(nasty), 'a\\u{1b}[2J\\u{9b}31m\\u{202e}\\u{2028}\\u{2029}\\u{200b}\\u{d800}z😀\\u{a}');
  const json = shownJson({ nasty, tag: '\u{e0041}' }, 2);
  assert.not.match(json, /[^\n\P{Cc}]|[\p{Cf}\p{Zl}\p{Zp}]/u);
  assert.equal(JSON.parse(json), { nasty, tag: '\u{e0041}' });
  assert.is(json.split('\n').length, 4);
});

test('a table is cut at the columns that may be, then loses those that may go, and never grows wider than it is', () => {
  const columns = [
    { head: 'A', min: 4 },
    { head: 'B', spare: 1 },
    { head: 'C', align: 'right' as const },
  ];
  const rows = [
    ['0123456789', 'bbbb', '1'],
    ['x', '', '22'],
  ];
  assert.equal(tableOf(columns, rows, 100), ['A           B      C', '0123456789  bbbb   1', 'x                 22']);
  assert.equal(tableOf(columns, rows, 16), ['A       B      C', '01234…  bbbb   1', 'x             22']);
  assert.equal(tableOf(columns, rows, 13), ['A           C', '01234567…   1', 'x          22']);
  assert.ok(tableOf(columns, rows, 13).every((line) => line.length <= 13 && !line.includes('b')));
});

test('of the columns that may be cut, the last one is cut first', () => {
  const columns = [
    { head: 'A', min: 3 },
    { head: 'B', min: 3 },
  ];
  const rows = [['aaaaaa', 'bbbbbb']];
  assert.is(tableOf(columns, rows, 12)[1], 'aaaaaa  bbb…');
  assert.is(tableOf(columns, rows, 9)[1], 'aaa…  bb…');
});

test('a word for a shell keeps what a terminal would obey or not show as an escape', () => {
  assert.is(quoted("it's"), "'it'\\''s'");
  assert.is(quoted('a\u202eb\u{e0001}'), "'a'$'\\U0000202e''b'$'\\U000e0001'''");
});

test('a character takes the columns that it has on a terminal, and none is cut in two', () => {
  for (const [text, columns] of [
    ['中文', 4],
    ['한국어', 6],
    ['ＡＢ', 4],
    ['😀', 2],
    ['🇩🇪', 2],
    ['e\u0301', 1],
    ['é', 1],
  ] as const) {
    assert.is(lengthOf(text), columns, text);
  }
  const rows = [
    ['a中文频道', '1'],
    ['😀😀😀', '2'],
    ['plain', '3'],
  ];
  const columns = [{ head: 'A', min: 4 }, { head: 'B' }];
  assert.equal(tableOf(columns, rows, 99).slice(1), ['a中文频道  1', '😀😀😀     2', 'plain      3']);
  assert.equal(tableOf(columns, rows, 8).slice(1), ['a中…   1', '😀😀…  2', 'plain  3']);
});

test('a text is broken between words, and a word that is too long stands alone', () => {
  assert.is(wrapped('  -h  shows this and that', 6, 16), '  -h  shows this\n      and that');
  assert.is(wrapped('a 0123456789 b', 0, 5), 'a\n0123456789\nb');
  assert.is(wrapped('one line', 0, Number.POSITIVE_INFINITY), 'one line');
});

test('a table of very many rows is one table', () => {
  const rows = Array.from({ length: 300_000 }, (_, n) => [`C${n}`]);
  const lines = tableOf([{ head: 'CHANNEL', align: 'right' }], rows, Number.POSITIVE_INFINITY);
  assert.equal([lines.length, lines[1], lines[300_000]], [300_001, '     C0', 'C299999']);
});

test('the word that was meant is the nearest one, if one is near', () => {
  const words = ['list', 'show', 'watch', 'due'];
  assert.is(nearest('lsit', words), 'list');
  assert.is(nearest('wacht', words), 'watch');
  assert.is(nearest('deu', words), undefined);
  assert.is(nearest('dui', words), 'due');
  assert.is(nearest('redis://:secret@host', words), undefined);
});

test('Sentinels are host:port with commas, also of IPv6; without a port it is theirs', () => {
  const hosts = [
    { host: 'a', port: 26379 },
    { host: '::1', port: 7 },
  ];
  assert.equal(readSentinels('a, [::1]:7', 'chat'), { hosts, group: 'chat' });
  assert.is(readSentinels(undefined, undefined), undefined);
  for (const wrong of ['', 'a:1,', 'a:x', 'redis://a:1', 'u:p@a:1', 'a/1']) {
    assert.throws(() => readSentinels(wrong, 'chat'), /^--sentinel /);
  }
  assert.throws(() => readSentinels('a:1', undefined), /go together/);
});

test.run();
