import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, JOB, type Library, PAIR, SECOND, second, withLibrary } from '../support/library.ts';

const test = suite('bytes that survive');
const it = withLibrary(test);

const BASE =
  '"jobId":"j1","channelId":"C1","userId":"U1","platform":"slack","project":"web","ticketId":12,' +
  '"startedAt":"2026-01-31T09:30:00.000Z"';

const { raw } = String;

/**
 * Texts by their name: `<p>` and `<l>` are the values of the pendingQuestionId and the lastAnswer that count, `<new>` is
 * where the members go that are absent.
 */
const TEMPLATES = {
  'both members first': '{<both>,<base>}',
  'both members last': '{<base>,"lastAnswer":<l>,"pendingQuestionId":<p>}',
  'white space everywhere': ' \t\r\n{ <base> ,\r\n\t"pendingQuestionId"\n:\t<p> , "lastAnswer" : <l>\n}\n \t',
  'pretty-printed':
    '{\n  <base>,\n  "pendingQuestionId": <p>,\n  "transcript": [\n    {}\n  ],\n  "lastAnswer": <l>\n}',
  'nested members of the same names':
    '{"a":{"pendingQuestionId":"no","lastAnswer":{}},<base>,<both>,"b":[{"pendingQuestionId":null,"lastAnswer":null}]}',
  'the names as values':
    '{"u":"pendingQuestionId",<base>,"v":"lastAnswer","w":["pendingQuestionId","lastAnswer"],<both>}',
  'the names inside strings, quotes escaped': raw`{"n":"{\"pendingQuestionId\":\"no\",\"lastAnswer\":{}}",<base>,<both>,"m":"say \"pendingQuestionId","o":"\\\"lastAnswer"}`,
  'members that end with the names': raw`{"a\"pendingQuestionId":1,"a\"lastAnswer":2,<base>,<both>}`,
  'members of similar names':
    '{"pendingQuestionIdX":1,"xpendingQuestionId":2,"PendingQuestionId":3,"lastanswer":5,"":6,<base>,<both>}',
  'strings that end with backslashes': raw`{"a":"\\","b":"\\\\",<base>,"c\\":"\\\"",<both>,"d":"\\"}`,
  'braces, brackets and commas in strings': raw`{"a":"}{][,:\"","{":"}",<base>,"pendingQuestionId":<p>,"b":["]",{"}":"["}],"lastAnswer":<l>,"c":"}"}`,
  'a text of more than 8 KiB, which is read in another way': raw`{"a":"${'}'.repeat(9_000)}","b":[{"c]":"\\\"]"},["[",{}]],<base>,"pendingQuestionId":<p>,"{":{"[":"\\"},"lastAnswer":<l>,"d":[[]]}`,
  'member names spelled with escapes': raw`{<base>,"\u0070endingQuestionId":<p>,"last\u0041nswer":<l>}`,
  'member names spelled with escapes, nested plain ones before': raw`{"a":{"pendingQuestionId":1,"lastAnswer":2},<base>,"pending\u0051uestionI\u0064":<p>,"lastAnswe\u0072":<l>}`,
  'nested names spelled with escapes': raw`{"a":{"\u0070endingQuestionId":1},<base>,<both>,"b":{"\u006castAnswer":2}}`,
  'duplicate members, of which the last counts':
    '{"pendingQuestionId":"old","lastAnswer":{"questionId":"old","answerId":"old"},<base>,<both>}',
  'duplicate members, the last spelled with escapes': raw`{"pendingQuestionId":"old","lastAnswer":null,<base>,"\u0070endingQuestionId":<p>,"\u006CastAnswer":<l>}`,
  'duplicate members, the first spelled with escapes': raw`{"\u0070endingQuestionId":"old","\u006castAnswer":null,<base>,<both>}`,
  'numbers as they were written':
    '{"i":1234567890123456789,<base>,<both>,"n":[1.10,1e2,1E+2,-0,0.1e-7,100.0,123456789012345678901234567890,0]}',
  'an integer ticket written with a fraction or exponent': '{<base>,<both>,"ticketId":1.20e1}',
  'empty arrays and objects': '{"transcript":[],"meta":{},"a":[ ],"b":{ },"c":[[],{}],<base>,<both>}',
  'true, false and null': '{"a":true,"b":false,"c":null,"d":[null,true,false],<base>,<both>,"e":null}',
  'characters of any script': '{"é":"日本 😀 \u2028 \u0085 \u007f \ufeff \uffff",<base>,<both>,"ж":"\u{10ffff}"}',
  'escapes of any kind': raw`{"e":"\u00e9\u00E9\ud83d\ude00\/\b\f\n\r\t\"\\\u0000\u001f",<base>,<both>}`,
  'the members of the keys spelled with escapes': raw`{<base>,"job\u0049d":"\u006a1","platform":"\u0073lack",<both>}`,
  'a platform in capitals': '{<base>,"platform":"SLACK",<both>}',
  'dots in strings that look like numbers': '{"v":"1. first","w":"-.5","x":"1.","y":".",<base>,<both>}',
  'absent members, in one line': '{<base><new>}',
  'absent members, pretty-printed': '{\n  <base><new>\n}\n',
  'absent members behind an array': '{<base>,"transcript":[]<new> } ',
  'absent members behind an object': '{<base>,"a":{"pendingQuestionId":"no","lastAnswer":null}<new>}',
  'absent members behind a string with braces': raw`{<base>,"a":"} \"}\" }"<new>${'\t}\r\n'}`,
  'absent members behind a number': '{<base>,"n":1.10<new>}',
  'absent members behind a literal': '{<base>,"n":null<new>\n}',
  'absent members with their names as values': '{<base>,"n":"pendingQuestionId","m":"lastAnswer"<new>}',
  'absent members with their names in strings': raw`{<base>,"n":"\"pendingQuestionId\":1,\"lastAnswer\":2"<new>}`,
  'nesting as deep as the server reads it': `{"deep":${'['.repeat(990)}${']'.repeat(990)},<base>,<both>}`,
};

/** Values that a change replaces whole. */
const PENDING = ['null', '"q0"', '"q\\u0030"', '"}\\",\\"lastAnswer\\":{"', '"\\\\"'];
const LAST = [
  'null',
  '{"questionId":"q0","answerId":"a0"}',
  '{ "answerId" : "}{\\"]\\\\" ,\n"questionId":"]},{\\"pendingQuestionId\\":1" }',
  '{"questionId":"q0","answerId":"","more":{"pendingQuestionId":["}"],"lastAnswer":[{}]}}',
];

for (const [name, template] of Object.entries(TEMPLATES)) {
  const whole = template.replace('<both>', '"pendingQuestionId":<p>,"lastAnswer":<l>').replace('<base>', BASE);
  const text = (pending?: string, last?: string) => {
    const added = [pending && `,"pendingQuestionId":${pending}`, last && `,"lastAnswer":${last}`].join('');
    return whole
      .replace('<p>', () => `${pending}`)
      .replace('<l>', () => `${last}`)
      .replace('<new>', () => added);
  };
  it(`${name}: every other byte survives every change`, async (at) => {
    const { call, redis } = at;
    for (const [n, pending] of (template.includes('<new>') ? [undefined] : PENDING).entries()) {
      const last = pending && LAST[n % LAST.length];
      const given = text(pending, last);
      await redis.flushall();
      await call('set', PAIR, given);
      assert.equal(await call('claim', SECOND, second()), ['held', given]);
      const patch = '{"added":[1.10, {}, "}\\""]}';
      const [, patched] = (await call('update', PAIR, patch)) as string[];
      const tail = /\s*\}\s*$/.exec(given)?.[0] ?? '';
      assert.is(patched, `${given.slice(0, given.length - tail.length)},"added":[1.10, {}, "}\\""]${tail}`);
      await redis.set(CHANNEL, given);
      assert.is(await call('get_by_job', [JOB]), given);
      if (!pending || pending === 'null') assert.is(await call('set_pending', PAIR, ''), given);
      await stands(at, given, await call('set_pending', [JOB], 'q1'), text('"q1"', last));
      await stands(at, given, await call('set_pending', [CHANNEL], 'q"\\2'), text('"q\\"\\\\2"', last));
      const [outcome, answered] = (await call('answer', PAIR, 'q"\\2', 'a}"1')) as string[];
      assert.is(outcome, 'accepted');
      const answer = '{"questionId":"q\\"\\\\2","answerId":"a}\\"1"}';
      await stands(at, given, answered, text('null', answer));
      await stands(at, given, await call('set_pending', PAIR, 'é😀\u2028/'), text('"é😀\u2028/"', answer));
      await stands(at, given, await call('set_pending', PAIR, ''), text('null', answer));
      assert.equal(await call('remove', [CHANNEL]), ['removed', text('null', answer)]);
    }
  });
}

it('every other byte survives a first sign of life and a time limit', async ({ call }) => {
  const text = (starting: string, members: string) =>
    `{"a":{"starting":1},${BASE},"starting":${starting} , "answerBy":${members}\n}`;
  for (const before of ['null', '1800000000000']) {
    await call('set', PAIR, text('true', before));
    assert.is(await call('get_by_job', [JOB]), text('false', before));
    await call('set', PAIR, text('true', before));
    const asked = String(await call('set_pending', PAIR, 'q1', '', 60_000));
    assert.is(asked, text('false', `${JSON.parse(asked).answerBy},"pendingQuestionId":"q1"`));
    const [, answered] = (await call('answer', PAIR, 'q1', before)) as string[];
    const last = `"lastAnswer":{"questionId":"q1","answerId":"${before}"}`;
    assert.is(answered, text('false', `null,"pendingQuestionId":null,${last}`));
  }
});

it("another program's pending question of any type is replaced whole", async (at) => {
  const text = (p: string, l: string) =>
    `{"a":{"pendingQuestionId":"no"},${BASE},"pendingQuestionId":${p},"lastAnswer":${l}}`;
  for (const value of ['7', '-1.50e3', 'true', 'false', '""', '[]', '{}', '{"a":["]}\\"",{"b":"}"}]}', '[ [ "]" ] ]']) {
    await at.redis.flushall();
    await at.redis.mset(CHANNEL, text(value, value), JOB, CHANNEL);
    await stands(at, text(value, value), await at.call('set_pending', [JOB], 'q1'), text('"q1"', value));
    const [outcome, answered] = (await at.call('answer', [JOB], 'q1', 'a1')) as string[];
    assert.is(outcome, 'accepted');
    await stands(at, text(value, value), answered, text('null', '{"questionId":"q1","answerId":"a1"}'));
  }
});

/** What System.Text.Json writes: camelCase, nulls, seven digits of a second, everything but plain ASCII escaped. */
const DOTNET =
  raw`{"jobId":"j1","channelId":"19:abc\u002B1@thread.tacv2","userId":"29:\u00DCnal","platform":"Teams",` +
  raw`"project":"M\u00FCnchen \u0022Nord\u0022 \u0026 \u003Cb\u003E","ticketId":4711,"startedAt":"2026-02-03T10:15:30.1234567+01:00",` +
  raw`"pendingQuestionId":"q\u002B\u00E9","lastAnswer":null,"claimId":null,"deliveryId":null,"starting":null,"threadId":null}`;

it('the state of a C# dispatcher is read and changed in its place, and its deadlines come together', async (at) => {
  const [channelId, channel] = ['19:abc+1@thread.tacv2', 'conversation:teams:19:abc+1@thread.tacv2'];
  for (const keys of [[channel], [JOB], [channel, JOB]]) {
    // Its SetAsync and IndexJobAsync: two commands, whose deadlines differ.
    await at.redis.set(channel, DOTNET, 'EX', 7_200);
    await at.redis.set(JOB, channel, 'PX', 7_100_000);
    assert.is(await at.still('get', keys), DOTNET);
    assert.equal(await new ConversationStore(at.redis).get({ platform: 'Teams', channelId }), JSON.parse(DOTNET));
    const ask = () => at.call('set_pending', keys, 'q+é', 7_300_000);
    assert.is(await at.living(7_300_000, ask, [channel, JOB]), DOTNET, 'its own pending question is known');
    const answered = DOTNET.replace(
      raw`"q\u002B\u00E9","lastAnswer":null`,
      'null,"lastAnswer":{"questionId":"q+é","answerId":"a1"}',
    );
    assert.equal(await at.call('answer', keys, 'q+é', 'a1'), ['accepted', answered]);
    assert.equal(await at.call('remove', keys, 'retry'), ['removed', answered]);
    await at.redis.flushall();
  }
});

/** The reply and what is stored are the wanted text, and a JSON parser finds in it what the given one had, changed. */
async function stands({ redis }: Library, given: string, reply: unknown, wanted: string): Promise<void> {
  assert.is(reply, wanted);
  assert.is(await redis.get(CHANNEL), wanted);
  const { pendingQuestionId, lastAnswer } = JSON.parse(wanted);
  assert.equal(JSON.parse(wanted), { ...JSON.parse(given), pendingQuestionId, ...(lastAnswer && { lastAnswer }) });
}

test.run();
