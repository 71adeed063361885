import { once } from 'node:events';
import { connect, type LookupFunction } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromClient } from '../../src/errors.ts';
import type { ConversationError } from '../../src/index.ts';
import { connectTo, kill, launch, type Server, startServer, stopAll } from '../operations/servers.ts';
import { CALLS, HOLDER, NAMES, prepare, SECRET, storeFor } from '../store/store.ts';
import { type ClientOptions, type DumpedKey, dump, withRedis } from '../support/redis.ts';
import { rejection } from '../support/rejection.ts';

const test = suite('outages');
const redis = withRedis(test);

const READS = 5;
/** With removals, renewals and leases, which need no further memory. */
const FRUGAL = 9;
/** What every call answers when nothing is wrong. */
const right: Record<string, unknown> = {};

test.before(async () => {
  const client = await redis.connect();
  await fill(client);
  for (const [name, call] of Object.entries(CALLS)) right[name] = await call(storeFor(client, name), HOLDER);
});

test.after.each(stopAll);

/** Brings about what every call meets, each in a prefix of its own. Gives all that is there then. */
async function fill(direct: Redis): Promise<Record<string, DumpedKey>> {
  await direct.flushdb();
  await prepare(...NAMES.map((name) => storeFor(direct, name)));
  return dump(direct);
}

/**
 * Makes every call at once by one client. Each has to end with the reply that it has to have, or with an error of this
 * kind that holds no state; one of them at least has to say why. Gives the names of those that were refused.
 */
async function refused(client: Redis, wanted: RegExp, why = wanted): Promise<string[]> {
  const errors: Record<string, string> = {};
  const outcomes = Object.entries(CALLS).map(async ([name, call]) => {
    try {
      assert.equal(await call(storeFor(client, name), HOLDER), right[name], name);
    } catch (error) {
      if (error instanceof assert.Assertion) throw error;
      const { name: kind, code = kind, message, cause } = error as ConversationError;
      errors[name] = `${code}: ${message}`;
      assert.match(errors[name], wanted, name);
      const held = JSON.stringify([Object.values(error as Error), Object.values((cause as object) ?? {})]);
      assert.not.match(held, SECRET, `${name}: the error holds the state`);
    }
  });
  await Promise.all(outcomes);
  const names = NAMES.filter((name) => name in errors);
  assert.ok(names.length === 0 || Object.values(errors).some((error) => why.test(error)), 'nobody says why');
  return names;
}

/** What the calls that were refused found is still there, to the byte and the millisecond. */
async function assertUnchanged(names: string[], before: Record<string, DumpedKey>, direct: Redis) {
  const after = await dump(direct);
  for (const name of names) {
    const under = (keys: typeof after) => Object.entries(keys).filter(([key]) => key.startsWith(`{${name}}:`));
    assert.equal(under(after), under(before), `${name}: data changed`);
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

for (const [what, fail, clients] of [
  ['nobody listens', kill, IMPATIENT_TO_CONNECT],
  ['somebody listens and never answers', async ({ process }: Server) => process.kill('SIGSTOP'), IMPATIENT],
] as const) {
  for (const [name, options, wanted] of clients) {
    test(`where ${what}, every call ends as ${name} says`, async () => {
      const server = await startServer();
      await fail(server);
      assert.equal(await refused(connectTo(server, options), wanted), NAMES);
    });
  }
}

test('a server that is loading its data refuses, and a client that waits for it is served', async () => {
  const server = await startServer();
  await fill(server.admin);
  await server.admin.save();
  await kill(server);
  const slow = ['--key-load-delay', '30000', '--loading-process-events-interval-bytes', '1024'];
  server.process = launch(server.program, [...server.args, ...slow]);
  const hasty = connectTo(server, { enableReadyCheck: false, retryStrategy: () => 20 });
  while (!/^loading:1/m.test(String(await hasty.info('persistence').catch(() => '')))) await sleep(10);
  assert.equal(await refused(hasty, /^UNAVAILABLE: LOADING/), NAMES);
  const timed = connectTo(server, { commandTimeout: 100 });
  assert.equal(await refused(timed, /^UNAVAILABLE: Command timed out/), NAMES);
  assert.equal(await refused(connectTo(server), /never/), []);
});

test('a replica serves what reads, with the library or without, and refuses what writes', async () => {
  const [master, replica] = await Promise.all([startServer(), startServer()]);
  const before = await fill(master.admin);
  const client = connectTo(replica);
  await client.replicaof('127.0.0.1', master.port);
  while (!/^master_link_status:up/m.test(await client.info('replication'))) await sleep(20);
  const names = await refused(client, /^UNAVAILABLE: READONLY/);
  assert.equal(names, NAMES.slice(READS));
  await assertUnchanged(names, before, master.admin);
  await master.admin.function('FLUSH');
  await master.admin.wait(1, 2_000);
  assert.equal(await refused(client, /^UNAVAILABLE: READONLY/), NAMES);
});

test('a wrong password and none are said so', async () => {
  const server = await redis.server('--requirepass', 'right');
  const port = Number(new URL(server.url).port);
  const direct = connectTo({ port }, { password: 'right' });
  const before = await fill(direct);
  for (const protocol of [2, 3] as const) {
    for (const [options, why] of [
      [{ password: 'wrong' }, /WRONGPASS/],
      [{ username: 'nobody', password: 'right' }, /WRONGPASS/],
      [{}, /NOAUTH/],
    ] as const) {
      const client = connectTo({ port }, { ...options, protocol });
      assert.equal(await refused(client, /WRONGPASS|NOAUTH|Connection is closed/, why), NAMES);
      await assertUnchanged(NAMES, before, direct);
    }
  }
});

test('out of memory, reads, removals, renewals and leases go on and the rest is refused', async () => {
  const { admin } = await startServer();
  const before = await fill(admin);
  await admin.config('SET', 'maxmemory', '1');
  const names = await refused(admin, /^UNAVAILABLE: OOM/);
  assert.equal(names, NAMES.slice(FRUGAL));
  await assertUnchanged(names, before, admin);
  await admin.function('FLUSH');
  assert.equal(await refused(admin, /^UNAVAILABLE: OOM/), NAMES);
});

test('a server without FCALL says so, and the error does not hold the arguments that it repeats', async () => {
  const client = await redis.connect({}, await redis.server('--rename-command', 'FCALL', ''));
  for (const name of NAMES.slice(FRUGAL)) {
    const error = await rejection(() => CALLS[name]?.(storeFor(client, name), HOLDER));
    assert.match(error.message, /^ERR unknown command 'fcall'$/);
    assert.not.match(inspect(error), 'conversation:slack:C1');
  }
});

test('a host whose addresses all refuse is UNAVAILABLE, and the message says why', async () => {
  const addresses = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }));
  const lookup: LookupFunction = (_host, _options, found) => found(null, addresses);
  const [error] = await once(connect({ host: 'host', port: 1, lookup, autoSelectFamily: true }), 'error');
  assert.instance(error, AggregateError);
  const { code, message } = fromClient(error) as ConversationError;
  assert.match(`${code}: ${message}`, /^UNAVAILABLE: ECONNREFUSED\. The server could not take the call/);
});

test.run();
