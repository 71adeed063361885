import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { runInThisContext } from 'node:vm';
import { type Cluster, Redis, type RedisOptions } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { slotOf } from '../../scripts/redis/slot.ts';
import { isConversationError } from '../../src/errors.ts';
import { ConversationStore } from '../../src/index.ts';
import * as cluster from '../cluster/nodes.ts';
import { pageOf } from '../docs/pages.ts';
import { STATE } from '../support/library.ts';
import { connectTo, kill, launch, restart, type Server, startSentinels, startServer, until } from './servers.ts';

const test = suite('connections to servers that fail, with the settings of docs/connections.md');
test.after.each(cluster.stopAll);

const WRITERS = 8;
/** Who waits longer than this for an answer is said to wait for ever. */
const PATIENCE_MS = 30_000;

const { blocks } = pageOf('docs/connections.md');

/** The settings in the block of docs/connections.md that opens such a client, which are the ones that are measured. */
function settingsOf(client: 'Redis' | 'Cluster'): Record<string, unknown> {
  const text = blocks.find((block) => block.text.includes(`new ${client}(`))?.text ?? '';
  const object = new RegExp(`new ${client}\\(.*?, (\\{\\n.*?\\n\\})\\)`, 's').exec(text)?.[1];
  return runInThisContext(`(${object})`);
}

const OF_SERVER: RedisOptions = settingsOf('Redis');
const OF_CLUSTER: cluster.ClientOptions = { ...settingsOf('Cluster'), lazyConnect: false };

function open(options: RedisOptions): Redis {
  const client = new Redis(options as RedisOptions & { replyMapping?: 'legacy' });
  client.on('error', () => {});
  return client;
}

async function openCluster(nodes: cluster.Node[], options: cluster.ClientOptions = {}): Promise<Cluster> {
  const client = cluster.clientOf(nodes.slice(0, 1), { ...OF_CLUSTER, ...options });
  client.on('error', () => {});
  await once(client, 'ready');
  return client;
}

function storeOf(client: Redis | Cluster): ConversationStore {
  return new ConversationStore(client, { sharded: client.isCluster });
}

function stateOf(store: ConversationStore, channelId: string) {
  const jobId = store.newJobId({ platform: 'slack', channelId });
  return { ...STATE, channelId, jobId, claimId: jobId };
}

const seconds = (since: number) => `${((Date.now() - since) / 1_000).toFixed(1)} s`;

interface Failure<Target> {
  says: RegExp;
  settings?: Record<string, string | number>;
  fail(target: Target): Promise<unknown>;
  heal(target: Target): Promise<unknown>;
}

/**
 * Has a client meet a failure: a claim ends within ten seconds as UNAVAILABLE, its message says why, and so does the next
 * one; when the failure is over, the same client is served.
 */
async function meets<Target>(
  what: string,
  client: Redis | Cluster,
  target: Target,
  { fail, heal, says }: Failure<Target>,
): Promise<void> {
  const store = storeOf(client);
  await store.ready();
  await fail(target);
  const ended: string[] = [];
  for (const channelId of ['C1', 'C2']) {
    const began = Date.now();
    const claim = store.claim(stateOf(store, channelId)).catch((error: Error) => error);
    const error = await Promise.race([claim, sleep(PATIENCE_MS, 'no answer')]);
    assert.ok(isConversationError(error, 'UNAVAILABLE'), `${what}: ${JSON.stringify(error)} ${error}`);
    assert.match(error.message, says, what);
    assert.ok(Date.now() - began < 10_000, `${what}: ${seconds(began)}`);
    ended.push(`${says.exec(error.message)?.[0]} after ${seconds(began)}`);
  }
  await heal(target);
  const healed = Date.now();
  while (!(await store.claim(stateOf(store, 'C9')).catch(() => undefined))) {
    assert.ok(Date.now() - healed < PATIENCE_MS, `${what}: not served again`);
    await sleep(100);
  }
  console.log(`\n  ${what}: ${ended.join(', ')}; served ${seconds(healed)} after it was over`);
  client.disconnect();
}

/** Five milliseconds a key, and an ear for clients in between. */
const SLOW_LOAD = ['--key-load-delay', '5000', '--loading-process-events-interval-bytes', '1024'];

const config =
  (name: string, value: string) =>
  ({ admin }: Server) =>
    admin.config('SET', name, value);

const FAILURES: Record<string, Failure<Server>> = {
  'a master that became a replica': {
    says: /READONLY/,
    fail: ({ admin }) => admin.replicaof('127.0.0.1', 1),
    heal: ({ admin }) => admin.replicaof('NO', 'ONE'),
  },
  'a server that cannot save to its disk': {
    says: /MISCONF/,
    settings: { save: '3600 1' },
    async fail({ admin, folder }) {
      rmSync(folder, { recursive: true });
      await admin.set('changed', 1);
      await admin.bgsave();
      await until('saving has failed', async () =>
        /^rdb_last_bgsave_status:err/m.test(await admin.info('persistence')),
      );
    },
    heal: config('stop-writes-on-bgsave-error', 'no'),
  },
  'a master without the replicas that it wants': {
    says: /NOREPLICAS/,
    fail: config('min-replicas-to-write', '1'),
    heal: config('min-replicas-to-write', '0'),
  },
  'a server without memory': { says: /OOM/, fail: config('maxmemory', '1'), heal: config('maxmemory', '0') },
  'a server that runs a script': {
    says: /BUSY/,
    settings: { 'busy-reply-threshold': 1 },
    async fail({ admin, port }) {
      const endless = open({ port });
      endless.eval('while true do end', 0).catch(() => endless.disconnect());
      await until('it is busy', async () => /^BUSY/.test(await admin.ping().catch(({ message }) => message)));
    },
    heal: ({ admin }) => admin.call('SCRIPT', 'KILL'),
  },
  'a port that refuses': { says: /max retries/, fail: kill, heal: restart },
  'a server that stands still': {
    says: /timed out/,
    fail: async ({ process }) => process.kill('SIGSTOP'),
    heal: async ({ process }) => process.kill('SIGCONT'),
  },
  'a server that loads its data': {
    says: /timed out|LOADING/,
    async fail(server) {
      const { admin, args } = server;
      await admin.eval("for n = 1, 3000 do redis.call('SET', 'k' .. n, ('v'):rep(1000)) end", 0);
      await admin.save();
      await kill(server);
      server.process = launch(server.program, [...args, ...SLOW_LOAD]);
      const asking = open({ port: server.port, enableReadyCheck: false });
      await until('it loads', async () => /^LOADING/.test(await asking.ping().catch(({ message }) => message)));
      asking.disconnect();
    },
    // A client that checks for readiness asks when it has loaded.
    heal: ({ admin }) => admin.ping(),
  },
};

const signal = async (nodes: cluster.Node[], name: NodeJS.Signals) => nodes.map(({ process }) => process.kill(name));
const OF_WHOLE_CLUSTER: Record<string, Failure<cluster.Node[]>> = {
  'a cluster that is down': {
    says: /isn't ready|is closed|Too many|None of startup/,
    fail: (nodes) => Promise.all(nodes.map(cluster.kill)),
    heal: (nodes) => Promise.all(nodes.map(cluster.restart)),
  },
  'a cluster that stands still': {
    says: /timed out|isn't ready/,
    fail: (nodes) => signal(nodes, 'SIGSTOP'),
    heal: (nodes) => signal(nodes, 'SIGCONT'),
  },
};

for (const enableAutoPipelining of [false, true]) {
  const how = enableAutoPipelining ? ', with autopipelining' : '';
  for (const [what, failure] of Object.entries(FAILURES)) {
    test(`${what} is UNAVAILABLE within 10 s, and served again when that is over${how}`, async () => {
      const server = await startServer({ settings: failure.settings ?? {} });
      await meets(what + how, open({ port: server.port, ...OF_SERVER, enableAutoPipelining }), server, failure);
    });
  }

  test(`a whole cluster that is down or stands still is UNAVAILABLE within 10 s, and served again${how}`, async () => {
    const nodes = await cluster.startCluster();
    for (const [what, failure] of Object.entries(OF_WHOLE_CLUSTER)) {
      await meets(what + how, await openCluster(nodes, { enableAutoPipelining }), nodes, failure);
      await cluster.settled(nodes);
    }
  });
}

test('Sentinels that are all away, and a master that is, are UNAVAILABLE within 10 s, and found again', async () => {
  const { master, replica, sentinels, address } = await startSentinels();
  await meets('no Sentinel and no master', open({ ...address, ...OF_SERVER }), [...sentinels, master, replica], {
    says: /timed out|max retries/,
    fail: (all) => Promise.all(all.map(kill)),
    heal: (all) => Promise.all(all.map(restart)),
  });
});

test('a blocking read delays every call of its client, so it takes a client of its own', async () => {
  const server = await startServer();
  const [client, reader] = [connectTo(server), connectTo(server)];
  const store = new ConversationStore(client);
  await store.ready();
  for (const blocked of [client, reader]) {
    const ended: string[] = [];
    const reading = blocked.xread('BLOCK', 2_000, 'STREAMS', 'job:j1:in', '$').then(() => ended.push('reading'));
    await until('it blocks', async () => /blocked_clients:1\r/.test(await server.admin.info('clients')));
    await Promise.all([reading, store.get(STATE).then(() => ended.push('get'))]);
    assert.equal(ended, blocked === client ? ['reading', 'get'] : ['get', 'reading']);
  }
});

/** Kills a master under the load of clients, and looks at what they are answered on the channels that are its. */
async function killUnderLoad(what: string, clients: (Redis | Cluster)[], master: Server, channel = randomUUID) {
  const made: { began: number; ended: number; isAnswered: boolean }[] = [];
  const wrong: string[] = [];
  let isOver = false;
  const call = async <T>(run: () => Promise<T>): Promise<T | undefined> => {
    const began = Date.now();
    const [settled] = await Promise.allSettled([run()]);
    const isAnswered = settled.status === 'fulfilled';
    made.push({ began, ended: Date.now(), isAnswered });
    return isAnswered ? settled.value : undefined;
  };
  const writers = clients.map(async (client) => {
    const store = storeOf(client);
    while (!isOver) {
      const job = stateOf(store, channel());
      const claimed = await call(() => store.claim(job, { replicas: 1, timeoutMs: 200 }));
      // What no replica had may be lost with the master.
      if (claimed?.outcome !== 'claimed' || !claimed.replicas) continue;
      const read = await call(() => store.get(job));
      const other = await call(() => store.claim(stateOf(store, job.channelId)));
      if (read === null || (read && read.jobId !== job.jobId)) wrong.push('a replicated claim is not there');
      if (other && other.outcome !== 'held') wrong.push(`a second job was told ${other.outcome}`);
      const removed = await call(() => store.remove(job));
      if (removed && !['removed', 'gone'].includes(removed.outcome)) wrong.push(`removal: ${removed.outcome}`);
    }
  });
  await sleep(2_000);
  await kill(master);
  const died = Date.now();
  const served = () => made.find(({ began, isAnswered }) => isAnswered && began > died);
  await until('it is served again', async () => served() !== undefined);
  await sleep(3_000);
  isOver = true;
  await Promise.all(writers);
  for (const client of clients) client.disconnect();
  const errors = made.filter(({ isAnswered }) => !isAnswered).length;
  const longest = Math.max(...made.map(({ began, ended }) => ended - began)) / 1_000;
  const figures = `${made.length} calls, ${errors} errors, ${wrong.length} wrong, longest call ${longest} s`;
  console.log(`\n  ${what}: ${figures}; served ${((served()?.ended ?? 0) - died) / 1_000} s after its death`);
  assert.equal(wrong, []);
}

test('a master dies under load, Sentinel has its replica take over, and no answer is wrong', async () => {
  const { address, master } = await startSentinels();
  const clients = Array.from({ length: WRITERS }, () => open({ ...address, ...OF_SERVER }));
  await killUnderLoad('failover by Sentinel', clients, master);
});

test('a master of a cluster dies under load, its replica takes over, and no answer is wrong', async () => {
  const nodes = await cluster.startCluster();
  const [, victim] = await cluster.masters(nodes);
  const clients = await Promise.all(Array.from({ length: WRITERS }, () => openCluster(nodes)));
  const store = storeOf(clients[0] as Cluster);
  const channel = () => {
    for (;;) {
      const channelId = randomUUID();
      if (cluster.holds(victim, slotOf(store.inboxKey({ platform: 'slack', channelId })))) return channelId;
    }
  };
  await killUnderLoad('failover in a cluster', clients, victim.node, channel);
});

test.run();
