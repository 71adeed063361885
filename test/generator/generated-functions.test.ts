import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startRedis } from '../../scripts/redis/start.ts';
import {
  ERROR_CODES,
  FUNCTIONS,
  type FunctionClient,
  LIBRARY_NAME,
  LIBRARY_SHA256,
  LIBRARY_SOURCE,
  LIBRARY_VERSION,
  limitClose,
  limitLast,
  limitLie,
  limitSpent,
  limitStory,
  limitTake,
  limitVersion,
} from './limiter.gen.ts';

// What is generated for a library that is not ours, called on a real server.

// One of its own, because these tests empty it.
const server = await startRedis({ args: [] });

for (const protocol of [2, 3] as const) {
  const test = suite(`generated functions, RESP${protocol}`);
  const redis = new Redis(server.url, { protocol });
  const counter = 'limit:a';
  const log = 'limit-log:a';
  const by = 'ann';

  /** Hands calls on and keeps what was sent. */
  const sent: unknown[][] = [];
  const spied: FunctionClient = {
    fcall(...call) {
      sent.push(['fcall', ...call]);
      return redis.fcall(...call);
    },
    fcall_ro(...call) {
      sent.push(['fcall_ro', ...call]);
      return redis.fcall_ro(...call);
    },
  };

  test.before(async () => {
    await redis.function('LOAD', 'REPLACE', LIBRARY_SOURCE);
  });
  test.before.each(async () => {
    await redis.flushall();
    sent.length = 0;
  });
  test.after(async () => {
    redis.disconnect();
    if (protocol === 3) await server.stop();
  });

  test('the source is the Lua file, byte for byte', async () => {
    const file = await readFile(new URL('limiter.lua', import.meta.url));
    assert.ok(Buffer.from(LIBRARY_SOURCE).equals(file));
    assert.is(LIBRARY_SHA256, createHash('sha256').update(file).digest('hex'));
  });

  test('the server lists the functions and flags that were generated', async () => {
    const listed = await redis.function('LIST', 'LIBRARYNAME', LIBRARY_NAME, 'WITHCODE');
    const [{ functions, library_code } = {}] = named(listed);
    const found = named(functions).map(({ name, flags }) => describe(name, flags));
    assert.equal(found.sort(), FUNCTIONS.map(({ name, flags }) => describe(name, flags)).sort());
    assert.is(library_code, LIBRARY_SOURCE);
  });

  test('name, version and error codes are those of the library', async () => {
    assert.is(LIBRARY_NAME, 'limiter');
    assert.is(await limitVersion(redis), LIBRARY_VERSION);
    assert.equal([...ERROR_CODES], ['LIMITARG', 'LIMITKEY']);
  });

  test('several parts come back under their names, nil as null', async () => {
    const first = await limitTake(redis, { counter }, { amount: 3, limit: 5, by });
    assert.equal(first, { verdict: 'allowed', left: 2, before: null });
    const second = await limitTake(redis, { counter }, { amount: 3, limit: 5, by: 'bob' });
    assert.equal(second, { verdict: 'refused', left: 2, before: 'ann' });
  });

  test('one part comes back as it is, nil as null', async () => {
    assert.is(await limitLast(redis, { counter }), null);
    await limitTake(redis, { counter }, { amount: 3, limit: 5, by });
    assert.is(await limitLast(redis, { counter }), 'ann');
    assert.is(await limitSpent(redis, { counter }), 3);
    assert.is(await limitClose(redis, { counter }), 'closed');
    assert.is(await limitClose(redis, { counter }), 'absent');
  });

  test('a list comes back as a list, empty where there is nothing', async () => {
    assert.equal(await limitStory(redis, { log }), []);
    await limitTake(redis, { counter, log }, { amount: 1, limit: 5, by, rest: ['who', by] });
    await limitTake(redis, { counter, log }, { amount: 1, limit: 5, by, rest: ['who', 'bob'] });
    assert.equal(await limitStory(redis, { log }), ['who', by, 'who', 'bob']);
    assert.equal(await limitStory(redis, { log, alias: 'limit-alias:x' }, { most: 1 }), ['who', by]);
  });

  test('keys are sent in the order of the class, without those left out', async () => {
    await redis.set('limit-alias:x', counter);
    await limitLast(spied, { alias: 'limit-alias:x' });
    await limitLast(spied, { alias: 'limit-alias:x', counter });
    await limitTake(spied, { log, counter }, { amount: 1, limit: 5, by });
    assert.equal(sent, [
      ['fcall_ro', 'limit_last', 1, 'limit-alias:x'],
      ['fcall_ro', 'limit_last', 2, counter, 'limit-alias:x'],
      ['fcall', 'limit_take', 2, counter, log, '1', '5', by],
    ]);
  });

  test('arguments left out at the end are not sent, those before another one are sent empty', async () => {
    await limitSpent(spied, { counter });
    await limitSpent(spied, { counter }, { unit: undefined, round: undefined });
    await limitSpent(spied, { counter }, { unit: 'units' });
    await limitSpent(spied, { counter }, { round: 'up' });
    const take = { amount: 1, limit: 5, by };
    await limitTake(spied, { counter }, { ...take, windowS: undefined, rest: [] });
    await limitTake(spied, { counter }, { ...take, windowS: 9 });
    await limitTake(spied, { counter, log }, { ...take, rest: ['who', by] });
    assert.equal(
      sent.map((call) => call.slice(1)),
      [
        ['limit_spent', 1, counter],
        ['limit_spent', 1, counter],
        ['limit_spent', 1, counter, 'units'],
        ['limit_spent', 1, counter, '', 'up'],
        ['limit_take', 1, counter, '1', '5', by],
        ['limit_take', 1, counter, '1', '5', by, '9'],
        ['limit_take', 2, counter, log, '1', '5', by, '', 'who', by],
      ],
    );
    assert.equal(await redis.ttl(counter), 60, 'an empty windowS was taken as none');
    const [entry] = await redis.xrange(log, '-', '+');
    assert.equal(entry?.[1], ['who', by]);
  });

  test("the server's error arrives with its code", async () => {
    const take = limitTake(redis, { counter }, { amount: 0, limit: 5, by });
    assert.match(await failure(take), /^ReplyError: LIMITARG amount is not a whole number, 1 – 1000000$/);
    assert.match(await failure(limitLast(redis, {})), /^ReplyError: LIMITKEY /);
  });

  test('a reply that was not promised is a TypeError that names the function and not the reply', async () => {
    const is = 'is limiter 0.3.1 loaded on this server?';
    const lies = {
      text: `TypeError: limit_lie answered something else than an array of 3; ${is}`,
      length: `TypeError: limit_lie answered something else than an array of 3; ${is}`,
      literal: `TypeError: limit_lie answered something else than 'a' | 'b' as letter; ${is}`,
      integer: `TypeError: limit_lie answered something else than number as number; ${is}`,
      nil: `TypeError: limit_lie answered something else than string | null as word; ${is}`,
    };
    for (const how of ['text', 'length', 'literal', 'integer', 'nil'] as const) {
      assert.is(await failure(limitLie(redis, { how })), lies[how]);
    }
  });

  test.run();
}

function describe(name: unknown, flags: unknown): string {
  assert.ok(Array.isArray(flags));
  return `${name} ${[...flags].sort().join(' ')}`;
}

async function failure(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    return String(error);
  }
  return 'no error';
}

/** FUNCTION LIST gives objects of its fields in RESP3, and flat arrays of names and values in RESP2. */
function named(list: unknown): Record<string, unknown>[] {
  assert.ok(Array.isArray(list));
  return list.map((item) => {
    if (!Array.isArray(item)) return item;
    return Object.fromEntries(item.flatMap((name, at) => (at % 2 === 0 ? [[name, item[at + 1]]] : [])));
  });
}
