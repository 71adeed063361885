import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ConversationError, ConversationStore } from '../../src/index.ts';
import { type ClientOptions, type DumpedKey, dump, withRedis } from '../support/redis.ts';
import { CALLS, STATE, type StoreCall, storeFor, withoutFresh } from './calls.ts';
import { CrashingServer } from './crashing.ts';

const test = suite('outages');
const redis = withRedis(test);
const ended: (() => unknown)[] = [];
/** What every call answers when nothing is wrong. */
const right = new Map<StoreCall, unknown>();

test.before(async () => {
  const client = await redis.connect();
  await prepare(client);
  for (const call of CALLS) right.set(call, await call.call(storeFor(client, prefixOf(call))));
});

test.after.each(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

/** A client that hears of lost connections without a word. */
function open(url: string, options: ClientOptions = {}): Redis {
  const client = new Redis(url, options).on('error', () => {});
  ended.push(() => client.disconnect());
  return client;
}

async function crashing(...args: string[]): Promise<CrashingServer> {
  const server = await CrashingServer.start(...args);
  ended.push(() => server.stop());
  return server;
}

const prefixOf = (call: StoreCall) => `${CALLS.indexOf(call)}:`;

/** Brings about what every call needs, each in a prefix of its own. Gives all that is there then. */
async function prepare(direct: Redis): Promise<Record<string, DumpedKey>> {
  await direct.flushdb();
  for (const call of CALLS) await call.before(storeFor(direct, prefixOf(call)));
  return dump(direct);
}

/**
 * Makes every call at once by one client. Each has to end with the reply that it has to have, or with an error of this
 * kind that holds no state. Gives those that were refused, with their errors.
 */
async function refused(client: Redis, wanted: RegExp) {
  const errors = new Map<StoreCall, string>();
  const outcomes = CALLS.map(async (call) => {
    try {
      const reply = await call.call(storeFor(client, prefixOf(call)));
      assert.equal(withoutFresh(reply), withoutFresh(right.get(call)), call.name);
    } catch (error) {
      if (error instanceof assert.Assertion) throw error;
      const { name, code = name, message, cause } = error as ConversationError;
      assert.match(`${code}: ${message}`, wanted, call.name);
      const held = JSON.stringify([Object.values(error as Error), Object.values((cause as object) ?? {})]);
      assert.not.match(held, /größer/, `${call.name}: the error holds the state`);
      errors.set(call, message);
    }
  });
  await Promise.all(outcomes);
  return errors;
}

/** What the calls that were refused found is still there, to the byte and the millisecond. */
async function assertUnchanged(calls: Iterable<StoreCall>, before: Record<string, DumpedKey>, direct: Redis) {
  const after = await dump(direct);
  for (const call of [...calls].filter(({ hasSteps }) => !hasSteps)) {
    const under = (keys: typeof after) => Object.entries(keys).filter(([key]) => key.startsWith(prefixOf(call)));
    assert.equal(under(after), under(before), `${call.name}: data changed`);
  }
}

/** The ways to tell a client how long to wait, and how it says that it has waited. */
const oneRetry = { maxRetriesPerRequest: 1, retryStrategy: () => 20 };
const IMPATIENT: [string, ClientOptions, RegExp][] = [
  ['commandTimeout', { commandTimeout: 200 }, /^UNAVAILABLE: Command timed out/],
  ['commandTimeout over RESP2', { commandTimeout: 200, protocol: 2 }, /^UNAVAILABLE: Command timed out/],
  ['socketTimeout', { socketTimeout: 100, ...oneRetry }, /^UNAVAILABLE: Reached the max retries/],
];
const IMPATIENT_TO_CONNECT: typeof IMPATIENT = [
  ...IMPATIENT,
  ['maxRetriesPerRequest', oneRetry, /^UNAVAILABLE: Reached the max retries/],
  ['a retryStrategy that gives up', { retryStrategy: () => null }, /Connection is closed/],
  ['enableOfflineQueue: false', { enableOfflineQueue: false }, /enableOfflineQueue options is false|closed/],
];

for (const [name, options, wanted] of IMPATIENT_TO_CONNECT) {
  test(`where nobody listens, every call ends as ${name} says`, async () => {
    const server = await crashing();
    await server.kill();
    assert.is((await refused(open(server.url, options), wanted)).size, CALLS.length);
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
    assert.is((await refused(client, wanted)).size, CALLS.length);
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
  assert.is((await refused(hasty, /^UNAVAILABLE: LOADING/)).size, CALLS.length);
  const timed = open(server.url, { commandTimeout: 100 });
  assert.is((await refused(timed, /^UNAVAILABLE: Command timed out/)).size, CALLS.length);
  assert.is(await new ConversationStore(open(server.url), { prefix: 'new:' }).get({ jobId: 'j1' }), null);
  await loaded;
  assert.is((await refused(open(server.url), /never/)).size, 0);
});

test('a replica serves what reads, with the library or without, and refuses what writes', async () => {
  const master = await redis.server();
  const replica = await redis.server();
  const direct = open(master.url);
  const before = await prepare(direct);
  const client = open(replica.url);
  await client.replicaof('127.0.0.1', new URL(master.url).port);
  while (!/^master_link_status:up/m.test(await client.info('replication'))) await sleep(20);
  // A function that may write is refused even where it would not.
  const calls = await refused(client, /^UNAVAILABLE: READONLY/);
  assert.is(calls.size, 58);
  await assertUnchanged(calls.keys(), before, direct);
  await direct.function('FLUSH');
  await direct.wait(1, 2_000);
  assert.is((await refused(client, /^UNAVAILABLE: READONLY/)).size, CALLS.length);
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
      const calls = await refused(open(server.url, { ...options, protocol }), wanted);
      assert.is(calls.size, CALLS.length);
      assert.match([...calls.values()].join(), /WRONGPASS|NOAUTH/, 'nobody says why');
      await assertUnchanged(calls.keys(), before, direct);
    }
  }
});

test('out of memory, reads and removals go on and the rest is refused', async () => {
  const server = await redis.server();
  const client = open(server.url);
  const before = await prepare(client);
  await client.config('SET', 'maxmemory', '1');
  const calls = await refused(client, /^UNAVAILABLE: OOM/);
  assert.is(calls.size, 42);
  await assertUnchanged(calls.keys(), before, client);
  await client.function('FLUSH');
  assert.is((await refused(client, /^UNAVAILABLE: OOM/)).size, CALLS.length);
});

test.run();
