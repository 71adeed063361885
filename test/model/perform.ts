import { isDeepStrictEqual } from 'node:util';
import type { Redis } from 'ioredis';
import {
  ConversationError,
  type ConversationReference,
  ConversationStore,
  type JobReference,
  type PublishOptions,
} from '../../src/index.ts';
import { textOf } from './document.ts';
import { type Call, type Reply, SOON, watched } from './model.ts';

/** A reply as it came: the state is text where FCALL gave it, an object where the store did. */
export type Found = [outcome: string, state: unknown];

/** Makes calls on one connection. */
export type Performer = (call: Call) => Promise<Found>;

export const conversationKey = (prefix: string, channel: string) => `${prefix}conversation:${channel}`;
export const jobKey = (prefix: string, job: string) => `${prefix}job-index:${job}`;

/** Makes calls as FCALL. */
export function byFcall(redis: Redis, prefix: string): Performer {
  return async (call) => {
    const keys = [];
    if (call.channel !== undefined) keys.push(conversationKey(prefix, call.channel));
    if (call.job !== undefined) keys.push(jobKey(prefix, call.job));
    if (call.name === 'due') keys.push(`${prefix}conversation-watch`);
    if ('stream' in call && call.stream !== undefined) keys.push(prefix + call.stream);
    try {
      const reply = await redis.fcall(`conv_${call.name}`, keys.length, ...keys, ...argumentsOf(call));
      if (call.name === 'due') return [entriesIn(reply as string[], prefix), null];
      return Array.isArray(reply) ? [String(reply[0]), orNull(reply[1])] : ['', orNull(reply)];
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('CONV')) throw error;
      return [error.message.split(' ')[0] ?? '', null];
    }
  };
}

function argumentsOf(call: Call): (string | number)[] {
  const ttl = call.ttlMs ?? '';
  switch (call.name) {
    case 'claim':
      return [
        ...[textOf(call.state), ttl, call.silentMs ?? ''],
        ...(call.queue === undefined ? [] : ['text', call.queue]),
      ];
    case 'set':
      return [textOf(call.state), ttl, call.silentMs ?? ''];
    case 'get_by_job':
      return [ttl, call.silentMs ?? ''];
    case 'update': {
      const patch = JSON.stringify(Object.fromEntries(call.patch));
      return [patch, ttl, call.deliveryId ?? '', ...(call.stream === undefined ? [] : ['text', call.text])];
    }
    case 'set_pending':
      return [call.questionId, ttl];
    case 'answer':
      return [call.questionId, call.answerId, ttl, ...(call.stream === undefined ? [] : ['text', call.answerId])];
    case 'remove':
      return [SEEN[call.lastSeen ?? 'unsaid'], call.retry ? '1' : ''];
    case 'due':
      return [FOR_EVER];
    case 'get':
      return [];
  }
}

const SEEN = { unsaid: '', nothing: '0', everything: '999999999999999' };
const FOR_EVER = 999_999_999_999;

/** Job and channel of each job that conv_due names. */
function entriesIn(reply: string[], prefix: string): string {
  const entries = reply.flatMap((job, at) =>
    at % 2 === 0 ? [watched(job, (reply[at + 1] ?? '').slice(`${prefix}conversation:`.length))] : [],
  );
  return entries.sort().join();
}

/** Makes calls through the store. A state it is given is written as JSON.stringify writes it. */
export async function byStore(redis: Redis, prefix: string): Promise<Performer> {
  const stores = new Map(
    [undefined, SOON, FOR_EVER].map((silentAfterMs) => [
      silentAfterMs,
      new ConversationStore(redis, { prefix, ...(silentAfterMs && { silentAfterMs }) }),
    ]),
  );
  await Promise.all([...stores.values()].map((store) => store.ready()));
  return async (call) => {
    const { ttlMs } = call;
    const store = stores.get('silentMs' in call ? call.silentMs : undefined);
    if (!store) throw new Error('no store for this silentMs');
    const options = ttlMs === undefined ? {} : { ttlMs };
    const colon = call.channel?.indexOf(':') ?? 0;
    const ref = {
      ...(call.channel === undefined
        ? {}
        : { platform: call.channel.slice(0, colon).toUpperCase(), channelId: call.channel.slice(colon + 1) }),
      ...(call.job === undefined ? {} : { jobId: call.job }),
    } as ConversationReference;
    try {
      if (call.name === 'claim') {
        const queue = call.queue === undefined ? {} : { queue: { text: call.queue } };
        return outcome(await store.claim(JSON.parse(textOf(call.state)), { ...options, ...queue }));
      }
      if (call.name === 'update') {
        const { patch, deliveryId, stream, text } = call;
        const more = { ...options, ...(deliveryId !== undefined && { deliveryId }), ...published(stream, text) };
        return outcome(await store.update(ref as JobReference, Object.fromEntries(patch), more as PublishOptions));
      }
      if (call.name === 'due') {
        const entries: string[] = [];
        for await (const { jobId, platform, channelId } of store.due({ leaseMs: FOR_EVER })) {
          entries.push(watched(jobId, `${platform}:${channelId}`));
        }
        return [entries.sort().join(), null];
      }
      if (call.name === 'set') return ['', await store.set(JSON.parse(textOf(call.state)), options)];
      if (call.name === 'get') return ['', await store.get(ref)];
      if (call.name === 'get_by_job') return ['', await store.getByJobId(call.job ?? '', options)];
      if (call.name === 'remove') {
        const { lastSeen, retry } = call;
        const seen = lastSeen === undefined ? {} : { lastSeen: SEEN[lastSeen] };
        return outcome(await store.remove(ref, { ...seen, ...(retry !== undefined && { retry }) }));
      }
      if (call.name === 'set_pending') {
        if (call.questionId === '') return ['', await store.clearPendingQuestion(ref, options)];
        return ['', await store.setPendingQuestion(ref, call.questionId, options)];
      }
      const { questionId, answerId, stream } = call;
      const more = { answerId, ...options, ...published(stream, answerId) };
      return outcome(await store.answerQuestion(ref as JobReference, questionId, more as PublishOptions));
    } catch (error) {
      if (!(error instanceof ConversationError)) throw error;
      return [error.code, null];
    }
  };
}

function published(stream: string | undefined, text: string): Partial<PublishOptions> {
  return stream === undefined ? {} : { stream, fields: { text } };
}

/** Whether a reply is the one the model gives. */
export function agrees([outcome, state]: Found, [wantedOutcome, wanted]: Reply): boolean {
  if (outcome !== wantedOutcome) return false;
  if (state === null || wanted === null) return state === wanted;
  return typeof state === 'string' ? state === textOf(wanted) : isDeepStrictEqual(state, JSON.parse(textOf(wanted)));
}

function outcome({ outcome, state }: { outcome: string; state: unknown }): Found {
  return [outcome, state];
}

/** In an array false stands for nil. */
function orNull(value: unknown): unknown {
  return value === false ? null : value;
}
