import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HAND_OVER, HANDLED, INBOX, JOB, PAIR, STREAM, WATCH } from '../support/keys.ts';
import { failure, json, withLibrary } from '../support/library.ts';

const test = suite('keys');
const it = withLibrary(test);

/** Ids and prefixes that are allowed, however odd. */
const CHANNELS = [
  ...['C1', '19:abc@thread.tacv2', 'org/repo#12', 'a:b:c', ':', ' ', 'conversation:slack:C1', 'job-index:j1'],
  ...['x:job-index:y:conversation:z', '{tag}', 'straße-日本-😀', '%s[^a]*.+-$()', 'x'.repeat(512), 'é'.repeat(256)],
];
const JOBS = [...CHANNELS, 'conversation:', 'job-index:', 'conversation:slack:'];
const PREFIXES = ['', 'b:', '{agentsmith}:', 'conversation', 'job-index', 'prod/é/', '%a*', 'x'.repeat(2_000)];

it('a conversation under every allowed id and prefix goes from claim to removal', async ({ call, dump }) => {
  for (const prefix of PREFIXES) {
    for (const [n, jobId] of JOBS.entries()) {
      const channelId = CHANNELS[n % CHANNELS.length] ?? '';
      const [channel, job] = [`${prefix}conversation:slack:${channelId}`, `${prefix}job-index:${jobId}`];
      const [text, next] = [json({ channelId, jobId }), json({ channelId, jobId: 'next' })];
      const answered = json({ channelId, jobId, lastAnswer: { questionId: 'q', answerId: '' } });
      const ref = [[channel], [job], [channel, job]][(n + prefix.length) % 3] as string[];
      const [stream, fields] = ref.includes(job) ? [[`${prefix}answers`], ['f', 'v']] : [[], []];
      const replies = await Promise.all([
        call('claim', [channel, job], text),
        call('get', ref),
        call('set_pending', ref, 'q'),
        call('answer', [...ref, ...stream], 'q', '', '', ...fields),
        call('get_by_job', [job]),
        call('hand_over', [channel, job, `${prefix}job-index:next`], next),
        call('set', [channel, job], text),
        call('remove', ref),
      ]);
      const asked = json({ channelId, jobId, pendingQuestionId: 'q' });
      const expected = [['claimed', text], text, asked, ['accepted', answered], answered, ['claimed', next], next];
      assert.equal(replies, [...expected, ['removed', text]], ref.join(' '));
    }
  }
  assert.equal([...new Set(Object.values(await dump()).map(({ type }) => type))], ['stream']);
});

it('a platform of letters, digits, dots, underscores and hyphens has its key in lower case', async ({ call, dump }) => {
  for (const platform of ['slack', 'MSTeams', '0', 'a.b_c-d', 'conversation', 'job-index', 'Z'.repeat(600)]) {
    const keys = [`conversation:${platform.toLowerCase()}:C1`, JOB];
    const text = json({ platform });
    assert.is(await call('set', keys, text), null);
    assert.is(await call('get', keys), text, 'stored as it was given');
    assert.equal(await call('remove', keys), ['removed', text]);
  }
  assert.equal(await dump(), {});
});

const LONG = 'x'.repeat(5_000);
const MANY = Array<string>(500).fill(WATCH);

const NO_CONVERSATIONS = [
  ...['', 'x', 'conversation', 'conversation:', 'conversation:slack', 'conversation:slack:', 'conversation::C1'],
  ...['conversation:Slack:C1', 'conversation:-slack:C1', 'conversation:.slack:C1', 'conversation:sl ack:C1'],
  ...['conversation:släck:C1', 'Conversation:slack:C1', 'job-index:', 'b:job-index:', 'conversation:slack:\n'],
  ...['conversation:slack:C\0', 'conversation:slack:C\x7f', 'conversation:slack:C\u0085', 'conversation:slack:C\u009f'],
  ...['x'.repeat(513), 'é'.repeat(257), LONG].map((id) => `conversation:slack:${id}`),
  ...[LONG, LONG + CHANNEL, STREAM],
];
const NO_JOBS = [
  ...[
    '',
    'x',
    'job-index:',
    'Job-index:j1',
    CHANNEL,
    'job-index:j\t',
    'job-index:j\u0080',
    'conversation:job-index:j1',
  ],
  ...['x'.repeat(513), 'é'.repeat(257), LONG].map((id) => `job-index:${id}`),
];
/** Keys of another conversation or prefix, which stand nowhere behind a reference. */
const FOREIGN = [
  ...['conversation-inbox:slack:C2', 'conversation-handled:teams:C1', 'conversation-inbox:', 'b:conversation-watch'],
  ...[`b:${INBOX}`, `${WATCH}:x`, '', LONG],
];

type Call = readonly [name: string, ...args: string[]];
const BY_REFERENCE: Call[] = [
  ...([['get'], ['get_by_job'], ['set_pending', 'q1'], ['remove']] as const),
  ...([
    ['answer', 'q1', 'a1'],
    ['update', '{}', 'd1'],
  ] as const),
];
const PUBLISHING: Call[] = [
  ['answer', 'q1', 'a1', '', 'f', 'v'],
  ['update', '{}', 'd1', 'f', 'v'],
];
const BY_PAIR: Call[] = [
  ['set', json()],
  ['claim', json()],
];
const HAND_OVER_TO_J1: Call = ['hand_over', json({ claimId: 'c9' })];
const J0 = 'job-index:j0';

/** Lists of keys, the words of each separated by blanks. */
const lists = (...all: string[]) => all.map((keys) => keys.split(' '));

/** The key lists that each call refuses. */
const REFUSED: Record<string, [calls: Call[], keys: string[][]][]> = {
  'that are no conversation and no job': [
    [[...BY_REFERENCE, ...BY_PAIR], NO_CONVERSATIONS.flatMap((key) => [[key], [key, JOB]])],
    [[HAND_OVER_TO_J1], NO_CONVERSATIONS.map((key) => [key, J0, JOB])],
  ],
  'whose second is no job': [
    [[...BY_REFERENCE, ...BY_PAIR], NO_JOBS.map((key) => [CHANNEL, key])],
    [
      [HAND_OVER_TO_J1],
      NO_JOBS.flatMap((key) => [
        [CHANNEL, key, JOB],
        [CHANNEL, J0, key],
      ]),
    ],
  ],
  'of different prefixes': [
    [[...BY_REFERENCE, ...BY_PAIR], lists(`b:${CHANNEL} ${JOB}`, `${CHANNEL} b:${JOB}`, `a:${CHANNEL} b:${JOB}`)],
    [[HAND_OVER_TO_J1], lists(`${CHANNEL} b:${J0} ${JOB}`, `${CHANNEL} ${J0} b:${JOB}`, `b:${CHANNEL} ${J0} ${JOB}`)],
  ],
  'that are too few, too many or in another order': [
    [
      [...BY_REFERENCE, ...BY_PAIR],
      [[], [CHANNEL, CHANNEL], [JOB, JOB], [JOB, CHANNEL], [...PAIR, JOB, 'x'], [...PAIR, ...MANY]],
    ],
    [BY_PAIR, [[CHANNEL], [JOB], [...PAIR, 's']]],
    [[['get_by_job']], [[CHANNEL], [CHANNEL, INBOX]]],
    [
      [HAND_OVER_TO_J1],
      [[], [CHANNEL], [CHANNEL, J0], [J0, CHANNEL, JOB], [CHANNEL, J0, JOB, JOB], [CHANNEL, J0, JOB, ...MANY]],
    ],
    [
      [HAND_OVER_TO_J1],
      [
        [CHANNEL, JOB, JOB],
        [CHANNEL, J0, JOB, 's', 's'],
        [CHANNEL, J0, JOB, 's', ...FOREIGN],
      ],
    ],
    [[['version']], [[CHANNEL]]],
    [
      [['due', '1000']],
      [[], [CHANNEL], [INBOX], ['conversation-watch:'], [WATCH, WATCH], [WATCH + WATCH], ['x'], [LONG + WATCH], MANY],
    ],
  ],
  'of which the further ones are not its own, or a stream where none is taken': [
    [BY_REFERENCE, [[CHANNEL], [JOB], PAIR].flatMap((ref) => FOREIGN.map((key) => [...ref, key]))],
    [BY_REFERENCE.slice(0, 4), lists(`${CHANNEL} s`, `${JOB} s`, `${CHANNEL} ${JOB} s`)],
    [BY_PAIR, FOREIGN.map((key) => [...PAIR, key])],
    [[HAND_OVER_TO_J1], FOREIGN.map((key) => [CHANNEL, J0, JOB, key])],
  ],
  'of which the stream names no job, is named twice, or is not one of the prefix': [
    [PUBLISHING, [[CHANNEL, 's'], ['s'], ['s', JOB], [JOB, 's', 's'], [...PAIR, 's', 's'], [CHANNEL, 's', JOB]]],
    [
      PUBLISHING,
      [CHANNEL, 'conversation:slack:C2', 'job-index:', 'b:conversation:slack:C1', `x${HANDLED}`].flatMap((key) => [
        [...PAIR, key],
        [JOB, key],
      ]),
    ],
    [
      PUBLISHING,
      ['b:', 's', 'c:s', ''].flatMap((key) => [
        [`b:${JOB}`, key],
        [`b:${CHANNEL}`, `b:${JOB}`, key],
      ]),
    ],
  ],
  'that are not those of the state': [
    [
      [{ jobId: 'j2' }, { jobId: 'J1' }, { channelId: 'c1' }, { channelId: 'C1 ' }, { platform: 'teams' }].flatMap(
        (changes): Call[] => [
          ['set', json(changes)],
          ['claim', json(changes)],
        ],
      ),
      [PAIR],
    ],
    [BY_PAIR, ['x:C1', 'conversation:slack:C1', 'slack:job-index:C1'].map((id) => [`conversation:slack:${id}`, JOB])],
    [[HAND_OVER_TO_J1], [HAND_OVER, ['conversation:slack:C2', J0, JOB]]],
  ],
};

for (const [name, refused] of Object.entries(REFUSED)) {
  it(`CONVKEY: keys ${name}`, async ({ call, redis, refusal, unchanged }) => {
    await call('set', PAIR, json({ pendingQuestionId: 'q1' }));
    await call('set', [`b:${CHANNEL}`, `b:${JOB}`], json({ pendingQuestionId: 'q1' }));
    await redis.xadd(INBOX, '1-1', 'text', 'waits');
    await unchanged(async () => {
      for (const [calls, lists] of refused) {
        for (const [called, ...args] of calls) {
          for (const keys of lists) {
            const what = `${called} ${keys.join(' ').slice(0, 200)}`;
            assert.match(await refusal(called, keys, ...args), /^CONVKEY .{10,300}$/, what);
          }
        }
      }
    });
  });
}

it('bytes that are no UTF-8 may stand in a key but never in a state', async ({ redis, unchanged }) => {
  const channel = Buffer.from('conversation:slack:C\xff', 'latin1');
  assert.is(await redis.callBuffer('FCALL', 'conv_get', '1', channel), null);
  const state = Buffer.from(json({ channelId: 'C\xff' }), 'latin1');
  const set = () => redis.callBuffer('FCALL', 'conv_set', '2', channel, JOB, state);
  assert.match(await unchanged(() => failure(set())), /^CONVSTATE .*UTF-8/);
});

it('a platform with a colon is refused, even where the key comes out the same', async ({ refusal }) => {
  for (const name of ['set', 'claim']) {
    const split = json({ platform: 'slack:x', channelId: 'y' });
    assert.match(await refusal(name, ['conversation:slack:x:y', JOB], split), /^CONVSTATE platform /);
    const empty = json({ platform: 'slack:x', channelId: '' });
    assert.match(await refusal(name, ['conversation:slack:x:', JOB], empty), /^CONVSTATE /);
  }
});

it('the own inbox, handled and watch keys, and a stream, may stand behind a reference in any order', async (at) => {
  const { call, redis } = at;
  const next = json({ jobId: 'j2' });
  for (const further of [[INBOX], [HANDLED], [WATCH], [WATCH, HANDLED, INBOX], [INBOX, WATCH, INBOX]]) {
    for (const ref of [[CHANNEL], [JOB], PAIR]) {
      const [stream, published] = ref.includes(JOB) ? [['s'], ['f', 'v']] : [[], []];
      await redis.flushall();
      await call('claim', [...PAIR, ...further], json());
      assert.is(await call('get', [...ref, ...further]), json());
      assert.is(await call('set', [...PAIR, ...further], json()), json());
      if (ref.includes(JOB)) assert.is(await call('get_by_job', [...ref, ...further]), json());
      assert.is(await call('set_pending', [...ref, ...further], 'q'), json({ pendingQuestionId: 'q' }));
      assert.is(await at.outcome('update', [...ref, ...stream, ...further], '{}', 'd1', ...published), 'updated');
      assert.is(await at.outcome('answer', [...ref, ...further, ...stream], 'q', 'a', '', ...published), 'accepted');
      assert.is(await at.outcome('hand_over', [...HAND_OVER, ...further, 's'], next, '', 'f', 'v'), 'claimed');
      assert.is((await at.said('s')).length, ref.includes(JOB) ? 3 : 1);
      await call('set', PAIR, json());
      assert.equal(await call('remove', [...ref, ...further]), ['removed', json()]);
    }
  }
});

test.run();
