import type { Cluster, Redis } from 'ioredis';
import { fromClient } from '../errors.ts';
import { isCluster } from './cluster.ts';

/** A server that takes writes. */
export interface Master {
  /** `host:port` */
  address: string;
  client: Redis;
  /**
   * Its own line of CLUSTER NODES: who it is, its role, its epoch (which grows with every slot that it takes over), its
   * slots and those on the move. Empty without a cluster.
   */
  self: string;
  /** Why it could not be asked, if it could not. */
  error?: unknown;
}

/**
 * Every master of the cluster that a client leads to, those without slots too, which ioredis leaves out; without a
 * cluster, its one server. No node is sure to know of a master that has just come, so each is asked for those it knows.
 * @throws the client's error where the first node cannot be asked
 */
export async function openMasters(entry: Redis | Cluster): Promise<{ masters: Master[]; close: () => void }> {
  if (!isCluster(entry) && (await modeOf(entry)) !== 'cluster') {
    const { host, port } = entry.options;
    return { masters: [{ address: `${host}:${port}`, client: entry, self: '' }], close: () => {} };
  }
  const masters = new Map<string, Master>();
  let fresh = mastersIn(linesOf(await entry.cluster('NODES')));
  while (fresh.length > 0) {
    const views = await Promise.all(
      fresh.map(async (line) => {
        const reasons: unknown[] = [];
        const client = connect(entry, line, (error) => reasons.push(error));
        const master: Master = { address: line.address, client, self: line.text };
        masters.set(line.id, master);
        try {
          const lines = linesOf(await client.cluster('NODES'));
          master.self = lines.find(({ isSelf }) => isSelf)?.text ?? line.text;
          return lines;
        } catch (error) {
          // The promise says only that the connection is closed; an event before it said why.
          master.error = reasons[0] ?? error;
          return [];
        }
      }),
    );
    const known = new Map(mastersIn(views.flat()).map((line) => [line.id, line]));
    fresh = [...known.values()].filter(({ id }) => !masters.has(id));
  }
  const all = [...masters.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
  return {
    // One that calls itself a replica by now has a master, which was asked too.
    masters: all.filter(({ self }) => !self.includes(' myself,slave')),
    /** Ends the connections that were made to reach them. */
    close: () => {
      for (const { client } of masters.values()) if (client !== entry) client.disconnect();
    },
  };
}

/** A master on which a task could not be done. */
export interface NodeFailure {
  /** `host:port` */
  address: string;
  error: unknown;
}

/** Does a task on every master at once: what came of it, or why it failed, for each, in order. */
export async function onMasters<T extends object>(
  entry: Redis | Cluster,
  task: (master: Redis, address: string) => Promise<T>,
): Promise<(({ address: string } & T) | NodeFailure)[]> {
  const { masters, close } = await openMasters(entry);
  try {
    return await Promise.all(
      masters.map(async ({ address, client, error }) => {
        try {
          if (error) throw error;
          return { address, ...(await task(client, address)) };
        } catch (failure) {
          return { address, error: fromClient(failure) };
        }
      }),
    );
  } finally {
    close();
  }
}

/** A node, as a line of CLUSTER NODES describes it. */
type Line = ReturnType<typeof linesOf>[number];

function linesOf(reply: unknown) {
  return String(reply)
    .trim()
    .split('\n')
    .map((line) => {
      const [id = '', place = '', role = '', , , , epoch = '', , ...slots] = line.trim().split(' ');
      const [, ip = '', port = '', name = ''] = /^(.*):(\d+)@\d+(?:,([^,=]+)(?:,|$))?/.exec(place) ?? [];
      // By the host name if it announces one.
      const host = name || ip;
      const flags = role.split(',');
      return {
        id,
        address: `${host}:${port}`,
        host,
        port: Number(port),
        flags,
        slots,
        isSelf: flags.includes('myself'),
        /** The line without what changes by the second. */
        text: [id, ip, port, role, epoch, ...slots].join(' '),
      };
    });
}

function mastersIn(lines: Line[]): Line[] {
  return lines.filter(({ flags, slots }) => {
    // One that failed and was replaced stays listed, without slots, until it comes back as a replica.
    const isReplaced = flags.includes('fail') && slots.length === 0;
    return flags.includes('master') && !flags.includes('handshake') && !flags.includes('noaddr') && !isReplaced;
  });
}

/**
 * A connection of its own: ioredis closes the one it has as soon as a master's last slot has left it. Of nodes that were
 * not asked yet, only the entry spoke of itself.
 */
function connect(entry: Redis | Cluster, { isSelf, address, host, port }: Line, hear: (error: unknown) => void): Redis {
  if (!isCluster(entry) && isSelf) return entry;
  const template = isCluster(entry) ? entry.nodes()[0] : entry;
  if (!template) throw new Error('Connection is closed.');
  // Where it says that it is, unless the cluster's client maps the address.
  const natMap = isCluster(entry) ? entry.options.natMap : undefined;
  const mapped = typeof natMap === 'function' ? natMap(address) : natMap?.[address];
  const place = mapped ?? { host, port };
  const client = template.duplicate({ ...place, readOnly: false, lazyConnect: true, retryStrategy: () => null });
  return client.on('error', hear);
}

/** What a server is: `standalone`, `cluster` or `sentinel`. HELLO tells it to every user; the command line has RESP2. */
export async function modeOf(client: Redis): Promise<unknown> {
  const reply = (await client.call('HELLO')) as unknown[];
  return reply[reply.indexOf('mode') + 1];
}
