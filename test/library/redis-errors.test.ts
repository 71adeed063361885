import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { RunningRedis } from '../../scripts/redis/start.ts';
import { CHANNEL, HAND_OVER, HANDLED, INBOX, JOB, PAIR, SECOND, STREAM, WATCH } from '../support/keys.ts';
import {
  failure,
  json,
  type Library,
  library,
  SOURCE,
  second,
  sourceUnderTest,
  withLibrary,
} from '../support/library.ts';
import { type DumpedKey, dump } from '../support/redis.ts';

const test = suite("Redis's own errors");
const it = withLibrary(test);

const MESSAGE = second({ deliveryId: 'd2' });
const WATCHED = { silentAfterMs: 60_000 };

type Call = [name: string, keys: readonly string[], ...args: string[]];

/** Every function by every form of reference, on a conversation of j1 whose question q1 waits. */
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
  'get by channel': ['get', [CHANNEL]],
  'get by job': ['get', [JOB]],
  'get by both': ['get', PAIR],
  'get_by_job by job': ['get_by_job', [JOB]],
  'get_by_job by both': ['get_by_job', PAIR],
  'get_by_job with what was read': ['get_by_job', [JOB], '', '1-1'],
  'update by channel': ['update', [CHANNEL], '{"pod":"p1"}'],
  'update by job': ['update', [JOB], '{"pod":"p1"}'],
  'update with a delivery': ['update', PAIR, '{"pod":"p1"}', 'd3'],
  'update with a stream': ['update', [JOB, STREAM], '{"pod":"p1"}', 'd3', 'stop', 'yes'],
  'set_pending by channel': ['set_pending', [CHANNEL], 'q2'],
  'set_pending by job': ['set_pending', [JOB], 'q2'],
  'set_pending with a time limit': ['set_pending', PAIR, 'q2', '', '1000'],
  'the same set_pending by channel': ['set_pending', [CHANNEL], 'q1'],
  'a cleared set_pending': ['set_pending', [JOB], ''],
  'answer by channel': ['answer', [CHANNEL], 'q1', 'a1'],
  'answer by job': ['answer', [JOB], 'q1', 'a1'],
  'answer by nobody': ['answer', PAIR, 'q1', ''],
  'answer to a stream': ['answer', [JOB, STREAM], 'q1', 'a1', '', 'f', 'v'],
  'late answer by channel': ['answer', [CHANNEL], 'q0', 'a1'],
  'remove by channel': ['remove', [CHANNEL]],
  'remove by job': ['remove', [JOB]],
  'remove by both': ['remove', PAIR],
  'remove for a retry': ['remove', [CHANNEL], 'retry'],
  'remove of all': ['remove', PAIR, 'all'],
  'late remove by both': ['remove', SECOND],
  due: ['due', [WATCH], '1000'],
};

/** What stands on the server before a call. */
const SITUATIONS: Record<string, (redis: Redis) => Promise<unknown>> = {
  'a conversation': store,
  'a conversation that is starting, and an inbox that was read': async (redis) => {
    await store(redis, { starting: true });
    await redis.xdel(INBOX, '1-1');
  },
  'a conversation without its index': async (redis) => {
    await store(redis);
    await redis.del(JOB);
  },
  'a conversation that was taken over, with a stale index': async (redis) => {
    await redis.set(CHANNEL, second({ pendingQuestionId: 'q1' }), 'PX', 60_000);
    await redis.mset(JOB, CHANNEL, 'job-index:j2', CHANNEL);
    await redis.zadd(WATCH, 1, `j1\n${CHANNEL}`);
  },
  'a job that lapsed while a message waits': async (redis) => {
    await store(redis);
    await redis.del(CHANNEL);
  },
  'only an index': (redis) => redis.set(JOB, CHANNEL, 'PX', 60_000),
  nothing: async () => {},
};

const STORED = { pendingQuestionId: 'q1', deliveryId: 'd1', ...WATCHED };

async function store(redis: Redis, changes = {}): Promise<void> {
  await redis.fcall('conv_set', 2, ...PAIR, json({ ...STORED, ...changes }), '60000');
  await redis.zadd(WATCH, 1, `j1\n${CHANNEL}`);
  await redis.xadd(INBOX, '1-1', 'text', 'waits');
}

const SPOILT: Record<string, (redis: Redis, key: string) => Promise<unknown>> = {
  list: (redis, key) => redis.rpush(key, 'x'),
  hash: (redis, key) => redis.hset(key, 'f', 'v'),
  stream: (redis, key) => redis.xadd(key, '1-1', 'f', 'v'),
};

/** The calls that need each key, and are refused where it is of another type. In others it holds nothing of ours. */
const NEEDED_BY: Record<string, RegExp> = {
  [CHANNEL]: /^(?!due$)/,
  [JOB]: /set_pending|answer|^get_by_job|by job$|^claim of the holder|^set by the holder|^update with a stream/,
  [INBOX]: /^claim of another with a message|^get_by_job with what/,
  [HANDLED]:
    /with a (delivery|message)$|^update with a|^hand-over|^answer (by (channel|job)|to)|^late answer|^remove of all|set by (another|the holder)$/,
  [WATCH]: /^due$|set_pending|^answer|^get_by_job|watched (job|set)|for its message$/,
};

for (const [type, spoil] of Object.entries(SPOILT)) {
  it(`WRONGTYPE: a ${type} in place of any key stops the calls that need it, and nothing changes`, async (at) => {
    for (const [key, needed] of Object.entries(NEEDED_BY)) {
      if (type === 'stream' && key === INBOX) continue;
      for (const [name, [called, keys, ...args]] of Object.entries(CALLS)) {
        await at.redis.flushall();
        await store(at.redis);
        await at.redis.del(key);
        await spoil(at.redis, key);
        const before = await at.dump();
        const reply = await at.call(called, keys, ...args).then(String, (error: Error) => error.message);
        assert.is(reply.startsWith('WRONGTYPE '), needed.test(name), `${key}, ${name}: ${reply}`);
        if (reply.startsWith('WRONGTYPE ')) assert.equal(await at.dump(), before, `${key}, ${name}`);
        else if (name !== 'remove of all') assert.equal((await at.dump())[key], before[key], `${key}, ${name}`);
      }
    }
  });

  it(`a ${type} in place of the watch, inbox or handled key stops no call for which nobody uses them`, async (at) => {
    for (const key of type === 'stream' ? [WATCH, HANDLED] : [WATCH, HANDLED, INBOX]) {
      for (const [called, keys, ...args] of [
        ['claim', PAIR, json()],
        ['claim', SECOND, second()],
        ['get_by_job', PAIR],
        ['set_pending', [JOB], 'q1'],
        ['answer', PAIR, 'q1', ''],
        ['set_pending', [CHANNEL], ''],
        ['update', [JOB], '{}'],
        ['set', SECOND, second()],
        ['hand_over', [CHANNEL, 'job-index:j2', JOB], json({ claimId: 'c9' })],
        ['remove', PAIR],
      ] as const) {
        await at.redis.del(key);
        await spoil(at.redis, key);
        const before = (await at.dump())[key];
        await at.call(called, keys, ...args);
        assert.equal((await at.dump())[key], before, `${key}, ${called}`);
      }
      await at.redis.flushall();
    }
  });
}

it('WRONGTYPE: a stream that is not one, and the question still waits', async (at) => {
  for (const [type, spoil] of Object.entries(SPOILT)) {
    if (type === 'stream') continue;
    for (const keys of [[JOB], PAIR]) {
      await at.redis.flushall();
      await store(at.redis);
      await spoil(at.redis, STREAM);
      const answer = () => at.call('answer', [...keys, STREAM], 'q1', 'a1', '', 'f', 'v');
      assert.match(await at.refused(answer), /^WRONGTYPE /, type);
    }
  }
});

it('a stream that takes no more entries leaves the question waiting', async (at) => {
  await store(at.redis);
  await at.redis.xadd(STREAM, '18446744073709551615-18446744073709551615', 'f', 'v');
  const answer = () => at.call('answer', [...PAIR, STREAM], 'q1', 'a1', '', 'f', 'v');
  assert.match(await at.refused(answer), /last possible ID/);
});

/** How the engines say it, for the call itself and for a command inside it. */
const DENIAL = /^NOPERM |The user executing the script can't |ACL failure in script/;

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

/** A server for what can't be undone on the common one. */
let own: RunningRedis;
let admin: Redis;

test.before(async () => {
  wholes.clear();
  own = await it.server.server();
  admin = await it.server.connect({}, own);
  await admin.function('LOAD', 'REPLACE', sourceUnderTest());
});

/** What a call does for a user with all rights: the keys before and after it, and its reply. */
const wholes = new Map<string, Record<'before' | 'reply' | 'after', unknown>>();

for (const [rights, rules] of Object.entries(DENIED)) {
  test(`a user ${rights}: every call succeeds whole or changes nothing`, async () => {
    await admin.acl('SETUSER', 'limited', 'reset', 'on', 'nopass', ...rules);
    const user = library(await it.server.connect({ username: 'limited', password: 'x' }, own));
    let refused = 0;
    for (const [situation, prepare] of Object.entries(SITUATIONS)) {
      for (const [name, call] of Object.entries(CALLS)) {
        const at = `${name} on ${situation}`;
        const before = async () => {
          await admin.flushall();
          await prepare(admin);
          return rough(await dump(admin));
        };
        if (!wholes.has(at)) {
          const whole = { before: await before(), reply: steady('', await library(admin).call(...call)) };
          wholes.set(at, { ...whole, after: rough(await dump(admin)) });
        }
        const whole = wholes.get(at);
        await before();
        const reply = await user.call(...call).catch((error: Error) => error);
        const after = rough(await dump(admin));
        if (reply instanceof Error) {
          refused++;
          assert.match(reply.message, DENIAL, `${at}: ${reply.message}`);
          assert.not.match(reply.message, '"jobId"', at);
          assert.equal(after, whole?.before, at);
        } else {
          assert.equal(steady('', reply), whole?.reply, at);
          assert.equal(after, whole?.after, at);
        }
      }
    }
    // Only a channel with 10,000 deliveries needs it.
    if (!rights.endsWith('ZREMRANGEBYRANK')) assert.ok(refused > 0, 'no call was refused');
  });
}

test('a user without ZREMRANGEBYRANK: a call that would handle one delivery too many changes nothing', async () => {
  await admin.flushall();
  await store(admin);
  await admin.zadd(HANDLED, ...Array.from({ length: 10_000 }, (_, n) => [Date.now(), `m${n}`]).flat());
  await admin.acl('SETUSER', 'limited', 'reset', 'on', 'nopass', '~*', '+@all', '-zremrangebyrank');
  const user = library(await it.server.connect({ username: 'limited', password: 'x' }, own));
  const before = await dump(admin);
  assert.match(await failure(user.call('update', PAIR, '{"pod":1}', 'd3')), DENIAL);
  assert.equal(await dump(admin), before);
});

test('out of memory, what reads, frees, finds or says that it lives goes on, and everything else is refused whole', async () => {
  const at: Library = library(admin);
  try {
    for (const [name, [called, keys, ...args]] of Object.entries(CALLS)) {
      await admin.config('SET', 'maxmemory', '0');
      await admin.flushall();
      await store(admin, { starting: true });
      await admin.config('SET', 'maxmemory-policy', 'noeviction', 'maxmemory', '1');
      assert.is(await at.call('version', []), '1.0.0');
      if (/^(get|get_by_job|remove|due)$/.test(called)) assert.ok(await at.call(called, keys, ...args), name);
      else assert.match(await at.refusal(called, keys, ...args), /OOM/, name);
    }
    assert.equal(await at.call('due', [WATCH], 60_000), []);
    assert.is(JSON.parse(String(await at.call('get_by_job', [JOB], '', '1-1'))).starting, false);
    assert.is(await at.redis.xlen(INBOX), 0);
    assert.is(await at.outcome('remove', PAIR), 'removed');
    assert.equal(Object.keys(await at.dump()), [HANDLED]);
  } finally {
    await admin.config('SET', 'maxmemory', '0');
  }
});

test('a replica refuses what writes and serves what reads', async () => {
  const replica = await it.server.connect({}, await it.server.server());
  await replica.function('LOAD', 'REPLACE', sourceUnderTest());
  await store(replica);
  // The master is nobody: what counts is that the server is a replica.
  await replica.replicaof('127.0.0.1', 1);
  assert.is(await library(replica).read('get', [JOB]), json(STORED));
  for (const [called, keys, ...args] of Object.values(CALLS)) {
    if (called === 'get') continue;
    assert.match(await failure(library(replica).call(called, keys, ...args)), /READONLY/, called);
  }
});

/** Without what differs from run to run: stream ids and scores, and deadlines to the minute. */
function rough(keys: Record<string, DumpedKey>): Record<string, unknown> {
  const entries = Object.entries(keys).map(([key, { type, value, deadline }]) => {
    const minutes = deadline < 0 ? null : Math.round((deadline - Date.now()) / 60_000);
    return [key, [type, steady(type, value), minutes]];
  });
  return Object.fromEntries(entries);
}

function steady(type: string, value: unknown): unknown {
  if (type === 'stream') return (value as [string, string[]][]).map(([, fields]) => fields);
  if (type === 'zset') return (value as unknown[]).flat().filter((item) => !/^[\d.]+$/.test(String(item)));
  return JSON.stringify(value).replaceAll(/(answerBy\\*":)\d+/g, '$1');
}

test.run();
