// What a bot does that runs the messages of a channel one after another: dispatchers, jobs and sweeps.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { STATE } from '../support/library.ts';

/** Short, so that a dead job is soon found; who finds one looks before doing anything about it. */
const SILENT_AFTER_MS = 300;
/** A claim whose job is not heard of for so long lapses. */
const START_WITHIN_MS = 600;
const LEASE_MS = 200;
const HOURS = 7_200_000;

const channelKey = (channel: number) => `conversation:slack:C${channel}`;
export const inboxKey = (channel: number) => `conversation-inbox:slack:C${channel}`;
/** What a job hears about the question of a message. */
export const answerKey = (channel: number, message: string) => `answer:${channel}:${message}`;
/** A conversation and the job that holds it. */
const pair = (channel: number, jobId: string) => [channelKey(channel), `job-index:${jobId}`];

/** The JSON of a job's state. Every job is on watch. */
function stateOf(channel: number, jobId: string, more: object): string {
  const state = { ...STATE, channelId: `C${channel}`, jobId, claimId: jobId, silentAfterMs: SILENT_AFTER_MS };
  return JSON.stringify({ ...state, ...more });
}

/** The outcome of a call, where it has one, and the state. */
async function call(redis: Redis, name: string, keys: string[], ...args: (string | number)[]) {
  const reply = await redis.fcall(`conv_${name}`, keys.length, ...keys, ...args);
  const [outcome, text] = Array.isArray(reply) ? reply : ['', reply];
  const state: Record<string, unknown> | null = text ? JSON.parse(String(text)) : null;
  return { outcome: String(outcome), state };
}

/** Where the jobs run: starts one, and says whether one that was started may be running still. */
export interface Host {
  start(jobId: string, channel: number): void;
  /** Where it says no, the job never starts any more. */
  isAlive(jobId: string): Promise<boolean>;
}

let jobs = 0;
const newJob = () => `job-${process.pid}-${++jobs}`;

/** Gives a message to a job of its own, or to the inbox. Says whether the platform may forget it: it has its outcome. */
export async function dispatch(redis: Redis, host: Host, channel: number, message: string): Promise<boolean> {
  const jobId = newJob();
  const state = stateOf(channel, jobId, { deliveryId: message, starting: true, own: message });
  const claim = await call(redis, 'claim', pair(channel, jobId), state, START_WITHIN_MS, 'message', message);
  if (claim.outcome === 'claimed') host.start(jobId, channel);
  return claim.outcome === 'queued' || claim.outcome === 'duplicate';
}

/**
 * The life of a job. What it works on is put into its state before it says that it has read it, so that a successor
 * finds it there. One that was started by a message of its own first runs what waits: that came earlier. What was done
 * is written into the ledger, another database than the one of the conversations.
 */
export async function run(redis: Redis, ledger: Redis, host: Host, jobId: string, channel: number): Promise<void> {
  const { state } = await call(redis, 'get', pair(channel, jobId));
  let todo = state?.['todo'] as string[] | undefined;
  let read: string[] = [];
  if (!todo) {
    const own = state?.['own'] as string | undefined;
    const waiting = await redis.xrange(inboxKey(channel), '-', '+');
    const taken = own === undefined ? waiting.slice(0, 1) : waiting;
    todo = [...taken.map(([, fields]) => String(fields[1])), ...(own === undefined ? [] : [own])];
    read = taken.slice(-1).map(([id]) => id);
    await call(redis, 'update', pair(channel, jobId), JSON.stringify({ todo }));
  }
  // From here on it counts as started. Without a state it works for nobody.
  const heard = await call(redis, 'get_by_job', pair(channel, jobId), HOURS, ...read);
  if (!heard.state) return;
  for (const message of todo) {
    if (message.endsWith('asks')) await ask(redis, channel, jobId, message);
    if (message.endsWith('dies-before')) await die(ledger, channel, message);
    await ledger.rpush(`ran:${channel}`, `${message} ${jobId}`);
    if (message.endsWith('dies-after')) await die(ledger, channel, message);
  }
  await end(redis, host, jobId, channel);
  await ledger.sadd('ended', jobId);
}

/** Asks a question whose time is soon over, and waits for the answer; unless a job before has heard it. */
async function ask(redis: Redis, channel: number, jobId: string, message: string): Promise<void> {
  while ((await redis.xlen(answerKey(channel, message))) === 0) {
    await call(redis, 'set_pending', pair(channel, jobId), message, HOURS, 1);
    await sleep(20);
  }
}

/** The first job to come here ends with its process, and so does everything else in it. */
async function die(ledger: Redis, channel: number, message: string): Promise<void> {
  if ((await ledger.sadd('died', `${channel}:${message}`)) > 0) process.kill(process.pid, 'SIGKILL');
}

/** Removes a job, or has one follow it that takes the next message from the inbox. */
async function end(redis: Redis, host: Host, jobId: string, channel: number): Promise<void> {
  const { outcome } = await call(redis, 'remove', pair(channel, jobId));
  if (outcome === 'waiting') await follow(redis, host, jobId, channel, { starting: true }, START_WITHIN_MS);
}

async function follow(redis: Redis, host: Host, jobId: string, channel: number, more: object, ttlMs: number) {
  const next = newJob();
  const keys = [...pair(channel, jobId), `job-index:${next}`];
  const { outcome } = await call(redis, 'hand_over', keys, stateOf(channel, next, more), ttlMs);
  if (outcome === 'claimed') host.start(next, channel);
}

/** Looks once for jobs that are due: answers the questions whose time is over, and lets something follow the dead. */
export async function sweep(redis: Redis, host: Host): Promise<void> {
  const reply = (await redis.fcall('conv_due', 1, 'conversation-watch', LEASE_MS)) as string[];
  for (let at = 0; at < reply.length; at += 3) {
    const [jobId = '', key = '', dueAt] = reply.slice(at, at + 3);
    const channel = Number(key.slice(channelKey(0).length - 1));
    const found = await call(redis, 'get', pair(channel, jobId));
    const questionId = found.state?.['pendingQuestionId'];
    if (questionId && Number(found.state?.['answerBy']) <= Number(dueAt)) {
      const [id, answerId] = [String(questionId), `timeout:${jobId}:${questionId}`];
      await call(redis, 'answer', [...pair(channel, jobId), answerKey(channel, id)], id, answerId, '', 'text', 'no');
      continue;
    }
    if (await host.isAlive(jobId)) {
      const { state } = await call(redis, 'get_by_job', pair(channel, jobId), HOURS);
      if (state) continue;
    }
    const { state } = await call(redis, 'get', pair(channel, jobId));
    const todo = state?.['starting'] ? undefined : state?.['todo'];
    // The successor of a job that died at its work does the same work. It is not `starting`: a claim that lapses takes the
    // state, and with it the work, along.
    if (todo) await follow(redis, host, jobId, channel, { todo }, HOURS);
    else await end(redis, host, jobId, channel);
  }
}

/** Whether nothing of the channels is left: no job, no message, nobody on watch. */
export async function isOver(redis: Redis, channels: number): Promise<boolean> {
  const keys = Array.from({ length: channels }, (_, channel) => channelKey(channel));
  return (await redis.exists('conversation-watch', ...keys)) === 0;
}
