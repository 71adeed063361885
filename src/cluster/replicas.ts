import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import type { FunctionClient } from '../conversation.gen.ts';
import { isCluster, isMisdirected, send } from './cluster.ts';

/** Makes one call that may be repeated, waits on its connection for replicas, and returns how many have what it wrote. */
export async function callAndWait<Result>(
  client: Redis | Cluster,
  wait: [replicas: number, timeoutMs: number],
  run: (functions: FunctionClient) => Promise<Result>,
): Promise<[result: Result, replicas: { replicas: number }]> {
  const { maxRedirections = 16, retryDelayOnTryAgain = 100 } = isCluster(client) ? client.options : {};
  let replicas = 0;
  const fcall: FunctionClient['fcall'] = async (...sent) => {
    for (let attempt = 1; ; attempt++) {
      const pipeline = client.pipeline();
      pipeline.fcall(...sent).wait(...wait);
      const [[error, reply] = [null, null], [lost, counted] = [null, 0]] = (await pipeline.exec()) ?? [];
      replicas = Number(counted);
      if (!error && !lost) return reply;
      // Where the connection broke between the two, WAIT on the next one would know nothing of the call.
      const again = error
        ? isCluster(client) && isMisdirected(error)
        : /^Connection is closed|connection close$/.test(lost?.message ?? '');
      if (!again) throw error ?? lost;
      // As ioredis says it of a command that is in no pipeline.
      if (attempt >= maxRedirections) throw new Error(`Too many Cluster redirections. Last error: ${error ?? lost}`);
      await sleep(retryDelayOnTryAgain);
      // ioredis learns from a misdirected command where its slot is, but not from one in a pipeline.
      if (error && isCluster(client)) await send(client, 'fcall', 'conv_get', '1', sent[2] ?? '');
    }
  };
  return [await run({ fcall, fcall_ro: fcall }), { replicas }];
}
