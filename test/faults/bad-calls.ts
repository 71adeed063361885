import fc from 'fast-check';
import { type Cast, calls } from '../model/arbitrary.ts';
import { type Document, type Member, textOf, withMember } from '../model/document.ts';
import type { Call } from '../model/model.ts';
import { argumentsOf, keysOf } from '../model/perform.ts';
import { type Below, pick } from '../support/random.ts';
import { judge, latin1 } from './strict.ts';

/** A call straight at the server, its bytes as latin1 text. */
export interface BadCall {
  command: 'FCALL' | 'FCALL_RO';
  name: string;
  keys: string[];
  args: string[];
  /** Where the state alone decides: whether it is one to take. */
  valid?: boolean;
}

/** Keys under it hold what no call wrote. */
export const PLANTED = 'planted:';
/** Stands in every state; no error may repeat it. */
export const SECRET = 'sesame';

const CAST: Cast = {
  platform: 'slack',
  channelIds: ['C1', 'C2', 'a:b', 'é', '"\\'],
  jobIds: ['j1', 'j2', 'conversation:x'],
  questionIds: ['q1', 'q2'],
  answerIds: ['a1', 'd1'],
};
const PREFIXES = ['', '', 't:', '{a}:', '\xff\xfe', PLANTED];
const ODD_KEYS = [
  ...`: x conversation: job-index: conversation-watch conversation-inbox:slack:C1 conversation-handled:slack:C1
    conversation-inbox: conversation:slack: conversation::C1 conversation:SLACK:C1 xconversation:slack:C1
    conversation:slack:\xff job-index:\xff conversation:slack:\x7f conversation:slack:\xc2\x85 conversation:é:C1`.split(
    /[ \n]+/,
  ),
  ...['', '\0', ' ', 'heard', 'job-index:conversation:', 'conversation:slack:C1\n', 'conversation:sl ack:C1'],
  ...[`conversation:slack:${'x'.repeat(513)}`, `job-index:${'x'.repeat(512)}`, 'x'.repeat(1_000_000)],
];
/** TTLs, ids of messages and of entries, and ways to remove, right and wrong. */
const ODD_ARGUMENTS = [
  ...['', '1', '60000', '999999999999', '0', '-1', '1e3', '0x10', '1.5', ' 1', 'NaN', '1000000000000'],
  ...['9'.repeat(400), '60000\0', 'q1', '\0', '\n', '"', '\\', '\\u0000', '","x":"', '\xff', '\xc3', '\xed\xa0\x80'],
  ...['é', 'x'.repeat(1_024), 'x'.repeat(1_025), '1-1', '0-0', '999999999999999-0', '1-', '-1'],
  ...['retry', 'all', 'RETRY'],
];

/** Calls without end: some right in all but one thing, some right in nothing. */
export function badCalls(seed: number, below: Below): () => BadCall {
  const right = fc.sample(calls(CAST), { seed, numRuns: 2_000 });
  const withState = right.filter((call) => 'state' in call);
  return () => badCall(pick(below(2) === 0 ? withState : right, below), below);
}

function badCall(right: Call, below: Below): BadCall {
  const prefix = pick(PREFIXES, below);
  const name = below(50) === 0 ? 'version' : right.name;
  const command = name === 'get' || name === 'version' || below(20) === 0 ? 'FCALL_RO' : 'FCALL';
  const keys = name === 'version' ? [] : keysOf(right, '').map((key) => prefix + latin1(key));
  const args = name === 'version' ? [] : argumentsOf(right).map((argument) => latin1(String(argument)));
  const kind = below(6);
  if ('state' in right && name !== 'version') {
    args[0] = hostileJson(right.state, below);
    if (kind < 4) return stateCall(right.name, prefix, keys, args[0]);
  }
  if (name === 'update' && below(2) === 0) args[0] = `{"${pick(NAMES, below)}":${token(below)}}`;
  const anyKey = () =>
    [pick(keys, below), pick(ODD_KEYS, below), prefix + pick(ODD_KEYS, below), bytes(below)][below(4)] ?? '';
  const anyArgument = () => [pick(ODD_ARGUMENTS, below), bytes(below), token(below)][below(3)] ?? '';
  if (kind < 2) return { command, name, keys: changed(keys, anyKey, below), args };
  if (kind < 4) return { command, name, keys, args: changed(args, anyArgument, below) };
  if (kind < 5) return { command, name, keys, args };
  const all = below(300) === 0 ? Array<string>(3_000).fill('x') : Array.from({ length: below(9) }, anyArgument);
  return { command, name, keys: Array.from({ length: below(6) }, anyKey), args: all };
}

/** A call of which everything but the state is right. */
function stateCall(name: string, prefix: string, given: string[], state: string): BadCall {
  const verdict = judge(state);
  const keys = given.slice(0, name === 'hand_over' ? 3 : 2);
  const isOwn =
    typeof verdict !== 'string' && prefix + verdict.conversation === keys[0] && prefix + verdict.job === keys.at(-1);
  const isFit = isOwn && (name === 'set' || verdict.isFresh) && (name !== 'hand_over' || verdict.hasClaimId);
  const isKnown = prefix !== PLANTED && (name !== 'hand_over' || keys[1] !== keys[2]);
  return { command: 'FCALL', name, keys, args: [state], ...(isKnown && { valid: isFit }) };
}

function changed(items: string[], any: () => string, below: Below): string[] {
  const at = below(items.length + 1);
  return [items.slice(0, at), items.toSpliced(at, 0, any()), items.toSpliced(at, 1, any())][below(3)] ?? items;
}

function bytes(below: Below): string {
  return String.fromCharCode(...Array.from({ length: below(24) }, () => below(256)));
}

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
  ...`"\x01" "\x7f" "\0" \0 "\x80" "\xc0\x80" "\xc3" "\xc3\x28" "\xed\xa0\x80" "\xed\xa0\xbd\xed\xb8\x80"
    "\xf4\x90\x80\x80" "\xf5\x80\x80\x80" "\xe0\x80\x80" "\xe2\xc3\xa9\x80\xa8" "\xf0\x80\x80\x80" "\xff\xfe"
    "\xf0\xe2\x80\xa8\x9f\x98\x80" "\xe2\x80\xa8" "\xf0\x9f\x98\x80" \xef\xbb\xbf \xc2\xa0 "\xc2\x85"`.split(/[ \n]+/),
  ...['`x`', '', '1 2', '"a" "b"', '"\\', '"\\u 041"', '"\t"', '"\n"', '"a\\\nb"'],
];
const SPACE = [...'\n\r\t \v\f\0,;}\x1a', '\xc2\xa0', '\xef\xbb\xbf', '\xe2\x80\xa8', '//'];
const NAMES = (
  'jobId channelId userId platform project ticketId startedAt pendingQuestionId lastAnswer ' +
  'claimId deliveryId starting silentAfterMs answerBy note \\u006eote'
).split(' ');

/** The bytes, as latin1 text, of a state that is valid, nearly valid, or was so once. */
function hostileJson(valid: Document, below: Below): string {
  const state = withMember(valid, 'userId', SECRET).map((member) => {
    return { ...member, before: latin1(member.before), value: latin1(member.value) };
  });
  const at = below(state.length);
  const member = state[at] as Member;
  const odd = token(below);
  const changes: Document[] = [
    state.with(at, { ...member, value: odd }),
    state.with(at, { ...member, before: `${odd}:` }),
    [...state, { name: '', before: `"${pick(NAMES, below)}":`, value: odd, after: '' }],
    state.toSpliced(at, 1),
  ];
  let text = textOf(changes[below(10)] ?? state);
  for (let damages = [0, 0, 0, 0, 0, 1, 1, 2, 3][below(9)] ?? 0; damages > 0; damages--) text = damaged(text, below);
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
