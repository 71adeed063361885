import { judge, latin1 } from './strict.ts';

type Below = (limit: number) => number;
const picker =
  (below: Below) =>
  <T>(items: readonly T[]): T =>
    items[below(items.length)] as T;

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
const FUNCTIONS =
  'claim set hand_over get get_by_job get_by_job update set_pending set_pending answer remove due version'.split(' ');
const PREFIXES = ['', '', 't:', '{a}:', '\xff\xfe', PLANTED];
const CHANNEL_IDS = ['C1', 'C1', 'C2', 'a:b', 'é', '"\\'];
const JOB_IDS = ['j1', 'j1', 'j2', 'j3', 'conversation:x', '"\\'];
const ODD = [
  ...': x conversation: job-index: conversation-watch conversation-inbox:slack:C1 conversation-handled:slack:C1'.split(
    ' ',
  ),
  ...'conversation-inbox: conversation:slack: conversation::C1 conversation:SLACK:C1 xconversation:slack:C1'.split(' '),
  ...'conversation:slack:\xff job-index:\xff conversation:slack:\x7f conversation:slack:\xc2\x85 conversation:é:C1'.split(
    ' ',
  ),
  ...['', '\0', ' ', 'job-index:conversation:', 'conversation:slack:C1\n', 'conversation:sl ack:C1'],
  ...[`conversation:slack:${'x'.repeat(513)}`, `job-index:${'x'.repeat(512)}`, 'x'.repeat(1_000_000)],
];
const TTLS = [
  ...['', '1', '5', '60000', '999999999999', '0', '-1', '1e3', '0x10', '1.5', ' 1', 'NaN', '1000000000000'],
  ...['9'.repeat(400), '60000\0', '\xff'],
];
const IDS = [
  ...['q1', 'q1', 'q2', 'a1', 'd1', '', '\0', '\n', '"', '\\', '\\u0000', '","x":"', '\xff', '\xc3', '\xed\xa0\x80'],
  ...['é', 'x'.repeat(1_024), 'x'.repeat(1_025)],
];
/** Ids of entries of an inbox, right and wrong. */
const ENTRIES = ['1-1', '0-0', '999999999999999-0', '', '1', '1-', '-1', `${2n ** 64n - 1n}-${2n ** 64n - 1n}`, 'x'];
const HOW = ['', 'retry', 'all', 'x', 'RETRY'];

/** Any call: some right in all but one thing, some right in nothing. */
export function badCall(below: Below): BadCall {
  const pick = picker(below);
  const names = { jobId: pick(JOB_IDS), channelId: pick(CHANNEL_IDS), platform: pick(['slack', 'slack', 'Teams']) };
  const prefix = pick(PREFIXES);
  const pair = [
    `${prefix}${latin1(`conversation:${names.platform.toLowerCase()}:${names.channelId}`)}`,
    `${prefix}${latin1(`job-index:${names.jobId}`)}`,
  ];
  const kind = below(10);
  if (kind < 4) return stateCall(pick(['claim', 'set', 'hand_over']), prefix, pair, hostileJson(names, below));
  const name = pick(FUNCTIONS);
  const mayRead = name === 'get' || name === 'version' || below(20) === 0;
  const command = mayRead ? pick(['FCALL', 'FCALL_RO'] as const) : 'FCALL';
  const call = { command, name, keys: rightKeys(name, pair, prefix, below), args: rightArgs(name, names, below) };
  if (kind < 7) return call;
  const anyKey = () =>
    [pick(pair), pick(ODD), prefix + pick(ODD), bytes(below), pick(pair).slice(0, below(30))][below(5)] ?? '';
  const anyArg = () => [pick(IDS), pick(TTLS), bytes(below), hostileJson(names, below), pick(ODD)][below(5)] ?? '';
  if (kind === 7) return { ...call, keys: changed(call.keys, anyKey, below) };
  if (kind === 8) return { ...call, args: changed(call.args, anyArg, below) };
  const args = below(300) === 0 ? Array<string>(3_000).fill('x') : Array.from({ length: below(9) }, anyArg);
  return { ...call, keys: Array.from({ length: below(6) }, anyKey), args };
}

function stateCall(name: string, prefix: string, [channel = '', job = '']: string[], state: string): BadCall {
  const verdict = judge(state);
  const isOwn =
    typeof verdict !== 'string' && prefix + verdict.conversation === channel && prefix + verdict.job === job;
  const isFit = isOwn && (name === 'set' || verdict.isFresh) && (name !== 'hand_over' || verdict.hasClaimId);
  const keys = name === 'hand_over' ? [channel, `${prefix}job-index:outgoing`, job] : [channel, job];
  return { command: 'FCALL', name, keys, args: [state], ...(prefix === PLANTED ? {} : { valid: isFit }) };
}

function rightKeys(name: string, pair: string[], prefix: string, below: Below): string[] {
  if (name === 'version') return [];
  const watch = `${prefix}conversation-watch`;
  if (name === 'due') return [watch];
  const channel = (pair[0] ?? '').slice(prefix.length + 'conversation:'.length);
  const own = [watch, `${prefix}conversation-inbox:${channel}`, `${prefix}conversation-handled:${channel}`];
  const further = own.filter(() => below(4) === 0);
  const stream = ['answer', 'update', 'hand_over'].includes(name) && below(2) === 0 ? [`${prefix}heard`] : [];
  if (name === 'claim' || name === 'set') return [...pair, ...further];
  if (name === 'hand_over') return [...pair.toSpliced(1, 0, `${prefix}job-index:j1`), ...further, ...stream];
  const keys = [pair, pair.slice(0, 1), pair.slice(1)][below(3)] ?? pair;
  return [...keys, ...further, ...stream];
}

function rightArgs(name: string, names: Names, below: Below): string[] {
  const pick = picker(below);
  const ttl = below(2) === 0 ? [] : [TTLS[below(below(3) === 0 ? TTLS.length : 5)] ?? ''];
  const further = (...args: string[]) => (ttl.length > 0 && below(3) === 0 ? [...ttl, ...args] : ttl);
  const state = () => [hostileJson(names, below), ...further('f', bytes(below))];
  const some = (fewest: number, ...args: string[]) => args.slice(0, below(2) === 0 ? args.length : fewest);
  const args: Record<string, () => string[]> = {
    claim: state,
    hand_over: state,
    set: () => [hostileJson(names, below), ...ttl],
    get_by_job: () => further(pick(ENTRIES)),
    update: () => some(1 + below(2), patch(names, below), pick(IDS), 'field', bytes(below)),
    remove: () => [pick(HOW)],
    due: () => [pick(TTLS.slice(0, 6)), pick(['', '1', '1000', '0', 'x'])],
    set_pending: () => [pick(IDS), ...further(pick(TTLS))],
    answer: () => some(2, pick(IDS), pick(IDS), '', 'field', bytes(below)),
  };
  return args[name]?.() ?? [];
}

/** A patch: of one member, right or not, or hostile altogether. */
function patch(names: Names, below: Below): string {
  const name = ['note', 'userId', 'jobId', 'claimId', '\\u006eote', 'a"b'][below(6)] ?? '';
  const value = ['1.10', '{}', '"x"', 'null', '1.', '"\n"'][below(6)] ?? '';
  return below(3) === 0 ? hostileJson(names, below) : `{"${name}":${value}}`;
}

function changed(items: string[], any: () => string, below: Below): string[] {
  const at = below(items.length + 1);
  return [items.slice(0, at), items.toSpliced(at, 0, any()), items.toSpliced(at, 1, any())][below(3)] ?? items;
}

function bytes(below: Below): string {
  return String.fromCharCode(...Array.from({ length: below(24) }, () => below(256)));
}

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
interface Names {
  jobId: string;
  channelId: string;
  platform: string;
}

/** The bytes, as latin1 text, of a state that is valid, nearly valid, or was so once. */
function hostileJson(names: Names, below: Below): string {
  const pick = picker(below);
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
