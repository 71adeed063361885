import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { RunningRedis } from '../../scripts/redis/start.ts';
import {
  CHANNEL,
  failure,
  HANDLED,
  INBOX,
  JOB,
  json,
  type Library,
  library,
  PAIR,
  sourceUnderTest,
  WATCH,
  withLibrary,
} from '../support/library.ts';
import { type DumpedKey, dump } from '../support/redis.ts';

const test = suite("Redis's own errors");
const it = withLibrary(test);

const STREAM = 'job:j1:in';
const SECOND = [CHANNEL, 'job-index:j2'];
const other = json({ jobId: 'j2', claimId: 'c2', deliveryId: 'd2' });

type Call = [name: string, keys: readonly string[], ...args: string[]];

/** Every function by every form of reference, on a conversation of j1 whose question q1 waits. */
const CALLS: Record<string, Call> = {
  'claim of the holder': ['conv_claim', PAIR, json()],
  'claim of another': ['conv_claim', SECOND, json({ jobId: 'j2' })],
  'watched claim': ['conv_claim', PAIR, json(), '', '1000'],
  'claim of another with a delivery': ['conv_claim', SECOND, other],
  'claim of another with a message': ['conv_claim', SECOND, other, '', '', 'text', 'more'],
  'watched set by the holder': ['conv_set', PAIR, json(), '', '1000'],
  'watched set by another': ['conv_set', SECOND, json({ jobId: 'j2' }), '', '1000'],
  'watched get_by_job by job': ['conv_get_by_job', [JOB], '', '1000'],
  'watched get_by_job by both': ['conv_get_by_job', PAIR, '', '1000'],
  'update by channel': ['conv_update', [CHANNEL], '{"pod":"p1"}'],
  'update by job': ['conv_update', [JOB], '{"pod":"p1"}'],
  'update with a delivery': ['conv_update', PAIR, '{"pod":"p1"}', '', 'd3'],
  'update with a stream': ['conv_update', [JOB, STREAM], '{"pod":"p1"}', '', 'd3', 'stop', 'yes'],
  'remove with what was read': ['conv_remove', PAIR, '1-1'],
  'remove with too little read': ['conv_remove', [JOB], '0'],
  'remove for a retry': ['conv_remove', [CHANNEL], '', '1'],
  due: ['conv_due', [WATCH], '1000'],
  'set by the holder': ['conv_set', PAIR, json()],
  'set by another': ['conv_set', SECOND, json({ jobId: 'j2' })],
  'get by channel': ['conv_get', [CHANNEL]],
  'get by job': ['conv_get', [JOB]],
  'get by both': ['conv_get', PAIR],
  'get_by_job by job': ['conv_get_by_job', [JOB]],
  'get_by_job by both': ['conv_get_by_job', PAIR],
  'set_pending by channel': ['conv_set_pending', [CHANNEL], 'q2'],
  'set_pending by job': ['conv_set_pending', [JOB], 'q2'],
  'set_pending by both': ['conv_set_pending', PAIR, 'q2'],
  'the same set_pending by channel': ['conv_set_pending', [CHANNEL], 'q1'],
  'the same set_pending by job': ['conv_set_pending', [JOB], 'q1'],
  'answer by channel': ['conv_answer', [CHANNEL], 'q1', 'a1'],
  'answer by job': ['conv_answer', [JOB], 'q1', 'a1'],
  'answer by both': ['conv_answer', PAIR, 'q1', 'a1'],
  'answer to a stream by job': ['conv_answer', [JOB, STREAM], 'q1', 'a1', '', 'f', 'v'],
  'answer to a stream by both': ['conv_answer', [...PAIR, STREAM], 'q1', 'a1', '', 'f', 'v'],
  'late answer by channel': ['conv_answer', [CHANNEL], 'q0', 'a1'],
  'remove by channel': ['conv_remove', [CHANNEL]],
  'remove by job': ['conv_remove', [JOB]],
  'remove by both': ['conv_remove', PAIR],
  'late remove by both': ['conv_remove', SECOND],
};

/** What stands on the server before a call. */
const SITUATIONS: Record<string, (redis: Redis) => Promise<unknown>> = {
  'a conversation': store,
  'a conversation without its index': async (redis) => {
    await store(redis);
    await redis.del(JOB);
  },
  'a conversation that was taken over, with a stale index': async (redis) => {
    await redis.set(CHANNEL, json({ jobId: 'j2', pendingQuestionId: 'q1' }), 'PX', 60_000);
    await redis.mset(JOB, CHANNEL, 'job-index:j2', CHANNEL);
    await redis.zadd(WATCH, 1, `j1\n${CHANNEL}`);
  },
  'only an index': (redis) => redis.set(JOB, CHANNEL, 'PX', 60_000),
  nothing: async () => {},
};

const STORED = json({ pendingQuestionId: 'q1', claimId: 'c1', deliveryId: 'd1' });

async function store(redis: Redis): Promise<void> {
  await redis.fcall('conv_set', 2, ...PAIR, STORED, '60000');
  await redis.zadd(WATCH, 1, `j1\n${CHANNEL}`);
  await redis.xadd(INBOX, '1-1', 'text', 'read');
}

const SPOILT: Record<string, (redis: Redis, key: string) => Promise<unknown>> = {
  list: (redis, key) => redis.rpush(key, 'x'),
  hash: (redis, key) => redis.hset(key, 'f', 'v'),
  stream: (redis, key) => redis.xadd(key, '1-1', 'f', 'v'),
};

/** How many of the calls read or write each key, and so refuse one of another type. */
const READ_BY = { [CHANNEL]: 38, [JOB]: 32, [INBOX]: 3, [HANDLED]: 8, [WATCH]: 12 };

for (const [type, spoil] of Object.entries(SPOILT)) {
  it(`WRONGTYPE: a ${type} in place of any key, and nothing changes`, async (at) => {
    for (const [key, fewest] of Object.entries(READ_BY)) {
      if (type === 'stream' && key === INBOX) continue;
      let refusals = 0;
      for (const [name, [called, keys, ...args]] of Object.entries(CALLS)) {
        await at.redis.flushall();
        await store(at.redis);
        await at.redis.del(key);
        await spoil(at.redis, key);
        const before = await at.dump();
        const reply = await at.call(called, keys, ...args).then(String, (error: Error) => error.message);
        if (reply.startsWith('WRONGTYPE ')) {
          assert.equal(await at.dump(), before, `${name}, ${key}`);
          refusals++;
        } else {
          // What needs neither to read nor to write the spoilt key succeeds and leaves it as it was.
          if (key === CHANNEL) assert.is(name, 'due');
          assert.equal((await at.dump())[key], before[key], name);
          if (key === JOB) assert.match(name, /^get by (channel|both)|claim of another|late remove by both|due/);
        }
      }
      assert.is(refusals, fewest, `calls refused for ${key}`);
    }
  });
}

it('WRONGTYPE: a stream that is none, and the question still waits', async (at) => {
  for (const [type, spoil] of Object.entries(SPOILT)) {
    if (type === 'stream') continue;
    for (const keys of [[JOB], PAIR]) {
      await at.redis.flushall();
      await store(at.redis);
      await spoil(at.redis, STREAM);
      const answer = () => at.call('conv_answer', [...keys, STREAM], 'q1', 'a1', '', 'f', 'v');
      assert.match(await at.refused(answer), /^WRONGTYPE /, type);
    }
  }
});

it('a stream that takes no more entries leaves the question waiting', async (at) => {
  await store(at.redis);
  await at.redis.xadd(STREAM, '18446744073709551615-18446744073709551615', 'f', 'v');
  const answer = () => at.call('conv_answer', [...PAIR, STREAM], 'q1', 'a1', '', 'f', 'v');
  assert.match(await at.refused(answer), /last possible ID/);
});

/** How the engines say it, for the call itself and for a command inside it. */
const DENIAL = /^NOPERM |The user executing the script can't |ACL failure in script/;

const KEYS = [CHANNEL, JOB, 'job-index:j2', STREAM, INBOX, HANDLED, WATCH];

/** Rights of a user that can do everything but one thing. */
const DENIED = {
  ...Object.fromEntries(
    [
      ...[
        'get',
        'set',
        'del',
        'pexpireat',
        'pexpiretime',
        'time',
        'xadd',
        'exists',
        'xlen',
        'xrange',
        'zadd',
        'zcard',
        'zrem',
      ],
      ...['zrangebyscore', 'zremrangebyrank', 'zremrangebyscore', 'zscore'],
    ].map((command) => [`without ${command}`, ['~*', '+@all', `-${command}`]]),
  ),
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
interface Whole {
  before: Record<string, unknown>;
  reply: unknown;
  after: Record<string, unknown>;
}

const wholes = new Map<string, Whole>();

async function whole(at: string, prepare: (redis: Redis) => Promise<unknown>, call: Call): Promise<Whole> {
  const known = wholes.get(at);
  if (known) return known;
  const [called, keys, ...args] = call;
  await admin.flushall();
  await prepare(admin);
  const before = rough(await dump(admin));
  const reply = await library(admin).call(called, keys, ...args);
  const found = { before, reply, after: rough(await dump(admin)) };
  wholes.set(at, found);
  return found;
}

for (const [rights, rules] of Object.entries(DENIED)) {
  test(`a user ${rights}: every call succeeds whole or changes nothing`, async () => {
    await admin.acl('SETUSER', 'limited', 'reset', 'on', 'nopass', ...rules);
    const user = await it.server.connect({ username: 'limited', password: 'x' }, own);
    let refused = 0;
    for (const [situation, prepare] of Object.entries(SITUATIONS)) {
      for (const [name, call] of Object.entries(CALLS)) {
        const at = `${name} on ${situation}`;
        const full = await whole(at, prepare, call);
        const [called, keys, ...args] = call;
        await admin.flushall();
        await prepare(admin);
        const reply = await library(user)
          .call(called, keys, ...args)
          .catch((error: Error) => error);
        if (reply instanceof Error) {
          refused++;
          assert.match(reply.message, DENIAL, `${at}: ${reply.message}`);
          assert.not.match(reply.message, '"jobId"', at);
          assert.equal(rough(await dump(admin)), full.before, at);
        } else {
          assert.equal(reply, full.reply, at);
          assert.equal(rough(await dump(admin)), full.after, at);
        }
      }
    }
    assert.ok(refused > 0, 'no call was refused');
  });
}

test('out of memory, what frees it goes on and everything else is refused whole', async () => {
  await admin.flushall();
  await store(admin);
  await admin.config('SET', 'maxmemory-policy', 'noeviction', 'maxmemory', '1');
  const at: Library = library(admin);
  try {
    assert.is(await at.call('conv_version', []), '1.0.0');
    for (const [called, keys, ...args] of Object.values(CALLS)) {
      if (called === 'conv_get') assert.type(await at.unchanged(() => at.call(called, keys, ...args)), 'string');
      else if (called !== 'conv_remove') {
        const message = await at.refused(() => at.call(called, keys, ...args));
        assert.match(message, /OOM/, called);
      }
    }
    assert.equal(await at.call('conv_remove', PAIR), ['removed', STORED]);
    assert.equal(Object.keys(await at.dump()), [HANDLED, INBOX]);
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
  assert.is(await library(replica).read('conv_get', [JOB]), STORED);
  for (const [called, keys, ...args] of Object.values(CALLS)) {
    if (called === 'conv_get') continue;
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
  return value;
}

test.run();
