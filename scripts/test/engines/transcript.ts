// Makes the same calls on whatever server is on the PATH and prints what was answered as JSON, to be compared with what
// another engine answers.
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { startRedis } from '../../redis/start.ts';

/** One call and what came of it. Deadlines and stream ids are left out: they are of the moment. */
export interface Entry {
  call: string;
  /** Text that is JSON is parsed. */
  reply: unknown;
  /** Every key and its value after the call. */
  keys: unknown;
}

type Command = [name: string, keys: string[], ...args: (string | Buffer)[]];

const CHANNEL = 'conversation:slack:C1';
const JOB = 'job-index:j1';
const STALE = 'job-index:j2';
const STREAM = 'job:j1:in';
const STATE = {
  jobId: 'j1',
  channelId: 'C1',
  userId: 'U1',
  platform: 'Slack',
  project: 'web',
  ticketId: 42,
  startedAt: '2026-01-31T09:30:00.1234567+01:00',
  pendingQuestionId: null as string | null,
};
const json = (changes: object = {}) => JSON.stringify({ ...STATE, ...changes });
const ASKED = json({ pendingQuestionId: 'q1' });
const ANSWERED = json({ lastAnswer: { questionId: 'q1', answerId: 'a1' } });
const ODD = ` {\n "nested" : {"pendingQuestionId":"q1","list":[]}, ${ASKED.slice(1, -1)},\t"big":9007199254740993123,
 "price":1.10, "text":"\\"pendingQuestionId\\":\\ud83d\\ude00/\\/é", "lastAnswer" : null } `;

/** What stands on the server before a call. */
const SITUATIONS: Record<string, string[][]> = {
  nothing: [],
  'a conversation': [['MSET', CHANNEL, json(), JOB, CHANNEL]],
  'a question waits': [['MSET', CHANNEL, ASKED, JOB, CHANNEL]],
  'a question was answered': [['MSET', CHANNEL, ANSWERED, JOB, CHANNEL]],
  'JSON written by somebody else': [['MSET', CHANNEL, ODD, JOB, CHANNEL]],
  'another job took over': [['MSET', CHANNEL, json({ jobId: 'j2' }), JOB, CHANNEL, STALE, CHANNEL]],
  'unread messages, a silent job and a handled message': [
    ['MSET', CHANNEL, json({ deliveryId: 'd0', claimId: 'c0' }), JOB, CHANNEL],
    ['XADD', 'conversation-inbox:slack:C1', '1-1', 'text', 'more'],
    ['ZADD', 'conversation-handled:slack:C1', '99999999999999', 'd1'],
    ['ZADD', 'conversation-watch', '1', `j1\n${CHANNEL}`, '2', `j2\n${CHANNEL}`],
  ],
  'no index': [['SET', CHANNEL, ASKED]],
  'only an index': [['SET', JOB, CHANNEL]],
  'an index that leads elsewhere': [['MSET', CHANNEL, ASKED, JOB, 'other:conversation:slack:C1']],
  'an index of another channel': [['MSET', CHANNEL, ASKED, JOB, 'conversation:slack:C2']],
  'no JSON': [['MSET', CHANNEL, '{"jobId":"j1"', JOB, CHANNEL]],
  'JSON that is no state': [['MSET', CHANNEL, '[1,2]', JOB, CHANNEL]],
  'the state of another channel': [['MSET', CHANNEL, json({ channelId: 'C2' }), JOB, CHANNEL]],
  'a list for a conversation': [
    ['RPUSH', CHANNEL, 'x'],
    ['SET', JOB, CHANNEL],
  ],
  'a list for an index': [
    ['RPUSH', JOB, 'x'],
    ['SET', CHANNEL, ASKED],
  ],
  'a string for a stream': [['MSET', CHANNEL, ASKED, JOB, CHANNEL, STREAM, 'x']],
};

const REFERENCES = [[CHANNEL], [JOB], [CHANNEL, JOB], [CHANNEL, STALE], [STALE]];

/** Calls that are right in themselves. */
const CALLS: Command[] = [
  ['conv_claim', [CHANNEL, JOB], json()],
  ['conv_claim', [CHANNEL, STALE], json({ jobId: 'j2' }), '1000'],
  ['conv_claim', [CHANNEL, STALE], json({ jobId: 'j2', claimId: 'c2', deliveryId: 'd2' }), '', '', 'text', 'more'],
  ['conv_claim', [CHANNEL, STALE], json({ jobId: 'j2', claimId: 'c2', deliveryId: 'd1' }), '', '1'],
  ['conv_due', ['conversation-watch'], '60000'],
  ['conv_set', [CHANNEL, JOB], json({ more: [[], {}, 1.1] }), '', '600000'],
  ['conv_set', [CHANNEL, STALE], json({ jobId: 'j2' }), ''],
  ...REFERENCES.flatMap((keys): Command[] => [
    ['conv_get', keys],
    ['conv_get_by_job', keys],
    ['conv_get_by_job', keys, '', '600000'],
    ['conv_update', keys, '{"a\\u0062":1.10,"userId":"é"}'],
    ['conv_update', [...keys, STREAM], '{}', '', 'd3', 'field', 'value'],
    ['conv_update', keys, '{"jobId":"j9"}'],
    ['conv_remove', keys, '0'],
    ['conv_remove', keys, '999999999999999', '1'],
    ['conv_set_pending', keys, 'q1'],
    ['conv_set_pending', keys, 'q"\\2é', '5000'],
    ['conv_set_pending', keys, ''],
    ['conv_answer', keys, 'q1', 'a1'],
    ['conv_answer', keys, 'q1', ''],
    ['conv_answer', [...keys, STREAM], 'q1', 'a2', '', 'field', 'value', 'empty', ''],
    ['conv_remove', keys],
  ]),
];

const NAMES = [
  'conv_claim',
  'conv_set',
  'conv_get',
  'conv_get_by_job',
  'conv_update',
  'conv_set_pending',
  'conv_answer',
  'conv_remove',
  'conv_due',
];

/** States and arguments that are wrong, or look so. */
const DOUBTFUL: Command[] = [
  ...[
    '',
    'null',
    '[]',
    '"x"',
    '{',
    '{}',
    `${json()} x`,
    `[${json()}]`,
    json({ ticketId: 1.5 }),
    json({ ticketId: 'WEB-12' }),
    json({ ticketId: null }),
    json({ userId: '' }),
    json({ startedAt: 'yesterday' }),
    json({ pendingQuestionId: 'a\nb' }),
    json({ lastAnswer: {} }),
    json({ jobId: 'j9' }),
    json({ platform: 'sl ack' }),
    json({ notes: 'x'.repeat(262_144) }),
    json({ notes: '' }).replace('""', 'NaN'),
    json({ notes: '' }).replace('""', '0x10'),
    json({ notes: '' }).replace('""', '01'),
    json({ notes: '' }).replace('""', '1.'),
    json({ notes: '' }).replace('""', '-.5'),
    json({ notes: '' }).replace('""', '1e400'),
    json({ notes: '' }).replace('""', '-Infinity'),
    json({ notes: '' }).replace('""', '"\\ud800"'),
    json({ notes: '' }).replace('""', '"\\u0000"'),
    json({ notes: '' }).replace('""', '"a\tb"'),
    json({ notes: '' }).replace('""', '"a\0b"'),
    json({ notes: '' }).replace('""', "'x'"),
    json({ notes: '' }).replace('""', `${'['.repeat(900)}${']'.repeat(900)}`),
    json({ notes: '' }).replace('""', `${'['.repeat(2000)}${']'.repeat(2000)}`),
    json({}).replace('{', '{"jobId":"j0","jobId":"j1",'),
    json({}).replace('}', ',"jobId":"j0"}'),
    Buffer.from(json({ notes: '\xff' }), 'latin1'),
    Buffer.from(json({ notes: '\xed\xa0\x80' }), 'latin1'),
  ].flatMap((state): Command[] => [
    ['conv_set', [CHANNEL, JOB], state],
    ['conv_claim', [CHANNEL, JOB], state],
  ]),
  ...['0', '-1', '1.5', '1e3', ' 1', '01', 'abc', '999999999999', '1000000000000'].flatMap((ttl): Command[] => [
    ['conv_set', [CHANNEL, JOB], json(), ttl],
    ['conv_get_by_job', [JOB], ttl],
    ['conv_answer', [JOB], 'q1', 'a1', ttl],
  ]),
  ...NAMES.flatMap((name): Command[] => [
    [name, []],
    [name, [''], 'q1', 'a1'],
    [name, ['conversation:slack:'], 'q1', 'a1'],
    [name, ['conversation:Slack:C1'], 'q1', 'a1'],
    [name, ['job-index:'], 'q1', 'a1'],
    [name, [JOB, CHANNEL], json()],
    [name, [CHANNEL, `x:${JOB}`], json()],
    [name, [CHANNEL, JOB, STREAM, 'more'], json(), 'a1'],
    [name, [CHANNEL, JOB], ...Array<string>(2_052).fill('x')],
  ]),
  ['conv_answer', [JOB, STREAM], 'q1', 'a1'],
  ['conv_answer', [JOB, STREAM], 'q1', 'a1', '', 'field'],
  ['conv_answer', [JOB, `x:${STREAM}`], 'q1', 'a1', '', 'f', 'v'],
  ['conv_answer', [JOB], 'q1', 'a1', '', 'f', 'v'],
  ['conv_answer', [JOB], '', 'a1'],
  ['conv_set_pending', [JOB], 'x'.repeat(1_025)],
  ['conv_set_pending', [JOB], Buffer.from('\xff', 'latin1')],
  ['conv_version', []],
  ['conv_version', [JOB]],
  ['conv_unknown', []],
];

async function record(redis: Redis, protocol: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  const make = async (situation: string, [name, keys, ...args]: Command) => {
    await redis.flushdb();
    for (const [command = '', ...rest] of SITUATIONS[situation] ?? []) await redis.call(command, ...rest);
    const reply = await redis
      .call('FCALL', name, keys.length, ...keys, ...args)
      .then(parsed, (error: Error) => ({ error: error.message }));
    const short = [...keys, '/', ...args].map((part) => String(part).slice(0, 60)).slice(0, 12);
    const call = `RESP${protocol}, ${situation}: ${name} ${short.join(' ')}`;
    entries.push({ call, reply, keys: await contents(redis) });
  };
  for (const situation of Object.keys(SITUATIONS)) for (const call of CALLS) await make(situation, call);
  for (const call of DOUBTFUL) await make('a question waits', call);
  return entries;
}

async function contents(redis: Redis): Promise<[string, unknown][]> {
  const keys = (await redis.keys('*')).sort();
  return Promise.all(keys.map(async (key): Promise<[string, unknown]> => [key, await contentOf(redis, key)]));
}

async function contentOf(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  if (type === 'zset') return (await redis.zrange(key, '0', '-1')).sort();
  if (type === 'list') return redis.lrange(key, 0, -1);
  if (type === 'stream') return (await redis.xrange(key, '-', '+')).map(([, fields]) => fields);
  return parsed(await redis.get(key));
}

function parsed(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply.map(parsed);
  if (typeof reply !== 'string') return reply;
  try {
    return { json: JSON.parse(reply) };
  } catch {
    return reply;
  }
}

const server = await startRedis({ args: [] });
const library = readFileSync(new URL('../../../lua/conversation.lua', import.meta.url), 'utf8');
const entries: Entry[] = [];
try {
  for (const protocol of [2, 3] as const) {
    const redis = new Redis(server.url, { protocol });
    await redis.function('LOAD', 'REPLACE', library);
    entries.push(...(await record(redis, protocol)));
    redis.disconnect();
  }
} finally {
  await server.stop();
}
process.stdout.write(JSON.stringify(entries));
