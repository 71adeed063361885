import type { Redis } from 'ioredis';
import { type RunningRedis, startRedis } from '../redis.ts';
import { type Contender, connect, type Session } from './contender.ts';
import { type Conversation, conversation, OPERATIONS, type Operation, stateBefore, TTL_MS } from './conversations.ts';
import { measure, type Sample } from './measure.ts';
import type { Progress } from './progress.ts';
import { median } from './statistics.ts';

/** How a call fares among so many conversations. */
export interface Scaled extends Sample {
  contender: string;
  live: number;
  operation: Operation;
  callers: number;
  /** p50 against that of the smallest server in the same round. */
  ratio: number;
}

/** Conversations that the server dropped per second, because their deadline had passed, while it was measured. */
export interface Expiry {
  live: number;
  perSecond: number;
}

export const LIVE = [1_000, 100_000, 1_000_000];
export const SCALE_ROUNDS = 7;
const CALLS = new Map([
  [1, 500],
  [32, 1000],
]);
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
  sessions: Session[];
  chosen: Conversation[];
}

/**
 * Measures the same calls on servers of different fullness, interleaved, while conversations run out beside them. The
 * contenders beside the first tell what the server does by itself.
 */
export async function measureScale(
  contenders: readonly Contender[],
  progress: Progress,
): Promise<{ scaled: Scaled[]; expiry: Expiry[] }> {
  const full: Full[] = [];
  try {
    // The fullest takes longest and is filled first, so that the others have not run out by then.
    for (const live of LIVE.toReversed()) full.unshift(await fill(contenders, live, progress));
    const samples = new Map<string, Sample[]>();
    const before = await Promise.all(full.map(({ admin }) => expiredKeys(admin)));
    const began = performance.now();
    for (let round = 0; round <= SCALE_ROUNDS; round++) {
      for (const operation of OPERATIONS) {
        for (const [callers, count] of CALLS) {
          progress.step(round === 0 ? 'warming up' : `round ${round} of ${SCALE_ROUNDS}`);
          for (const [index, contender] of contenders.entries()) {
            for (let turn = 0; turn < full.length; turn++) {
              const one = full[(turn + round) % full.length];
              const session = one?.sessions[index];
              if (!one || !session) continue;
              const sample = await measure(session, operation, one.chosen.slice(0, count), callers);
              const key = `${contender.name}/${one.live}/${operation}/${callers}`;
              if (sample && round > 0) samples.set(key, [...(samples.get(key) ?? []), sample]);
            }
          }
        }
      }
    }
    const seconds = (performance.now() - began) / 1000;
    const after = await Promise.all(full.map(({ admin }) => expiredKeys(admin)));
    return {
      scaled: contenders.flatMap(({ name }) => figures(name, samples)),
      // Two keys are one conversation.
      expiry: LIVE.map((live, at) => ({ live, perSecond: ((after[at] ?? 0) - (before[at] ?? 0)) / 2 / seconds })),
    };
  } finally {
    for (const { server, admin, sessions } of full) {
      for (const session of sessions) await session.close();
      admin.disconnect();
      await server.stop();
    }
  }
}

function figures(contender: string, samples: ReadonlyMap<string, readonly Sample[]>): Scaled[] {
  const of = (live: number, operation: Operation, callers: number) =>
    samples.get(`${contender}/${live}/${operation}/${callers}`) ?? [];
  return OPERATIONS.flatMap((operation) =>
    [...CALLS.keys()].flatMap((callers) =>
      LIVE.map((live) => {
        const own = of(live, operation, callers);
        const least = of(LIVE[0] ?? 0, operation, callers);
        return {
          contender,
          live,
          operation,
          callers,
          perSecond: median(own.map((sample) => sample.perSecond)),
          p50: median(own.map((sample) => sample.p50)),
          p99: median(own.map((sample) => sample.p99)),
          ratio: median(own.map((sample, round) => sample.p50 / (least[round]?.p50 ?? Number.NaN))),
        };
      }),
    ),
  );
}

async function fill(contenders: readonly Contender[], live: number, progress: Progress): Promise<Full> {
  const server = await startRedis({ args: [] });
  const admin = await connect(server.url);
  const passing = live / 2;
  // Live ones keep their two hours; of the others each lives a little longer than the one before.
  await fillRange(admin, { from: 0, to: live, ttl: TTL_MS, step: 0 }, progress);
  const step = EXPIRING_WITHIN_MS / passing;
  await fillRange(admin, { from: live, to: live + passing, ttl: 1_000, step }, progress);
  const callers = Math.max(...CALLS.keys());
  const opened = await Promise.all(contenders.map((contender) => contender.open(server.url, callers)));
  const sessions = opened.map((session) => ({
    ...session,
    prepare: (operation: Operation, all: readonly Conversation[]) => reset(admin, operation, all),
  }));
  // As many on every server, from all over it.
  const most = Math.max(...CALLS.values());
  const chosen = Array.from({ length: most }, (_, index) => conversation(Math.floor((index * live) / most)));
  return { live, server, admin, sessions, chosen };
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

/** Puts the chosen ones back to where an operation starts from; the others stay. */
async function reset(admin: Redis, operation: Operation, all: readonly Conversation[]): Promise<void> {
  const pipeline = admin.pipeline();
  for (const entry of all) {
    const state = stateBefore(operation, entry);
    if (state === null) pipeline.del(entry.conversation, entry.job);
    else {
      pipeline.set(entry.conversation, JSON.stringify(state), 'PX', TTL_MS);
      pipeline.set(entry.job, entry.conversation, 'PX', TTL_MS);
    }
  }
  await pipeline.exec();
}

async function expiredKeys(admin: Redis): Promise<number> {
  return Number(/^expired_keys:(\d+)/m.exec(await admin.info('stats'))?.[1]);
}
