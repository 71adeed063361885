import type { Redis } from 'ioredis';
import type { Test } from 'uvu';
import { ConversationError, type ConversationState, ConversationStore, type Fields } from '../../src/index.ts';
import { CHANNEL, INBOX, library, PAIR, STATE, sourceUnderTest, WATCH } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';

// A play is a test that runs from both ends: by raw FCALL and by the store.

export const PLACE = { platform: 'slack', channelId: 'C1' };
/** The state of a job that a message started, those of a second one, and of one for the same message again. */
export const DELIVERED = { ...STATE, deliveryId: 'd1' };
export const NEXT = { ...STATE, jobId: 'j2', claimId: 'c2' };
export const AGAIN = { ...NEXT, deliveryId: 'd1' };

type Ref = Partial<Pick<ConversationState, 'platform' | 'channelId' | 'jobId'>>;

/** The options of all calls of the store. */
type Options = Partial<
  Record<'ttlMs' | 'startWithinMs' | 'answerWithinMs' | 'leaseMs', number> &
    Record<'answerId' | 'deliveryId' | 'lastSeen' | 'stream', string> &
    Record<'queue' | 'fields', Fields> &
    Record<'retry' | 'discardInbox', boolean>
>;

export type End = ReturnType<typeof byFcall>;

/** What an application calls, as the store has it, by FCALL; with silentAfterMs as the option of the store. */
function byFcall(redis: Redis, silentAfterMs?: number) {
  const call = (name: string, keys: readonly string[], ...args: unknown[]) =>
    redis.fcall(`conv_${name}`, keys.length, ...keys, ...args.map((arg) => String(arg ?? '')));
  const parsed = (reply: unknown): ConversationState | null => (typeof reply === 'string' ? JSON.parse(reply) : null);
  const state = async (...args: Parameters<typeof call>) => parsed(await call(...args));
  const outcome = async (...args: Parameters<typeof call>) => {
    const [outcome, text] = (await call(...args)) as [string, unknown];
    return { outcome, state: parsed(text) };
  };
  const keys = ({ platform, channelId, jobId }: Ref, ...others: (string | undefined)[]) => {
    const channel = channelId === undefined ? undefined : `conversation:${platform?.toLowerCase()}:${channelId}`;
    const job = jobId === undefined ? undefined : `job-index:${jobId}`;
    return [channel, job, ...others].filter((key) => key !== undefined);
  };
  const text = (given: object, within?: number) =>
    JSON.stringify({ ...given, ...(within && { starting: true }), ...(silentAfterMs && { silentAfterMs }) });
  const flat = (fields: Fields = {}) => Object.entries(fields).flat();
  return {
    claim: (given: ConversationState, { ttlMs, startWithinMs, queue }: Options = {}) =>
      outcome('claim', keys(given), text(given, startWithinMs), startWithinMs ?? ttlMs, ...flat(queue)),
    handOver(job: Ref, next: ConversationState, { ttlMs, startWithinMs, stream, fields }: Options = {}) {
      const three = keys(job, `job-index:${next.jobId}`, stream);
      return outcome('hand_over', three, text(next, startWithinMs), startWithinMs ?? ttlMs, ...flat(fields));
    },
    set: (given: ConversationState, { ttlMs }: Options = {}) => state('set', keys(given), text(given), ttlMs),
    get: (ref: Ref) => state('get', keys(ref)),
    getByJobId: (jobId: string, { ttlMs, lastSeen }: Options = {}) =>
      state('get_by_job', keys({ jobId }), ttlMs, lastSeen),
    update: (ref: Ref, patch: object, { deliveryId, stream, fields }: Options = {}) =>
      outcome('update', keys(ref, stream), JSON.stringify(patch), deliveryId, ...flat(fields)),
    setPendingQuestion: (ref: Ref, id: string, { ttlMs, answerWithinMs }: Options = {}) =>
      state('set_pending', keys(ref), id, ttlMs, answerWithinMs),
    clearPendingQuestion: (ref: Ref, { ttlMs }: Options = {}) => state('set_pending', keys(ref), '', ttlMs),
    answerQuestion: (ref: Ref, id: string, { answerId, ttlMs, stream, fields }: Options = {}) =>
      outcome('answer', keys(ref, stream), id, answerId, ttlMs, ...flat(fields)),
    remove: (ref: Ref, { retry, discardInbox }: Options = {}) =>
      outcome('remove', keys(ref), retry ? 'retry' : discardInbox ? 'all' : ''),
    async *due({ leaseMs }: Options) {
      const jobs = (await call('due', [WATCH], leaseMs)) as string[];
      for (let at = 0; at < jobs.length; at += 3) {
        const [jobId = '', key = ''] = jobs.slice(at, at + 2);
        const found = await state('get', [key, `job-index:${jobId}`]);
        yield { jobId, reason: found?.answerBy ? 'question' : 'silent' };
      }
    },
  };
}

/** The same by the store. Only a store that watches its jobs queues, so that what is queued comes from one of its own. */
function byStore(redis: Redis, silentAfterMs?: number): End {
  const store = new ConversationStore(redis, { silentAfterMs }) as unknown as End;
  const watching = new ConversationStore(redis, { silentAfterMs: silentAfterMs ?? 60_000 }) as unknown as End;
  const claim = store.claim.bind(store);
  store.claim = (state, options = {}) => (options.queue ? watching.claim(state, options) : claim(state, options));
  return store;
}

export type Play = ReturnType<typeof playOf>;

function playOf(connections: readonly Redis[], open: typeof byFcall) {
  const [redis] = connections as [Redis];
  const ends = connections.map((connection) => open(connection));
  return {
    ...library(redis),
    end: ends[0] as End,
    /** Another such end: over another connection, or for jobs that are on watch. */
    open,
    /** The same many calls, each over a connection and an end of its own, all at once; the outcomes and their number. */
    async atOnce(calls: number, make: (end: End, n: number) => Promise<unknown>): Promise<Record<string, number>> {
      const made = Array.from({ length: calls }, (_, n) => make(ends[n % ends.length] as End, n));
      const counts: Record<string, number> = {};
      for (const reply of await Promise.all(made)) {
        const outcome = (reply as { outcome?: string } | null)?.outcome ?? 'none';
        counts[outcome] = (counts[outcome] ?? 0) + 1;
      }
      return counts;
    },
    deadlines: (...keys: string[]) => Promise.all(keys.map((key) => redis.pexpiretime(key))),
    /** The id of the last entry of the inbox. */
    lastQueued: async () => (await redis.xrevrange(INBOX, '+', '-', 'COUNT', 1))[0]?.[0] ?? '',
    /** Lets so much time pass that the conversation of j1 has come to its end. */
    lapse: () => redis.del(PAIR),
    /** Lets so much time pass that j1 is due, if it is on watch. */
    silence: () => redis.zadd(WATCH, 'XX', 1, `j1\n${CHANNEL}`),
  };
}

/** Registers plays, each of them once an end, on an empty server. */
export function withEnds<T>(test: Test<T>) {
  const server = withRedis(test);
  const connections: Redis[] = [];
  test.before(async () => {
    // The hunt for mutants runs a suite again and again.
    connections.length = 0;
    for (let n = 0; n < 10; n++) connections.push(await server.connect());
    await connections[0]?.function('LOAD', 'REPLACE', sourceUnderTest());
  });
  const register = (name: string, body: (play: Play) => Promise<void>) => {
    for (const [form, open] of Object.entries({ FCALL: byFcall, store: byStore })) {
      test(`${name} (${form})`, async () => {
        await connections[0]?.flushall();
        await body(playOf(connections, open));
      });
    }
  };
  return Object.assign(register, { server });
}

/** The outcome of a call. */
export async function told(call: Promise<{ outcome: string }>): Promise<string> {
  return (await call).outcome;
}

/** The code of the error that a call must end with. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.catch((error: unknown) => error);
  if (error instanceof ConversationError) return error.code;
  return error instanceof Error ? (error.message.split(' ')[0] ?? '') : `no error but ${JSON.stringify(error)}`;
}

/** The job ids that an end names as due, each with the reason. */
export async function dueOf(end: End, leaseMs = 60_000): Promise<string[]> {
  const jobs: string[] = [];
  for await (const { jobId, reason } of end.due({ leaseMs })) jobs.push(`${jobId} ${reason}`);
  return jobs;
}
