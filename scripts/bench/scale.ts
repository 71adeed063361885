import type { Redis } from 'ioredis';
import { type RunningRedis, startRedis } from '../redis/start.ts';
import { compare, type Figures, type Plan, steps } from './compare.ts';
import { connect } from './contender.ts';
import { conversation, TTL_MS } from './conversations.ts';
import { keepTo } from './cores.ts';
import { commandsRun } from './counts.ts';
import type { Progress } from './progress.ts';

/** How a call fares among so many conversations; its ratios are to the smallest number. */
export interface Scaled extends Figures {
  contender: string;
  live: number;
  /** Microseconds per call on the server, over all operations. */
  serverTime: number;
}

/** Conversations that the server dropped per second, because their deadline had passed, while it was measured. */
export interface Expiry {
  live: number;
  perSecond: number;
}

export const LIVE = [1_000, 100_000, 1_000_000];
const PLAN: Plan = {
  calls: new Map([
    [1, 50],
    [32, 320],
  ]),
  turns: 20,
};
export const SCALE_STEPS = 2 * steps(PLAN) + LIVE.length * 8;
/** For every live conversation half a further one runs out, spread over this time. */
const EXPIRING_WITHIN_MS = 30_000;
const BATCH = 5_000;

/** Fills a stretch of numbers on the server itself, which is some ten times as fast as sending every state. */
const FILL = `
local step = tonumber(ARGV[4])
for number = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  local id = ('%07d'):format(number)
  local conversation = 'conversation:slack:C0' .. id
  local ttl = ('%d'):format(ARGV[3] + step * number)
  redis.call('SET', conversation, (ARGV[5]:gsub('@', id)), 'PX', ttl)
  redis.call('SET', 'job-index:agent-' .. id, conversation, 'PX', ttl)
end`;

interface Full {
  live: number;
  server: RunningRedis;
  admin: Redis;
}

/**
 * Measures the same calls on servers of different fullness, side by side, while conversations run out beside them. The
 * bare functions tell what the server does by itself.
 */
export async function measureScale(progress: Progress): Promise<{ scaled: Scaled[]; expiry: Expiry[] }> {
  const full: Full[] = [];
  try {
    // The fullest takes longest and is filled first, so that the others have not run out by then.
    for (const live of LIVE.toReversed()) full.unshift(await fill(live, progress));
    const passed = new Map<number, number>();
    const began = performance.now();
    const scaled: Scaled[] = [];
    for (const contender of ['store', 'bare functions']) {
      const places = full.map(({ live, server }) => ({ name: String(live), contender, url: server.url, live }));
      for (const { admin } of full) await admin.config('RESETSTAT');
      const figures = await compare(places, PLAN, progress);
      const spent = new Map<number, number>();
      for (const { live, admin } of full) {
        const { calls = 0, usec = Number.NaN } = (await commandsRun(admin)).get('fcall') ?? {};
        spent.set(live, usec / calls);
        // Two keys are one conversation.
        passed.set(live, (passed.get(live) ?? 0) + (await expiredKeys(admin)) / 2);
      }
      for (const each of figures) {
        const live = Number(each.name);
        scaled.push({ ...each, contender, live, serverTime: spent.get(live) ?? Number.NaN });
      }
    }
    const seconds = (performance.now() - began) / 1000;
    const expiry = LIVE.map((live) => ({ live, perSecond: (passed.get(live) ?? 0) / seconds }));
    return { scaled, expiry };
  } finally {
    for (const { server, admin } of full) {
      admin.disconnect();
      await server.stop();
    }
  }
}

async function fill(live: number, progress: Progress): Promise<Full> {
  const server = await startRedis({ args: [] });
  keepTo('server', server.pid);
  const admin = await connect(server.url);
  const passing = live / 2;
  // Live ones keep their two hours; of the others each lives a little longer than the one before.
  await fillRange(admin, { from: 0, to: live, ttl: TTL_MS, step: 0 }, progress);
  const step = EXPIRING_WITHIN_MS / passing;
  await fillRange(admin, { from: live, to: live + passing, ttl: 1_000, step }, progress);
  return { live, server, admin };
}

async function fillRange(
  admin: Redis,
  { from, to, ttl, step }: { from: number; to: number; ttl: number; step: number },
  progress: Progress,
): Promise<void> {
  const template = JSON.stringify(conversation(0).state).replaceAll('0000000', '@');
  for (let at = from; at < to; at += BATCH) {
    if (at % 100_000 === 0) progress.step(`filling up, ${at} of ${to}`);
    await admin.eval(FILL, 0, at, Math.min(at + BATCH, to) - 1, ttl - step * from, step, template);
  }
}

async function expiredKeys(admin: Redis): Promise<number> {
  return Number(/^expired_keys:(\d+)/m.exec(await admin.info('stats'))?.[1]);
}
