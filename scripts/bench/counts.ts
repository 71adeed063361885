import type { Redis } from 'ioredis';
import type { Contender } from './contender.ts';
import { type Conversation, conversations, OPERATIONS, type Operation } from './conversations.ts';
import { startProxy } from './proxy.ts';

/** What one call costs besides time. */
export interface Counts {
  contender: string;
  operation: Operation;
  roundTrips: number;
  /** That the server ran, those inside functions, scripts and transactions with them. */
  commands: number;
}

const CALLS = 20;

/** Counts what each call sends and what the server runs for it: a proxy counts the one, INFO commandstats the other. */
export async function countCalls(url: string, admin: Redis, contenders: readonly Contender[]): Promise<Counts[]> {
  const counted: Counts[] = [];
  const all = conversations(CALLS);
  const proxy = await startProxy(url);
  try {
    for (const contender of contenders) {
      const session = await contender.open(proxy.url, 1);
      for (const operation of OPERATIONS) {
        const call = session.calls[operation];
        if (!call) continue;
        const each = async () => {
          for (const entry of all) await call(entry as Conversation, 0);
        };
        await session.prepare(operation, all);
        // The first calls load scripts.
        await each();
        await session.prepare(operation, all);
        await admin.config('RESETSTAT');
        const before = proxy.roundTrips();
        await each();
        const roundTrips = (proxy.roundTrips() - before) / CALLS;
        const commands = total(await commandsRun(admin)) / CALLS;
        counted.push({ contender: contender.name, operation, roundTrips, commands });
      }
      await session.close();
    }
  } finally {
    proxy.close();
  }
  return counted;
}

/** How often the server ran each command since its statistics were reset, and for how many microseconds altogether. */
export async function commandsRun(admin: Redis): Promise<Map<string, { calls: number; usec: number }>> {
  const stats = new Map<string, { calls: number; usec: number }>();
  const info = await admin.info('commandstats');
  for (const [, name = '', calls, usec] of info.matchAll(/^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/gm)) {
    if (name !== 'info' && name !== 'config|resetstat') stats.set(name, { calls: Number(calls), usec: Number(usec) });
  }
  return stats;
}

function total(stats: Map<string, { calls: number }>): number {
  return [...stats.values()].reduce((sum, { calls }) => sum + calls, 0);
}
