import type { ChainableCommander, Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHANNEL, HAND_OVER, HANDLED, INBOX, JOB, PAIR, SECOND, STREAM, WATCH } from '../support/keys.ts';
import { json, REFERENCES, SOURCE, second, sourceUnderTest } from '../support/library.ts';
import { SNAPSHOT, withRedis } from '../support/redis.ts';

const test = suite("Redis's own errors");
const server = withRedis(test);

const MESSAGE = second({ deliveryId: 'd2' });
const WATCHED = { silentAfterMs: 60_000 };

type Call = [name: string, keys: readonly string[], ...args: string[]];

/** Every function, by each form of reference where it takes one, on a conversation of j1 whose question q1 waits. */
const CALLS: Record<string, Call> = {
  'claim of the holder': ['claim', PAIR, json()],
  'claim of another': ['claim', SECOND, second()],
  'watched claim of another': ['claim', SECOND, second(WATCHED)],
  'claim of another with a delivery': ['claim', SECOND, MESSAGE],
  'claim of another with a message': ['claim', SECOND, MESSAGE, '', 'text', 'more'],
  'hand-over': ['hand_over', HAND_OVER, second()],
  'hand-over of a watched job': ['hand_over', HAND_OVER, second(WATCHED)],
  'hand-over with a delivery': ['hand_over', HAND_OVER, MESSAGE],
  'hand-over with a stream': ['hand_over', [...HAND_OVER, STREAM], second(), '', 'f', 'v'],
  'late hand-over': ['hand_over', [CHANNEL, 'job-index:j3', 'job-index:j2'], second()],
  'set by the holder': ['set', PAIR, json()],
  'set by the holder for its message': ['set', PAIR, json({ deliveryId: 'd1', ...WATCHED })],
  'set by another': ['set', SECOND, second()],
  'watched set by another': ['set', SECOND, second(WATCHED)],
  'get_by_job by job': ['get_by_job', [JOB]],
  'get_by_job by both': ['get_by_job', PAIR],
  'get_by_job with what was read': ['get_by_job', [JOB], '', '1-1'],
  'update with a delivery': ['update', PAIR, '{"pod":"p1"}', 'd3'],
  'update with a stream': ['update', [JOB, STREAM], '{"pod":"p1"}', 'd3', 'stop', 'yes'],
  'set_pending with a time limit': ['set_pending', PAIR, 'q2', '', '1000'],
  'the same set_pending by channel': ['set_pending', [CHANNEL], 'q1'],
  'a cleared set_pending': ['set_pending', [JOB], ''],
  'answer by nobody': ['answer', PAIR, 'q1', ''],
  'answer to a stream': ['answer', [JOB, STREAM], 'q1', 'a1', '', 'f', 'v'],
  'late answer by channel': ['answer', [CHANNEL], 'q0', 'a1'],
  'remove for a retry': ['remove', [CHANNEL], 'retry'],
  'remove of all': ['remove', PAIR, 'all'],
  'late remove by both': ['remove', SECOND],
  due: ['due', [WATCH], '1000'],
};
for (const [form, keys] of Object.entries(REFERENCES)) {
  for (const [name, ...args] of [
    ['get'],
    ['update', '{"pod":"p1"}'],
    ['set_pending', 'q2'],
    ['answer', 'q1', 'a1'],
    ['remove'],
  ]) {
    CALLS[`${name} ${form}`] = [String(name), keys, ...args];
  }
}

/** What stands on the server before a call. */
const SITUATIONS: Record<string, (redis: ChainableCommander) => unknown> = {
  'a conversation': store,
  'a conversation that is starting, and an inbox that was read': (redis) =>
    store(redis, { starting: true }).xdel(INBOX, '1-1'),
  'a conversation without its index': (redis) => store(redis).del(JOB),
  'a conversation that was taken over, with a stale index': (redis) =>
    redis
      .set(CHANNEL, second({ pendingQuestionId: 'q1' }), 'PX', 60_000)
      .mset(JOB, CHANNEL, 'job-index:j2', CHANNEL)
      .zadd(WATCH, 1, `j1\n${CHANNEL}`),
  'a job that lapsed while a message waits': (redis) => store(redis).del(CHANNEL),
  'only an index': (redis) => redis.set(JOB, CHANNEL, 'PX', 60_000),
  nothing: () => {},
};

const STORED = { pendingQuestionId: 'q1', deliveryId: 'd1', ...WATCHED };

function store(redis: ChainableCommander, changes = {}): ChainableCommander {
  return redis
    .fcall('conv_set', 2, ...PAIR, json({ ...STORED, ...changes }), '60000')
    .zadd(WATCH, 1, `j1\n${CHANNEL}`)
    .xadd(INBOX, '1-1', 'text', 'waits');
}

let admin: Redis;

test.before(async () => {
  // The hunt for mutants runs a suite again and again.
  wholes.clear();
  // A server of its own, for what can't be undone on the common one.
  admin = await server.connect({}, await server.server());
  await admin.function('LOAD', 'REPLACE', sourceUnderTest());
});

/** What a call by a user does to a situation; nothing may have changed where it ends with an error. */
async function outcome(prepare: (redis: ChainableCommander) => unknown, call: Call, user = 'default') {
  const [name, keys, ...args] = call;
  const pipeline = admin.pipeline().flushall();
  prepare(pipeline);
  pipeline.eval(SNAPSHOT, 0).call('AUTH', user, 'x');
  pipeline.fcall(`conv_${name}`, keys.length, ...keys, ...args);
  const results = (await pipeline.call('AUTH', 'default', 'x').eval(SNAPSHOT, 0).exec()) ?? [];
  const [[, before] = [], , [error, reply] = [], , [, after] = []] = results.slice(-5) as [Error | null, unknown][];
  if (error) assert.equal(after, before, call.join(' '));
  const rows = after as [key: string, type: string, value: unknown, deadline: number][];
  // Without what differs from run to run, with deadlines to the minute.
  const rough = rows.map(([key, , value, deadline]) => [key, value, Math.round((deadline - Date.now()) / 60_000)]);
  return { error: error?.message ?? '', done: JSON.stringify([reply, rough]).replaceAll(/\d{6,}/g, 'N'), rows };
}

/** A job that is not on watch, and that no message started. */
const PLAIN = { deliveryId: undefined, silentAfterMs: undefined };

/** The calls that need each key, and are refused where it is of another type. In others it holds nothing of ours. */
const NEEDED: [key: string, job: object, calls: RegExp][] = [
  [CHANNEL, {}, /^(?!due$)/],
  [JOB, {}, /set_pending|answer|^get_by_job|by job$|^claim of the holder|^set by the holder|^update with a stream/],
  [INBOX, {}, /^claim of another with a message|^get_by_job with what/],
  [HANDLED, PLAIN, /with a (delivery|message)$|^update with a|^answer (by (channel|job|both)|to)|^late answer/],
  [
    HANDLED,
    {},
    /with a (delivery|message)$|^update with a|^answer (by (channel|job|both)|to)|^late answer|^hand-over|^remove of all|set by (another|the holder)$/,
  ],
  [WATCH, PLAIN, /^due$|with a time limit|watched (job|set)|for its message$/],
  [WATCH, {}, /^due$|set_pending|^answer|^get_by_job|watched (job|set)|for its message$/],
];

test('WRONGTYPE: a key of another type stops the calls that need it and no others, and nothing changes', async () => {
  for (const [key, job, needed] of NEEDED) {
    for (const [name, call] of Object.entries(CALLS)) {
      const spoil = (redis: ChainableCommander) => store(redis, job).del(key).hset(key, 'f', 'v');
      const { error, rows } = await outcome(spoil, call);
      const at = `${key} of ${JSON.stringify(job)}, ${name}: ${error}`;
      assert.is(error.startsWith('WRONGTYPE '), needed.test(name), at);
      if (name !== 'remove of all') assert.equal(rows.find(([found]) => found === key)?.slice(2), [['f', 'v'], -1], at);
    }
  }
});

test('a stream that takes no more entries leaves the question waiting', async () => {
  const full = (redis: ChainableCommander) =>
    store(redis).xadd(STREAM, `${2n ** 64n - 1n}-${2n ** 64n - 1n}`, 'f', 'v');
  const { error } = await outcome(full, ['answer', [...PAIR, STREAM], 'q1', 'a1', '', 'f', 'v']);
  assert.match(error, /last possible ID/);
});

/** How the engines say it, for the call itself and for a command inside it. */
const DENIAL = /^NOPERM |^ERR (The user executing the script can't |ACL failure in script)/;

const KEYS = [CHANNEL, JOB, 'job-index:j2', STREAM, INBOX, HANDLED, WATCH];

/** The commands that the library uses; every other word in capitals is an option of one. */
const OPTIONS = ['PXAT', 'GT', 'COUNT', 'LIMIT', 'MAXLEN', 'MINID', 'WITHSCORES', 'KEEPTTL', 'WRONGTYPE'];
const COMMANDS = [...new Set(Array.from(SOURCE.matchAll(/'([A-Z]{2,})'/g), ([, word = '']) => word))].filter(
  (word) => !OPTIONS.includes(word) && !word.startsWith('CONV'),
);

/** Rights of a user that can do everything but one thing. */
const DENIED = {
  ...Object.fromEntries(COMMANDS.map((command) => [`without ${command}`, ['~*', '+@all', `-${command}`]])),
  ...Object.fromEntries(
    KEYS.flatMap((key) => {
      const others = KEYS.filter((other) => other !== key).map((other) => `~${other}`);
      return [
        [`without ${key}`, ['+@all', ...others]],
        [`with ${key} read-only`, ['+@all', ...others, `%R~${key}`]],
        [`with ${key} write-only`, ['+@all', ...others, `%W~${key}`]],
      ];
    }),
  ),
};

/** What each call does in each situation for a user with all rights. */
const wholes = new Map<string, string>();

for (const [rights, rules] of Object.entries(DENIED)) {
  test(`a user ${rights}: every call succeeds whole or changes nothing`, async () => {
    await admin.acl('SETUSER', 'limited', 'reset', 'on', 'nopass', ...rules);
    let refused = 0;
    for (const [situation, prepare] of Object.entries(SITUATIONS)) {
      for (const [name, call] of Object.entries(CALLS)) {
        const at = `${name} on ${situation}`;
        if (!wholes.has(at)) wholes.set(at, (await outcome(prepare, call)).done);
        const { error, done } = await outcome(prepare, call, 'limited');
        if (error) refused++;
        if (error) assert.match(error, DENIAL, at);
        else assert.is(done, wholes.get(at), at);
        assert.not.match(error, '"jobId"', at);
      }
    }
    // Only a channel with 10,000 deliveries needs it.
    if (!rights.endsWith('ZREMRANGEBYRANK')) assert.ok(refused > 0, 'no call was refused');
  });
}

test('a user without ZREMRANGEBYRANK: a call that would handle one delivery too many changes nothing', async () => {
  await admin.acl('SETUSER', 'limited', 'reset', 'on', 'nopass', '~*', '+@all', '-zremrangebyrank');
  const deliveries = Array.from({ length: 10_000 }, (_, n) => [Date.now(), `m${n}`]).flat();
  const many = (redis: ChainableCommander) => store(redis).zadd(HANDLED, ...deliveries);
  assert.match((await outcome(many, ['update', PAIR, '{"pod":1}', 'd3'], 'limited')).error, DENIAL);
});

test('out of memory, what reads, frees, finds or says that it lives goes on, and the rest is refused whole', async () => {
  const full = (redis: ChainableCommander) => {
    const stored = store(redis.config('SET', 'maxmemory', '0'), { starting: true });
    return stored.config('SET', 'maxmemory-policy', 'noeviction', 'maxmemory', '1');
  };
  for (const [name, call] of Object.entries({ ...CALLS, version: ['version', []] as Call })) {
    const { error } = await outcome(full, call);
    assert.match(error, /^(get|get_by_job|remove|due|version)$/.test(call[0]) ? /^$/ : /OOM/, name);
  }
});

test.run();
