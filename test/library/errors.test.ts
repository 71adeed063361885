import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HAND_OVER, INBOX, JOB, PAIR, SECOND, STREAM, WATCH } from '../support/keys.ts';
import { FENCED, json, type Library, NO_UTF8, REFERENCES, second, withLibrary } from '../support/library.ts';

const test = suite('errors');
const it = withLibrary(test);

/** Stands in a state; no message may repeat it. */
const SECRET = 'sesame';

/** A conversation to leave alone, with a pending question and a stream. */
async function prepare({ call, redis }: Library): Promise<void> {
  await call('set', PAIR, json({ note: SECRET, pendingQuestionId: 'q1' }), 60_000);
  await redis.xadd(STREAM, '1-1', 'f', 'v');
}

type Call = [name: string, keys: readonly string[], ...args: string[]];

/** Every call that takes a TTL, without it. */
const WITH_TTL: Call[] = [
  ['claim', PAIR, json()],
  ['set', PAIR, json()],
  ['hand_over', HAND_OVER, second()],
  ['get_by_job', [JOB]],
  ['set_pending', PAIR, 'q2'],
  ['answer', PAIR, 'q1', 'a1'],
];

const NO_TTLS = [
  ...['0', '00', '01', '-1', '+1', '1.0', '1.5', '1e3', '0x10', ' 1', '1 ', '1\n', '1\0', 'x', 'nil', 'NaN'],
  ...['Infinity', '1000000000000', '9'.repeat(400)],
];

for (const [name, keys, ...args] of WITH_TTL) {
  it(`CONVARG: ${name} takes whole milliseconds from 1 to 999999999999`, async (at) => {
    await prepare(at);
    for (const ttl of NO_TTLS) {
      const message = await at.refusal(name, keys, ...args, ttl);
      assert.is(message, 'CONVARG ttlMs must be whole milliseconds from 1 to 999999999999', ttl);
    }
  });
}

it('CONVARG: too few and too many arguments, named and counted', async (at) => {
  await prepare(at);
  for (const [name, keys, args, wanted] of [
    ['version', [], ['x'], '0 arguments, 1 were given'],
    ['claim', PAIR, [], '1 to 2050 arguments, 0 were given'],
    ['hand_over', HAND_OVER, [], '1 to 2050 arguments, 0 were given'],
    ['set', PAIR, [], '1 to 2 arguments, 0 were given'],
    ['set', PAIR, [json(), '1', ''], '1 to 2 arguments, 3 were given'],
    ['get', PAIR, [''], '0 arguments, 1 were given'],
    ['get_by_job', PAIR, ['1', '', ''], '0 to 2 arguments, 3 were given'],
    ['update', PAIR, [], '1 to 2050 arguments, 0 were given'],
    ['due', [WATCH], [], '1 to 2 arguments, 0 were given'],
    ['due', [WATCH], ['1', '1', ''], '1 to 2 arguments, 3 were given'],
    ['set_pending', PAIR, [], '1 to 3 arguments, 0 were given'],
    ['set_pending', PAIR, ['q2', '1', '', ''], '1 to 3 arguments, 4 were given'],
    ['answer', PAIR, ['q1'], '2 to 2051 arguments, 1 were given'],
    ['remove', PAIR, ['', ''], '0 to 1 arguments, 2 were given'],
  ] as const) {
    assert.is(await at.refusal(name, keys, ...args), `CONVARG wanted ${wanted}`, name);
  }
});

/** Ids that are not valid, with empty left out. */
const NO_IDS = [
  ...['\n', 'a\0', '\u001f', '\u007f', 'a\u0080', '\u0085', '\u009f', 'x'.repeat(1_025), 'é'.repeat(513)],
  ...['x'.repeat(10_000_000), ...NO_UTF8],
];

it('CONVARG: a question, answer or delivery id that is not valid', async (at) => {
  await prepare(at);
  for (const id of NO_IDS) {
    const what = Buffer.from(id.slice(0, 20) as string).toString('hex');
    for (const [name, member, ...args] of [
      ['set_pending', 'questionId', id],
      ['answer', 'questionId', id, 'a1'],
      ['answer', 'answerId', 'q1', id],
      ['update', 'deliveryId', '{}', id],
    ] as const) {
      const message = await at.refusal(name, PAIR, ...args);
      const wanted = `^CONVARG ${member}.* must be a non-empty string of at most 1024 bytes`;
      assert.match(message, new RegExp(wanted), `${name} ${what}`);
    }
  }
  assert.match(await at.refusal('answer', PAIR, '', 'a1'), /^CONVARG questionId must be /);
});

it('CONVARG: what was read is the id of an inbox entry', async (at) => {
  await prepare(at);
  for (const lastSeen of [
    ...['x', '0', '1700000000000', '-1', '1-', '1-x', '-', '+', '$', '*', '1-*', '1-1-1', ' 1', '(1', '1.0', '0x1'],
    ...['1'.repeat(21), `1-${'1'.repeat(21)}`, '1'.repeat(10_000_000)],
  ]) {
    const message = await at.refusal('get_by_job', PAIR, '', lastSeen);
    assert.match(message, /^CONVARG lastSeen must be the id of an inbox entry/, lastSeen.slice(0, 30));
  }
});

it('CONVARG: fields of an answer come in pairs, with a stream', async (at) => {
  await prepare(at);
  for (const form of Object.values(FENCED)) {
    for (const fields of [['f', 'v'], ['f']]) {
      const message = await at.refusal('answer', form, 'q1', 'a1', '', ...fields);
      assert.match(message, /^CONVARG (fields need a stream key to go to|every field needs a value)$/);
    }
  }
});

const CORRUPT: Record<string, string> = {
  'no JSON': `{"jobId":"${SECRET}`,
  'an empty string': '',
  'a number': '7',
  null: 'null',
  'an array': `[${json()}]`,
  'an object without a job': json({ jobId: undefined }),
  'an object whose job is not valid': json({ jobId: 7 }),
  'the state of another channel': json({ channelId: 'C2', note: SECRET }),
  'the state of another platform': json({ platform: 'teams' }),
  'a state without a channel': json({ channelId: undefined }),
};

/** Every call that a state which cannot be read stops, and of these the ones that need not only its job. */
const CHANGING: Call[] = Object.values(REFERENCES).flatMap((keys): Call[] => [
  ['set_pending', keys, 'q2'],
  ['answer', keys, 'q1', 'a1'],
  ['update', keys, '{"pod":1}'],
]);
const READING: Call[] = [
  ...CHANGING,
  ['claim', PAIR, json()],
  ['claim', SECOND, second()],
  ['hand_over', HAND_OVER, second()],
  ['hand_over', [CHANNEL, 'job-index:j2', JOB], json()],
  ['hand_over', [...HAND_OVER, STREAM], second(), '', 'f', 'v'],
  ...Object.values(REFERENCES).flatMap((keys): Call[] => [
    ['get', keys],
    ['set_pending', keys, ''],
  ]),
  ...Object.values(FENCED).flatMap((keys): Call[] => [
    ['get_by_job', keys],
    ['get_by_job', keys, '', '1-1'],
    ['remove', keys],
    ['remove', keys, 'all'],
    ['answer', [...keys, STREAM], 'q1', 'a1', '', 'f', 'v'],
    ['update', [...keys, STREAM], '{}', 'd1', 'f', 'v'],
  ]),
];

for (const [name, text] of Object.entries(CORRUPT)) {
  it(`CONVCORRUPT: ${name} in place of a state`, async ({ redis, refusal }) => {
    await redis.set(CHANNEL, text, 'PX', 60_000);
    await redis.set(JOB, CHANNEL, 'PX', 60_000);
    await redis.xadd(INBOX, '1-1', 'text', 'waits');
    for (const call of READING) {
      const message = await refusal(...call);
      assert.match(message, /^CONVCORRUPT what is stored for this conversation /);
      assert.not.match(message, SECRET);
    }
  });
}

it('CONVCORRUPT: what no strict parser reads is not changed, though it names its job', async ({ redis, refusal }) => {
  for (const note of ['"\n"', '1.', '-.5', '"a\0"']) {
    const text = json({ pendingQuestionId: 'q1', note: SECRET }).replace('"sesame"', note);
    await redis.set(CHANNEL, text, 'PX', 60_000);
    await redis.set(JOB, CHANNEL, 'PX', 60_000);
    for (const call of CHANGING) assert.match(await refusal(...call), /^CONVCORRUPT /);
  }
});

it('CONVSTATE: a patch that is no object, that is not strict, or of a member that cannot be patched', async (at) => {
  await prepare(at);
  const update = (patch: string) => at.refusal('update', PAIR, patch);
  for (const patch of ['', 'x', '{"a":', '{"a":1}}'])
    assert.match(await update(patch), /^CONVSTATE the patch must be JSON/);
  for (const patch of ['1', '[]', 'null', '"a"', '[{"a":1}]', ' [1] ']) {
    assert.is(await update(patch), 'CONVSTATE the patch must be a JSON object', patch);
  }
  for (const patch of ['{"a":"\n"}', '{"a":1.}', '{"a":-.5}']) {
    assert.match(await update(patch), /^CONVSTATE the patch must be JSON: control characters/);
  }
  for (const name of [
    ...['jobId', 'channelId', 'platform', 'pendingQuestionId', 'lastAnswer', 'claimId', 'deliveryId', 'starting'],
    ...['silentAfterMs', 'answerBy', 'job\\u0049d'],
  ]) {
    assert.match(await update(`{"pod":1,"${name}":"x"}`), /^CONVSTATE \w+ cannot be patched; userId, /, name);
  }
});

it('CONVSTATE: a patch after which the state would not be valid, or would be too large', async (at) => {
  await prepare(at);
  for (const [patch, wanted] of [
    ['{"userId":""}', /^CONVSTATE userId must be /],
    ['{"userId":null}', /^CONVSTATE userId must be /],
    ['{"project":7}', /^CONVSTATE project must be /],
    ['{"ticketId":1.5}', /^CONVSTATE ticketId must be /],
    ['{"startedAt":"soon"}', /^CONVSTATE startedAt must be /],
    [`{"deep":${'['.repeat(1_000)}${']'.repeat(1_000)}}`, /^CONVSTATE the patch must be JSON/],
    [`{"deep":${'['.repeat(999)}${']'.repeat(999)}}`, null],
    [`{"note":"${'x'.repeat(262_144)}"}`, /^CONVSTATE the state would have /],
    [`{"other":"${'x'.repeat(262_000)}"}`, /^CONVSTATE the state would have /],
  ] as const) {
    const call = () => at.call('update', PAIR, patch);
    if (wanted) assert.match(await at.refused(call), wanted);
    else assert.equal(((await call()) as string[])[0], 'updated');
  }
});

it('CONVCORRUPT: an index that holds no conversation key of its prefix', async ({ call, redis, refusal }) => {
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
        const message = await refusal(
          name,
          keys.map((key) => prefix + key),
          ...args,
        );
        assert.match(message, /^CONVCORRUPT the job index /, `${name} ${prefix} ${value}`);
      }
    }
  }
});

it('an argument is checked before what is stored is looked at', async ({ redis, refusal }) => {
  await redis.set(CHANNEL, 'rubbish');
  assert.match(await refusal('set_pending', [CHANNEL], '\n'), /^CONVARG /);
  for (const [name, keys, ...args] of WITH_TTL) assert.match(await refusal(name, keys, ...args, '0'), /^CONVARG /);
  assert.match(await refusal('claim', PAIR, '{}'), /^CONVSTATE /);
});

test.run();
