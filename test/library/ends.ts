import type { Redis } from 'ioredis';
import type { Test } from 'uvu';
import { ConversationError, ConversationStore } from '../../src/index.ts';
import { INBOX, type Library, library, STATE, sourceUnderTest, WATCH } from '../support/library.ts';
import { type TestRedis, withRedis } from '../support/redis.ts';

// A play is a test that runs from both ends: by raw FCALL and by the store.

export const PLACE = { platform: 'slack', channelId: 'C1' };
/** The state of a job that a message started, those of a second one, and of one for the same message again. */
export const DELIVERED = { ...STATE, deliveryId: 'd1' };
export const NEXT = { ...STATE, jobId: 'j2', claimId: 'c2' };
export const AGAIN = { ...NEXT, deliveryId: 'd1' };

type Members = Omit<typeof STATE, 'pendingQuestionId'> & { pendingQuestionId: string | null };
export type State = Members & { [member: string]: unknown };
export type New = Partial<State>;
export type Ref = { platform?: string; channelId?: string; jobId?: string };
type Fields = Record<string, string | number>;
type Published = { stream?: string; fields?: Fields };
type Outcome = Promise<{ outcome: string; state: State | null }>;

/** What an application calls, as the store has it. */
export interface End {
  claim(state: New, options?: { ttlMs?: number; startWithinMs?: number; queue?: Fields }): Outcome;
  handOver(job: Ref, next: New, options?: { ttlMs?: number; startWithinMs?: number } & Published): Outcome;
  set(state: New, options?: { ttlMs?: number }): Promise<State | null>;
  get(ref: Ref): Promise<State | null>;
  getByJobId(jobId: string, options?: { ttlMs?: number; lastSeen?: string }): Promise<State | null>;
  update(ref: Ref, patch: object, options?: { deliveryId?: string } & Published): Outcome;
  setPendingQuestion(
    ref: Ref,
    id: string,
    options?: { ttlMs?: number; answerWithinMs?: number },
  ): Promise<State | null>;
  clearPendingQuestion(ref: Ref, options?: { ttlMs?: number }): Promise<State | null>;
  answerQuestion(ref: Ref, id: string, options?: { answerId?: string; ttlMs?: number } & Published): Outcome;
  remove(ref: Ref, options?: { retry?: boolean; discardInbox?: boolean }): Outcome;
  due(options: { leaseMs: number }): AsyncIterable<{ reason: string; jobId: string; state: State | null }>;
}

/** The same by FCALL, with silentAfterMs as the option of the store. */
export function raw(redis: Redis, silentAfterMs?: number): End {
  const call = (name: string, keys: readonly string[], ...args: unknown[]) =>
    redis.fcall(`conv_${name}`, keys.length, ...keys, ...args.map((arg) => String(arg ?? '')));
  const state = (reply: unknown): State | null => (typeof reply === 'string' ? JSON.parse(reply) : null);
  const outcome = async (reply: Promise<unknown>) => {
    const [outcome, text] = (await reply) as [string, unknown];
    return { outcome, state: state(text) };
  };
  const keys = ({ platform, channelId, jobId }: Ref) => [
    ...(channelId === undefined ? [] : [`conversation:${platform?.toLowerCase()}:${channelId}`]),
    ...(jobId === undefined ? [] : [`job-index:${jobId}`]),
  ];
  const text = (given: New, within?: number) =>
    JSON.stringify({ ...given, ...(within && { starting: true }), ...(silentAfterMs && { silentAfterMs }) });
  const flat = (fields: Fields = {}) => Object.entries(fields).flat();
  const stream = (name?: string) => (name === undefined ? [] : [name]);
  return {
    claim: (given, { ttlMs, startWithinMs, queue } = {}) =>
      outcome(call('claim', keys(given), text(given, startWithinMs), startWithinMs ?? ttlMs, ...flat(queue))),
    handOver: (job, next, { ttlMs, startWithinMs, stream: name, fields } = {}) =>
      outcome(
        call(
          'hand_over',
          [...keys(job), ...keys({ jobId: next.jobId ?? '' }), ...stream(name)],
          text(next, startWithinMs),
          startWithinMs ?? ttlMs,
          ...flat(fields),
        ),
      ),
    set: async (given, { ttlMs } = {}) => state(await call('set', keys(given), text(given), ttlMs)),
    get: async (ref) => state(await call('get', keys(ref))),
    getByJobId: async (jobId, { ttlMs, lastSeen } = {}) =>
      state(await call('get_by_job', keys({ jobId }), ttlMs, lastSeen)),
    update: (ref, patch, { deliveryId, stream: name, fields } = {}) =>
      outcome(call('update', [...keys(ref), ...stream(name)], JSON.stringify(patch), deliveryId, ...flat(fields))),
    setPendingQuestion: async (ref, id, { ttlMs, answerWithinMs } = {}) =>
      state(await call('set_pending', keys(ref), id, ttlMs, answerWithinMs)),
    clearPendingQuestion: async (ref, { ttlMs } = {}) => state(await call('set_pending', keys(ref), '', ttlMs)),
    answerQuestion: (ref, id, { answerId, ttlMs, stream: name, fields } = {}) =>
      outcome(call('answer', [...keys(ref), ...stream(name)], id, answerId, ttlMs, ...flat(fields))),
    remove: (ref, { retry, discardInbox } = {}) =>
      outcome(call('remove', keys(ref), retry ? 'retry' : discardInbox ? 'all' : '')),
    async *due({ leaseMs }) {
      const jobs = (await call('due', [WATCH], leaseMs)) as string[];
      for (let at = 0; at < jobs.length; at += 3) {
        const [jobId = '', key = '', dueAt] = jobs.slice(at, at + 3);
        const found = state(await call('get', [key, `job-index:${jobId}`]));
        const isQuestion = found?.pendingQuestionId && Number(found['answerBy'] ?? Infinity) <= Number(dueAt);
        yield { reason: isQuestion ? 'question' : 'silent', jobId, state: found };
      }
    },
  };
}

/** The same by the store. Only a store that watches its jobs queues, so that what is queued comes from one of its own. */
function stored(redis: Redis, silentAfterMs?: number): End {
  const store = new ConversationStore(redis, { silentAfterMs }) as unknown as End;
  const watching = new ConversationStore(redis, { silentAfterMs: silentAfterMs ?? 60_000 }) as unknown as End;
  const claim = store.claim.bind(store);
  store.claim = (state, options = {}) => (options.queue ? watching.claim(state, options) : claim(state, options));
  return store;
}

/** The ends, by their name. */
const ENDS = { FCALL: raw, store: stored };

export interface Play extends Library {
  server: TestRedis;
  end: End;
  /** Another such end: over another connection, or for jobs that are on watch. */
  open(redis: Redis, silentAfterMs?: number): End;
  /** The same many calls, each over a connection and an end of its own, all at once; the outcomes and their number. */
  atOnce(calls: number, make: (end: End, n: number) => Promise<unknown>): Promise<Record<string, number>>;
  deadlines(...keys: string[]): Promise<number[]>;
  /** The id of the last entry of the inbox. */
  lastQueued(): Promise<string>;
  /** Lets so much time pass that every conversation has come to its end. */
  lapse(): Promise<void>;
  /** Lets so much time pass that every job on watch is due. */
  silence(): Promise<void>;
}

/** Registers plays, each of them once an end, on an empty server. */
export function withEnds<T>(test: Test<T>): (name: string, body: (play: Play) => Promise<void>) => void {
  const server = withRedis(test);
  const connections: Redis[] = [];
  test.before(async () => {
    // The hunt for mutants runs a suite again and again.
    connections.length = 0;
    for (let n = 0; n < 10; n++) connections.push(await server.connect());
    await connections[0]?.function('LOAD', 'REPLACE', sourceUnderTest());
  });
  return (name, body) => {
    for (const [form, open] of Object.entries(ENDS)) {
      test(`${name} (${form})`, async () => {
        const [redis] = connections as [Redis];
        await redis.flushall();
        await body({
          ...library(redis),
          server,
          end: open(redis),
          open,
          async atOnce(calls, make) {
            const ends = connections.map((connection) => open(connection));
            const replies = await Promise.all(
              Array.from({ length: calls }, (_, n) => make(ends[n % ends.length] as End, n)),
            );
            const counts: Record<string, number> = {};
            for (const reply of replies) {
              const outcome = (reply as { outcome?: string } | null)?.outcome ?? 'none';
              counts[outcome] = (counts[outcome] ?? 0) + 1;
            }
            return counts;
          },
          deadlines: (...keys) => Promise.all(keys.map((key) => redis.pexpiretime(key))),
          lastQueued: async () => (await redis.xrevrange(INBOX, '+', '-', 'COUNT', 1))[0]?.[0] ?? '',
          async lapse() {
            const keys = [...(await redis.keys('conversation:*')), ...(await redis.keys('job-index:*'))];
            if (keys.length > 0) await redis.del(keys);
          },
          async silence() {
            for (const entry of await redis.zrange(WATCH, '0', '-1')) await redis.zadd(WATCH, 1, entry);
          },
        });
      });
    }
  };
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
