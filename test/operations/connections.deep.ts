import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { runInThisContext } from 'node:vm';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findRedisBinary } from '../../scripts/redis/binary.ts';
import { slotOf } from '../../scripts/redis/slot.ts';
import { isConversationError } from '../../src/errors.ts';
import { ConversationStore } from '../../src/index.ts';
import * as cluster from '../cluster/nodes.ts';
import { pageOf } from '../docs/pages.ts';
import { kill, pause, restart, resume, type Server, startSentinels, startServer, stopAll, until } from './servers.ts';

const test = suite('connections to servers that fail');
test.after(stopAll);

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

const RECOMMENDED = settingsOf('Redis') as RedisOptions;
const OF_CLUSTER = { ...settingsOf('Cluster'), lazyConnect: false } as ClusterOptions;
const SETTINGS: Record<string, RedisOptions> = { defaults: {}, recommended: RECOMMENDED };

const rows: string[][] = [['', ...Object.keys(SETTINGS)]];
test.after(() => {
  const widths = rows[0]?.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0))) ?? [];
  console.log(`\n${rows.map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')).join('\n')}`);
});

function open(options: RedisOptions): Redis {
  const client = new Redis(options as RedisOptions & { replyMapping?: 'legacy' });
  client.on('error', () => {});
  return client;
}

function openCluster(nodes: cluster.Node[], options: ClusterOptions): Cluster {
  const place = { host: '127.0.0.1', port: nodes[0]?.port ?? 0 };
  const client = new Cluster([place], options as ConstructorParameters<typeof Cluster>[1]);
  client.on('error', () => {});
  return client;
}

const state = (jobId: string, channelId: string) => ({
  ...{ platform: 'slack', channelId, jobId, userId: 'U1', project: 'p', ticketId: 1 },
  startedAt: '2026-01-31T09:30:00Z',
});

/** How long a call takes to end, and how; in milliseconds, at most PATIENCE_MS. */
async function ends(call: Promise<unknown>): Promise<{ ms: number; how: string }> {
  const began = Date.now();
  const how = await Promise.race([
    call.then(
      () => 'a reply',
      (error: Error) => error.message,
    ),
    sleep(PATIENCE_MS, 'nothing', { ref: false }),
  ]);
  return { ms: Date.now() - began, how };
}

const store = (client: Redis | Cluster) => new ConversationStore(client, { sharded: client instanceof Cluster });

function job(channelId: string) {
  const channel = { platform: 'slack', channelId };
  return { ...state('', channelId), jobId: new ConversationStore(open({ lazyConnect: true })).newJobId(channel) };
}

/**
 * Has a client meet a failure: a claim ends within ten seconds as UNAVAILABLE, its message says why, and so does the next
 * one; when the failure is over, the same client is served.
 */
async function meets(
  what: string,
  client: Redis | Cluster,
  { fail, heal, says }: { fail(): Promise<unknown>; heal(): Promise<unknown>; says: RegExp },
): Promise<void> {
  const own = store(client);
  await own.ready();
  await fail();
  const ended: string[] = [];
  for (let n = 0; n < 2; n++) {
    const began = Date.now();
    const error = await Promise.race([own.claim(job(`C${n}`)).catch((error: unknown) => error), sleep(PATIENCE_MS)]);
    assert.ok(isConversationError(error, 'UNAVAILABLE'), `${what}: ${JSON.stringify(error) ?? 'nothing'} ${error}`);
    assert.match((error as Error).message, says, what);
    assert.ok(Date.now() - began < 10_000, `${what}: ${Date.now() - began} ms`);
    const word = says.exec((error as Error).message)?.[0];
    ended.push(`${word} after ${((Date.now() - began) / 1_000).toFixed(1)} s`);
  }
  await heal();
  const healed = Date.now();
  while (!(await own.claim(job('C9')).catch(() => undefined))) {
    assert.ok(Date.now() - healed < PATIENCE_MS, `${what}: not served again`);
    await sleep(100);
  }
  rows.push([what, '', `${ended.join(', ')}; served ${Date.now() - healed} ms after it was over`]);
  client.disconnect();
}

test('the settings of docs/connections.md are read', () => {
  assert.is(RECOMMENDED.commandTimeout, 5_000);
  assert.is(OF_CLUSTER.enableOfflineQueue, false);
});

interface Failure {
  says: RegExp;
  settings?: Record<string, string | number>;
  fail(server: Server): Promise<unknown>;
  heal(server: Server): Promise<unknown>;
}

/** Five milliseconds a key, and an ear for clients in between. */
const SLOW_LOAD = ['--key-load-delay', '5000', '--loading-process-events-interval-bytes', '1024'];

const config =
  (name: string, value: string) =>
  ({ admin }: Server) =>
    admin.config('SET', name, value);

const FAILURES: Record<string, Failure> = {
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
    fail: async (server) => pause(server),
    heal: async (server) => resume(server),
  },
  'a server that loads its data': {
    says: /timed out|LOADING/,
    async fail(server) {
      const { admin, args } = server;
      await admin.eval("for n = 1, 3000 do redis.call('SET', 'k' .. n, ('v'):rep(1000)) end", 0);
      await admin.save();
      await kill(server);
      server.process = spawn((await findRedisBinary()).path, [...args, ...SLOW_LOAD], {
        stdio: 'ignore',
      });
      await until('it loads', async () => /^loading:1/m.test(await loadingOf(server)));
    },
    heal: (server) => until('it has loaded', async () => /^loading:0/m.test(await loadingOf(server))),
  },
};

/** What a server that loads says of itself; a client that is not ready does not ask. */
async function loadingOf({ port }: Server): Promise<string> {
  const client = open({ port, enableReadyCheck: false, retryStrategy: () => null });
  try {
    return await client.info('persistence').catch(String);
  } finally {
    client.disconnect();
  }
}

for (const enableAutoPipelining of [false, true]) {
  const how = enableAutoPipelining ? ', with autopipelining' : '';
  for (const [what, { settings = {}, fail, heal, says }] of Object.entries(FAILURES)) {
    test(`${what} is UNAVAILABLE within 10 s, and served again when that is over${how}`, async () => {
      const server = await startServer({ settings });
      const client = open({ port: server.port, ...RECOMMENDED, enableAutoPipelining });
      await meets(what + how, client, { fail: () => fail(server), heal: () => heal(server), says });
    });
  }

  test(`a whole cluster that is down or stands still is UNAVAILABLE within 10 s, and served again${how}`, async () => {
    const nodes = await cluster.startCluster();
    const signal = async (name: NodeJS.Signals) => {
      for (const node of nodes) node.process.kill(name);
    };
    const failures = {
      down: {
        says: /isn't ready|is closed|Too many|None of startup/,
        fail: () => Promise.all(nodes.map(cluster.kill)),
        heal: () => Promise.all(nodes.map(cluster.restart)),
      },
      still: { says: /timed out|isn't ready/, fail: () => signal('SIGSTOP'), heal: () => signal('SIGCONT') },
    };
    try {
      for (const [what, failure] of Object.entries(failures)) {
        const client = openCluster(nodes, { ...OF_CLUSTER, enableAutoPipelining });
        await once(client, 'ready');
        await meets(`a cluster that is ${what}${how}`, client, failure);
        await cluster.settled(nodes);
      }
    } finally {
      cluster.stopAll();
    }
  });
}

test('Sentinels that are all away, and a master that is, are UNAVAILABLE within 10 s, and found again', async () => {
  const { master, replica, sentinels, address } = await startSentinels();
  const all = [...sentinels, master, replica];
  await meets('no Sentinel and no master', open({ ...address, ...RECOMMENDED }), {
    says: /timed out|max retries/,
    fail: () => Promise.all(all.map(kill)),
    heal: () => Promise.all(all.map(restart)),
  });
});

test('a blocking read delays every call of its client, so it takes a client of its own', async () => {
  const server = await startServer();
  const [client, reader] = [open({ port: server.port }), open({ port: server.port })];
  const store = new ConversationStore(client);
  await store.ready();
  const behind = async (blocked: Redis) => {
    const reading = blocked.xread('BLOCK', 2_000, 'STREAMS', 'job:j1:in', '$');
    await sleep(50);
    const found = await ends(store.get({ jobId: 'j1' }));
    await reading;
    return found.ms;
  };
  const [same, own] = [await behind(client), await behind(reader)];
  rows.push([
    'behind XREAD BLOCK 2000',
    `${(same / 1_000).toFixed(1)} s`,
    `${(own / 1_000).toFixed(1)} s, on its own client`,
  ]);
  assert.ok(same > 1_000 && own < 1_000, `${same} and ${own} ms`);
  client.disconnect();
  reader.disconnect();
});

interface Found {
  calls: number;
  errors: number;
  wrong: string[];
  longestMs: number;
  /** How long after the master's death the first call on it was answered that began after it; 0 where none was. */
  servedMs: number;
}

/** Kills a master under the load of clients, and looks at what they are answered on the channels that are its. */
async function killUnderLoad(
  clients: (Redis | Cluster)[],
  master: { process: ChildProcess },
  channel: () => string,
): Promise<Found> {
  const found: Found = { calls: 0, errors: 0, wrong: [], longestMs: 0, servedMs: 0 };
  let isOver = false;
  let died = Number.POSITIVE_INFINITY;
  const call = async <T>(run: () => Promise<T>): Promise<T | undefined> => {
    const began = Date.now();
    found.calls++;
    try {
      const reply = await run();
      if (began > died) found.servedMs ||= Date.now() - died;
      return reply;
    } catch {
      found.errors++;
      return undefined;
    } finally {
      found.longestMs = Math.max(found.longestMs, Date.now() - began);
    }
  };
  const writers = clients.map(async (client) => {
    const store = new ConversationStore(client, { sharded: client instanceof Cluster });
    while (!isOver) {
      const place = { platform: 'slack', channelId: channel() };
      const job = state(store.newJobId(place), place.channelId);
      const claimed = await call(() => store.claim(job, { replicas: 1, timeoutMs: 200 }));
      // What no replica had may be lost with the master.
      if (claimed?.outcome !== 'claimed' || !claimed.replicas) continue;
      const [read, other] = [
        await call(() => store.get(job)),
        await call(() => store.claim({ ...job, jobId: store.newJobId(place) })),
      ];
      if (read === null || (read && read.jobId !== job.jobId)) found.wrong.push('a replicated claim is not there');
      if (other && other.outcome !== 'held') found.wrong.push(`a second job was told ${other.outcome}`);
      const removed = await call(() => store.remove(job));
      if (removed && !['removed', 'gone'].includes(removed.outcome)) found.wrong.push(`removal: ${removed.outcome}`);
    }
  });
  await sleep(2_000);
  await kill(master);
  died = Date.now();
  const limit = died + PATIENCE_MS;
  while (!found.servedMs && Date.now() < limit) await sleep(50);
  await sleep(3_000);
  isOver = true;
  await Promise.all(writers);
  for (const client of clients) client.disconnect();
  return found;
}

function report(what: string, { calls, errors, wrong, longestMs, servedMs }: Found): void {
  rows.push([
    what,
    `${calls} calls, ${errors} errors, ${wrong.length} wrong`,
    `served again after ${(servedMs / 1_000).toFixed(1)} s, longest call ${(longestMs / 1_000).toFixed(1)} s`,
  ]);
  assert.equal(wrong, []);
  assert.ok(servedMs > 0, 'served again');
}

test('a master dies under load, Sentinel has its replica take over, and no answer is wrong', async () => {
  const watched = await startSentinels();
  for (const [name, options] of Object.entries(SETTINGS)) {
    const master = name === 'defaults' ? watched.master : watched.replica;
    const clients = Array.from({ length: WRITERS }, () => open({ ...watched.address, ...options }));
    report(`failover by Sentinel, ${name}`, await killUnderLoad(clients, master, randomUUID));
    // It comes back as the replica of the other, for the next round.
    await restart(master);
    const other = name === 'defaults' ? watched.replica : watched.master;
    const isInStep = async () => /^slave0:.*state=online/m.test(await other.admin.info('replication'));
    for (let n = 0; n < 600 && !(await isInStep()); n++) await sleep(100);
  }
});

test('a master of a cluster dies under load, its replica takes over, and no answer is wrong', async () => {
  const nodes = await cluster.startCluster();
  try {
    for (const [name, options] of Object.entries({ defaults: {}, recommended: OF_CLUSTER })) {
      const [, victim] = (await cluster.masters(nodes)) as [cluster.Master, cluster.Master];
      const clients = Array.from({ length: WRITERS }, () => {
        return openCluster(nodes, options);
      });
      await Promise.all(clients.map((client) => once(client, 'ready')));
      const place = new ConversationStore(clients[0] as Cluster, { sharded: true });
      const channel = () => {
        for (;;) {
          const id = randomUUID();
          if (cluster.holds(victim, slotOf(place.inboxKey({ platform: 'slack', channelId: id })))) return id;
        }
      };
      report(`failover in a cluster, ${name}`, await killUnderLoad(clients, victim.node, channel));
      await cluster.restart(victim.node);
      await cluster.settled(nodes);
    }
  } finally {
    cluster.stopAll();
  }
});

test.run();
