import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ConversationError, ConversationStore } from '../../src/index.ts';
import { kill, launch, startServer, stopAll } from '../operations/servers.ts';
import { all } from '../store/store.ts';
import * as library from '../support/library.ts';
import { type ClientOptions, type DumpedKey, dump, withRedis } from '../support/redis.ts';

const test = suite('outages');
const redis = withRedis(test);
const ended: (() => unknown)[] = [];

const STATE = { ...library.STATE, notes: 'größer' };
const NEXT = { ...STATE, jobId: 'j2', claimId: 'c2' };
const MESSAGE = { queue: { text: 'größer' } };
const answer = { answerId: 'a1', stream: 'heard', fields: { text: 'größer' } };

/** Every call of the store, where j1 holds the channel, has asked q1 and has a message waiting. */
const CALLS: Record<string, (store: ConversationStore) => Promise<unknown>> = {
  ready: (store) => store.ready(),
  get: (store) => store.get(STATE),
  list: (store) => all(store.list()),
  inbox: async (store) => (await all(store.inbox(STATE))).map(({ fields }) => fields),
  'getByJobId without renewal': (store) => store.getByJobId('j1', { renew: false }),
  remove: (store) => store.remove(STATE, { discardInbox: true }),
  getByJobId: (store) => store.getByJobId('j1'),
  due: async (store) => (await all(store.due())).map(({ jobId }) => jobId),
  claim: (store) => store.claim({ ...NEXT, channelId: 'C2' }),
  'claim that queues': (store) => store.claim({ ...NEXT, deliveryId: 'd2' }, MESSAGE),
  handOver: (store) => store.handOver(STATE, NEXT),
  set: (store) => store.set(NEXT),
  update: (store) => store.update(STATE, { userId: 'U2' }),
  setPendingQuestion: (store) => store.setPendingQuestion(STATE, 'q2'),
  clearPendingQuestion: (store) => store.clearPendingQuestion(STATE),
  answerQuestion: (store) => store.answerQuestion(STATE, 'q1', { ...answer, stream: store.key(STATE, answer.stream) }),
};
const NAMES = Object.keys(CALLS);
const READS = 5;
/** Reads, and what needs no further memory: removals, renewals and leases. */
const FRUGAL = 8;
/** What every call answers when nothing is wrong. */
const right: Record<string, unknown> = {};

const storeFor = (client: Redis, name: string) =>
  new ConversationStore(client, { prefix: `${name}:`, silentAfterMs: 1 });

test.before(async () => {
  const client = await redis.connect();
  await prepare(client);
  for (const [name, call] of Object.entries(CALLS)) right[name] = await call(storeFor(client, name));
});

test.after.each(async () => {
  for (const end of ended.splice(0)) await end();
  stopAll();
});

/** A client that hears of lost connections without a word. */
function open({ port }: { port: number | string }, options: ClientOptions = {}): Redis {
  const client = new Redis({ port: Number(port), ...options }).on('error', () => {});
  ended.push(() => client.disconnect());
  return client;
}

/** Brings about what every call meets, each in a prefix of its own. Gives all that is there then. */
async function prepare(direct: Redis): Promise<Record<string, DumpedKey>> {
  await direct.flushdb();
  for (const name of NAMES) {
    const store = storeFor(direct, name);
    await store.set(STATE);
    await store.setPendingQuestion(STATE, 'q1');
    await store.claim({ ...NEXT, deliveryId: 'd1' }, MESSAGE);
  }
  await sleep(5); // so that the jobs have been silent for longer than a millisecond
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
      assert.equal(await call(storeFor(client, name)), right[name], name);
    } catch (error) {
      if (error instanceof assert.Assertion) throw error;
      const { name: kind, code = kind, message, cause } = error as ConversationError;
      errors[name] = `${code}: ${message}`;
      assert.match(errors[name], wanted, name);
      const held = JSON.stringify([Object.values(error as Error), Object.values((cause as object) ?? {})]);
      assert.not.match(held, /größer/, `${name}: the error holds the state`);
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
    const under = (keys: typeof after) => Object.entries(keys).filter(([key]) => key.startsWith(`${name}:`));
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

for (const [name, options, wanted] of IMPATIENT_TO_CONNECT) {
  test(`where nobody listens, every call ends as ${name} says`, async () => {
    const server = await startServer();
    await kill(server);
    assert.equal(await refused(open(server, options), wanted), NAMES);
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
    assert.equal(await refused(open(mute.address() as AddressInfo, options), wanted), NAMES);
  });
}

test('a server that is loading its data refuses, and a client that waits for it is served', async () => {
  const server = await startServer();
  await prepare(server.admin);
  await server.admin.save();
  await kill(server);
  const slow = ['--key-load-delay', '30000', '--loading-process-events-interval-bytes', '1024'];
  server.process = launch(server.program, [...server.args, ...slow]);
  const hasty = open(server, { enableReadyCheck: false, retryStrategy: () => 20 });
  while (!/^loading:1/m.test(String(await hasty.info('persistence').catch(() => '')))) await sleep(10);
  assert.equal(await refused(hasty, /^UNAVAILABLE: LOADING/), NAMES);
  const timed = open(server, { commandTimeout: 100 });
  assert.equal(await refused(timed, /^UNAVAILABLE: Command timed out/), NAMES);
  assert.equal(await refused(open(server), /never/), []);
});

test('a replica serves what reads, with the library or without, and refuses what writes', async () => {
  const [master, replica] = await Promise.all([startServer(), startServer()]);
  const before = await prepare(master.admin);
  const client = open(replica);
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
  const { port } = new URL(server.url);
  const direct = open({ port }, { password: 'right' });
  const before = await prepare(direct);
  for (const protocol of [2, 3] as const) {
    for (const [options, why] of [
      [{ password: 'wrong' }, /WRONGPASS/],
      [{ username: 'nobody', password: 'right' }, /WRONGPASS/],
      [{}, /NOAUTH/],
    ] as const) {
      const client = open({ port }, { ...options, protocol });
      assert.equal(await refused(client, /WRONGPASS|NOAUTH|Connection is closed/, why), NAMES);
      await assertUnchanged(NAMES, before, direct);
    }
  }
});

test('out of memory, reads, removals, renewals and leases go on and the rest is refused', async () => {
  const { admin } = await startServer();
  const before = await prepare(admin);
  await admin.config('SET', 'maxmemory', '1');
  const names = await refused(admin, /^UNAVAILABLE: OOM/);
  assert.equal(names, NAMES.slice(FRUGAL));
  await assertUnchanged(names, before, admin);
  await admin.function('FLUSH');
  assert.equal(await refused(admin, /^UNAVAILABLE: OOM/), NAMES);
});

test.run();
