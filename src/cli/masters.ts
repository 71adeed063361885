import type { Redis } from 'ioredis';
import { type NodeFailure, openMasters } from '../cluster/masters.ts';

/** How long a master may take to say that it is there, once a command has failed. */
const LIMIT_MS = 2_000;

/**
 * The masters of a cluster that cannot be asked, and why; undefined where the node that was named cannot. What the client
 * of a cluster says of a command that failed does not tell on which node that was.
 */
export async function failedMasters(entry: Redis): Promise<NodeFailure[] | undefined> {
  const asker = entry.duplicate({ commandTimeout: LIMIT_MS, connectTimeout: LIMIT_MS });
  asker.on('error', () => {});
  try {
    const { masters, close } = await openMasters(asker);
    close();
    return masters.flatMap(({ address, error }) => (error ? [{ address, error }] : []));
  } catch {
    return undefined;
  } finally {
    asker.disconnect();
  }
}
