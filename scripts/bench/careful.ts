// Two designs that somebody writes who knows of the races. They share their rules and differ in how they keep others out.
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { BenchState, Design, Entry, Operation, Told } from './conversations.ts';
import { callsOf, connect, designOf, QUESTION, TTL_MS } from './conversations.ts';

type Decision = [told: Told, ...writes: (string | number)[][]];

function decide(operation: Operation, { conversation, job, state: own }: Entry, text: unknown): Decision {
  const found: BenchState | null = typeof text === 'string' ? JSON.parse(text) : null;
  const holds = found?.jobId === own.jobId;
  const put = (key: string, value: string) => ['set', key, value, 'PX', TTL_MS];
  const write = (state: BenchState): Decision => [
    true,
    put(conversation, JSON.stringify(state)),
    put(job, conversation),
  ];
  if (operation === 'claim') return found ? [false] : write(own);
  if (operation === 'set') return found && !holds ? [...write(own), ['del', `job-index:${found.jobId}`]] : write(own);
  if (!holds) return operation === 'remove' ? [false, ['del', job]] : [operation === 'lookup' ? null : false];
  if (operation === 'lookup') return [own.jobId, ['pexpire', conversation, TTL_MS], ['pexpire', job, TTL_MS]];
  if (operation === 'remove') return [true, ['del', conversation, job]];
  if (operation === 'answer' && found.pendingQuestionId !== QUESTION) return [false];
  return write({ ...found, pendingQuestionId: operation === 'answer' ? null : QUESTION });
}

export const watchDesign: Design = {
  name: 'WATCH',
  what: 'WATCH with GET in one go, then MULTI … EXEC, again until nobody came in between; a connection for each caller',
  async open(url, callers) {
    const clients = await Promise.all(Array.from({ length: callers }, () => connect(url)));
    const calls = callsOf(async (operation, entry, caller) => {
      const client = clients[caller] as Redis;
      // Who looks up knows the job alone.
      if (operation === 'lookup' && (await client.get(entry.job)) === null) return null;
      for (;;) {
        const replies = await client.pipeline().watch(entry.conversation).get(entry.conversation).exec();
        const [told, ...writes] = decide(operation, entry, replies?.[1]?.[1]);
        if (writes.length === 0) await client.unwatch();
        if (writes.length === 0 || (await client.multi(writes).exec()) !== null) return told;
      }
    });
    return { ...calls, close: () => clients.forEach((client) => void client.disconnect()) };
  },
};

const LOCK_MS = 10_000;
const RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end";

export const lockDesign: Design = designOf(
  'lock',
  'GET and SET under a lock on the channel (SET NX PX, released by a script, as redlock does it on one server)',
  (client) =>
    callsOf(async (operation, entry) => {
      if (operation === 'lookup' && (await client.get(entry.job)) === null) return null;
      const [lock, token] = [`lock:${entry.conversation}`, randomUUID()];
      while ((await client.set(lock, token, 'PX', LOCK_MS, 'NX')) === null) await setTimeout(1);
      try {
        const [told, ...writes] = decide(operation, entry, await client.get(entry.conversation));
        if (writes.length > 0) await client.pipeline(writes).exec();
        return told;
      } finally {
        await client.eval(RELEASE, 1, lock, token);
      }
    }),
);
