import type { Cluster, Redis } from 'ioredis';
import { ConversationError } from '../errors.ts';
import { isCluster } from './cluster.ts';
import { openMasters } from './masters.ts';

/** How often a cluster is scanned while its slots move. */
const ROUNDS = 16;

/**
 * Every key that matches, in batches, each key once. On a cluster all masters are scanned, and where slots moved
 * in that time once more: a key may have gone from a master that was still to come to one that was through.
 * @throws ConversationError UNAVAILABLE where slots keep moving
 */
export async function* scanKeys(client: Redis | Cluster, pattern: string): AsyncGenerator<string[]> {
  const seen = new Set<string>();
  if (!isCluster(client)) return yield* scanServer(client, pattern, seen);
  let opened = await openMasters(client);
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const known = seen.size;
      for (const { client: master, error } of opened.masters) {
        if (error) throw error;
        yield* scanServer(master, pattern, seen);
      }
      const before = layoutOf(opened.masters);
      opened.close();
      opened = await openMasters(client);
      // `[slot->-node]` and `[slot-<-node]` are slots on the move. Where such a move was broken off, or is slow, a round
      // that finds nothing new has missed nothing: keys of a slot go one way.
      const isSettled = !before.includes('[') || (round > 0 && seen.size === known);
      if (before === layoutOf(opened.masters) && isSettled) return;
    }
    throw new ConversationError(
      'UNAVAILABLE',
      `slots of the cluster moved during each of ${ROUNDS} scans, so conversations may be missing; try again later`,
    );
  } finally {
    opened.close();
  }
}

async function* scanServer(server: Redis, pattern: string, seen: Set<string>): AsyncGenerator<string[]> {
  let cursor = '0';
  do {
    const [next, found] = await server.scan(cursor, 'MATCH', pattern, 'COUNT', 1000);
    const fresh = found.filter((key) => !seen.has(key) && seen.add(key));
    if (fresh.length > 0) yield fresh;
    cursor = next;
  } while (cursor !== '0');
}

function layoutOf(masters: { self: string }[]): string {
  return String(masters.map(({ self }) => self).sort());
}
