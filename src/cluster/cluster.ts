import type { Cluster, Redis } from 'ioredis';

export function isCluster(client: Redis | Cluster): client is Cluster {
  return client.isCluster;
}

/**
 * Sends a command to the node of its keys. ioredis waits for a slot that moves, but not for a command that
 * autopipelining put into a pipeline: that one did nothing, and is sent again alone.
 */
export function send(cluster: Cluster, name: string, ...args: string[]): Promise<unknown> {
  return cluster.call(name, ...args).catch((error: unknown) => {
    if (!isMisdirected(error)) throw error;
    return sendAlone(cluster, name, args);
  });
}

/** Sends a command that reads to the master of its key: a replica may not have what has just come. */
export function readMaster(cluster: Cluster, name: string, ...args: string[]): Promise<unknown> {
  // ioredis sends to replicas what it knows, by a name in lower case, as a command that only reads.
  return sendAlone(cluster, name.toUpperCase(), args);
}

async function sendAlone(cluster: Cluster, name: string, args: string[]): Promise<unknown> {
  const { keyPrefix = '' } = cluster.options;
  // Not at the top: without ioredis, the command line must be able to say that it is missing.
  const { Command } = await import('ioredis');
  return cluster.sendCommand(new Command(name, args, { keyPrefix, replyEncoding: 'utf8' }));
}

/** Whether a command did nothing because its slot is elsewhere, is on the move, or is served by nobody yet. */
export function isMisdirected(error: unknown): boolean {
  return /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN) |^All keys in the pipeline /.test((error as Error).message);
}
