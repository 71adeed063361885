import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Cluster } from 'ioredis';
import { findRedisBinary } from '../../scripts/redis/binary.ts';
import { type Server, startServer, stopAll as stopServers, until } from '../operations/servers.ts';

export { kill, restart, until } from '../operations/servers.ts';

/** A server of a cluster. It keeps its folder, and so its place in the cluster, when it is restarted. */
export type Node = Server;

const clients: Cluster[] = [];

/** Starts a server that is in no cluster yet. */
export function startNode(program?: string): Promise<Node> {
  const settings = {
    'cluster-enabled': 'yes',
    'cluster-announce-ip': '127.0.0.1',
    // Short, so that a failover takes seconds.
    'cluster-node-timeout': 1_500,
    'cluster-allow-replica-migration': 'no',
    'repl-diskless-sync-delay': 0,
    // A replica is not named to clients before the cluster has heard that something was replicated to it.
    'repl-ping-replica-period': 1,
  };
  return startServer({ settings, ...(program && { program }) });
}

/** Starts a cluster of one server, which has every slot. */
export async function startAlone(program?: string): Promise<Node> {
  const node = await startNode(program);
  await node.admin.cluster('ADDSLOTSRANGE', 0, 16_383);
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
  stopServers();
}

/** Runs `redis-cli --cluster …`. */
export async function clusterCli(...args: (string | number)[]): Promise<void> {
  const { path } = await findRedisBinary();
  const beside = path.replace(/server$/, 'cli');
  // Where the server was downloaded and built, only the server was taken out of what was built.
  const program = existsSync(beside) ? beside : join(dirname(path), 'extracted', 'src', 'redis-cli');
  const words = ['--cluster', ...args.map(String), '--cluster-yes'];
  await promisify(execFile)(program, words, { maxBuffer: 2 ** 28 }).catch((error) => {
    throw new Error(`redis-cli ${words.slice(0, 2).join(' ')} failed: ${String(error.stdout || error).slice(-500)}`);
  });
}

/** Waits until every node says that the cluster is well and all of them know each other and have the same slots. */
export async function settled(nodes: readonly Node[]): Promise<void> {
  let views: string[] = [];
  await until('all nodes see one healthy cluster', async () => {
    // A server that was restarted answers, and then takes its master's data: LOADING.
    views = await Promise.all(nodes.map((node) => view(nodes, node).catch((error: Error) => `fail: ${error.message}`)));
    return views.every((seen) => seen === views[0] && !seen.includes('fail'));
  }).catch((error: Error) => {
    throw new Error(`${error.message}:\n${[...new Set(views)].join('\n\n')}`);
  });
}

/** What a node knows: every node's id, role, master and slots, in order; `fail` where something is wrong. */
async function view(nodes: readonly Node[], node: Node): Promise<string> {
  const { admin } = node;
  const lines = await known(nodes, node);
  const isLinked = !/master_link_status:down/.test(await admin.info('replication'));
  const state = /cluster_state:(\S+)/.exec(String(await admin.cluster('INFO')))?.[1];
  const ranges = (await admin.cluster('SLOTS')) as unknown[][];
  const named = ranges.reduce((sum, range) => sum + range.length - 3, 0);
  const withReplica = lines.filter(({ id, slots }) => slots.length > 0 && lines.some(({ master }) => master === id));
  const isNamed = named >= withReplica.flatMap(({ slots }) => slots).length;
  const texts = lines.map(({ id, flags, master, slots }) => [id, flags, master, ...slots].join(' '));
  return [state, isLinked ? '' : 'link failed', isNamed ? '' : 'replicas fail to be named', ...texts.sort()].join('\n');
}

/** What a server says of all of them, by default any server that runs. */
async function known(nodes: readonly Node[], asked?: Node) {
  const running = nodes.find(({ process }) => process.exitCode === null && process.signalCode === null) as Node;
  const text = String(await (asked ?? running).admin.cluster('NODES'));
  const lines = text.trim().split('\n');
  return lines.map((line) => {
    const [id = '', place = '', flags = '', master = '', , , , , ...slots] = line.split(' ');
    const node = nodes.find(({ port }) => place.includes(`:${port}@`)) as Node;
    return { id, flags: flags.replace('myself,', ''), master, slots, node };
  });
}

export type Master = Awaited<ReturnType<typeof known>>[number];

/** The masters with slots, in the order of their first slots. */
export async function masters(nodes: readonly Node[]): Promise<[Master, Master, Master]> {
  const first = ({ slots }: Master) => Number.parseInt(slots[0] ?? '', 10);
  const lines = (await known(nodes)).filter(({ flags, slots }) => flags.includes('master') && slots.length > 0);
  return lines.sort((a, b) => first(a) - first(b)) as [Master, Master, Master];
}

/** All replicas, or those of one master. */
export async function replicas(nodes: readonly Node[], of?: Master): Promise<Node[]> {
  const lines = (await known(nodes)).filter(({ flags, master }) => (of ? master === of.id : flags.includes('slave')));
  return lines.map(({ node }) => node);
}

export function holds({ slots }: Master, slot: number): boolean {
  return slots.some((range) => {
    const [from = -1, to = from] = range.split('-').map(Number);
    return from <= slot && slot <= to;
  });
}

/** The version of the library on a node; null where it has none. */
export function versionOn({ admin }: Node): Promise<unknown> {
  return admin.fcall('conv_version', 0).catch(() => null);
}

/** Tells a cluster of a further server, as by hand, and waits until all know each other. */
export async function introduce(nodes: readonly Node[], node: Node): Promise<void> {
  const { port, busPort } = nodes[0] as Node;
  await node.admin.cluster('MEET', '127.0.0.1', port, busPort);
  await settled([...nodes, node]);
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
  await until('both know the epoch of the move', async () => {
    const [one, other] = await Promise.all([from, to].map(epochOf));
    return one === other;
  });
}

async function epochOf({ admin }: Node): Promise<string | undefined> {
  return /current_epoch:(\d+)/.exec(String(await admin.cluster('INFO')))?.[1];
}
