import { isCluster } from '../cluster/cluster.ts';
import type { Store } from './connect.ts';
import { quoted } from './text.ts';

/** What to know before the command of `removal` is run. */
export const BEFORE_REMOVAL = 'To delete it, which takes the rights of release and prints what was stored:';

/** The command that deletes a conversation which cannot be read, so that its channel is free again. */
export function removal({ client }: Store, key: string): string {
  const node = isCluster(client) ? client.nodes('master')[0] : client;
  const { host, port, tls, sentinels } = node?.options ?? {};
  // What Sentinels have named is known to the connection alone.
  const place = sentinels ? [node?.stream.remoteAddress, node?.stream.remotePort] : [host, port];
  const options = `-h ${place[0]} -p ${place[1]}${isCluster(client) ? ' -c' : ''}${tls ? ' --tls' : ''}`;
  return `redis-cli ${options} FCALL conv_remove 1 ${quoted(key)}`;
}
