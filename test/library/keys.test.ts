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
const PLATFORMS = ['slack', 'MSTeams', '0', 'a.b_c-d', 'conversation', 'job-index', 'Z'.repeat(600)];
const PREFIXES = ['', 'b:', '{agentsmith}:', 'conversation', 'job-index', 'prod/é/', '%a*', 'x'.repeat(2_000)];

it('every allowed platform, id and prefix takes a conversation from claim to removal', async ({ call, dump }) => {
  for (const prefix of PREFIXES) {
    for (const [n, jobId] of JOBS.entries()) {
      const [platform, channelId] = [PLATFORMS[n % PLATFORMS.length] ?? '', CHANNELS[n % CHANNELS.length] ?? ''];
      const key = (name: string) => `${prefix}conversation${name}:${platform.toLowerCase()}:${channelId}`;
      const [channel, inbox, handled] = ['', '-inbox', '-handled'].map(key) as [string, string, string];
      const [job, watch] = [`${prefix}job-index:${jobId}`, `${prefix}conversation-watch`];
      const state = { platform, channelId, jobId };
      const [text, next] = [json(state), json({ ...state, jobId: 'next' })];
      const asked = json({ ...state, pendingQuestionId: 'q' });
      const answered = json({ ...state, lastAnswer: { questionId: 'q', answerId: '' } });
      // Its own keys may be declared, in any order.
      const own = [[], [inbox], [handled], [watch], [watch, handled, inbox]][n % 5] as string[];
      const ref = [[channel], [job], [channel, job]][(n + prefix.length) % 3] as string[];
      const [stream, fields] = ref.includes(job) ? [[`${prefix}answers`], ['f', 'v']] : [[], []];
      const three = [channel, job, `${prefix}job-index:next`];
      const replies = await Promise.all([
        call('claim', [channel, job, ...own], text),
        call('get', [...ref, ...own]),
        call('set_pending', [...ref, ...own], 'q'),
        call('answer', [...ref, ...own, ...stream], 'q', '', '', ...fields),
        call('get_by_job', [job, ...own]),
        call('update', [...ref, ...stream, ...own], '{}', stream.length > 0 ? jobId : '', ...fields),
        call('hand_over', [...three, ...own, `${prefix}answers`], next, '', 'f', 'v'),
        call('set', [channel, job, ...own], text),
        call('remove', [...ref, ...own]),
      ]);
      const expected = [['claimed', text], text, asked, ['accepted', answered], answered, ['updated', answered]];
      assert.equal(replies, [...expected, ['claimed', next], next, ['removed', text]], ref.join(' '));
    }
  }
  assert.equal([...new Set(Object.values(await dump()).map(({ type }) => type))].sort(), ['stream', 'zset']);
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
  ...['', 'x', 'job-index:', 'Job-index:j1', CHANNEL, 'job-index:j\t', 'job-index:j\u0080', `conversation:${JOB}`],
  ...['x'.repeat(513), 'é'.repeat(257), LONG].map((id) => `job-index:${id}`),
];
/** Keys of another conversation or prefix, which stand nowhere behind a reference. */
const FOREIGN = [
  ...['conversation-inbox:slack:C2', 'conversation-handled:teams:C1', 'conversation-inbox:', 'b:conversation-watch'],
  ...[`b:${INBOX}`, `${WATCH}:x`, '', LONG],
];
const NO_STREAMS = [CHANNEL, 'conversation:slack:C2', 'job-index:', 'b:conversation:slack:C1', `x${HANDLED}`];

type Call = readonly [name: string, ...args: string[]];
/** Calls, their arguments separated by blanks. */
const calls = (...lines: string[]) => lines.map((line) => line.split(' ') as [string, ...string[]]);
/** Lists of keys: the words of each line, in which * stands for each of the values. */
const lists = (values: string[], ...lines: string[]) =>
  lines.flatMap((line) => values.map((value) => line.split(' ').map((key) => (key === '*' ? value : key))));

const BY_REFERENCE = calls('get', 'get_by_job', 'set_pending q1', 'remove', 'answer q1 a1', 'update {} d1');
const PUBLISHING: Call[] = calls('update {} d1 f v').concat([['answer', 'q1', 'a1', '', 'f', 'v']]);
const BY_PAIR = calls(`set ${json()}`, `claim ${json()}`);
const ALL = [...BY_REFERENCE, ...BY_PAIR];
const HAND_OVER_TO_J1 = calls(`hand_over ${json({ claimId: 'c9' })}`);
const [C, J0, J] = [CHANNEL, 'job-index:j0', JOB];
const OTHERS = [{ jobId: 'j2' }, { jobId: 'J1' }, { channelId: 'c1' }, { channelId: 'C1 ' }, { platform: 'teams' }]
  .map((changes) => json(changes))
  .flatMap((state): Call[] => ['set', 'claim'].map((name) => [name, state]));
const ANY = /^CONVKEY /;
const OTHER_STATE = /the keys are not those of the state: wanted /;

/** The key lists that each call refuses, and what it says where it is not that a key is too long. */
const REFUSED: [message: RegExp, calls: Call[], keys: string[][]][] = [
  [/the first key must be |wanted 2 keys, /, ALL, lists(NO_CONVERSATIONS, '*', `* ${J}`)],
  [/the first key must be /, HAND_OVER_TO_J1, lists(NO_CONVERSATIONS, `* ${J0} ${J}`)],
  [ANY, ALL, lists(NO_JOBS, `${C} *`)],
  [/the second key must be /, HAND_OVER_TO_J1, lists(NO_JOBS, `${C} * ${J}`)],
  [/the second key must be /, BY_PAIR, lists(NO_JOBS, `${C} *`)],
  [/the third key must be /, HAND_OVER_TO_J1, lists(NO_JOBS, `${C} ${J0} *`)],
  [/the keys have different prefixes/, ALL, lists([''], `b:${C} ${J}`, `${C} b:${J}`, `a:${C} b:${J}`)],
  [
    /the keys have different prefixes/,
    HAND_OVER_TO_J1,
    lists([''], `${C} b:${J0} ${J}`, `${C} ${J0} b:${J}`, `b:${C} ${J0} ${J}`),
  ],
  [/wanted .* given/, [...ALL, ...HAND_OVER_TO_J1], [[]]],
  [ANY, ALL, lists([''], `${C} ${C}`, `${J} ${J}`, `${J} ${C}`, `${C} ${J} ${J} x`)],
  [ANY, BY_PAIR, lists([''], C, J, `${C} ${J} s`)],
  [/a job must be named: /, calls('get_by_job'), lists([''], C, `${C} ${INBOX}`)],
  [ANY, HAND_OVER_TO_J1, lists([''], C, `${C} ${J0}`, `${J0} ${C} ${J}`, `${C} ${J0} ${J} ${J}`)],
  [ANY, HAND_OVER_TO_J1, lists(FOREIGN, `${C} ${J} ${J}`, `${C} ${J0} ${J} s s *`)],
  [/at most 7 keys are taken, 503 were given/, [...ALL, ...HAND_OVER_TO_J1], [[C, J0, J, ...MANY]]],
  [/this function takes no keys, 1 were given/, calls('version'), [[C]]],
  [ANY, calls('due 1000'), [...lists([C, INBOX, `${WATCH}:`, WATCH + WATCH, 'x', LONG + WATCH], '*'), MANY]],
  [/wanted one key, /, calls('due 1000'), [[], [WATCH, WATCH]]],
  [ANY, BY_REFERENCE, lists(FOREIGN, `${C} *`, `${J} *`, `${C} ${J} *`)],
  [ANY, BY_PAIR, lists(FOREIGN, `${C} ${J} *`)],
  [ANY, HAND_OVER_TO_J1, lists(FOREIGN, `${C} ${J0} ${J} *`)],
  [/behind the reference only its own /, BY_REFERENCE.slice(0, 4), lists(['s'], `${C} *`, `${J} *`, `${C} ${J} *`)],
  [ANY, PUBLISHING, lists(['s'], `${C} *`, '*', `* ${J}`, `${C} * ${J}`)],
  [/only one stream can be named/, PUBLISHING, lists(['s'], `${J} * *`, `${C} ${J} * *`)],
  [ANY, PUBLISHING, lists(NO_STREAMS, `${C} ${J} *`, `${J} *`)],
  [
    /the stream must have the prefix of the other keys/,
    PUBLISHING,
    lists(['b:', 's', 'c:s', ''], `b:${J} *`, `b:${C} b:${J} *`),
  ],
  [OTHER_STATE, OTHERS, [PAIR]],
  [OTHER_STATE, BY_PAIR, lists(['x:C1', C, `slack:${J}`], '*').map(([id]) => [`conversation:slack:${id}`, J])],
  [OTHER_STATE, HAND_OVER_TO_J1, [HAND_OVER, ['conversation:slack:C2', J0, J]]],
];

it('CONVKEY: keys that are not those of the call are refused', async ({ call, redis, refusal, unchanged }) => {
  await call('set', PAIR, json({ pendingQuestionId: 'q1' }));
  await call('set', [`b:${CHANNEL}`, `b:${JOB}`], json({ pendingQuestionId: 'q1' }));
  await redis.xadd(INBOX, '1-1', 'text', 'waits');
  await unchanged(async () => {
    for (const [wanted, calls, lists] of REFUSED) {
      for (const [called, ...args] of calls) {
        for (const keys of lists) {
          const message = await refusal(called, keys, ...args);
          const what = `${called} ${keys.join(' ').slice(0, 200)}`;
          assert.match(message, /^CONVKEY .{10,300}$/, what);
          assert.match(message, keys.some((key) => key.length > 4_096) ? /at most 4096 bytes/ : wanted, what);
        }
      }
    }
  });
});

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

test.run();
