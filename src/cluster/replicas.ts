import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import { convGet, type FunctionClient } from '../conversation.gen.ts';
import { invalidArgument } from '../errors.ts';
import type { PairKeys } from '../keys/keys.ts';
import { clusterFunctions, isCluster, isMisdirected } from './cluster.ts';

/** How many replicas a call waits for, and how long. */
export interface Durability {
  replicas: number;
  /** Whole milliseconds. */
  timeoutMs: number;
}

export function checkDurability({ replicas, timeoutMs }: Durability): Durability {
  if (!Number.isSafeInteger(replicas) || replicas < 1) throw invalidArgument('replicas must be a whole number from 1');
  if (!Number.isSafeInteger(timeoutMs) || timeoutMs < 1) {
    throw invalidArgument('timeoutMs must be whole milliseconds from 1');
  }
  return { replicas, timeoutMs };
}

/**
 * Makes a call that may be repeated and waits, right behind it on its connection, for replicas to have what it wrote.
 * @returns the reply, and how many replicas have it
 */
export async function onReplicas<T>(
  client: Redis | Cluster,
  keys: PairKeys,
  durability: Durability,
  call: (functions: FunctionClient) => Promise<T>,
): Promise<{ reply: T; replicas: number }> {
  let replicas = 0;
  const fcall = async (name: string, numkeys: number, ...args: string[]) => {
    const [reply, count] = await callAndWait(client, keys, durability, [name, numkeys, ...args]);
    replicas = count;
    return reply;
  };
  const reply = await call({ fcall, fcall_ro: fcall });
  return { reply, replicas };
}

async function callAndWait(
  client: Redis | Cluster,
  { conversation }: PairKeys,
  { replicas, timeoutMs }: Durability,
  args: [name: string, numkeys: number, ...args: string[]],
): Promise<[reply: unknown, count: number]> {
  const { maxRedirections: attempts = 16, retryDelayOnTryAgain: pauseMs = 100 } = isCluster(client)
    ? client.options
    : {};
  for (let attempt = 1; ; attempt++) {
    const results =
      (await client
        .pipeline()
        .fcall(...args)
        .wait(replicas, timeoutMs)
        .exec()) ?? [];
    const [[error, reply] = [null, null], [lost, count] = [null, 0]] = results;
    if (!error && !lost) return [reply, Number(count)];
    // Where the connection broke between the two, WAIT on the next one would know nothing of the call.
    const again = error
      ? isCluster(client) && isMisdirected(error)
      : /^Connection is closed|connection close$/.test(lost?.message ?? '');
    if (!again || attempt >= attempts) throw error ?? lost;
    await sleep(pauseMs);
    // ioredis learns from a misdirected command where its slot is, but not from one in a pipeline.
    if (error && isCluster(client)) await convGet(clusterFunctions(client, { master: true }), { conversation });
  }
}
