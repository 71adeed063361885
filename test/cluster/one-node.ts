import { Cluster, Redis } from 'ioredis';
import type { Test } from 'uvu';
import { freePort } from '../../scripts/redis/free-port.ts';
import type { RunningRedis } from '../../scripts/redis/start.ts';
import { withRedis } from '../support/redis.ts';

/** Gives a suite nodes of a cluster, without slots to begin with, and clients of the cluster. All end after the suite. */
export function withNodes<T>(suite: Test<T>) {
  const clients: { disconnect(): void }[] = [];
  // Before the servers end, or clients complain that they are gone.
  suite.after(() => {
    for (const client of clients) client.disconnect();
  });
  const redis = withRedis(suite);
  return {
    async startNode(...further: string[]): Promise<{ server: RunningRedis; client: Redis }> {
      // The usual bus port, 10000 above, is beyond the last one where the port is high.
      const options = [
        '--cluster-enabled',
        'yes',
        '--cluster-announce-ip',
        '127.0.0.1',
        '--cluster-port',
        String(await freePort()),
        ...further,
      ];
      const server = await redis.server(...options);
      const client = new Redis(server.url);
      clients.push(client);
      return { server, client };
    },
    connect(node: Redis, options: ConstructorParameters<typeof Cluster>[1] = {}): Cluster {
      const client = new Cluster([{ host: '127.0.0.1', port: node.options.port ?? 0 }], options);
      clients.push(client);
      return client;
    },
  };
}

export async function rejection(run: () => unknown): Promise<Error & { code?: string }> {
  try {
    await run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was refused');
}
