import { isCluster } from '../cluster/cluster.ts';
import type { Store } from './connect.ts';
import { quoted } from './print.ts';

/** What to know before the command of `removal` is run. */
export const BEFORE_REMOVAL = 'To delete it, which takes the rights of release and prints what was stored:';

/** A command line for the server of a store, without user and password. */
export function redisCli({ client }: Store, ...words: string[]): string {
  const node = isCluster(client) ? client.nodes('master')[0] : client;
  const { host, port, tls, sentinels } = node?.options ?? {};
  // What Sentinels have named is known to the connection alone.
  const place = sentinels ? [node?.stream.remoteAddress, node?.stream.remotePort] : [host, port];
  const options = `-h ${place[0]} -p ${place[1]}${isCluster(client) ? ' -c' : ''}${tls ? ' --tls' : ''}`;
  return ['redis-cli', options, ...words].join(' ');
}

/** Deletes a conversation that cannot be read, so that its channel is free again. */
export function removal(store: Store, conversation: string): string {
  return redisCli(store, 'FCALL conv_remove 1', quoted(conversation));
}

/** Stores a state once more as it is, which writes both keys with one deadline. */
export function rewriting(store: Store, conversation: string, index: string): string {
  const [key, job] = [quoted(conversation), quoted(index)];
  return `${redisCli(store, 'GET', key)} | ${redisCli(store, '-x FCALL conv_set 2', key, job)}`;
}
