import { isDeepStrictEqual } from 'node:util';
import type { Redis } from 'ioredis';
import { ConversationError, type ConversationReference, ConversationStore } from '../../src/index.ts';
import { textOf } from './document.ts';
import type { Call, Reply } from './model.ts';

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
    const args: (string | number)[] = [];
    if ('state' in call) args.push(textOf(call.state));
    if ('questionId' in call) args.push(call.questionId);
    if ('answerId' in call) args.push(call.answerId);
    if (call.name !== 'get' && call.name !== 'remove') args.push(call.ttlMs ?? '');
    if ('stream' in call && call.stream !== undefined) {
      keys.push(prefix + call.stream);
      args.push('answer', call.answerId);
    }
    try {
      const reply = await redis.fcall(`conv_${call.name}`, keys.length, ...keys, ...args);
      return Array.isArray(reply) ? [String(reply[0]), orNull(reply[1])] : ['', orNull(reply)];
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('CONV')) throw error;
      return [error.message.split(' ')[0] ?? '', null];
    }
  };
}

/** Makes calls through the store. A state it is given is written as JSON.stringify writes it. */
export async function byStore(redis: Redis, prefix: string): Promise<Performer> {
  const store = new ConversationStore(redis, { prefix });
  await store.ready();
  return async (call) => {
    const { ttlMs } = call;
    const options = ttlMs === undefined ? {} : { ttlMs };
    const colon = call.channel?.indexOf(':') ?? 0;
    const ref = {
      ...(call.channel === undefined
        ? {}
        : { platform: call.channel.slice(0, colon).toUpperCase(), channelId: call.channel.slice(colon + 1) }),
      ...(call.job === undefined ? {} : { jobId: call.job }),
    } as ConversationReference;
    try {
      if (call.name === 'claim') return outcome(await store.claim(JSON.parse(textOf(call.state)), options));
      if (call.name === 'set') return ['', await store.set(JSON.parse(textOf(call.state)), options)];
      if (call.name === 'get') return ['', await store.get(ref)];
      if (call.name === 'get_by_job') return ['', await store.getByJobId(call.job ?? '', options)];
      if (call.name === 'remove') return outcome(await store.remove(ref));
      if (call.name === 'set_pending') {
        if (call.questionId === '') return ['', await store.clearPendingQuestion(ref, options)];
        return ['', await store.setPendingQuestion(ref, call.questionId, options)];
      }
      const { questionId, answerId, stream } = call;
      const published = stream === undefined ? {} : { stream, fields: { answer: answerId } };
      return outcome(await store.answerQuestion(ref, questionId, { answerId, ...published, ...options }));
    } catch (error) {
      if (!(error instanceof ConversationError)) throw error;
      return [error.code, null];
    }
  };
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
