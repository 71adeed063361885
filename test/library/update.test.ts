import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, JOB, json, PAIR, REFERENCES, SECOND, second, withLibrary } from '../support/library.ts';

// Whom an update reaches, and when it has to come again, is in defects 5, 22, 23 and 58.

const test = suite('conv_update');
const it = withLibrary(test);

it('the members are put into the state, and an empty patch or the same one again changes nothing', async (at) => {
  const patch = { userId: 'U2', project: 'p', ticketId: 'WEB-1', startedAt: '2026-02-01T00:00:00Z', pod: [1.5, {}] };
  for (const keys of Object.values(REFERENCES)) {
    await at.call('set', PAIR, json({ pod: 'old' }));
    const update = () => at.call('update', keys, JSON.stringify(patch));
    assert.equal(await update(), ['updated', json(patch)]);
    assert.equal(await at.redis.mget(CHANNEL, JOB), [json(patch), CHANNEL]);
    assert.equal(await at.still('update', keys, '{}'), ['updated', json(patch)]);
    assert.equal(await at.unchanged(update), ['updated', json(patch)]);
  }
});

it('what has no delivery is put into the state while the job is starting', async ({ call }) => {
  await call('claim', PAIR, json({ starting: true }));
  assert.equal(await call('update', PAIR, '{"pod":1}'), ['updated', json({ starting: true, pod: 1 })]);
  assert.equal(await call('update', PAIR, '{"pod":2}', ''), ['updated', json({ starting: true, pod: 2 })]);
});

it('a delivery that has its outcome is a duplicate: one that was handled, or the message of the job', async (at) => {
  await at.call('claim', PAIR, json({ deliveryId: 'd1' }));
  assert.equal(await at.still('update', PAIR, '{"x":1}', 'd1'), ['duplicate', json({ deliveryId: 'd1' })]);
  await at.call('update', PAIR, '{}', 'd2');
  await at.call('remove', PAIR);
  assert.equal(await at.call('claim', SECOND, second({ deliveryId: 'd2' })), ['duplicate', null]);
  const state = second({ starting: true });
  await at.call('claim', SECOND, state);
  assert.equal(await at.still('update', SECOND, '{"x":1}', 'd1'), ['duplicate', state], 'that comes before starting');
});

/** A patch, what is stored before it, and after it. */
const PATCHES: Record<string, [patch: string, before: string, after: string]> = {
  'replaces a value in its place': ['{"a":"x"}', '"a":1,"b":[2]', '"a":"x","b":[2]'],
  'replaces several': ['{"b":{},"a":[]}', '"a":1,"b":[2]', '"a":[],"b":{}'],
  'adds behind the last': ['{"c":1.10,"d":1234567890123456789}', '"a":1', '"a":1,"c":1.10,"d":1234567890123456789'],
  'stores a null as null': ['{"a":null,"c":null}', '"a":1,"b":[2]', '"a":null,"b":[2],"c":null'],
  'takes white space': [' {\n "a" :\t[ 1 , 2 ]\r\n, "c" : { } } ', '"a":1,"b":2', '"a":[ 1 , 2 ],"b":2,"c":{ }'],
  'takes the last of a name that comes twice': ['{"a":5,"a":6,"c":7,"c":8}', '"a":1', '"a":6,"c":8'],
  'takes names spelled with escapes': ['{"\\u0061":5,"c\\"\\\\":6}', '"a":1,"b":2', '"a":5,"b":2,"c\\"\\\\":6'],
  'takes odd names': ['{"é":1,"":2,"0":3,"a.b":4}', '"a":1', '"a":1,"é":1,"":2,"0":3,"a.b":4'],
  'takes braces, quotes and commas in strings': ['{"a":"}\\",\\"b\\":{"}', '"a":1,"b":2', '"a":"}\\",\\"b\\":{","b":2'],
  'passes by nested names': ['{"a\\/b":1}', '"n":{"a/b":0,"a":{}}', '"n":{"a/b":0,"a":{}},"a\\/b":1'],
  'finds escaped names': ['{"a/b":2,"x2":3}', '"a\\/b":1,"\\u0078\\u0032":0', '"a\\/b":2,"\\u0078\\u0032":3'],
  'passes by a value that reads like a name': ['{"a-b":2}', '"said":"a-b","a\\u002db":1', '"said":"a-b","a\\u002db":2'],
  'takes no name for a pattern': ['{"c%":9,"d.":8,"d+":7}', '"c%":3,"d.":4,"d+":5,"d":6', '"c%":9,"d.":8,"d+":7,"d":6'],
};

it('a patch is put in member by member, and every other byte survives', async (at) => {
  const start = json({ list: [], note: '"a":9' }).slice(0, -1);
  for (const [name, [patch, before, after]] of Object.entries(PATCHES)) {
    await at.call('set', PAIR, `${start},${before}}`);
    const wanted = `${start},${after}}`;
    for (const _ of [1, 2]) assert.equal(await at.call('update', PAIR, patch), ['updated', wanted], `it ${name}`);
    assert.equal(JSON.parse(wanted), { ...JSON.parse(`${start},${before}}`), ...JSON.parse(patch) });
  }
});

/** A patch of members that are in the text, are in it twice, are written with escapes, or are new; some come twice. */
const MANY = [
  ...['"a":1', '"twice":[2, 2]', '"k\\u0065y":{"a":3}', '"new 1":4', '"x\\"y":5', '"a":6', '"new 2":7'],
  ...['"b":8', '"new 2":9', '"c":10', '"":11', '"nested":null', '"new 3":"}"', '"userId":"U2"', '"d":1.10'],
];

it('many members at once are put where they would be put one by one', async (at) => {
  const further = [
    ...['"a" : 0', '"twice":1', '"key":true', '"x\\u0022y":{"a":[{"b":"}"}]}', '"twice":2', '"b":"\\\\"'],
    ...['"nested":{"c":1}', '"c":[]', '"":""', '"d":-1.5e7'],
  ];
  for (const [begin, end] of [
    ['', ''],
    [' \n', '\t} \n'],
  ] as const) {
    const text = `${begin}${json().slice(0, -1)}, ${further.join(' ,\n')}${end || '}'}`;
    await at.call('set', PAIR, text);
    for (const member of MANY) await at.call('update', PAIR, `{${member}}`);
    const wanted = await at.redis.get(CHANNEL);
    await at.call('set', PAIR, text);
    assert.equal(await at.call('update', PAIR, `{${MANY.join(', ')}}`), ['updated', wanted]);
  }
});

it('a patch of at most 1024 members is put into a state of any number, and a longer one is refused', async (at) => {
  const names = Array.from({ length: 1_024 }, (_, n) => `member ${n}`);
  const state = { note: 'with a \\ ', ...Object.fromEntries(names.slice(0, 700).map((name) => [name, 0])) };
  const patch = Object.fromEntries(names.map((name, n) => [name, n]));
  await at.call('set', PAIR, json(state));
  assert.equal(await at.call('update', PAIR, JSON.stringify(patch)), ['updated', json({ ...state, ...patch })]);
  const message = await at.refusal('update', PAIR, JSON.stringify({ ...patch, more: 1 }));
  assert.match(message, /^CONVSTATE a patch must have at most 1024 members/);
});

test.run();
