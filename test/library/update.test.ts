import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  CHANNEL,
  DEFAULT_TTL,
  FENCED,
  HANDLED,
  JOB,
  json,
  type Library,
  PAIR,
  REFERENCES,
  withLibrary,
} from '../support/library.ts';

const test = suite('conv_update');
const it = withLibrary(test);

const STREAM = 'job:j1:in';

async function said({ redis }: Library): Promise<string[][]> {
  return (await redis.xrange(STREAM, '-', '+')).map(([, fields]) => fields);
}

for (const [form, keys] of Object.entries(REFERENCES)) {
  it(`${form}: the members are put into the state, and both deadlines move`, async (at) => {
    await at.call('conv_set', PAIR, json({ pod: 'old', transcript: [] }), 1_000);
    const update = () => at.call('conv_update', keys, '{"pod":"new","message":{"ts":[1.10, {}]}}', 60_000);
    const wanted = json({ pod: 'new', transcript: [], message: 0 }).replace(
      '"message":0',
      '"message":{"ts":[1.10, {}]}',
    );
    assert.equal(await at.living(60_000, update), ['updated', wanted]);
    assert.is(await at.redis.get(CHANNEL), wanted);
    assert.is(await at.redis.get(JOB), CHANNEL);
    await at.living(DEFAULT_TTL, () => at.call('conv_update', keys, '{}'));
    assert.is(await at.redis.get(CHANNEL), wanted, 'an empty patch renews only');
  });

  it(`${form}: without a conversation it is gone, and nothing comes to be`, async (at) => {
    assert.equal(await at.call('conv_update', keys, '{"pod":1}'), ['gone', null]);
    assert.equal(await at.call('conv_update', keys, '{"pod":1}', '', 'd1'), ['gone', null]);
    assert.equal(await at.dump(), {});
  });
}

for (const [form, keys] of Object.entries(FENCED)) {
  it(`${form}: another job's conversation is left alone, its stream too`, async (at) => {
    await at.call('conv_set', [CHANNEL, 'job-index:j2'], json({ jobId: 'j2' }));
    await at.redis.set(JOB, CHANNEL, 'PX', 60_000);
    const late = () => at.call('conv_update', [...keys, STREAM], '{"stopped":true}', '', 'd1', 'type', 'stop');
    assert.equal(await at.unchanged(late), ['gone', null]);
  });

  it(`${form}: the stream hears it in the same step, once for a delivery`, async (at) => {
    await at.call('conv_set', PAIR, json());
    const stop = (deliveryId: string) =>
      at.call('conv_update', [...keys, STREAM], '{"stopped":true}', 60_000, deliveryId, 'type', 'stop');
    const stopped = json({ stopped: true });
    assert.equal(await at.living(60_000, () => stop('d1'), [...PAIR, STREAM]), ['updated', stopped]);
    assert.equal(await at.unchanged(() => stop('d1')), ['duplicate', stopped]);
    assert.equal(await stop('d2'), ['updated', stopped]);
    assert.equal(await said(at), [
      ['type', 'stop'],
      ['type', 'stop'],
    ]);
    assert.equal(await at.redis.zrange(HANDLED, '0', '-1'), ['d1', 'd1\n', 'd2', 'd2\n']);
  });
}

it('a delivery that an update handled starts no job afterwards', async (at) => {
  await at.call('conv_set', PAIR, json());
  await at.call('conv_update', PAIR, '{}', '', 'd1');
  await at.call('conv_remove', PAIR);
  const claim = json({ jobId: 'j2', claimId: 'c', deliveryId: 'd1' });
  assert.equal(await at.call('conv_claim', [CHANNEL, 'job-index:j2'], claim), ['duplicate', null]);
});

it('the message that started the job is a duplicate, and its job can still be given back with retry', async (at) => {
  const state = json({ claimId: 'c1', deliveryId: 'd1' });
  await at.call('conv_claim', PAIR, state);
  assert.equal(await at.unchanged(() => at.call('conv_update', PAIR, '{"x":1}', '', 'd1')), ['duplicate', state]);
  assert.equal(await at.call('conv_claim', PAIR, state), ['claimed', state]);
  await at.call('conv_remove', PAIR, '', '1');
  assert.equal(await at.call('conv_claim', PAIR, state), ['claimed', state]);
});

it('without a delivery every call counts', async (at) => {
  await at.call('conv_set', PAIR, json());
  for (const deliveryId of ['', '']) {
    await at.call('conv_update', [...PAIR, STREAM], '{}', '', deliveryId, 'type', 'stop');
  }
  assert.is((await said(at)).length, 2);
});

it('a stream that is there never ends sooner, and one without a deadline gets none', async (at) => {
  for (const [before, least, most] of [
    [-1, -1, -1],
    [90_000, 60_001, 90_000],
    [30_000, 30_001, 60_000],
  ] as const) {
    await at.call('conv_set', PAIR, json());
    await at.redis.xadd(STREAM, '1-1', 'text', 'before');
    if (before > 0) await at.redis.pexpire(STREAM, before);
    await at.call('conv_update', [...PAIR, STREAM], '{}', 60_000, '', 'type', 'stop');
    const left = await at.redis.pttl(STREAM);
    assert.ok(left >= least && left <= most, `${left} ms are left, not ${least} to ${most}`);
    await at.redis.flushall();
  }
});

/** A patch, and what it makes of the members `"a":1,"b":[2]` at the end of a state. */
const PATCHES: Record<string, [patch: string, members: string]> = {
  'replaces a value in its place': ['{"a":"x"}', '"a":"x","b":[2]'],
  'replaces several': ['{"b":{},"a":[]}', '"a":[],"b":{}'],
  'adds behind the last': ['{"c":1.10,"d":1234567890123456789}', '"a":1,"b":[2],"c":1.10,"d":1234567890123456789'],
  'stores a null as null': ['{"a":null,"c":null}', '"a":null,"b":[2],"c":null'],
  'takes white space': [' {\n "a" :\t[ 1 , 2 ]\r\n, "c" : { } } ', '"a":[ 1 , 2 ],"b":[2],"c":{ }'],
  'takes the last of a name that comes twice': ['{"a":5,"a":6,"c":7,"c":8}', '"a":6,"b":[2],"c":8'],
  'takes names spelled with escapes': ['{"\\u0061":5,"c\\"\\\\":6}', '"a":5,"b":[2],"c\\"\\\\":6'],
  'takes names of any script, digits and signs': [
    '{"é":1,"":2,"0":3,"a.b":4}',
    '"a":1,"b":[2],"é":1,"":2,"0":3,"a.b":4',
  ],
  'takes braces, quotes and commas in strings': [
    '{"a":"}\\",\\"b\\":{","c":"]"}',
    '"a":"}\\",\\"b\\":{","b":[2],"c":"]"',
  ],
};

for (const [name, [patch, members]] of Object.entries(PATCHES)) {
  it(`a patch ${name}, and every other byte survives`, async (at) => {
    const start = json({ list: [], note: '"a":9' }).slice(0, -1);
    await at.call('conv_set', PAIR, `${start},"a":1,"b":[2]}`);
    const wanted = `${start},${members}}`;
    assert.equal(await at.call('conv_update', PAIR, patch), ['updated', wanted]);
    assert.equal(await at.call('conv_update', PAIR, patch), ['updated', wanted]);
    assert.equal(JSON.parse(wanted), { ...JSON.parse(`${start},"a":1,"b":[2]}`), ...JSON.parse(patch) });
  });
}

it('a name that an update has added with signs in it is found again', async (at) => {
  await at.call('conv_set', PAIR, json({ nested: { 'a/b': 1, a: { x1: 2 } } }));
  for (const value of [1, 2]) {
    const [, text] = (await at.call(
      'conv_update',
      PAIR,
      `{"a\\/b":${value},"x1":${value},"\\u0078\\u0032":3}`,
    )) as string[];
    assert.equal(JSON.parse(text ?? ''), {
      ...JSON.parse(json()),
      nested: { 'a/b': 1, a: { x1: 2 } },
      'a/b': value,
      x1: value,
      x2: 3,
    });
  }
});

it('a name that is written with escapes is told from a value that reads like it', async (at) => {
  const stored = json({ said: 'a-b', escaped: 1 }).replace('"escaped"', '"a\\u002db"');
  await at.call('conv_set', PAIR, stored);
  const wanted = stored.replace('"a\\u002db":1', '"a\\u002db":2');
  assert.equal(await at.call('conv_update', PAIR, '{"a-b":2}'), ['updated', wanted]);
});

it('a name with signs is not taken for a pattern', async (at) => {
  const stored = json({ 'a-b': 1, b: 2, 'c%': 3, 'd.': 4, 'd+': 5 });
  await at.call('conv_set', PAIR, stored);
  for (const [name, value] of Object.entries({ 'a-b': 10, 'c%': 30, 'd.': 40, 'd+': 50 })) {
    await at.call('conv_update', PAIR, JSON.stringify({ [name]: value }));
  }
  assert.is(await at.redis.get(CHANNEL), json({ 'a-b': 10, b: 2, 'c%': 30, 'd.': 40, 'd+': 50 }));
});

it('the members of a state that are its own can be patched while they stay valid', async (at) => {
  await at.call('conv_set', PAIR, json());
  const patch = { userId: 'U2', project: 'p', ticketId: 'WEB-1', startedAt: '2026-02-01T00:00:00Z' };
  assert.equal(await at.call('conv_update', PAIR, JSON.stringify(patch)), ['updated', json(patch)]);
});

/** A patch of members that are in the text, are in it twice, are written with escapes, or are new; some come twice. */
const MANY = [
  ...['"a":1', '"twice":[2, 2]', '"k\\u0065y":{"a":3}', '"new 1":4', '"x\\"y":5', '"a":6', '"new\\u00202":7'],
  ...['"b":8', '"new 2":9', '"c":10', '"":11', '"nested":null', '"new 3":"}"', '"userId":"U2"', '"d":1.10'],
];

it('many members at once are put where they would be put one by one', async (at) => {
  const further = [
    ...[
      '"a" : 0',
      '"twice":1',
      '"key":true',
      '"x\\u0022y":{"a":[{"b":"}"}]}',
      '"twice":2',
      '"b":"\\\\"',
      '"nested":{"c":1}',
    ],
    ...['"c":[]', '"":""', '"d":-1.5e7'],
  ];
  for (const [begin, end] of [
    ['', ''],
    [' \n', '\t} \n'],
  ] as const) {
    const text = `${begin}${json().slice(0, -1)}, ${further.join(' ,\n')}${end || '}'}`;
    await at.call('conv_set', PAIR, text);
    for (const member of MANY) await at.call('conv_update', PAIR, `{${member}}`);
    const wanted = await at.redis.get(CHANNEL);
    await at.call('conv_set', PAIR, text);
    assert.equal(await at.call('conv_update', PAIR, `{${MANY.join(', ')}}`), ['updated', wanted]);
  }
});

it('a patch of thousands of members does not keep the server busy', async (at) => {
  await at.call('conv_set', PAIR, json({ note: 'with a \\' }));
  const patch = JSON.stringify(Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`member ${n}`, n])));
  const other = at.redis.duplicate();
  await other.ping();
  let isDone = false;
  let refusal: unknown;
  const updates = Promise.all([1, 2].map(() => at.call('conv_update', PAIR, patch))).finally(() => {
    isDone = true;
  });
  // A server whose function takes too long refuses every other command (BUSY).
  while (!isDone && refusal === undefined) {
    await other.ping().catch((error: unknown) => {
      refusal = error;
    });
  }
  const outcomes = (await updates).map((reply) => (reply as string[])[0]);
  other.disconnect();
  assert.is(refusal, undefined);
  assert.equal(outcomes, ['updated', 'updated']);
});

test.run();
