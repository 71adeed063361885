import { latin1 } from './strict.ts';

type Below = (limit: number) => number;

/** Stands in every state; no error may repeat it. */
export const SECRET = 'sesame';

/** Tokens in place of a value: JSON, nearly JSON, and what lenient parsers take for JSON. */
const TOKENS = [
  ...String.raw`
    NaN nan Infinity -Infinity inf 0x10 -0x1p4 01 -01 1. .5 -.5 +1 1e5 1E+05 1e 1.e3 --1 - -0
    1e400 -1e400 1e-400 12345678901234567890 0.1e1 tru nul NULL True undefined 'x' [] {} [1,]
    [,] {,} {"a":1,} {"a"} {1:2} {"a":1,"a":2} [[] ] } /**/1 1// "\u00" "\u0000" "\uD800"
    "\uDC00\uD800" "\ud83d\ude00" "\ud83d\\ude00" "\x41" "\'" "\0" " "\U0041" "\u00g0"
    "\u+041" "\b\f\n\r\t\/\"\\" "x\u0085" "\u001f" null true 0 1 1.0 1.5 "x" ""
    "2026-02-30T24:59:69.1+23:59" "2026-01-31" {"questionId":"q","answerId":""}
    {"questionId":"q"} {"questionId":1,"answerId":"a"} [{"questionId":"q","answerId":"a"}]
  `
    .trim()
    .split(/\s+/),
  // Control characters, and bytes that are UTF-8, nearly so or not at all.
  ...'"\x01" "\x7f" "\0" \0 "\x80" "\xc0\x80" "\xc3" "\xc3\x28" "\xed\xa0\x80" "\xed\xa0\xbd\xed\xb8\x80"'.split(' '),
  ...'"\xf4\x90\x80\x80" "\xf5\x80\x80\x80" "\xe0\x80\x80" "\xe2\xc3\xa9\x80\xa8" "\xf0\x80\x80\x80" "\xff\xfe"'.split(
    ' ',
  ),
  ...'"\xf0\xe2\x80\xa8\x9f\x98\x80" "\xe2\x80\xa8" "\xf0\x9f\x98\x80" \xef\xbb\xbf \xc2\xa0 "\xc2\x85"'.split(' '),
  ...['`x`', '', '1 2', '"a" "b"', '"\\', '"\\u 041"', '"\t"', '"\n"', '"a\\\nb"'],
];
const SPACE = [...'\n\r\t \v\f\0,;}\x1a', '\xc2\xa0', '\xef\xbb\xbf', '\xe2\x80\xa8', '//'];
const NAMES = (
  'jobId channelId userId platform project ticketId startedAt pendingQuestionId lastAnswer ' +
  'claimId deliveryId starting silentAfterMs answerBy x'
).split(' ');

/** Members that may be absent, and values of them that are right. */
const OPTIONAL = {
  '"pendingQuestionId"': ['null', '"q1"', '"q\\u0031"', '"q2"'],
  '"lastAnswer"': ['null', '{"questionId":"q1","answerId":"a1"}'],
  '"starting"': ['null', 'true', 'false'],
  '"silentAfterMs"': ['null', '1', '999999999999'],
  '"answerBy"': ['null', '1', '4102444800000'],
  '"claimId"': ['null', '"c1"', '"c2"'],
  '"deliveryId"': ['null', '"d1"', '"d2"'],
};

/** The names and ids that a text begins with. */
export interface Names {
  jobId: string;
  channelId: string;
  platform: string;
}

/** The bytes, as latin1 text, of a state that is valid, nearly valid, or was so once. */
export function hostileJson(names: Names, below: Below): string {
  const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T;
  const members: [string, string][] = Object.entries({
    ...names,
    userId: SECRET,
    project: 'web',
    ticketId: 12,
    startedAt: '2026-01-31T09:30:00.1234567+01:00',
  }).map(([name, value]) => [JSON.stringify(name), latin1(JSON.stringify(value))]);
  for (const [name, values] of Object.entries(OPTIONAL)) if (below(4) === 0) members.push([name, pick(values)]);
  if (below(3) === 0) members.push(['"note"', token(below)]);
  const at = below(members.length);
  const kind = below(12);
  const [name = '', value = ''] = members[at] ?? [];
  if (kind === 0) members[at] = [name, token(below)];
  if (kind === 1) members.push([JSON.stringify(pick(NAMES)), token(below)]);
  if (kind === 2) members[at] = [token(below), value];
  if (kind === 3) members.splice(at, 1);
  if (kind === 4)
    members[at] = [name, value.replace(/[a-z]/i, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`)];
  const colon = below(8) === 0 ? pick([': ', '\n:\t', ':\v', '=', '', '::', ' :\r\n']) : ':';
  const comma = below(8) === 0 ? pick([', ', ',\n', ',,', ';', ' ', ',\f', ' ,']) : ',';
  let text = `{${members.map(([left, right]) => left + colon + right).join(comma)}}`;
  for (let changes = [0, 0, 0, 0, 0, 1, 1, 2, 3][below(9)] ?? 0; changes > 0; changes--) text = damaged(text, below);
  return text;
}

function token(below: Below): string {
  const kind = below(40);
  if (kind === 0) {
    const depth = [100, 997, 998, 999, 1_000, 1_001, 2_000][below(7)] ?? 0;
    return below(2) === 0 ? '['.repeat(depth) + ']'.repeat(depth) : `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  }
  if (kind === 1) return `"${'x'.repeat([511, 512, 513, 1_024, 1_025, 100_000, 2_000_000][below(7)] ?? 0)}"`;
  return TOKENS[below(TOKENS.length)] ?? '';
}

function damaged(text: string, below: Below): string {
  const at = below(text.length + 1);
  const [left, right] = [text.slice(0, at), text.slice(at)];
  const byte = String.fromCharCode(below(256));
  const space = SPACE[below(SPACE.length)] ?? '';
  const inPlace = [left, left + right.slice(1), left + byte + right, left + byte + right.slice(1)];
  const added = [left + space + right, text + space, space + text, left + token(below) + right];
  return [...inPlace, ...added, left + text.slice(Math.max(0, at - below(20)))][below(9)] ?? '';
}
