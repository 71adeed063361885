import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HAND_OVER, JOB, PAIR, SECOND, STREAM, WATCH } from '../support/keys.ts';
import { json, NO_UTF8, REFERENCES, second, withLibrary } from '../support/library.ts';

// States that are not valid are in states.test.ts, keys in keys.test.ts. What is stored and is no state is defect 26.

const test = suite('errors');
const it = withLibrary(test);

/** Stands in a state; no message may repeat it. */
const SECRET = 'sesame';

type Call = readonly [name: string, keys: readonly string[], ...args: (string | Buffer)[]];

/** A call with each of the values behind its other arguments. */
const each = (values: (string | Buffer)[], ...calls: Call[]) =>
  calls.flatMap((call) => values.map((value): Call => [...call, value]));

/** Every call that takes a TTL, without it. */
const WITH_TTL: Call[] = [
  ['claim', PAIR, json()],
  ['set', PAIR, json()],
  ['hand_over', HAND_OVER, second()],
  ['get_by_job', [JOB]],
  ['set_pending', PAIR, 'q2'],
  ['answer', PAIR, 'q1', 'a1'],
];
const PUBLISHING: Call[] = [
  ['answer', PAIR, 'q1', 'a1', ''],
  ['answer', [JOB], 'q1', 'a1', ''],
  ['update', PAIR, '{}', 'd1'],
  ['hand_over', HAND_OVER, second(), ''],
];
const TO_STREAM = PUBLISHING.map(([name, keys, ...args]): Call => [name, [...keys, STREAM], ...args]);
const QUEUED: Call = ['claim', SECOND, second({ deliveryId: 'd2' }), ''];

const TIMES = ['0', '00', '01', '-1', '+1', '1.0', '1.5', '1e3', '0x10', ' 1', '1 ', '1\n', '1\0', 'x', 'nil', 'NaN'];
TIMES.push('Infinity', '1000000000000', '9'.repeat(400));
const IDS = ['\n', 'a\0', '\u001f', '\u007f', 'a\u0080', '\u0085', '\u009f', 'x'.repeat(1_025), 'é'.repeat(513)];
const NO_IDS = [...IDS, 'x'.repeat(5_000), ...NO_UTF8];
const NO_ENTRIES = [
  ...['x', '0', '1700000000000', '-1', '1-', '1-x', '-', '+', '$', '*', '1-*', '1-1-1', ' 1', '(1', '1.0'],
  ...['0x1', '1'.repeat(21), `1-${'1'.repeat(21)}`, '1'.repeat(5_000)],
];
const FIXED = ['jobId', 'channelId', 'platform', 'pendingQuestionId', 'lastAnswer', 'claimId', 'deliveryId'];
FIXED.push('starting', 'silentAfterMs', 'answerBy', 'job\\u0049d');
const deep = (levels: number) => `{"deep":${'['.repeat(levels)}${']'.repeat(levels)}}`;
const MILLISECONDS = 'must be whole milliseconds from 1 to 999999999999';
const ID = '(, where it is not empty,)? must be a non-empty string of at most 1024 bytes';
const UPDATE: Call = ['update', PAIR];

/** What each message says, and the calls that end with it. */
const REFUSED: Record<string, [message: string | RegExp, calls: Call[]][]> = {
  'CONVARG: a length of time': [
    [`CONVARG ttlMs ${MILLISECONDS}`, each(TIMES, ...WITH_TTL)],
    [`CONVARG withinMs ${MILLISECONDS}`, each(TIMES, ['set_pending', PAIR, 'q1', ''])],
    [`CONVARG leaseMs ${MILLISECONDS}`, each(['', ...TIMES], ['due', [WATCH]])],
  ],
  'CONVARG: too few and too many arguments are counted': (
    [
      ['0 arguments, 1', 'version', [], 'x'],
      ['1 to 2050 arguments, 0', 'claim', PAIR],
      ['1 to 2050 arguments, 0', 'hand_over', HAND_OVER],
      ['1 to 2 arguments, 0', 'set', PAIR],
      ['1 to 2 arguments, 3', 'set', PAIR, json(), '1', ''],
      ['0 arguments, 1', 'get', PAIR, ''],
      ['0 to 2 arguments, 3', 'get_by_job', PAIR, '1', '', ''],
      ['1 to 2050 arguments, 0', 'update', PAIR],
      ['1 to 2 arguments, 0', 'due', [WATCH]],
      ['1 to 2 arguments, 3', 'due', [WATCH], '1', '1', ''],
      ['1 to 3 arguments, 0', 'set_pending', PAIR],
      ['1 to 3 arguments, 4', 'set_pending', PAIR, 'q2', '1', '', ''],
      ['2 to 2051 arguments, 1', 'answer', PAIR, 'q1'],
      ['0 to 1 arguments, 2', 'remove', PAIR, '', ''],
    ] as [string, ...Call][]
  ).map(([wanted, ...call]) => [`CONVARG wanted ${wanted} were given`, [call]]),
  'CONVARG: a question, answer, claim or delivery id': [
    [new RegExp(`^CONVARG questionId${ID}`), each(NO_IDS, ['set_pending', PAIR])],
    [new RegExp(`^CONVARG questionId${ID}`), NO_IDS.concat('').map((id) => ['answer', PAIR, id, 'a1'])],
    [new RegExp(`^CONVARG answerId${ID}`), each(NO_IDS, ['answer', PAIR, 'q1'])],
    [new RegExp(`^CONVARG deliveryId${ID}`), each(NO_IDS, ['update', PAIR, '{}'])],
    [/^CONVARG withinMs needs a questionId/, [['set_pending', PAIR, '', '', '1000']]],
    [/^CONVARG a stream needs a deliveryId/, [['update', [...PAIR, STREAM], '{}', '', 'f', 'v']]],
    [
      /^CONVARG fields .* need a claimId and a deliveryId in the state/,
      [{}, { deliveryId: null }, { deliveryId: 'd3', claimId: undefined }, { deliveryId: 'd3', claimId: null }].map(
        (ids) => ['claim', SECOND, second(ids), '', 'text', 'more'],
      ),
    ],
    [/^CONVARG .*claimId/, [undefined, null].map((claimId) => ['hand_over', HAND_OVER, second({ claimId })])],
  ],
  'CONVARG: the entry that was read, the limit of due jobs and the word of a removal': [
    [
      'CONVARG lastSeen must be the id of an inbox entry, such as 1700000000000-0',
      each(NO_ENTRIES, ['get_by_job', PAIR, '']),
    ],
    [
      'CONVARG limit must be a whole number from 1 to 1000',
      each(['0', '-1', '1001', '10000', '1.5', 'x', ' 1', '01'], ['due', [WATCH], '1000']),
    ],
    [
      'CONVARG the argument must be retry or all, or empty',
      each(['1', '0', 'yes', 'ALL', ' retry', 'retry,all'], ['remove', PAIR]),
    ],
  ],
  'CONVARG: fields come in pairs, with a stream, and a stream comes with fields': [
    ['CONVARG fields need a stream key to go to', PUBLISHING.map((call) => [...call, 'f', 'v'])],
    ['CONVARG every field needs a value', each(['f'], ...TO_STREAM, QUEUED)],
    ['CONVARG a stream needs at least one field and its value', TO_STREAM],
  ],
  'CONVSTATE: a patch that is no object, is not strict JSON, or is of a member that cannot be patched': [
    [/^CONVSTATE the patch must be JSON: [EF]/, each(['', 'x', '{"a":', '{"a":1}}', deep(1_000)], UPDATE)],
    ['CONVSTATE the patch must be a JSON object', each(['1', '[]', 'null', '"a"', '[{"a":1}]', ' [1] '], UPDATE)],
    [/^CONVSTATE the patch must be JSON: control/, each(['{"a":"\n"}', '{"a":1.}', '{"a":-.5}'], UPDATE)],
    [/^CONVSTATE \w+ cannot be patched; userId, /, FIXED.map((name) => [...UPDATE, `{"pod":1,"${name}":"x"}`])],
  ],
  'CONVSTATE: a patch after which the state would not be valid, or would be too large': [
    [/^CONVSTATE userId must be /, each(['{"userId":""}', '{"userId":null}'], UPDATE)],
    [/^CONVSTATE project must be /, each(['{"project":7}'], UPDATE)],
    [/^CONVSTATE ticketId must be /, each(['{"ticketId":1.5}'], UPDATE)],
    [/^CONVSTATE startedAt must be /, each(['{"startedAt":"soon"}'], UPDATE)],
    [/^CONVSTATE the state would have /, [262_144, 262_000].map((n) => [...UPDATE, `{"n":"${'x'.repeat(n)}"}`])],
  ],
};

for (const [title, rows] of Object.entries(REFUSED)) {
  it(title, async ({ call, redis, refusal, unchanged }) => {
    await call('set', PAIR, json({ note: SECRET, pendingQuestionId: 'q1' }), 60_000);
    await redis.xadd(STREAM, '*', 'f', 'v');
    await redis.zadd(WATCH, 1, `j1\n${CHANNEL}`);
    await unchanged(async () => {
      for (const [wanted, calls] of rows) {
        for (const made of calls) {
          const message = await refusal(...made);
          if (typeof wanted === 'string') assert.is(message, wanted, made.join(' ').slice(0, 200));
          else assert.match(message, wanted, made.join(' ').slice(0, 200));
          assert.not.match(message, SECRET);
        }
      }
    });
  });
}

it('CONVCORRUPT: a text that names its job but is no strict JSON is not changed', async (at) => {
  for (const value of ['"\n"', '1.', '-.5', '"a\0"']) {
    const text = json({ pendingQuestionId: 'q1', note: 0, more: SECRET }).replace('"note":0', `"note":${value}`);
    await at.redis.mset(CHANNEL, text, JOB, CHANNEL);
    for (const keys of Object.values(REFERENCES)) {
      for (const [name, ...args] of [
        ['set_pending', 'q2'],
        ['answer', 'q1', 'a1'],
        ['update', '{"pod":1}'],
      ] as const) {
        assert.is(
          await at.unchanged(() => at.refusal(name, keys, ...args)),
          'CONVCORRUPT what is stored for this conversation cannot be read: it is not the JSON of a state',
        );
      }
    }
  }
});

it('CONVCORRUPT: an index that holds no key of its prefix', async ({ call, redis, refusal, unchanged }) => {
  await call('set', ['a:conversation:slack:C1', 'a:job-index:j1'], json({ note: SECRET }), 60_000);
  await call('set', ['conversation:slack:C1', 'job-index:j2'], json({ jobId: 'j2' }), 60_000);
  for (const [prefix, values] of Object.entries({
    '': ['', 'rubbish', JOB, 'a:conversation:slack:C1', 'job-index:conversation:slack:C1'],
    'b:': ['conversation:slack:C1', 'a:conversation:slack:C1', 'a:conversation:slack:C9', 'bb:conversation:slack:C1'],
  })) {
    for (const value of values) {
      await redis.set(`${prefix}${JOB}`, value, 'PX', 60_000);
      for (const [name, keys, ...args] of [
        ['get', [JOB]],
        ['get_by_job', [JOB]],
        ['set_pending', [JOB], 'q1'],
        ['answer', [JOB], 'q1', 'a1'],
        ['update', [JOB], '{}'],
        ['remove', [JOB]],
        ['claim', PAIR, json()],
        ['hand_over', [CHANNEL, 'job-index:j0', JOB], json()],
      ] as const) {
        const under = keys.map((key) => prefix + key);
        const message = await unchanged(() => refusal(name, under, ...args));
        assert.match(message, /^CONVCORRUPT the job index /, `${name} ${prefix} ${value}`);
      }
    }
  }
});

it('an argument is checked before what is stored is looked at', async ({ redis, refusal }) => {
  await redis.set(CHANNEL, 'rubbish');
  assert.match(await refusal('set_pending', [CHANNEL], '\n'), /^CONVARG /);
  for (const call of WITH_TTL) assert.match(await refusal(...call, '0'), /^CONVARG /);
  assert.match(await refusal('claim', PAIR, '{}'), /^CONVSTATE /);
});

test.run();
