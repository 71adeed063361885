import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { type ClientOptions, dump, withRedis } from '../support/redis.ts';
import { CALLS, STATE } from './calls.ts';
import { CrashingServer } from './crashing.ts';
import { assertUnchanged, type Ending, judge, makeCalls, prepare, quietClient } from './outage.ts';

const test = suite('outages');
const redis = withRedis(test);
const ended: (() => unknown)[] = [];

/** What every call answers when nothing is wrong. */
let right: Ending[] = [];

test.before(async () => {
  const client = await redis.connect();
  await prepare(client);
  right = await makeCalls(client);
  assert.ok(right.every(({ error }) => !error));
});

test.after.each(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

function open(url: string, options: ClientOptions = {}): Redis {
  const client = quietClient(url, options);
  ended.push(() => client.disconnect());
  return client;
}

async function crashing(...args: string[]): Promise<CrashingServer> {
  const server = await CrashingServer.start(...args);
  ended.push(() => server.stop());
  return server;
}

/** The ways to tell a client how long to wait, and how it says that it has waited. */
const IMPATIENT: [string, ClientOptions, RegExp][] = [
  ['commandTimeout', { commandTimeout: 200 }, /^UNAVAILABLE: Command timed out/],
  ['commandTimeout over RESP2', { commandTimeout: 200, protocol: 2 }, /^UNAVAILABLE: Command timed out/],
  [
    'socketTimeout',
    { socketTimeout: 100, maxRetriesPerRequest: 1, retryStrategy: () => 20 },
    /^UNAVAILABLE: Reached the max retries/,
  ],
];
const IMPATIENT_TO_CONNECT: typeof IMPATIENT = [
  ...IMPATIENT,
  [
    'maxRetriesPerRequest',
    { maxRetriesPerRequest: 1, retryStrategy: () => 20 },
    /^UNAVAILABLE: Reached the max retries/,
  ],
  ['a retryStrategy that gives up', { retryStrategy: () => null }, /Connection is closed/],
  ['enableOfflineQueue: false', { enableOfflineQueue: false }, /enableOfflineQueue options is false|closed/],
];

for (const [name, options, wanted] of IMPATIENT_TO_CONNECT) {
  test(`where nobody listens, every call ends as ${name} says`, async () => {
    const server = await crashing();
    await server.kill();
    assert.is(judge(await makeCalls(open(server.url, options)), right, wanted), CALLS.length);
  });
}

for (const [name, options, wanted] of IMPATIENT) {
  test(`where somebody listens and never answers, every call ends as ${name} says`, async () => {
    const sockets: Socket[] = [];
    const mute = createServer((socket) => sockets.push(socket.on('error', () => {}))).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    ended.push(() => {
      for (const socket of sockets) socket.destroy();
      mute.close();
    });
    const client = open(`redis://127.0.0.1:${(mute.address() as AddressInfo).port}`, options);
    assert.is(judge(await makeCalls(client), right, wanted), CALLS.length);
  });
}

test('a server without persistence that was restarted is healed by the calls that notice', async () => {
  const server = await crashing();
  const client = open(server.url);
  await prepare(client);
  const store = new ConversationStore(client);
  await store.set(STATE);
  await server.kill();
  const early = store.get(STATE);
  await server.restart();
  assert.is(await early, null);
  const states = Array.from({ length: 20 }, (_, index) => ({ ...STATE, jobId: `j${index}`, channelId: `C${index}` }));
  const claims = await Promise.all(states.map((state) => store.claim(state)));
  assert.ok(claims.every(({ outcome }) => outcome === 'claimed'));
});

test("it is LIBRARY_MISSING with load: 'never', from the call that notices", async () => {
  const server = await crashing();
  const client = open(server.url);
  await prepare(client);
  const warm = new ConversationStore(client, { load: 'never' });
  await warm.ready();
  await server.kill();
  await server.restart();
  const error = await warm.claim(STATE).catch((refused: unknown) => refused);
  assert.match(String(error), /^ConversationError: the server has no library conversation/);
  const endings = await makeCalls(client, { load: 'never' });
  assert.is(judge(endings, right, /the server has no library conversation.*conversation-state load/), CALLS.length);
  assert.is(await client.dbsize(), 0);
});

test('a server that is loading its data refuses, and a client that waits for it is served', async () => {
  const server = await crashing();
  const direct = open(server.url);
  await prepare(direct);
  await direct.save();
  await server.kill();
  const slow = ['--key-load-delay', '30000', '--loading-process-events-interval-bytes', '1024'];
  const loaded = server.restart(...slow);
  const hasty = open(server.url, { enableReadyCheck: false, retryStrategy: () => 20 });
  while (!/^loading:1/m.test(String(await hasty.info('persistence').catch(() => '')))) await sleep(10);
  assert.is(judge(await makeCalls(hasty), right, /^UNAVAILABLE: LOADING/), CALLS.length);
  const timed = open(server.url, { commandTimeout: 100 });
  assert.is(judge(await makeCalls(timed), right, /^UNAVAILABLE: Command timed out/), CALLS.length);
  assert.is(await new ConversationStore(open(server.url), { prefix: 'new:' }).get({ jobId: 'j1' }), null);
  await loaded;
  assert.is(judge(await makeCalls(open(server.url)), right, /never/), 0);
});

test('a replica serves what reads, with the library or without, and refuses what writes', async () => {
  const master = await redis.server();
  const replica = await redis.server();
  const direct = open(master.url);
  const before = await prepare(direct);
  const client = open(replica.url);
  await client.replicaof('127.0.0.1', new URL(master.url).port);
  while (!/^master_link_status:up/m.test(await client.info('replication'))) await sleep(20);
  const endings = await makeCalls(client);
  // A function that may write is refused even where it would not.
  assert.is(judge(endings, right, /^UNAVAILABLE: READONLY/), 58);
  assertUnchanged(endings, before, await dump(direct));
  await direct.function('FLUSH');
  await direct.wait(1, 2_000);
  assert.is(judge(await makeCalls(client), right, /^UNAVAILABLE: READONLY/), CALLS.length);
});

test('a wrong password and none are said so', async () => {
  const server = await redis.server('--requirepass', 'right');
  const direct = open(server.url, { password: 'right' });
  const before = await prepare(direct);
  for (const protocol of [2, 3] as const) {
    for (const [options, wanted] of [
      [{ password: 'wrong' }, /WRONGPASS|Connection is closed/],
      [{ username: 'nobody', password: 'right' }, /WRONGPASS|Connection is closed/],
      [{}, /NOAUTH|Connection is closed/],
    ] as const) {
      const endings = await makeCalls(open(server.url, { ...options, protocol }));
      assert.is(judge(endings, right, wanted), CALLS.length);
      assert.ok(
        endings.some(({ error }) => /WRONGPASS|NOAUTH/.test(String(error))),
        'nobody says why',
      );
      assertUnchanged(endings, before, await dump(direct));
    }
  }
});

test('out of memory, reads and removals go on and the rest is refused', async () => {
  const server = await redis.server();
  const client = open(server.url);
  const before = await prepare(client);
  await client.config('SET', 'maxmemory', '1');
  const endings = await makeCalls(client);
  assert.is(judge(endings, right, /^UNAVAILABLE: OOM/), 42);
  assertUnchanged(endings, before, await dump(client));
  await client.function('FLUSH');
  assert.is(judge(await makeCalls(client), right, /^UNAVAILABLE: OOM/), CALLS.length);
});

test.run();
