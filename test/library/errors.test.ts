import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HAND_OVER, JOB, PAIR, SECOND, STREAM, WATCH } from '../support/keys.ts';
import { json, type Library, NO_UTF8, REFERENCES, second, withLibrary } from '../support/library.ts';

const test = suite('errors');
const it = withLibrary(test);

/** Stands in a state; no message may repeat it. */
const SECRET = 'sesame';

type Call = readonly [name: string, keys: readonly string[], ...args: (string | Buffer)[]];

/** Makes calls on a conversation whose question is pending, each of which must be refused so and change nothing. */
async function refused({ call, redis, refusal, unchanged }: Library, wanted: RegExp | string, calls: Call[]) {
  await call('set', PAIR, json({ note: SECRET, pendingQuestionId: 'q1' }), 60_000);
  await redis.xadd(STREAM, '*', 'f', 'v');
  await redis.zadd(WATCH, 1, `j1\n${CHANNEL}`);
  await unchanged(async () => {
    for (const made of calls) {
      const message = await refusal(...made);
      if (typeof wanted === 'string') assert.is(message, wanted, made.join(' ').slice(0, 200));
      else assert.match(message, wanted, made.join(' ').slice(0, 200));
      assert.not.match(message, SECRET);
    }
  });
}

/** Every call that takes a TTL, without it. */
const WITH_TTL: Call[] = [
  ['claim', PAIR, json()],
  ['set', PAIR, json()],
  ['hand_over', HAND_OVER, second()],
  ['get_by_job', [JOB]],
  ['set_pending', PAIR, 'q2'],
  ['answer', PAIR, 'q1', 'a1'],
];

it('CONVARG: a length of time is whole milliseconds from 1 to 999999999999', async (at) => {
  const bad = ['0', '00', '01', '-1', '+1', '1.0', '1.5', '1e3', '0x10', ' 1', '1 ', '1\n', '1\0', 'x', 'nil', 'NaN'];
  bad.push('Infinity', '1000000000000', '9'.repeat(400));
  for (const [name, calls] of Object.entries({
    ttlMs: bad.flatMap((ms) => WITH_TTL.map((call): Call => [...call, ms])),
    withinMs: bad.map((ms): Call => ['set_pending', PAIR, 'q1', '', ms]),
    leaseMs: ['', ...bad].map((ms): Call => ['due', [WATCH], ms]),
  })) {
    await refused(at, `CONVARG ${name} must be whole milliseconds from 1 to 999999999999`, calls);
  }
});

it('CONVARG: too few and too many arguments are named and counted', async (at) => {
  for (const [wanted, ...call] of [
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
  ] as const) {
    await refused(at, `CONVARG wanted ${wanted} were given`, [call]);
  }
});

it('CONVARG: a question, answer or delivery id that is not valid', async (at) => {
  const bad = ['\n', 'a\0', '\u001f', '\u007f', 'a\u0080', '\u0085', '\u009f', 'x'.repeat(1_025), 'é'.repeat(513)];
  const ids = [...bad, 'x'.repeat(5_000), ...NO_UTF8];
  for (const [name, calls] of Object.entries({
    questionId: ids.flatMap((id): Call[] => [
      ['set_pending', PAIR, id],
      ['answer', PAIR, id, 'a1'],
    ]),
    answerId: ids.map((id): Call => ['answer', PAIR, 'q1', id]),
    deliveryId: ids.map((id): Call => ['update', PAIR, '{}', id]),
  })) {
    const wanted = `^CONVARG ${name}(, where it is not empty,)? must be a non-empty string of at most 1024 bytes`;
    await refused(at, new RegExp(wanted), calls);
  }
  await refused(at, /^CONVARG questionId must be /, [['answer', PAIR, '', 'a1']]);
  await refused(at, /^CONVARG withinMs needs a questionId/, [['set_pending', PAIR, '', '', '1000']]);
  await refused(at, /^CONVARG a stream needs a deliveryId/, [['update', [...PAIR, STREAM], '{}', '', 'f', 'v']]);
  const without = [
    {},
    { deliveryId: null },
    { deliveryId: 'd3', claimId: undefined },
    { deliveryId: 'd3', claimId: null },
  ];
  const claims = without.map((ids): Call => ['claim', SECOND, second(ids), '', 'text', 'more']);
  await refused(at, /^CONVARG fields .* need a claimId and a deliveryId in the state/, claims);
  const nameless = [undefined, null].map((claimId): Call => ['hand_over', HAND_OVER, second({ claimId })]);
  await refused(at, /^CONVARG .*claimId/, nameless);
});

it('CONVARG: the entry that was read, the limit of due jobs and the word of a removal', async (at) => {
  const entries = ['x', '0', '1700000000000', '-1', '1-', '1-x', '-', '+', '$', '*', '1-*', '1-1-1', ' 1', '(1', '1.0'];
  const long = ['0x1', '1'.repeat(21), `1-${'1'.repeat(21)}`, '1'.repeat(5_000)];
  const seen = [...entries, ...long].map((id): Call => ['get_by_job', PAIR, '', id]);
  const limits = ['0', '-1', '1001', '10000', '1.5', 'x', ' 1', '01'].map((n): Call => ['due', [WATCH], '1000', n]);
  const words = ['1', '0', 'yes', 'ALL', ' retry', 'retry,all'].map((word): Call => ['remove', PAIR, word]);
  await refused(at, 'CONVARG lastSeen must be the id of an inbox entry, such as 1700000000000-0', seen);
  await refused(at, 'CONVARG limit must be a whole number from 1 to 1000', limits);
  await refused(at, 'CONVARG the argument must be retry or all, or empty', words);
});

it('CONVARG: fields come in pairs, with a stream, and a stream comes with fields', async (at) => {
  const claim: Call = ['claim', SECOND, second({ deliveryId: 'd2' }), ''];
  for (const [name, keys, ...args] of [
    ['answer', PAIR, 'q1', 'a1', ''],
    ['answer', [JOB], 'q1', 'a1', ''],
    ['update', PAIR, '{}', 'd1'],
    ['hand_over', HAND_OVER, second(), ''],
  ] as const) {
    const call: Call = [name, [...keys, STREAM], ...args];
    await refused(at, 'CONVARG fields need a stream key to go to', [[name, keys, ...args, 'f', 'v']]);
    for (const odd of [call, claim]) await refused(at, 'CONVARG every field needs a value', [[...odd, 'f']]);
    await refused(at, 'CONVARG a stream needs at least one field and its value', [call]);
  }
});

it('CONVSTATE: a patch that is no object, is not strict JSON, or is of a member that cannot be patched', async (at) => {
  const update = (patch: string): Call => ['update', PAIR, patch];
  const fixed = ['jobId', 'channelId', 'platform', 'pendingQuestionId', 'lastAnswer', 'claimId', 'deliveryId'];
  fixed.push('starting', 'silentAfterMs', 'answerBy', 'job\\u0049d');
  const patches = fixed.map((name) => `{"pod":1,"${name}":"x"}`);
  await refused(at, /^CONVSTATE the patch must be JSON: E/, ['', 'x', '{"a":', '{"a":1}}'].map(update));
  const others = ['1', '[]', 'null', '"a"', '[{"a":1}]', ' [1] '];
  await refused(at, 'CONVSTATE the patch must be a JSON object', others.map(update));
  await refused(at, /^CONVSTATE the patch must be JSON: control/, ['{"a":"\n"}', '{"a":1.}', '{"a":-.5}'].map(update));
  await refused(at, /^CONVSTATE \w+ cannot be patched; userId, /, patches.map(update));
});

it('CONVSTATE: a patch after which the state would not be valid, or would be too large', async (at) => {
  const deep = (levels: number) => `{"deep":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  for (const [patch, wanted] of [
    ['{"userId":""}', /^CONVSTATE userId must be /],
    ['{"userId":null}', /^CONVSTATE userId must be /],
    ['{"project":7}', /^CONVSTATE project must be /],
    ['{"ticketId":1.5}', /^CONVSTATE ticketId must be /],
    ['{"startedAt":"soon"}', /^CONVSTATE startedAt must be /],
    [deep(1_000), /^CONVSTATE the patch must be JSON/],
    [`{"note":"${'x'.repeat(262_144)}"}`, /^CONVSTATE the state would have /],
    [`{"other":"${'x'.repeat(262_000)}"}`, /^CONVSTATE the state would have /],
  ] as const) {
    await refused(at, wanted, [['update', PAIR, patch]]);
  }
  assert.is(await at.outcome('update', PAIR, deep(999)), 'updated');
});

it('CONVCORRUPT: something else in place of a state, and a text that names its job but is no strict JSON', async (at) => {
  const changing = Object.values(REFERENCES).flatMap((keys): Call[] => [
    ['set_pending', keys, 'q2'],
    ['answer', keys, 'q1', 'a1'],
    ['update', keys, '{"pod":1}'],
  ]);
  const odd = ['"\n"', '1.', '-.5', '"a\0"'].map((value) => {
    return json({ pendingQuestionId: 'q1', note: 0, more: SECRET }).replace('"note":0', `"note":${value}`);
  });
  for (const text of [`{"jobId":"${SECRET}`, json({ channelId: 'C2', note: SECRET }), ...odd]) {
    await at.redis.set(CHANNEL, text, 'PX', 60_000);
    await at.redis.set(JOB, CHANNEL, 'PX', 60_000);
    const wanted = text.includes('C2')
      ? 'is the state of another channel'
      : 'cannot be read: it is not the JSON of a state';
    await at.unchanged(async () => {
      for (const call of changing) {
        const message = await at.refusal(...call);
        assert.is(message, `CONVCORRUPT what is stored for this conversation ${wanted}`, `${call} on ${text}`);
      }
    });
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
      await unchanged(async () => {
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
          assert.match(
            await refusal(name, under, ...args),
            /^CONVCORRUPT the job index /,
            `${name} ${prefix} ${value}`,
          );
        }
      });
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
