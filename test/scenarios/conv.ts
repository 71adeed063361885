import type { Redis } from 'ioredis';

/** A channel of the scenarios, by its number. */
export const channelKey = (channel: number) => `conversation:slack:C${channel}`;
export const inboxKey = (channel: number) => `conversation-inbox:slack:C${channel}`;
export const jobKey = (jobId: string) => `job-index:${jobId}`;

/** A conversation and the job that holds it. */
export const pair = (channel: number, jobId: string) => [channelKey(channel), jobKey(jobId)];

/** The JSON of a job's state. Every job is on watch. */
export function stateOf(channel: number, jobId: string, more: object): string {
  const place = { platform: 'slack', channelId: `C${channel}` };
  const startedAt = '2026-01-31T09:30:00.000Z';
  const job = { userId: 'U1', project: 'web', ticketId: 12, startedAt, claimId: jobId, silentAfterMs: SILENT_AFTER_MS };
  return JSON.stringify({ jobId, ...place, ...job, ...more });
}

/** Short, so that a dead job is soon found; who finds one looks before doing anything about it. */
export const SILENT_AFTER_MS = 300;
/** A claim whose job is not heard of for so long lapses. */
export const START_WITHIN_MS = 600;
export const LEASE_MS = 200;

/** The answer of a function that has an outcome. */
export interface Answer {
  outcome: string;
  state: Record<string, unknown> | null;
}

export async function call(redis: Redis, name: string, keys: string[], ...args: (string | number)[]): Promise<Answer> {
  const reply = await redis.fcall(`conv_${name}`, keys.length, ...keys, ...args);
  const [outcome, state] = Array.isArray(reply) ? reply : ['', reply];
  return { outcome: String(outcome), state: state ? JSON.parse(String(state)) : null };
}

/** The jobs that are due, with their channels; for the lease they are this caller's. */
export async function due(redis: Redis): Promise<{ jobId: string; channel: number; dueAt: number }[]> {
  const reply = (await redis.fcall('conv_due', 1, 'conversation-watch', LEASE_MS)) as string[];
  const jobs = [];
  for (let at = 0; at < reply.length; at += 3) {
    const [jobId = '', key = '', dueAt] = reply.slice(at, at + 3);
    jobs.push({ jobId, channel: Number(key.slice(channelKey(0).length - 1)), dueAt: Number(dueAt) });
  }
  return jobs;
}
