import { Redis } from 'ioredis';

/** What jobs have to say. The bots read it as one consumer group, so that each entry is shown by one of them. */
export const EVENTS = 'job-events';

export const settings = {
  redisUrl: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379',
  /** How long a job may take to its first sign of life: longer than a pod takes to start, but over before Slack's last redelivery. */
  startMs: milliseconds('START_MS', 4 * 60_000),
  /** How long a question waits for a person. */
  answerMs: milliseconds('ANSWER_MS', 3 * 24 * 3_600_000),
  /** How long a job may be silent after a sign of life. It gives a sign of life four times as often. */
  silentMs: milliseconds('SILENT_MS', 60_000),
  sweepMs: milliseconds('SWEEP_MS', 60_000),
  /** After how long an entry whose bot died is shown by another one: longer than a bot takes to show one. */
  retryMs: milliseconds('RETRY_MS', 60_000),
  /** How long one step of the example's job takes. */
  stepMs: milliseconds('STEP_MS', 5_000),
};

function milliseconds(name: string, usual: number): number {
  const value = Number(process.env[name] ?? usual);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`${name} must be whole milliseconds, such as ${usual}.`);
}

/** Slack waits for three seconds, so a call that takes longer has to fail. A client that reads and waits has no limit. */
export function connect({ waits = false } = {}): Redis {
  const limits = waits ? { maxRetriesPerRequest: null } : { commandTimeout: 2_000, maxRetriesPerRequest: 1 };
  const redis = new Redis(settings.redisUrl, { connectTimeout: 2_000, keepAlive: 10_000, ...limits });
  redis.on('error', (error) => console.error(`Redis: ${error.message}`));
  return redis;
}

/** Says something for the bots to show. */
export async function say(redis: Redis, event: Record<string, string>): Promise<void> {
  await redis.xadd(EVENTS, '*', ...Object.entries(event).flat());
}

/** The fields of a stream's entry, which Redis gives as a flat list. */
export function fieldsOf(flat: string[]): Record<string, string> {
  return Object.fromEntries(flat.flatMap((field, n) => (n % 2 === 0 ? [[field, flat[n + 1] ?? '']] : [])));
}
