import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { findRedisBinary } from '../../scripts/redis/binary.ts';

/** Short, so that a failover takes seconds. */
export const NODE_TIMEOUT_MS = 1_500;
const START_LIMIT_MS = 10_000;
const SETTLE_LIMIT_MS = 30_000;
const RESHARDS = 5;

/** A server of a cluster, on 127.0.0.1. It keeps its folder, and so its place in the cluster, when it is restarted. */
export interface Node {
  port: number;
  folder: string;
  process: ChildProcess;
  /** A connection for the tests' own questions and orders. */
  admin: Redis;
}

const alive = new Set<Node>();
process.on('exit', () => {
  for (const node of alive) dispose(node);
});

/** Starts a server that is in no cluster yet. */
export async function startNode(): Promise<Node> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'conversation-state-cluster-'));
  const admin = new Redis({ port, lazyConnect: true, retryStrategy: () => 50, maxRetriesPerRequest: null });
  admin.on('error', () => {});
  const node = { port, folder, process: await launch(port, folder), admin };
  alive.add(node);
  await answers(node);
  return node;
}

/** Starts a server again that has ended, with what it kept. */
export async function restart(node: Node): Promise<void> {
  node.process = await launch(node.port, node.folder);
  await answers(node);
}

/** Restarts a server with its keys and without its functions, before it can be missed. */
export async function restartWithoutFunctions(node: Node): Promise<void> {
  const gone = new Promise((resolve) => node.process.once('exit', resolve));
  // In one go: a call in between would load them again. Not by a client that sends again what had no answer.
  const once = new Redis({ port: node.port, retryStrategy: () => null });
  once.on('error', () => {});
  once
    .pipeline()
    .function('FLUSH')
    .call('SHUTDOWN', 'SAVE')
    .exec(() => {});
  await gone;
  await restart(node);
}

/** Ends a server at once, as a crash does, and waits until it is gone. */
export async function kill(node: Node): Promise<void> {
  const gone = new Promise((resolve) => node.process.once('exit', resolve));
  node.process.kill('SIGKILL');
  await gone;
}

export function stopAll(): void {
  for (const node of [...alive]) dispose(node);
}

function dispose(node: Node): void {
  alive.delete(node);
  node.admin.disconnect();
  node.process.kill('SIGKILL');
  rmSync(node.folder, { recursive: true, force: true });
}

async function launch(port: number, folder: string): Promise<ChildProcess> {
  const { path } = await findRedisBinary();
  const options = {
    port,
    bind: '127.0.0.1',
    dir: folder,
    save: '',
    'cluster-enabled': 'yes',
    'cluster-node-timeout': NODE_TIMEOUT_MS,
    'cluster-allow-replica-migration': 'no',
    'repl-diskless-sync-delay': 0,
    // A replica is not named to clients before the cluster has heard that something was replicated to it.
    'repl-ping-replica-period': 1,
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return spawn(path, args, { stdio: 'ignore' });
}

async function answers(node: Node): Promise<void> {
  const limit = Date.now() + START_LIMIT_MS;
  for (;;) {
    if (node.process.exitCode !== null) throw new Error(`the server on port ${node.port} ended while it started`);
    const answer = await Promise.race([node.admin.ping().catch(String), sleep(1_000, 'no answer')]);
    if (answer === 'PONG') return;
    if (Date.now() > limit) throw new Error(`the server on port ${node.port} does not answer: ${answer}`);
    await sleep(20);
  }
}

/** A port whose bus port, 10000 above, is free too, below those that the system hands out. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 12_000);
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

let redisCli: string | undefined;

/** Runs `redis-cli --cluster …` and gives what it printed. */
export async function clusterCli(...args: (string | number)[]): Promise<string> {
  redisCli ??= await findCli();
  const words = ['--cluster', ...args.map(String), '--cluster-yes'];
  const { stdout } = await promisify(execFile)(redisCli, words, { maxBuffer: 2 ** 28 }).catch((error) => {
    throw new Error(`redis-cli ${words.slice(0, 2).join(' ')} failed: ${String(error.stdout || error).slice(-500)}`);
  });
  return stdout;
}

async function findCli(): Promise<string> {
  const { path } = await findRedisBinary();
  const { PATH = '' } = process.env;
  const folders = [dirname(path), join(dirname(path), 'extracted', 'src'), ...PATH.split(delimiter)];
  const found = folders
    .flatMap((folder) => ['redis-cli', 'valkey-cli'].map((name) => join(folder, name)))
    .find((program) => existsSync(program));
  if (found) return found;
  throw new Error(`No redis-cli beside ${path} nor on the PATH. Debian and Ubuntu have it in the package redis-tools.`);
}

/** Waits until every node says that the cluster is well and all of them know each other and have the same slots. */
export async function settled(nodes: Node[]): Promise<void> {
  const limit = Date.now() + SETTLE_LIMIT_MS;
  for (;;) {
    // A server that was restarted answers, and then takes its master's data: LOADING.
    const views = await Promise.all(nodes.map((node) => view(node).catch((error: Error) => `fail: ${error.message}`)));
    if (views.every((seen) => seen === views[0] && !seen.includes('fail'))) return;
    if (Date.now() > limit) throw new Error(`the cluster did not settle:\n${[...new Set(views)].join('\n\n')}`);
    await sleep(100);
  }
}

/** What a node knows: every node's id, role, master and slots, in order; `fail` where something is wrong. */
async function view({ admin }: Node): Promise<string> {
  const info = await admin.cluster('INFO');
  const nodes = await linesOf(admin);
  const lines = nodes.map(({ id, flags, master, slots }) =>
    [id, flags.replace('myself,', ''), master, ...slots].join(' '),
  );
  const synced = await admin.info('replication');
  const state = /master_link_status:down/.test(synced) ? 'link failed' : /cluster_state:(\S+)/.exec(String(info))?.[1];
  const served = (await admin.cluster('SLOTS')) as unknown[][];
  const named = served.reduce((sum, range) => sum + range.length - 3, 0);
  const withReplica = nodes.filter(({ id, slots }) => slots.length > 0 && nodes.some(({ master }) => master === id));
  const ranges = withReplica.reduce((sum, { slots }) => sum + slots.length, 0);
  return [state, named < ranges ? 'replicas fail to be named' : 'all named', ...lines.sort()].join('\n');
}

/** What CLUSTER NODES says of one node. */
export interface Line {
  id: string;
  port: number;
  flags: string;
  master: string;
  slots: string[];
}

export interface Master extends Line {
  node: Node;
}

export async function linesOf(admin: Redis): Promise<Line[]> {
  const text = String(await admin.cluster('NODES'));
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [id = '', place = '', flags = '', master = '', , , , , ...slots] = line.split(' ');
      return { id, port: Number(/:(\d+)@/.exec(place)?.[1]), flags, master, slots };
    });
}

/** How often the servers sent a call elsewhere or asked for patience, by the first word of the error. */
export async function redirections(nodes: Node[]): Promise<Record<string, number>> {
  const sums: Record<string, number> = { MOVED: 0, ASK: 0, TRYAGAIN: 0, CLUSTERDOWN: 0 };
  for (const { admin } of nodes) {
    // They begin anew with a server that is restarted.
    const errors = await admin.info('errorstats');
    for (const name of Object.keys(sums)) {
      sums[name] = (sums[name] ?? 0) + Number(new RegExp(`errorstat_${name}:count=(\\d+)`).exec(errors)?.[1] ?? 0);
    }
  }
  return sums;
}

/** A server that runs. */
function anyOf(nodes: Node[]): Node {
  return nodes.find(({ process }) => process.exitCode === null && process.signalCode === null) as Node;
}

/** The masters with slots, in the order of their first slots. */
export async function masters(nodes: Node[]): Promise<Master[]> {
  const lines = await linesOf(anyOf(nodes).admin);
  return lines
    .filter(({ flags, slots }) => flags.includes('master') && slots.length > 0)
    .map((line) => ({ ...line, node: nodes.find(({ port }) => port === line.port) as Node }))
    .sort((a, b) => Number.parseInt(a.slots[0] ?? '', 10) - Number.parseInt(b.slots[0] ?? '', 10));
}

export async function replicas(nodes: Node[]): Promise<Node[]> {
  const lines = await linesOf(anyOf(nodes).admin);
  return nodes.filter(({ port }) => lines.some((line) => line.port === port && line.flags.includes('slave')));
}

export async function replicasOf(nodes: Node[], { id }: Master): Promise<Node[]> {
  const lines = await linesOf(anyOf(nodes).admin);
  return nodes.filter(({ port }) => lines.some((line) => line.port === port && line.master === id));
}

export function holds({ slots }: Line, slot: number): boolean {
  return slots.some((range) => {
    const [from = -1, to = from] = range.split('-').map(Number);
    return from <= slot && slot <= to;
  });
}

/** Waits until a replica has become a master. */
export async function promoted({ admin }: Node): Promise<void> {
  const limit = Date.now() + SETTLE_LIMIT_MS;
  while (!/^role:master/m.test(await admin.info('replication'))) {
    if (Date.now() > limit) throw new Error('no replica took the place of the master that was killed');
    await sleep(20);
  }
}

/** Tells a cluster of a further server, as by hand, and waits until all know each other. */
export async function introduce(nodes: Node[], node: Node): Promise<void> {
  await node.admin.cluster('MEET', '127.0.0.1', (nodes[0] as Node).port);
  await settled([...nodes, node]);
}

/** Moves slots with `redis-cli --cluster reshard`, one key after the other. */
export async function reshard(nodes: Node[], from: string, to: string, slots: number): Promise<void> {
  const place = `127.0.0.1:${nodes[0]?.port}`;
  const wanted = (await slotCount(nodes, to)) + slots;
  for (let attempt = 1; ; attempt++) {
    const left = wanted - (await slotCount(nodes, to));
    if (left === 0) break;
    if (attempt > RESHARDS) throw new Error(`${left} of ${slots} slots do not move`);
    const options = ['--cluster-from', from, '--cluster-to', to, '--cluster-slots', left, '--cluster-pipeline', 1];
    await clusterCli('reshard', place, ...options).catch(async (error: unknown) => {
      // Valkey moves no slot while a replica is slow to say that it has heard of the one before.
      if (attempt === RESHARDS || !String(error).includes('NOREPLICAS')) throw error;
      await clusterCli('fix', place);
    });
    await settled(nodes);
  }
}

async function slotCount(nodes: Node[], id: string): Promise<number> {
  const line = (await linesOf(anyOf(nodes).admin)).find((each) => each.id === id);
  const ranges = (line?.slots ?? []).map((range) => range.split('-').map(Number));
  return ranges.reduce((sum, [from = 0, to = from]) => sum + to - from + 1, 0);
}

/** Moves a slot key by key in no order, so that the keys of a conversation are apart for as long as can be. */
export async function moveKeyByKey(slot: number, from: Master, to: Master): Promise<void> {
  await to.node.admin.cluster('SETSLOT', slot, 'IMPORTING', from.id);
  await from.node.admin.cluster('SETSLOT', slot, 'MIGRATING', to.id);
  for (;;) {
    const keys = (await from.node.admin.cluster('GETKEYSINSLOT', slot, 100_000)) as string[];
    if (keys.length === 0) break;
    // By the ends of their random job ids, and of their channels.
    for (const key of keys.sort((a, b) => (a.slice(-12) < b.slice(-12) ? -1 : 1))) {
      await from.node.admin.call('MIGRATE', '127.0.0.1', String(to.port), key, '0', '5000');
    }
  }
  // The new one first: a call must not find a slot that nobody serves.
  await to.node.admin.cluster('SETSLOT', slot, 'NODE', to.id);
  await from.node.admin.cluster('SETSLOT', slot, 'NODE', to.id);
}

/** Three masters, each with a replica behind it. */
export async function startCluster(): Promise<Node[]> {
  const nodes = await Promise.all(Array.from({ length: 6 }, startNode));
  const places = nodes.map(({ port }) => `127.0.0.1:${port}`);
  await clusterCli('create', ...places, '--cluster-replicas', 1);
  await settled(nodes);
  return nodes;
}
