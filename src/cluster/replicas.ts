import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import type { FunctionClient } from '../conversation.gen.ts';
import { isCluster, isMisdirected, send } from './cluster.ts';

/** How many replicas a call waits for, and how long. */
export interface Durability {
  replicas: number;
  /** Whole milliseconds. */
  timeoutMs: number;
}

/** Makes one call that may be repeated, waits on its connection for replicas, and returns how many have what it wrote. */
export async function callAndWait<Result>(
  client: Redis | Cluster,
  { replicas, timeoutMs }: Durability,
  run: (functions: FunctionClient) => Promise<Result>,
): Promise<[result: Result, count: number]> {
  let count = 0;
  const fcall: FunctionClient['fcall'] = async (...sent) => {
    const [reply, counted] = await sendAndWait(client, sent, [replicas, timeoutMs]);
    count = counted;
    return reply;
  };
  return [await run({ fcall, fcall_ro: fcall }), count];
}

async function sendAndWait(
  client: Redis | Cluster,
  sent: Parameters<FunctionClient['fcall']>,
  wait: [replicas: number, timeoutMs: number],
): Promise<[reply: unknown, count: number]> {
  const { maxRedirections: attempts = 16, retryDelayOnTryAgain: pauseMs = 100 } = isCluster(client)
    ? client.options
    : {};
  for (let attempt = 1; ; attempt++) {
    const pipeline = client
      .pipeline()
      .fcall(...sent)
      .wait(...wait);
    const [[error, reply] = [null, null], [lost, count] = [null, 0]] = (await pipeline.exec()) ?? [];
    if (!error && !lost) return [reply, Number(count)];
    // Where the connection broke between the two, WAIT on the next one would know nothing of the call.
    const again = error
      ? isCluster(client) && isMisdirected(error)
      : /^Connection is closed|connection close$/.test(lost?.message ?? '');
    if (!again) throw error ?? lost;
    // As ioredis says it of a command that is in no pipeline.
    if (attempt >= attempts) throw new Error(`Too many Cluster redirections. Last error: ${error ?? lost}`);
    await sleep(pauseMs);
    // ioredis learns from a misdirected command where its slot is, but not from one in a pipeline.
    if (error && isCluster(client)) await send(client, 'fcall', 'conv_get', '1', sent[2] ?? '');
  }
}
