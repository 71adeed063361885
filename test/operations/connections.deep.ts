import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { slotOf } from '../../scripts/redis/slot.ts';
import { ConversationStore } from '../../src/index.ts';
import * as cluster from '../cluster/nodes.ts';
import { pageOf } from '../docs/pages.ts';
import { kill, pause, restart, resume, type Server, startSentinels, startServer, stopAll } from './servers.ts';

const test = suite('connections to servers that fail');
test.after(stopAll);

const WRITERS = 8;
/** Who waits longer than this for an answer is said to wait for ever. */
const PATIENCE_MS = 30_000;

const { blocks } = pageOf('docs/connections.md');

/** The settings of the block of docs/connections.md that opens such a client, which are the ones that are measured. */
function settingsOf(client: string): Record<string, number> {
  const text = blocks.find((block) => block.text.includes(`new ${client}(`))?.text ?? '';
  const named = [...text.matchAll(/(\w+): ([\d_]+)(?=[, ])/g)];
  return Object.fromEntries(named.map(([, name, value]) => [name, Number(value?.replaceAll('_', ''))]));
}

const RECOMMENDED: RedisOptions = settingsOf('Redis');
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

const shown = ({ ms, how }: { ms: number; how: string }) =>
  how === 'nothing' ? `nothing within ${PATIENCE_MS / 1_000} s` : `${(ms / 1_000).toFixed(1)} s: ${how.slice(0, 60)}`;

async function ofEach(what: string, measure: (options: RedisOptions) => Promise<{ ms: number; how: string }>) {
  const found = await Promise.all(Object.values(SETTINGS).map(measure));
  rows.push([what, ...found.map(shown)]);
  return found[1] as { ms: number; how: string };
}

test('the settings of docs/connections.md are read', () => {
  assert.ok(Object.keys(RECOMMENDED).length >= 4);
});

test('a server that is gone is an error, and found again when it is back', async () => {
  const servers = await Promise.all([startServer(), startServer()]);
  const fast = await ofEach('server gone', async (options) => {
    const server = servers[options === RECOMMENDED ? 1 : 0] as Server;
    const client = open({ port: server.port, ...options });
    const store = new ConversationStore(client);
    await store.ready();
    await kill(server);
    const found = await ends(store.get({ jobId: 'j1' }));
    await restart(server);
    assert.is((await ends(store.claim(state('j1', 'C1')))).how, 'a reply');
    client.disconnect();
    return found;
  });
  assert.ok(fast.how !== 'nothing' && fast.ms < 15_000, `${fast.ms} ms`);
});

test('a server that stands still is an error, and served again when it goes on', async () => {
  const servers = await Promise.all([startServer(), startServer()]);
  const fast = await ofEach('server stands still', async (options) => {
    const server = servers[options === RECOMMENDED ? 1 : 0] as Server;
    const client = open({ port: server.port, ...options });
    const store = new ConversationStore(client);
    await store.ready();
    pause(server);
    const found = await ends(store.claim({ ...state('j1', 'C1'), claimId: 'c1' }));
    resume(server);
    // It may have taken effect, which nobody knew. The same call again says so.
    assert.is((await store.claim({ ...state('j1', 'C1'), claimId: 'c1' })).outcome, 'claimed');
    client.disconnect();
    return found;
  });
  assert.ok(fast.how !== 'nothing' && fast.ms < 15_000, `${fast.ms} ms`);
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
    const { maxRedirections, retryDelayOnFailover, retryDelayOnClusterDown, ...redisOptions } = settingsOf('Cluster');
    const ofCluster = { maxRedirections, retryDelayOnFailover, retryDelayOnClusterDown, redisOptions };
    for (const [name, options] of Object.entries({ defaults: {}, recommended: ofCluster as ClusterOptions })) {
      const [, victim] = (await cluster.masters(nodes)) as [cluster.Master, cluster.Master];
      const clients = Array.from({ length: WRITERS }, () => {
        const client = new Cluster([{ host: '127.0.0.1', port: nodes[0]?.port ?? 0 }], options);
        client.on('error', () => {});
        return client;
      });
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
