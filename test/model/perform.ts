import { isDeepStrictEqual } from 'node:util';
import type { Redis } from 'ioredis';
import {
  ConversationError,
  type ConversationState,
  ConversationStore,
  type JobReference,
  type PublishOptions,
} from '../../src/index.ts';
import { documentOf, textOf } from './document.ts';
import { type Call, named, type Reply } from './model.ts';

/** A reply as it came: the state is text where FCALL gave it, an object where the store did. */
export type Found = [outcome: string, state: unknown];

/** Makes calls on one connection. */
export type Performer = (call: Call) => Promise<Found>;

export const conversationKey = (prefix: string, channel: string) => `${prefix}conversation:${channel}`;
export const jobKey = (prefix: string, job: string) => `${prefix}job-index:${job}`;
export const inboxKey = (prefix: string, channel: string) => `${prefix}conversation-inbox:${channel}`;

/** An entry of the watch as it is stored. */
export const watchEntry = (prefix: string, entry: string) => entry.replace('\n', `\n${conversationKey(prefix, '')}`);

/** A store with this has every state that it begins a job with say when the job is silent. */
export const FOR_EVER = 999_999_999_999;

/** The call with the id of the inbox entry that it says it has read; without it where that is not there. */
export async function withEntry(redis: Pick<Redis, 'get' | 'xrange'>, prefix: string, call: Call): Promise<Call> {
  if (call.name !== 'get_by_job' || !call.lastSeen) return call;
  const { text } = call.lastSeen;
  const channel =
    call.channel ?? String(await redis.get(jobKey(prefix, call.job ?? ''))).slice(conversationKey(prefix, '').length);
  const entries = await redis.xrange(inboxKey(prefix, channel), '-', '+');
  const id = entries.find(([, fields]) => fields[1] === text)?.[0];
  if (id !== undefined) return { ...call, lastSeen: { id, text } };
  const { lastSeen: _, ...rest } = call;
  return rest;
}

/** Makes calls as FCALL. */
export function byFcall(redis: Redis, prefix: string): Performer {
  return async (call) => {
    const keys = keysOf(call, prefix);
    try {
      const reply = await redis.fcall(`conv_${call.name}`, keys.length, ...keys, ...argumentsOf(call));
      if (call.name === 'due') return [namedIn(reply as string[], prefix), null];
      // In an array false stands for nil.
      return Array.isArray(reply) ? [String(reply[0]), reply[1] || null] : ['', reply];
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('CONV')) throw error;
      return [error.message.split(' ')[0] ?? '', null];
    }
  };
}

export function keysOf(call: Call, prefix: string): string[] {
  const keys = [];
  if (call.channel !== undefined) keys.push(conversationKey(prefix, call.channel));
  if (call.job !== undefined) keys.push(jobKey(prefix, call.job));
  if (call.name === 'hand_over') keys.push(jobKey(prefix, call.successor));
  if (call.name === 'due') keys.push(`${prefix}conversation-watch`);
  if (call.stream !== undefined) keys.push(prefix + call.stream);
  return keys;
}

export function argumentsOf(call: Call): (string | number)[] {
  const ttl = call.ttlMs ?? '';
  const fields = call.stream === undefined ? [] : ['text', textFor(call)];
  switch (call.name) {
    case 'claim':
      return [textOf(call.state), ttl, ...(call.queue === undefined ? [] : ['text', call.queue])];
    case 'hand_over':
      return [textOf(call.state), ttl, ...fields];
    case 'set':
      return [textOf(call.state), ttl];
    case 'get_by_job':
      return [ttl, ...(call.lastSeen ? [call.lastSeen.id] : [])];
    case 'update':
      return [JSON.stringify(Object.fromEntries(call.patch)), call.deliveryId ?? '', ...fields];
    case 'set_pending':
      return [call.questionId, ttl, ...(call.withinMs === undefined ? [] : [call.withinMs])];
    case 'answer':
      return [call.questionId, call.answerId, ttl, ...fields];
    case 'remove':
      return call.how === undefined ? [] : [call.how];
    case 'due':
      return [call.leaseMs, ...(call.limit === undefined ? [] : [call.limit])];
    case 'get':
      return [];
  }
}

/** What a stream gets of a call that publishes. */
function textFor(call: Call): string {
  return call.name === 'answer' ? call.answerId : (call.text ?? '');
}

function namedIn(reply: string[], prefix: string): string {
  const entries = [];
  for (let at = 0; at < reply.length; at += 3) {
    const [job = '', key = '', dueAt = ''] = reply.slice(at, at + 3);
    entries.push(named(job, key.slice(conversationKey(prefix, '').length), dueAt));
  }
  return entries.join('\n\n');
}

/** Makes calls through a store. A state it is given is written as JSON.stringify writes it. */
export async function byStore(redis: Redis, prefix: string): Promise<Performer> {
  const store = new ConversationStore(redis, { prefix, silentAfterMs: FOR_EVER });
  await store.ready();
  return performerOf(store);
}

export function performerOf(store: ConversationStore): Performer {
  return async (call) => {
    try {
      return await perform(store, call);
    } catch (error) {
      if (!(error instanceof ConversationError) || !error.code.startsWith('CONV')) throw error;
      return [error.code, null];
    }
  };
}

let claims = 0;

/** What the store makes of a call: it writes states its own way, getByJobId takes no channel, due names every job. */
export function asStore(call: Call): Call {
  if (call.name === 'due') return { name: 'due', leaseMs: call.leaseMs };
  if (call.name === 'get_by_job') {
    const { channel: _, ...rest } = call;
    return rest;
  }
  if (call.name !== 'claim' && call.name !== 'hand_over' && call.name !== 'set') return call;
  const state = JSON.parse(textOf(call.state));
  state.silentAfterMs ??= FOR_EVER;
  // The store gives a claim without an id one of its own, which a test could not foresee.
  if (call.name !== 'set') state.claimId ??= `fresh ${++claims}`;
  return { ...call, state: documentOf(state) };
}

async function perform(store: ConversationStore, call: Call): Promise<Found> {
  const { channel, job = '', ttlMs } = call;
  // The types want a job where there is a stream, as the calls of the model have one.
  const ref = { ...(channel && placeOf(channel)), ...(call.job && { jobId: job }) } as JobReference;
  const stream =
    call.stream === undefined ? {} : { stream: store.key(ref, call.stream), fields: { text: textFor(call) } };
  const published = stream as PublishOptions;
  switch (call.name) {
    case 'claim':
      return outcome(
        await store.claim(stateOf(call), { ttlMs, ...(call.queue !== undefined && { queue: { text: call.queue } }) }),
      );
    case 'hand_over':
      return outcome(await store.handOver(ref, stateOf(call), { ttlMs, ...published }));
    case 'set':
      return ['', await store.set(stateOf(call), { ttlMs })];
    case 'get':
      return ['', await store.get(ref)];
    case 'get_by_job':
      return ['', await store.getByJobId(job, { ttlMs, lastSeen: call.lastSeen?.id })];
    case 'update':
      return outcome(
        await store.update(ref, Object.fromEntries(call.patch), { ...published, deliveryId: call.deliveryId }),
      );
    case 'set_pending': {
      const { questionId, withinMs: answerWithinMs } = call;
      if (questionId === '') return ['', await store.clearPendingQuestion(ref, { ttlMs })];
      return ['', await store.setPendingQuestion(ref, questionId, { ttlMs, answerWithinMs })];
    }
    case 'answer': {
      const { questionId, answerId } = call;
      return outcome(await store.answerQuestion(ref, questionId, { answerId, ttlMs, ...published }));
    }
    case 'remove':
      return outcome(await store.remove(ref, { retry: call.how === 'retry', discardInbox: call.how === 'all' }));
    case 'due': {
      const entries: string[] = [];
      for await (const { jobId, platform, channelId, dueAt } of store.due({ leaseMs: call.leaseMs, limit: call.limit }))
        entries.push(named(jobId, `${platform}:${channelId}`, Number(dueAt)));
      return [entries.join('\n\n'), null];
    }
  }
}

function outcome({ outcome, state }: { outcome: string; state: object | null }): Found {
  return [outcome, state];
}

function placeOf(channel: string): { platform: string; channelId: string } {
  const colon = channel.indexOf(':');
  return { platform: channel.slice(0, colon).toUpperCase(), channelId: channel.slice(colon + 1) };
}

function stateOf(call: Call & { name: 'claim' | 'hand_over' | 'set' }): ConversationState {
  return JSON.parse(textOf(call.state));
}

/** Whether a reply is the one the model gives; `alike` makes texts the same that differ only in what may differ. */
export function agrees(
  [outcome, state]: Found,
  [wantedOutcome, wanted]: Reply,
  alike?: (text: string) => string,
): boolean {
  const plain = alike ?? ((text: string) => text);
  if (plain(outcome) !== plain(wantedOutcome)) return false;
  if (state === null || wanted === null) return state === wanted;
  const text = plain(textOf(wanted));
  if (typeof state === 'string') return plain(state) === text;
  return isDeepStrictEqual(alike ? JSON.parse(alike(JSON.stringify(state))) : state, JSON.parse(text));
}
