import { hostileJson } from './hostile-json.ts';
import { judge, latin1 } from './strict.ts';

type Below = (limit: number) => number;

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
const FUNCTIONS = ['claim', 'set', 'get', 'get_by_job', 'update', 'set_pending', 'answer', 'remove', 'due', 'version'];
const PREFIXES = ['', '', 't:', '{a}:', '\xff\xfe', PLANTED];
const CHANNEL_IDS = ['C1', 'C1', 'C2', 'a:b', 'é', '"\\'];
const JOB_IDS = ['j1', 'j1', 'j2', 'j3', 'conversation:x', '"\\'];
const ODD = [
  '',
  '\0',
  ' ',
  ':',
  'x',
  'conversation:',
  'job-index:',
  'conversation-watch',
  'conversation-inbox:slack:C1',
  'conversation-handled:slack:C1',
  'conversation-inbox:',
  'conversation:slack:',
  'conversation::C1',
  'conversation:SLACK:C1',
  'conversation:slack:C1\n',
  'conversation:slack:\xff',
  'job-index:\xff',
  'conversation:slack:\x7f',
  'conversation:slack:\xc2\x85',
  'xconversation:slack:C1',
  'job-index:conversation:',
  `conversation:slack:${'x'.repeat(513)}`,
  `job-index:${'x'.repeat(512)}`,
  'x'.repeat(1_000_000),
  'conversation:sl ack:C1',
  'conversation:é:C1',
];
const TTLS = [
  '',
  '1',
  '5',
  '60000',
  '999999999999',
  '0',
  '-1',
  '1e3',
  '0x10',
  '1.5',
  ' 1',
  'NaN',
  '1000000000000',
  '9'.repeat(400),
  '60000\0',
  '\xff',
];
const IDS = [
  'q1',
  'q1',
  'q2',
  'a1',
  '',
  '\0',
  '\n',
  '"',
  '\\',
  '\\u0000',
  '","x":"',
  '\xff',
  '\xc3',
  '\xed\xa0\x80',
  'é',
  'x'.repeat(1_024),
  'x'.repeat(1_025),
];

/** Any call: some right in all but one thing, some right in nothing. */
export function badCall(below: Below): BadCall {
  const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T;
  const names = { jobId: pick(JOB_IDS), channelId: pick(CHANNEL_IDS), platform: pick(['slack', 'slack', 'Teams']) };
  const prefix = pick(PREFIXES);
  const pair = [
    `${prefix}${latin1(`conversation:${names.platform.toLowerCase()}:${names.channelId}`)}`,
    `${prefix}${latin1(`job-index:${names.jobId}`)}`,
  ];
  const kind = below(10);
  if (kind < 4) return stateCall(pick(['claim', 'set']), prefix, pair, hostileJson(names, below));
  const name = pick(FUNCTIONS);
  const command =
    name === 'get' || name === 'version' || below(20) === 0 ? pick(['FCALL', 'FCALL_RO'] as const) : 'FCALL';
  const call: BadCall = {
    command,
    name,
    keys: rightKeys(name, pair, prefix, below),
    args: rightArgs(name, names, below),
  };
  if (kind < 7) return call;
  const anyKey = () =>
    [pick(pair), pick(ODD), prefix + pick(ODD), bytes(below), pick(pair).slice(0, below(30))][below(5)] ?? '';
  const anyArg = () => [pick(IDS), pick(TTLS), bytes(below), hostileJson(names, below), pick(ODD)][below(5)] ?? '';
  if (kind === 7) return { ...call, keys: changed(call.keys, anyKey, below) };
  if (kind === 8) return { ...call, args: changed(call.args, anyArg, below) };
  const many = below(300) === 0 ? 3_000 : below(9);
  return {
    ...call,
    keys: [...Array(below(6)).keys()].map(anyKey),
    args: [...Array(many).keys()].map(() => (many > 100 ? 'x' : anyArg())),
  };
}

function stateCall(name: string, prefix: string, pair: string[], state: string): BadCall {
  const verdict = judge(state);
  const valid =
    typeof verdict !== 'string' && prefix + verdict.conversation === pair[0] && prefix + verdict.job === pair[1];
  return { command: 'FCALL', name, keys: pair, args: [state], ...(prefix === PLANTED ? {} : { valid }) };
}

function rightKeys(name: string, pair: string[], prefix: string, below: Below): string[] {
  if (name === 'version') return [];
  const watch = `${prefix}conversation-watch`;
  if (name === 'due') return [watch];
  const channel = (pair[0] ?? '').slice(prefix.length + 'conversation:'.length);
  const own = [watch, `${prefix}conversation-inbox:${channel}`, `${prefix}conversation-handled:${channel}`];
  const further = own.filter(() => below(4) === 0);
  if (name === 'claim' || name === 'set') return [...pair, ...further];
  const keys = [pair, pair.slice(0, 1), pair.slice(1)][below(3)] ?? pair;
  const stream = (name === 'answer' || name === 'update') && below(2) === 0 ? [`${prefix}heard`] : [];
  return [...keys, ...further, ...stream];
}

function rightArgs(name: string, names: Parameters<typeof hostileJson>[0], below: Below): string[] {
  const ids = () => IDS[below(IDS.length)] ?? '';
  const ttl = below(2) === 0 ? [] : [TTLS[below(below(3) === 0 ? TTLS.length : 5)] ?? ''];
  switch (name) {
    case 'claim':
    case 'set':
      return [
        hostileJson(names, below),
        ...ttl,
        ...(ttl.length > 0 && below(3) === 0 ? ['60000', 'f', 'v'] : []),
      ].slice(0, name === 'claim' ? 5 : 3);
    case 'get_by_job':
      return ttl.length > 0 && below(3) === 0 ? [...ttl, '5'] : ttl;
    case 'update':
      return [patch(names, below), '', ids(), 'field', bytes(below)].slice(0, below(2) === 0 ? 5 : 1 + below(3));
    case 'remove':
      return ['', '0', '1-1', '999999999999999', 'x']
        .slice(below(5))
        .slice(0, 1)
        .concat(below(3) === 0 ? ['1'] : []);
    case 'due':
      return [TTLS[below(6)] ?? '', ['', '1', '1000', '0', 'x'][below(5)] ?? ''];
    case 'set_pending':
      return [ids(), ...ttl];
    case 'answer':
      return [ids(), ids(), '', 'field', bytes(below)].slice(0, below(2) === 0 ? 5 : 2);
    default:
      return [];
  }
}

/** A patch: of one member, right or not, or hostile altogether. */
function patch(names: Parameters<typeof hostileJson>[0], below: Below): string {
  const name = ['note', 'userId', 'jobId', 'claimId', '\\u006eote', 'a"b'][below(6)] ?? '';
  const value = ['1.10', '{}', '"x"', 'null', '1.', '"\n"'][below(6)] ?? '';
  return below(3) === 0 ? hostileJson(names, below) : `{"${name}":${value}}`;
}

function changed(items: string[], any: () => string, below: Below): string[] {
  const at = below(items.length + 1);
  return [items.slice(0, at), items.toSpliced(at, 0, any()), items.toSpliced(at, 1, any())][below(3)] ?? items;
}

function bytes(below: Below): string {
  return String.fromCharCode(...[...Array(below(24)).keys()].map(() => below(256)));
}
