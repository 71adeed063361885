import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HANDLED, INBOX, JOB, json, PAIR, WATCH, withLibrary } from '../support/library.ts';

const test = suite('keys');
const it = withLibrary(test);

/** Ids and prefixes that are allowed, however odd. */
const CHANNELS = [
  'C1',
  '19:abc@thread.tacv2',
  'org/repo#12',
  'a:b:c',
  ':',
  ' ',
  'conversation:slack:C1',
  'job-index:j1',
  'x:job-index:y:conversation:z',
  '{tag}',
  'straße-日本-😀',
  '%s[^a]*.+-$()',
  'x'.repeat(512),
  'é'.repeat(256),
];
const JOBS = [...CHANNELS, 'conversation:', 'job-index:', 'conversation:slack:'];
const PREFIXES = ['', 'b:', '{agentsmith}:', 'conversation', 'job-index', 'prod/é/', '%a*', 'x'.repeat(2_000)];

it('a conversation under every allowed id and prefix goes from claim to removal', async ({ call, living, dump }) => {
  for (const prefix of PREFIXES) {
    for (const [n, jobId] of JOBS.entries()) {
      const channelId = CHANNELS[n % CHANNELS.length] ?? '';
      const keys = [`${prefix}conversation:slack:${channelId}`, `${prefix}job-index:${jobId}`];
      const [channel = '', job = ''] = keys;
      const text = json({ channelId, jobId });
      assert.equal(await call('conv_claim', keys, text), ['claimed', text], keys.join(' '));
      for (const ref of [[channel], [job], keys]) {
        assert.is(await call('conv_get', ref), text);
        await living(60_000, () => call('conv_set_pending', ref, 'q', 60_000), keys);
        assert.is(await call('conv_set_pending', ref, ''), text);
        await call('conv_set_pending', ref, 'q');
        const stream = ref[0] === channel && ref.length === 1 ? [] : [`${prefix}answers`];
        const fields = stream.length > 0 ? ['f', 'v'] : [];
        const [outcome] = (await call('conv_answer', [...ref, ...stream], 'q', 'a', '', ...fields)) as string[];
        assert.is(outcome, 'accepted', ref.join(' '));
        assert.equal(await call('conv_set', keys, text), await call('conv_get_by_job', [job]).then(() => replaced()));
      }
      for (const ref of [[channel], [job], keys]) {
        await call('conv_set', keys, text);
        assert.equal(await call('conv_remove', ref), ['removed', text]);
      }
      function replaced(): string {
        return json({ channelId, jobId, lastAnswer: { questionId: 'q', answerId: 'a' } });
      }
    }
  }
  assert.equal([...new Set(Object.values(await dump()).map(({ type }) => type))], ['stream']);
});

it('every platform of letters, digits, dots, underscores and hyphens has its key in lower case', async ({
  call,
  dump,
}) => {
  for (const platform of ['slack', 'MSTeams', '0', 'a.b_c-d', 'conversation', 'job-index', 'Z'.repeat(600)]) {
    const keys = [`conversation:${platform.toLowerCase()}:C1`, JOB];
    const text = json({ platform });
    assert.is(await call('conv_set', keys, text), null);
    assert.is(await call('conv_get', keys), text, 'stored as it was given');
    assert.equal(await call('conv_remove', keys), ['removed', text]);
  }
  assert.equal(await dump(), {});
});

const NO_CONVERSATIONS = [
  '',
  'x',
  'conversation',
  'conversation:',
  'conversation:slack',
  'conversation:slack:',
  'conversation::C1',
  'conversation:Slack:C1',
  'conversation:-slack:C1',
  'conversation:.slack:C1',
  'conversation:sl ack:C1',
  'conversation:släck:C1',
  'Conversation:slack:C1',
  'job-index:',
  'b:job-index:',
  'conversation:slack:\n',
  'conversation:slack:C\0',
  'conversation:slack:C\x7f',
  'conversation:slack:C\u0085',
  'conversation:slack:C\u009f',
  `conversation:slack:${'x'.repeat(513)}`,
  `conversation:slack:${'é'.repeat(257)}`,
];

it('a key that is neither a conversation nor a job is refused everywhere', async ({ call, refused }) => {
  await call('conv_set', PAIR, json());
  for (const key of NO_CONVERSATIONS) {
    for (const [name, ...args] of [
      ['conv_get'],
      ['conv_get_by_job'],
      ['conv_set_pending', 'q1'],
      ['conv_answer', 'q1', 'a1'],
      ['conv_remove'],
    ] as const) {
      for (const keys of [[key], [key, JOB]]) {
        const message = await refused(() => call(name, keys, ...args));
        assert.match(message, /^CONVKEY .*\{prefix\}|^CONVKEY a job must be named/, `${name} ${keys.join(' ')}`);
      }
    }
    for (const name of ['conv_set', 'conv_claim']) {
      assert.match(await refused(() => call(name, [key, JOB], json())), /^CONVKEY the first key must be /);
    }
  }
});

const NO_JOBS = [
  '',
  'x',
  'job-index:',
  'Job-index:j1',
  CHANNEL,
  'job-index:j\t',
  'job-index:j\u0080',
  `job-index:${'x'.repeat(513)}`,
  `job-index:${'é'.repeat(257)}`,
  'conversation:job-index:j1',
];

it('a second key that is no job is refused everywhere', async ({ call, refused }) => {
  await call('conv_set', PAIR, json());
  for (const key of NO_JOBS) {
    for (const [name, ...args] of [
      ['conv_get'],
      ['conv_get_by_job'],
      ['conv_set_pending', 'q1'],
      ['conv_remove'],
      ['conv_set', json()],
      ['conv_claim', json()],
    ] as const) {
      const message = await refused(() => call(name, [CHANNEL, key], ...args));
      assert.match(
        message,
        /^CONVKEY (the second key must be |a job is named by |a job must be named: )/,
        `${name} ${key}`,
      );
    }
  }
});

it('bytes that are no UTF-8 may stand in a key but never in a state', async ({ redis, refused }) => {
  const channel = Buffer.from('conversation:slack:C\xff', 'latin1');
  assert.is(await redis.callBuffer('FCALL', 'conv_get', '1', channel), null);
  const state = Buffer.from(json({ channelId: 'C\xff' }), 'latin1');
  const message = await refused(() => redis.callBuffer('FCALL', 'conv_set', '2', channel, JOB, state));
  assert.match(message, /^CONVSTATE .*UTF-8/);
});

it('keys of different prefixes are refused', async ({ call, refused }) => {
  await call('conv_set', PAIR, json());
  for (const keys of [
    [`b:${CHANNEL}`, JOB],
    [CHANNEL, `b:${JOB}`],
    [`a:${CHANNEL}`, `b:${JOB}`],
  ]) {
    for (const [name, ...args] of [
      ['conv_get'],
      ['conv_get_by_job'],
      ['conv_set_pending', 'q1'],
      ['conv_answer', 'q1', 'a1'],
      ['conv_remove'],
      ['conv_set', json()],
      ['conv_claim', json()],
    ] as const) {
      assert.match(await refused(() => call(name, keys, ...args)), /^CONVKEY the two keys have different prefixes/);
    }
  }
});

it("keys that are not those of the state are refused, the state's id apart", async ({ call, refused }) => {
  for (const [keys, changes] of [
    [PAIR, { jobId: 'j2' }],
    [PAIR, { jobId: 'J1' }],
    [PAIR, { channelId: 'c1' }],
    [PAIR, { channelId: 'C1 ' }],
    [PAIR, { platform: 'teams' }],
    [['conversation:slack:x:C1', JOB], {}],
    [['conversation:conversation:slack:C1', JOB], {}],
    [['conversation:slack:job-index:C1', JOB], {}],
  ] as const) {
    for (const name of ['conv_set', 'conv_claim']) {
      const message = await refused(() => call(name, keys, json(changes)));
      assert.match(message, /^CONVKEY the keys are not those of the state/, keys.join(' '));
    }
  }
});

it('a platform with a colon is refused, even where the key comes out the same', async ({ call, refused }) => {
  for (const name of ['conv_set', 'conv_claim']) {
    const split = json({ platform: 'slack:x', channelId: 'y' });
    assert.match(await refused(() => call(name, ['conversation:slack:x:y', JOB], split)), /^CONVSTATE platform /);
    const empty = json({ platform: 'slack:x', channelId: '' });
    assert.match(await refused(() => call(name, ['conversation:slack:x:', JOB], empty)), /^CONVSTATE /);
  }
});

it('too few and too many keys are refused', async ({ call, refused }) => {
  await call('conv_set', PAIR, json());
  for (const keys of [[], [...PAIR, 'x'], [CHANNEL, CHANNEL], [JOB, JOB], [JOB, CHANNEL], [...PAIR, JOB, 'x']]) {
    for (const [name, ...args] of [
      ['conv_get'],
      ['conv_get_by_job'],
      ['conv_set_pending', 'q1'],
      ['conv_remove'],
      ['conv_set', json()],
      ['conv_claim', json()],
    ] as const) {
      assert.match(await refused(() => call(name, keys, ...args)), /^CONVKEY /, `${name} ${keys.join(' ')}`);
    }
  }
  for (const name of ['conv_set', 'conv_claim']) {
    assert.match(await refused(() => call(name, [CHANNEL], json())), /^CONVKEY wanted 2 keys.* 1 were given/);
    assert.match(await refused(() => call(name, [JOB, CHANNEL], json())), /^CONVKEY the first key must be /);
  }
  assert.match(await refused(() => call('conv_version', [CHANNEL])), /^CONVKEY this function takes no keys/);
});

it('the own inbox, handled and watch keys may stand behind a reference, in any order, and change nothing', async ({
  call,
  redis,
}) => {
  for (const ref of [[CHANNEL], [JOB], PAIR]) {
    for (const further of [[INBOX], [HANDLED], [WATCH], [WATCH, HANDLED, INBOX], [INBOX, WATCH, INBOX]]) {
      const keys = [...ref, ...further];
      await redis.flushall();
      await call('conv_claim', [...PAIR, ...further], json());
      assert.is(await call('conv_get', keys), json());
      assert.is(await call('conv_set', [...PAIR, ...further], json()), json());
      if (ref.includes(JOB)) assert.is(await call('conv_get_by_job', keys), json());
      assert.is(await call('conv_set_pending', keys, ''), json());
      assert.equal(await call('conv_update', keys, '{}'), ['updated', json()]);
      assert.equal(await call('conv_answer', keys, 'q', 'a'), ['stale', json()]);
      assert.equal(await call('conv_remove', keys), ['removed', json()]);
      assert.is(await redis.dbsize(), 0);
    }
  }
});

it('a stream may stand among them, where a job is named', async ({ call, redis }) => {
  for (const keys of [
    [...PAIR, INBOX, 's', WATCH],
    [JOB, 's', HANDLED],
    [JOB, WATCH, 's'],
  ]) {
    await call('conv_set', PAIR, json());
    assert.equal(await call('conv_update', keys, '{}', '', '', 'f', 'v'), ['updated', json()]);
    assert.is(await redis.xlen('s'), 1);
    await redis.flushall();
  }
});

it('the inbox, handled and watch keys of another conversation or prefix are refused', async ({ call, refused }) => {
  await call('conv_set', PAIR, json());
  const foreign = [
    'conversation-inbox:slack:C2',
    'conversation-handled:teams:C1',
    'conversation-inbox:',
    'b:conversation-watch',
  ];
  for (const ref of [[CHANNEL], [JOB], PAIR]) {
    for (const key of [...foreign, `b:${INBOX}`, `${WATCH}:x`, 'job:j1:in', '']) {
      for (const [name, ...args] of [
        ['conv_get'],
        ['conv_set_pending', 'q1'],
        ['conv_remove'],
        ['conv_update', '{}'],
        ['conv_answer', 'q1', 'a1'],
      ] as const) {
        const isStream = key === 'job:j1:in' && ref.includes(JOB) && name !== 'conv_get' && args[0] !== undefined;
        const message = await refused(() => call(name, [...ref, key], ...args));
        assert.match(message, isStream ? /^CONV(KEY|ARG) / : /^CONVKEY /, `${name} ${ref.join(' ')} ${key}`);
      }
    }
  }
  for (const keys of [
    [],
    [CHANNEL],
    [JOB],
    [INBOX],
    ['conversation-watch:'],
    [WATCH, WATCH],
    [`${WATCH}${WATCH}`],
    ['x'],
  ]) {
    assert.match(await refused(() => call('conv_due', keys, '1000')), /^CONVKEY wanted one key, /, keys.join(' '));
  }
});

it('a stream may be any other key of the prefix', async ({ call, refused }) => {
  await call('conv_set', PAIR, json());
  const prefixed = ['b:conversation:slack:C1', 'b:job-index:j1'];
  await call('conv_set', prefixed, json());
  for (const [keys, stream] of [
    [PAIR, ''],
    [PAIR, CHANNEL],
    [PAIR, 'conversation:slack:C2'],
    [PAIR, JOB],
    [PAIR, 'job-index:j2'],
    [PAIR, 'job-index:'],
    [PAIR, 'b:conversation:slack:C1'],
    [[CHANNEL], CHANNEL],
    [[CHANNEL], ''],
    [[CHANNEL], 'job:j1:in'],
    [PAIR, INBOX.replace('C1', 'C2')],
    [PAIR, `x:${WATCH}`],
    [[JOB], `x${HANDLED}`],
    [[JOB], CHANNEL],
    [[JOB], ''],
    [prefixed, 'b:'],
    [prefixed, 'job:j1:in'],
    [prefixed, 'c:job:j1:in'],
  ] as const) {
    const message = await refused(() => call('conv_answer', [...keys, stream], 'q1', 'a1', '', 'f', 'v'));
    assert.match(message, /^CONVKEY /, `${keys.join(' ')} ${stream}`);
  }
  await call('conv_set_pending', prefixed, 'q1');
  const [outcome] = (await call('conv_answer', [...prefixed, 'b:s'], 'q1', 'a1', '', 'f', 'v')) as string[];
  assert.is(outcome, 'accepted');
});

test.run();
