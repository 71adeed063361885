import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import type { FunctionClient } from '../conversation.gen.ts';
import { invalidArgument } from '../errors.ts';
import type { PairKeys } from '../keys/conversation-keys.ts';
import { furtherKeysOf, isCluster, isMisdirected, send, unavailable } from './cluster.ts';

/** How many replicas a call waits for, and how long. */
export interface Durability {
  replicas: number;
  /** Whole milliseconds. */
  timeoutMs: number;
}

function checkDurability({ replicas, timeoutMs }: Durability): void {
  if (!Number.isSafeInteger(replicas) || replicas < 1) throw invalidArgument('replicas must be a whole number from 1');
  if (!Number.isSafeInteger(timeoutMs) || timeoutMs < 1) {
    throw invalidArgument('timeoutMs must be whole milliseconds from 1');
  }
}

/** The functions for a call that waits for replicas. */
export interface Waiting {
  functions: FunctionClient;
  /** How many replicas have what the call wrote, once it has been answered. */
  count(): number;
}

/**
 * The functions for a call that may be repeated. Right behind the call, on its connection, it waits for replicas to have
 * what the call wrote.
 */
export function functionsOnReplicas(
  client: Redis | Cluster,
  { prefix, conversation }: PairKeys,
  durability: Durability,
): Waiting {
  checkDurability(durability);
  let heard = 0;
  const fcall = async (name: string, numkeys: number, ...sent: string[]) => {
    const further = isCluster(client) ? furtherKeysOf(name, prefix, conversation) : [];
    const keys = [...sent.slice(0, numkeys), ...further];
    const args: Call = [name, keys.length, ...keys, ...sent.slice(numkeys)];
    const [reply, count] = await callAndWait(client, conversation, durability, args);
    heard = count;
    return reply;
  };
  return { functions: { fcall, fcall_ro: fcall }, count: () => heard };
}

type Call = [name: string, numkeys: number, ...args: string[]];

async function callAndWait(
  client: Redis | Cluster,
  conversation: string,
  { replicas, timeoutMs }: Durability,
  args: Call,
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
    if (!again || attempt >= attempts) throw error && again ? unavailable(error) : (error ?? lost);
    await sleep(pauseMs);
    // ioredis learns from a misdirected command where its slot is, but not from one in a pipeline.
    if (error && isCluster(client)) await send(client, 'fcall', 'conv_get', '1', conversation);
  }
}
