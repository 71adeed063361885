import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HANDLED, JOB, json, NO_UTF8, PAIR, withLibrary } from '../support/library.ts';

// What is given must be the JSON of a ConversationState; anything else is refused and changes nothing.

const test = suite('states that are not valid');
const it = withLibrary(test);

/** Stands in a state; no message may repeat it. */
const SECRET = 'sesame';

const MEMBERS: Record<string, unknown[]> = {
  jobId: [undefined, null, '', 1, true, [], {}, 'j\n', 'j\u0085', 'x'.repeat(513), 'é'.repeat(257)],
  channelId: [undefined, null, '', 1, false, ['C1'], 'C\t', 'C\u0080', 'x'.repeat(513), 'é'.repeat(257)],
  platform: [undefined, null, '', 1, [], '-slack', '.slack', '_x', 'sl ack', 'släck', 'slack\n', 'slack:x', 'a/b'],
  userId: [undefined, null, '', 1, true, [], {}],
  project: [undefined, null, '', 0, false, [], {}],
  ticketId: [undefined, null, '', 1.5, -0.1, true, [], {}, [1]],
  startedAt: [
    ...[undefined, null, '', 0, 1_700_000_000_000, {}, 'now', '2026', '2026-01-31', '2026-01-31 09:30:00Z'],
    ...['2026-1-31T09:30:00Z', '2026-00-31T09:30:00Z', '2026-13-31T09:30:00Z', '2026-01-00T09:30:00Z'],
    ...['2026-01-32T09:30:00Z', '2026-01-31T25:30:00Z', '2026-01-31T24:30:00Z', '2026-01-31T09:30:61Z'],
    ...['2026-01-31T09:30:00+20:00', '2026-01-31T9:30:00Z', '2026-01-31T09:60:00Z', '2026-01-31T09:30:00.Z'],
    ...['2026-01-31T09:30:0Z', '2026-01-31T09:30:00z', '2026-01-31T09:30:00+1', '2026-01-31T09:30:00+01:60'],
    ...['2026-01-31T09:30:00+01:00x', '2026-01-31T09:30:00Z ', ' 2026-01-31T09:30:00Z', '31 Jan 2026 09:30 GMT'],
  ],
  pendingQuestionId: ['', 1, true, false, [], {}, 'q\n', 'q\u0085', 'x'.repeat(1_025), 'é'.repeat(513)],
  claimId: ['', 1, {}, 'c\n', 'x'.repeat(1_025)],
  deliveryId: ['', 1, [], 'd\u0085', 'é'.repeat(513)],
  starting: ['', 'true', 0, 1, [], {}],
  silentAfterMs: ['', '60000', 0, -1, 1.5, 1e12, 1e300, true, [], {}],
  answerBy: ['', '1800000000000', 0, -1, 1.5, 1e13, 1e300, true, [], {}],
  lastAnswer: [
    ...['', 'a1', 1, false, [], {}, { questionId: 'q1' }, { answerId: 'a1' }, { questionId: '', answerId: 'a1' }],
    ...[null, 'a\0', 'x'.repeat(1_025)].map((answerId) => ({ questionId: 'q1', answerId })),
    ...[1, 'q\n', 'x'.repeat(1_025)].map((questionId) => ({ questionId, answerId: 'a1' })),
  ],
};

/** The calls that store a state as it is given, each with the keys of j1. */
const STORING = [
  ['set', PAIR],
  ['claim', PAIR],
  ['hand_over', [CHANNEL, 'job-index:j0', JOB]],
] as const;

/** Values that are taken. */
const TAKEN: Record<string, unknown[]> = {
  startedAt: [
    ...['2026-01-31T09:30:00Z', '2026-01-31T09:30Z', '2026-01-31T09:30:00', '2026-01-31T09:30:00.1Z'],
    ...['2026-01-31T09:30:00.1234567+01:00', '2026-01-31T09:30:00.123456789-1130', '2026-01-31T09:30:00+01'],
    ...['2026-12-01T24:00:00Z', '2016-12-31T23:59:60Z', '2026-02-03T10:15:30.1-05:30', '0001-01-01T00:00:00'],
    ...['2026-02-03T10:15:30.123456Z', '2026-02-03T10:15:30.1234567', '9999-12-31T23:59:59.9999999+14:00'],
  ],
  ticketId: [0, -1, 12, 9_007_199_254_740_991, 'WEB-12', '12', ' '],
  lastAnswer: [null, { questionId: 'q', answerId: '' }, { questionId: 'q', answerId: 'a', at: 1 }],
};

it('every date and time of ISO 8601 and every kind of ticket and last answer is taken', async ({ call }) => {
  for (const [member, values] of Object.entries(TAKEN)) {
    for (const value of values) await call('set', PAIR, json({ [member]: value }));
  }
});

const GOOD = json({ note: SECRET });
/** So many bytes are left for a note, an odd number. */
const ROOM = 262_144 - json({ note: '' }).length;
/** What is no JSON of an object to a strict parser, or no state to anybody. */
const NO_STATES: (string | Buffer)[] = [
  ...['', ' ', '{', '{}x', 'null', 'true', '1', '"x"', '[]', '[{}]', ` [${GOOD}]`, GOOD.slice(0, -1), GOOD.slice(1)],
  ...[`${GOOD},`, GOOD + GOOD, `${GOOD}\0`, `\0${GOOD}`, `${GOOD}\0${GOOD}`, `\ufeff${GOOD}`, `\v${GOOD}`],
  ...[`/**/${GOOD}`, GOOD.replace('}', ',}'), GOOD.replaceAll('"', "'")],
  // Values, with blanks between.
  ...'"\\x41" "\\u12" "\\u12G4" "\\ud800" "\\udc00" "\\ud800\\u0041" "\\" " 01 -01 00 1. -1. 1.e5 0. 9. 10. .5 -.5 -.5e1'
    .concat(' +1 - --1 1e 1e+ 1E- 0x10 -0x10 1_000 1,000. NaN -NaN nan Infinity -Infinity inf -inf True nul undefined')
    .concat(' [1,] [,1] {"a"} {"a":} {a:1} {1:1} {"a":1,} [1} {"a":1]')
    .split(' ')
    .concat('"\n"', '"\t"', '"a\0b"', '"\u001f"', '"a\n","b":"c"', '[1 2]', '', '['.repeat(2_000) + ']'.repeat(2_000))
    .map((value) => GOOD.replace('"sesame"', value)),
  // A long text is looked at in another way.
  ...['1.', '-.5'].map((value) => `{"pad":"${'x'.repeat(9_000)}","n":${value},${GOOD.slice(1)}`),
  ...NO_UTF8.map((bytes) => Buffer.concat([Buffer.from(`{"a":"`), bytes, Buffer.from(`",${GOOD.slice(1)}`)])),
  Buffer.from(GOOD, 'utf16le'),
];

/** So many are left for a list. */
const ZEROS = 32_769 - (json({ list: [] }).match(/[[{,]/g)?.length ?? 0);
const TOO_MANY_VALUES = /^CONVSTATE .* more than 32768 values, those in arrays and objects counted too$/;

/** Texts, and what each call says of them. */
const REFUSED: Record<string, [texts: (string | Buffer)[], wanted: (name: string) => RegExp]> = {
  'what is no JSON to a strict parser is not stored': [
    NO_STATES,
    () => /^CONVSTATE the state must be (a JSON object$|JSON: )/,
  ],
  'where a text stops being JSON is said': [
    [`${GOOD}}`],
    () => new RegExp(`^CONVSTATE .* JSON: Expected the end but found T_OBJ_END at character ${GOOD.length + 1}$`),
  ],
  'a state of more than 256 KiB is refused': [
    ['n'.repeat(ROOM + 1), 'é'.repeat((ROOM + 1) / 2)].map((note) => json({ note })),
    () => /^CONVSTATE the state would have 262145 bytes; at most 262144 are stored$/,
  ],
  'a state of more than 32768 values is refused': [
    [Array(ZEROS + 1).fill(0), Array(16_400).fill({}), Array(16_400).fill([])].map((list) => json({ list })),
    () => TOO_MANY_VALUES,
  ],
};
for (const [member, values] of Object.entries(MEMBERS)) {
  REFUSED[`${member} that is not valid is named, and what is wanted`] = [
    values.map((value) => json({ [member]: value, note: SECRET })),
    // A new job brings no question at all, whatever it looks like.
    (name) =>
      new RegExp(
        /pendingQ|lastA|answerBy/.test(member) && name !== 'set'
          ? `^CONVSTATE ${member}(,| must be) `
          : `^CONVSTATE ${member}(, where .*,)? must be `,
      ),
  ];
}

for (const [title, [texts, wanted]] of Object.entries(REFUSED)) {
  it(title, async ({ call, refusal, unchanged }) => {
    await call('set', PAIR, json(), 60_000);
    await unchanged(async () => {
      for (const text of texts) {
        for (const [name, keys] of STORING) {
          const message = await refusal(name, keys, text);
          assert.match(message, wanted(name), String(text).slice(-80));
          assert.not.match(message, /sesame|U1/);
        }
      }
    });
  });
}

it('the first and last character of every row of well-formed UTF-8 is taken', async ({ call }) => {
  const codes = [0xa0, 0x7ff, 0x800, 0xfff, 0x1000, 0xcfff, 0xd000, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x3ffff];
  const last = String.fromCodePoint(0x40000, 0xfffff, 0x100000, 0x10ffff);
  for (const note of [...codes.map((code) => String.fromCodePoint(code)), last]) {
    await call('set', PAIR, json({ note }));
    assert.is(await call('get', PAIR), json({ note }));
  }
});

it('a patch of more than 32768 values is refused, and one that makes a state of more', async (at) => {
  const list = (count: number) => Array(count).fill(0);
  await at.call('set', PAIR, json({ list: list(ZEROS) }));
  await at.call('set', PAIR, json({ list: list(20_000), note: ',[{"'.repeat(20_000) }), 60_000);
  await at.unchanged(async () => {
    for (const patch of [{ list: list(32_769) }, { more: list(20_000) }]) {
      assert.match(await at.refusal('update', PAIR, JSON.stringify(patch)), TOO_MANY_VALUES);
    }
  });
});

it('of the optional members null means the same as absent, and stays null', async (at) => {
  const optional = 'claimId deliveryId starting silentAfterMs answerBy pendingQuestionId lastAnswer'.split(' ');
  const nulls = json(Object.fromEntries(optional.map((name) => [name, null])));
  assert.equal(await at.call('claim', PAIR, nulls), ['claimed', nulls]);
  assert.equal(await at.still('claim', PAIR, nulls), ['held', nulls], 'no claim id, no resend');
  assert.is(await at.call('get_by_job', [JOB]), nulls);
  assert.is(await at.call('set', PAIR, nulls), nulls);
  assert.equal(await at.call('update', PAIR, '{}', 'd1'), ['updated', nulls], 'it is not starting');
  assert.equal(await at.call('remove', PAIR, 'retry'), ['removed', nulls], 'it was not heard of');
  assert.equal(Object.keys(await at.dump()), [HANDLED]);
});

it('the largest and smallest numbers of each member are taken, however they are written', async ({ call }) => {
  for (const number of ['1', '999999999999', '6e4', '60000.0']) {
    await call('set', PAIR, json({ silentAfterMs: 0 }).replace(':0}', `:${number}}`));
  }
  for (const number of ['1', '1800000000000', '9999999999999']) {
    await call('set', PAIR, json({ pendingQuestionId: 'q1', answerBy: 0 }).replace(':0}', `:${number}}`));
  }
});

test.run();
