import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Cluster, Redis } from 'ioredis';
import { findRedisBinary } from '../../scripts/redis/binary.ts';
import { freePort } from '../../scripts/redis/free-port.ts';

/** Short, so that a failover takes seconds. */
export const NODE_TIMEOUT_MS = 1_500;
const START_LIMIT_MS = 60_000;
const SETTLE_LIMIT_MS = 60_000;
const RESHARDS = 5;
const LAST_SLOT = 16_383;

/** Settings of a server, by their names in redis.conf. */
type Settings = Record<string, string | number>;

/** A server of a cluster, on 127.0.0.1. It keeps its folder, and so its place in the cluster, when it is restarted. */
export interface Node {
  port: number;
  busPort: number;
  folder: string;
  program: string;
  settings: Settings;
  process: ChildProcess;
  /** A connection for the tests' own questions and orders. */
  admin: Redis;
}

const alive = new Set<Node>();
const clients: Cluster[] = [];
process.on('exit', stopAll);

/** Starts a server that is in no cluster yet. */
export async function startNode(settings: Settings = {}, program?: string): Promise<Node> {
  const [port, busPort] = [await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), 'conversation-state-cluster-'));
  const admin = new Redis({ port, lazyConnect: true, retryStrategy: () => 50, maxRetriesPerRequest: null });
  admin.on('error', () => {});
  const place = { port, busPort, folder, settings, program: program ?? (await findRedisBinary()).path };
  const node = { ...place, process: launch(place), admin };
  alive.add(node);
  await answers(node);
  return node;
}

/** Starts a cluster of one server, which has every slot. */
export async function startAlone(settings: Settings = {}): Promise<Node> {
  const node = await startNode(settings);
  await node.admin.cluster('ADDSLOTSRANGE', 0, LAST_SLOT);
  await settled([node]);
  return node;
}

/** Starts three masters, each with a replica behind it. */
export async function startCluster(): Promise<Node[]> {
  const nodes = await Promise.all(Array.from({ length: 6 }, () => startNode()));
  const places = nodes.map(({ port }) => `127.0.0.1:${port}`);
  await clusterCli('create', ...places, '--cluster-replicas', 1);
  await settled(nodes);
  return nodes;
}

/** Starts a server again that has ended, with what it kept. */
export async function restart(node: Node): Promise<void> {
  node.process = launch(node);
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

export type ClientOptions = ConstructorParameters<typeof Cluster>[1];

/** A client of a cluster by some of its servers; {@link stopAll} ends it. */
export function clientOf(nodes: readonly Node[], options: ClientOptions = {}): Cluster {
  const client = new Cluster(
    nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
    options,
  );
  clients.push(client);
  return client;
}

/** Ends all clients and servers. */
export function stopAll(): void {
  // Before the servers, or they complain that those are gone.
  for (const client of clients.splice(0)) client.disconnect();
  for (const node of [...alive]) {
    alive.delete(node);
    node.admin.disconnect();
    node.process.kill('SIGKILL');
    rmSync(node.folder, { recursive: true, force: true });
  }
}

function launch({ port, busPort, folder, program, settings }: Omit<Node, 'process' | 'admin'>): ChildProcess {
  const all = {
    port,
    'cluster-port': busPort,
    bind: '127.0.0.1',
    dir: folder,
    save: '',
    'cluster-enabled': 'yes',
    'cluster-announce-ip': '127.0.0.1',
    'cluster-node-timeout': NODE_TIMEOUT_MS,
    'cluster-allow-replica-migration': 'no',
    'repl-diskless-sync-delay': 0,
    // A replica is not named to clients before the cluster has heard that something was replicated to it.
    'repl-ping-replica-period': 1,
    ...settings,
  };
  const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return spawn(program, args, { stdio: 'ignore' });
}

async function answers(node: Node): Promise<void> {
  await until(`the server on port ${node.port} answers`, START_LIMIT_MS, async () => {
    if (node.process.exitCode !== null) throw new Error(`the server on port ${node.port} ended while it started`);
    return (await Promise.race([node.admin.ping().catch(String), sleep(1_000)])) === 'PONG';
  });
}

/** Waits until something is so. */
export async function until(what: string, limitMs: number, isSo: () => Promise<boolean>): Promise<void> {
  const limit = Date.now() + limitMs;
  while (!(await isSo())) {
    if (Date.now() > limit) throw new Error(`within ${limitMs / 1000} s it was never so that ${what}`);
    await sleep(20);
  }
}

let redisCli: string | undefined;

/** Runs `redis-cli --cluster …`. */
async function clusterCli(...args: (string | number)[]): Promise<void> {
  redisCli ??= await findCli();
  const words = ['--cluster', ...args.map(String), '--cluster-yes'];
  await promisify(execFile)(redisCli, words, { maxBuffer: 2 ** 28 }).catch((error) => {
    throw new Error(`redis-cli ${words.slice(0, 2).join(' ')} failed: ${String(error.stdout || error).slice(-500)}`);
  });
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
export async function settled(nodes: readonly Node[]): Promise<void> {
  let views: string[] = [];
  await until('all nodes see one healthy cluster', SETTLE_LIMIT_MS, async () => {
    // A server that was restarted answers, and then takes its master's data: LOADING.
    views = await Promise.all(nodes.map((node) => view(node).catch((error: Error) => `fail: ${error.message}`)));
    return views.every((seen) => seen === views[0] && !seen.includes('fail'));
  }).catch((error: Error) => {
    throw new Error(`${error.message}:\n${[...new Set(views)].join('\n\n')}`);
  });
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
interface Line {
  id: string;
  port: number;
  flags: string;
  master: string;
  slots: string[];
}

export interface Master extends Line {
  node: Node;
}

async function linesOf(admin: Redis): Promise<Line[]> {
  const text = String(await admin.cluster('NODES'));
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [id = '', place = '', flags = '', master = '', , , , , ...slots] = line.split(' ');
      return { id, port: Number(/:(\d+)@/.exec(place)?.[1]), flags, master, slots };
    });
}

/** What a server that runs knows of all of them. */
function known(nodes: readonly Node[]): Promise<Line[]> {
  const node = nodes.find(({ process }) => process.exitCode === null && process.signalCode === null) as Node;
  return linesOf(node.admin);
}

/** The masters with slots, in the order of their first slots. */
export async function masters(nodes: readonly Node[]): Promise<Master[]> {
  return (await known(nodes))
    .filter(({ flags, slots }) => flags.includes('master') && slots.length > 0)
    .map((line) => ({ ...line, node: nodes.find(({ port }) => port === line.port) as Node }))
    .sort((a, b) => Number.parseInt(a.slots[0] ?? '', 10) - Number.parseInt(b.slots[0] ?? '', 10));
}

/** All replicas, or those of one master. */
export async function replicas(nodes: readonly Node[], of?: Master): Promise<Node[]> {
  const lines = (await known(nodes)).filter(({ flags, master }) => (of ? master === of.id : flags.includes('slave')));
  return nodes.filter(({ port }) => lines.some((line) => line.port === port));
}

export function holds({ slots }: Line, slot: number): boolean {
  return slots.some((range) => {
    const [from = -1, to = from] = range.split('-').map(Number);
    return from <= slot && slot <= to;
  });
}

/** Waits until a replica has become a master. */
export async function promoted({ admin }: Node): Promise<void> {
  await until('the replica of the master that was killed is a master', SETTLE_LIMIT_MS, async () =>
    /^role:master/m.test(await admin.info('replication')),
  );
}

/** Tells a cluster of a further server, as by hand, and waits until all know each other. */
export async function introduce(nodes: readonly Node[], node: Node): Promise<void> {
  const { port, busPort } = nodes[0] as Node;
  await node.admin.cluster('MEET', '127.0.0.1', port, busPort);
  await settled([...nodes, node]);
}

/** Moves slots with `redis-cli --cluster reshard`, one key after the other. */
export async function reshard(nodes: readonly Node[], from: string, to: string, slots: number): Promise<void> {
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

async function slotCount(nodes: readonly Node[], id: string): Promise<number> {
  const line = (await known(nodes)).find((each) => each.id === id);
  const ranges = (line?.slots ?? []).map((range) => range.split('-').map(Number));
  return ranges.reduce((sum, [from = 0, to = from]) => sum + to - from + 1, 0);
}

/** Moves a slot key by key in no order, so that the keys of a conversation are apart for as long as can be. */
export async function moveKeyByKey(slot: number, from: Node, to: Node): Promise<void> {
  const [source, target] = await Promise.all([from, to].map(({ admin }) => admin.cluster('MYID').then(String)));
  await to.admin.cluster('SETSLOT', slot, 'IMPORTING', source as string);
  await from.admin.cluster('SETSLOT', slot, 'MIGRATING', target as string);
  for (;;) {
    const keys = (await from.admin.cluster('GETKEYSINSLOT', slot, 100_000)) as string[];
    if (keys.length === 0) break;
    // By the ends of their random job ids, and of their channels.
    for (const key of keys.sort((a, b) => (a.slice(-12) < b.slice(-12) ? -1 : 1))) {
      await from.admin.call('MIGRATE', '127.0.0.1', String(to.port), key, '0', '5000');
    }
  }
  // The new one first: a call must not find a slot that nobody serves.
  await to.admin.cluster('SETSLOT', slot, 'NODE', target as string);
  await from.admin.cluster('SETSLOT', slot, 'NODE', target as string);
  // Both would take one epoch for two moves that follow each other closely, and then not agree on whose the slot is.
  await until('both know the epoch of the move', SETTLE_LIMIT_MS, async () => {
    const [one, other] = await Promise.all([from, to].map(epochOf));
    return one === other;
  });
}

async function epochOf({ admin }: Node): Promise<string | undefined> {
  return /current_epoch:(\d+)/.exec(String(await admin.cluster('INFO')))?.[1];
}
