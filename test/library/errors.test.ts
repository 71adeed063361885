import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  CHANNEL,
  FENCED,
  JOB,
  json,
  type Library,
  NO_UTF8,
  PAIR,
  REFERENCES,
  WATCH,
  withLibrary,
} from '../support/library.ts';

const test = suite('errors');
const it = withLibrary(test);

const STREAM = 'job:j1:in';
/** Stands in a state; no message may repeat it. */
const SECRET = 'sesame';

/** A conversation to leave alone, with a pending question and a stream. */
async function prepare({ call, redis }: Library): Promise<void> {
  await call('conv_set', PAIR, json({ note: SECRET, pendingQuestionId: 'q1' }), 60_000);
  await redis.xadd(STREAM, '1-1', 'f', 'v');
}

/** Every call that takes a time to live, with `ttl` as the last argument it is given. */
const WITH_TTL: Record<string, (at: Library, ttl: string) => Promise<unknown>> = {
  conv_claim: ({ call }, ttl) => call('conv_claim', PAIR, json(), ttl),
  conv_set: ({ call }, ttl) => call('conv_set', PAIR, json(), ttl),
  conv_get_by_job: ({ call }, ttl) => call('conv_get_by_job', [JOB], ttl),
  conv_set_pending: ({ call }, ttl) => call('conv_set_pending', PAIR, 'q2', ttl),
  conv_update: ({ call }, ttl) => call('conv_update', PAIR, '{}', ttl),
  conv_answer: ({ call }, ttl) => call('conv_answer', PAIR, 'q1', 'a1', ttl),
};

for (const [name, call] of Object.entries(WITH_TTL)) {
  it(`CONVARG: ${name} takes whole milliseconds from 1 to 999999999999`, async (at) => {
    await prepare(at);
    for (const ttl of [
      '0',
      '00',
      '01',
      '-1',
      '+1',
      '1.0',
      '1.5',
      '1e3',
      '0x10',
      ' 1',
      '1 ',
      '1\n',
      '1\0',
      'x',
      'nil',
      'NaN',
      'Infinity',
      '1000000000000',
      '9'.repeat(400),
    ]) {
      const message = await at.refused(() => call(at, ttl));
      assert.is(message, 'CONVARG ttlMs must be whole milliseconds from 1 to 999999999999', ttl);
    }
  });
}

it('CONVARG: too few and too many arguments, named and counted', async (at) => {
  await prepare(at);
  for (const [name, keys, args, wanted] of [
    ['conv_version', [], ['x'], 'wanted 0 arguments, 1 were given'],
    ['conv_claim', PAIR, [], 'wanted at least 1 arguments, 0 were given'],
    ['conv_set', PAIR, [], 'wanted 1 to 3 arguments, 0 were given'],
    ['conv_set', PAIR, [json(), '1', '', ''], 'wanted 1 to 3 arguments, 4 were given'],
    ['conv_get', PAIR, [''], 'wanted 0 arguments, 1 were given'],
    ['conv_get_by_job', PAIR, ['1', '', ''], 'wanted 0 to 2 arguments, 3 were given'],
    ['conv_update', PAIR, [], 'wanted at least 1 arguments, 0 were given'],
    ['conv_due', [WATCH], [], 'wanted 1 to 2 arguments, 0 were given'],
    ['conv_due', [WATCH], ['1', '1', ''], 'wanted 1 to 2 arguments, 3 were given'],
    ['conv_set_pending', PAIR, [], 'wanted 1 to 2 arguments, 0 were given'],
    ['conv_set_pending', PAIR, ['q2', '1', ''], 'wanted 1 to 2 arguments, 3 were given'],
    ['conv_answer', PAIR, [], 'wanted at least 2 arguments, 0 were given'],
    ['conv_answer', PAIR, ['q1'], 'wanted at least 2 arguments, 1 were given'],
    ['conv_remove', PAIR, ['', '', ''], 'wanted 0 to 2 arguments, 3 were given'],
  ] as const) {
    assert.is(await at.refused(() => at.call(name, keys, ...args)), `CONVARG ${wanted}`, name);
  }
});

/** Ids that are none, with empty left out. */
const NO_IDS = ['\n', 'a\0', '\u001f', '\u007f', 'a\u0080', '\u0085', '\u009f', 'x'.repeat(1_025), 'é'.repeat(513)];
it('CONVARG: a question or answer id that is none', async (at) => {
  await prepare(at);
  for (const id of [...NO_IDS, ...NO_UTF8]) {
    const what = Buffer.from(id).toString('hex').slice(0, 20);
    for (const message of [
      await at.refused(() => at.call('conv_set_pending', PAIR, id)),
      await at.refused(() => at.call('conv_answer', PAIR, id, 'a1')),
    ]) {
      assert.match(message, /^CONVARG questionId.* must be a non-empty string of at most 1024 bytes/, what);
    }
    const message = await at.refused(() => at.call('conv_answer', PAIR, 'q1', id));
    assert.match(message, /^CONVARG answerId, where it is not empty, must be /, what);
  }
  assert.match(await at.refused(() => at.call('conv_answer', PAIR, '', 'a1')), /^CONVARG questionId must be /);
});

it('CONVARG: fields without a value, without a stream, too many, and a stream without fields', async (at) => {
  await prepare(at);
  const answer = (keys: readonly string[], ...fields: string[]) =>
    at.refused(() => at.call('conv_answer', keys, 'q1', 'a1', '', ...fields));
  for (const form of Object.values(FENCED)) {
    assert.is(await answer([...form, STREAM], 'f'), 'CONVARG every field needs a value');
    assert.is(await answer([...form, STREAM], 'f', 'v', 'g'), 'CONVARG every field needs a value');
    assert.is(await answer([...form, STREAM]), 'CONVARG a stream needs at least one field and its value');
    assert.is(await answer(form, 'f', 'v'), 'CONVARG fields need a stream key to go to');
    assert.is(await answer(form, 'f'), 'CONVARG every field needs a value');
    const many = Array.from({ length: 1_025 }, () => ['f', 'v']).flat();
    assert.is(await answer([...form, STREAM], ...many), 'CONVARG at most 1024 fields are taken');
    assert.is(await answer([...form, STREAM], ...Array(20_000).fill('f')), 'CONVARG at most 1024 fields are taken');
  }
});

const CORRUPT: Record<string, string> = {
  'no JSON': `{"jobId":"${SECRET}`,
  'an empty string': '',
  'a number': '7',
  null: 'null',
  'an array': `[${json()}]`,
  'an object without a job': json({ jobId: undefined }),
  'an object whose job is none': json({ jobId: 7 }),
  'the state of another channel': json({ channelId: 'C2', note: SECRET }),
  'the state of another platform': json({ platform: 'teams' }),
  'a state without a channel': json({ channelId: undefined }),
};

for (const [name, text] of Object.entries(CORRUPT)) {
  it(`CONVCORRUPT: ${name} in place of a state`, async (at) => {
    await at.redis.set(CHANNEL, text, 'PX', 60_000);
    await at.redis.set(JOB, CHANNEL, 'PX', 60_000);
    const calls = [() => at.call('conv_claim', PAIR, json())];
    for (const keys of Object.values(REFERENCES)) {
      calls.push(
        () => at.call('conv_get', keys),
        () => at.read('conv_get', keys),
        () => at.call('conv_set_pending', keys, 'q1'),
        () => at.call('conv_set_pending', keys, ''),
        () => at.call('conv_answer', keys, 'q1', 'a1'),
        () => at.call('conv_update', keys, '{"pod":1}'),
      );
    }
    for (const keys of Object.values(FENCED)) {
      calls.push(
        () => at.call('conv_get_by_job', keys),
        () => at.call('conv_remove', keys),
        () => at.call('conv_answer', [...keys, STREAM], 'q1', 'a1', '', 'f', 'v'),
        () => at.call('conv_update', [...keys, STREAM], '{}', '', 'd1', 'f', 'v'),
      );
    }
    for (const call of calls) {
      const message = await at.refused(call);
      assert.match(message, /^CONVCORRUPT what is stored for this conversation /);
      assert.not.match(message, SECRET);
    }
  });
}

it('CONVCORRUPT: what no strict parser reads is not changed, though it names its job', async (at) => {
  for (const note of ['"\n"', '1.', '-.5', '"a\0"']) {
    const text = json({ pendingQuestionId: 'q1', note: SECRET }).replace('"sesame"', note);
    await at.redis.set(CHANNEL, text, 'PX', 60_000);
    await at.redis.set(JOB, CHANNEL, 'PX', 60_000);
    for (const keys of Object.values(REFERENCES)) {
      assert.match(await at.refused(() => at.call('conv_set_pending', keys, 'q2')), /^CONVCORRUPT /);
      assert.match(await at.refused(() => at.call('conv_answer', keys, 'q1', 'a1')), /^CONVCORRUPT /);
      assert.match(await at.refused(() => at.call('conv_update', keys, '{"pod":1}')), /^CONVCORRUPT /);
    }
  }
});

it('CONVARG: silentMs and leaseMs are whole milliseconds, limit is 1 to 1000', async (at) => {
  await prepare(at);
  for (const bad of ['0', '-1', '1.5', 'x', ' 1', '1000000000000', '99999999999999999999']) {
    for (const call of [
      () => at.call('conv_claim', PAIR, json(), '', bad),
      () => at.call('conv_set', PAIR, json(), '', bad),
      () => at.call('conv_get_by_job', PAIR, '', bad),
    ]) {
      assert.is(await at.refused(call), 'CONVARG silentMs must be whole milliseconds from 1 to 999999999999', bad);
    }
    for (const lease of [bad, '']) {
      const message = await at.refused(() => at.call('conv_due', [WATCH], lease));
      assert.is(message, 'CONVARG leaseMs must be whole milliseconds from 1 to 999999999999');
    }
  }
  for (const limit of ['0', '-1', '1001', '10000', '1.5', 'x', ' 1', '01']) {
    const message = await at.refused(() => at.call('conv_due', [WATCH], '1000', limit));
    assert.is(message, 'CONVARG limit must be a whole number from 1 to 1000', limit);
  }
});

it('CONVARG: fields for the inbox come in pairs, with a claim id and a delivery id in the state', async (at) => {
  await prepare(at);
  const claim = (state: string, ...fields: string[]) =>
    at.refused(() => at.call('conv_claim', PAIR, state, '', '', ...fields));
  const both = json({ claimId: 'c', deliveryId: 'd' });
  assert.is(await claim(both, 'text'), 'CONVARG every field needs a value');
  for (const state of [
    json({ claimId: undefined }),
    json({ claimId: 'c' }),
    json({ claimId: undefined, deliveryId: 'd' }),
  ]) {
    assert.is(
      await claim(state, 'f', 'v'),
      'CONVARG fields for the inbox need a claimId and a deliveryId in the state',
    );
  }
  const many = Array.from({ length: 1_025 }, () => ['f', 'v']).flat();
  assert.is(await claim(both, ...many), 'CONVARG at most 1024 fields are taken');
});

it('CONVARG: a delivery id of an update, what was read and retry that are none', async (at) => {
  await prepare(at);
  for (const id of [...NO_IDS, ...NO_UTF8]) {
    const message = await at.refused(() => at.call('conv_update', PAIR, '{}', '', id));
    assert.match(message, /^CONVARG deliveryId, where it is not empty, must be /);
  }
  for (const lastSeen of [
    'x',
    '-1',
    '1-',
    '1-x',
    '-',
    '$',
    '1-1-1',
    ' 1',
    '1'.repeat(16),
    `1-${'1'.repeat(16)}`,
    '(1',
  ]) {
    const message = await at.refused(() => at.call('conv_remove', PAIR, lastSeen));
    assert.match(message, /^CONVARG lastSeen must be the id of an inbox entry/, lastSeen);
  }
  for (const retry of ['0', '2', 'yes', ' 1']) {
    assert.is(await at.refused(() => at.call('conv_remove', PAIR, '', retry)), 'CONVARG retry must be 1, or empty');
  }
});

it('CONVSTATE: a patch that is no object, that is not strict, or of a member that cannot be patched', async (at) => {
  await prepare(at);
  const update = (patch: string) => at.refused(() => at.call('conv_update', PAIR, patch));
  for (const patch of ['', 'x', '{"a":', '{"a":1}}'])
    assert.match(await update(patch), /^CONVSTATE the patch must be JSON/);
  for (const patch of ['1', '[]', 'null', '"a"', '[{"a":1}]', ' [1] ']) {
    assert.is(await update(patch), 'CONVSTATE the patch must be a JSON object', patch);
  }
  for (const patch of ['{"a":"\n"}', '{"a":1.}', '{"a":-.5}']) {
    assert.match(await update(patch), /^CONVSTATE the patch must be JSON: control characters/);
  }
  for (const name of [
    ...['jobId', 'channelId', 'platform', 'pendingQuestionId', 'lastAnswer', 'claimId', 'deliveryId'],
    'job\\u0049d',
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
    [`{"deep":${'['.repeat(1_000)}${']'.repeat(1_000)}}`, /^CONVSTATE the (patch must be JSON|state would be nested)/],
    [`{"deep":${'['.repeat(999)}${']'.repeat(999)}}`, null],
    [`{"note":"${'x'.repeat(262_144)}"}`, /^CONVSTATE the state would have /],
    [`{"other":"${'x'.repeat(262_000)}"}`, /^CONVSTATE the state would have /],
  ] as const) {
    const call = () => at.call('conv_update', PAIR, patch);
    if (wanted) assert.match(await at.refused(call), wanted);
    else assert.equal(((await call()) as string[])[0], 'updated');
  }
});

it('CONVCORRUPT: an index that holds no conversation key of its prefix', async (at) => {
  await at.call('conv_set', ['a:conversation:slack:C1', 'a:job-index:j1'], json({ note: SECRET }), 60_000);
  await at.call('conv_set', ['conversation:slack:C1', 'job-index:j2'], json({ jobId: 'j2' }), 60_000);
  for (const [prefix, value] of [
    ['', ''],
    ['', 'rubbish'],
    ['', JOB],
    ['', 'a:conversation:slack:C1'],
    ['', 'job-index:conversation:slack:C1'],
    ['b:', 'conversation:slack:C1'],
    ['b:', 'a:conversation:slack:C1'],
    ['b:', 'a:conversation:slack:C9'],
    ['b:', 'bb:conversation:slack:C1'],
  ] as const) {
    await at.redis.set(`${prefix}${JOB}`, value, 'PX', 60_000);
    for (const [name, ...args] of [
      ['conv_get'],
      ['conv_get_by_job'],
      ['conv_set_pending', 'q1'],
      ['conv_answer', 'q1', 'a1'],
      ['conv_remove'],
    ] as const) {
      const message = await at.refused(() => at.call(name, [`${prefix}${JOB}`], ...args));
      assert.match(message, /^CONVCORRUPT the job index /, `${name} ${prefix} ${value}`);
    }
    const claim = () => at.call('conv_claim', [`${prefix}${CHANNEL}`, `${prefix}${JOB}`], json());
    assert.match(await at.refused(claim), /^CONVCORRUPT the job index /, value);
  }
});

it('an argument is checked before what is stored is looked at', async (at) => {
  await at.redis.set(CHANNEL, 'rubbish');
  assert.match(await at.refused(() => at.call('conv_set_pending', [CHANNEL], '\n')), /^CONVARG /);
  assert.match(await at.refused(() => at.call('conv_get_by_job', PAIR, '0')), /^CONVARG /);
  assert.match(await at.refused(() => at.call('conv_answer', PAIR, 'q1', 'a1', '0')), /^CONVARG /);
  assert.match(await at.refused(() => at.call('conv_claim', PAIR, json(), '0')), /^CONVARG /);
  assert.match(await at.refused(() => at.call('conv_claim', PAIR, '{}')), /^CONVSTATE /);
});

test.run();
