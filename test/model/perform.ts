import { isDeepStrictEqual } from 'node:util';
import type { Redis } from 'ioredis';
import {
  ConversationError,
  type ConversationState,
  ConversationStore,
  type JobReference,
  type PublishOptions,
} from '../../src/index.ts';
import { type Document, documentOf, textOf } from './document.ts';
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

const ARGUMENTS: { [Name in Call['name']]: (call: Call & { name: Name }) => (string | number | undefined)[] } = {
  claim: ({ state, ttlMs, queue }) => [textOf(state), ttlMs, ...(queue === undefined ? [] : ['text', queue])],
  hand_over: ({ state, ttlMs }) => [textOf(state), ttlMs],
  set: ({ state, ttlMs }) => [textOf(state), ttlMs],
  get: () => [],
  get_by_job: ({ ttlMs, lastSeen }) => [ttlMs, lastSeen?.id],
  update: ({ patch, deliveryId }) => [JSON.stringify(Object.fromEntries(patch)), deliveryId],
  set_pending: ({ questionId, ttlMs, withinMs }) => [questionId, ttlMs, withinMs],
  answer: ({ questionId, answerId, ttlMs }) => [questionId, answerId, ttlMs],
  remove: ({ how }) => [how],
  due: ({ leaseMs, limit }) => [leaseMs, limit],
};

/** What is left out is sent empty, which means the same. */
export function argumentsOf(call: Call): (string | number)[] {
  const args = (ARGUMENTS[call.name] as (call: Call) => (string | number | undefined)[])(call);
  return [...args.map((argument) => argument ?? ''), ...(call.stream === undefined ? [] : ['text', textFor(call)])];
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

type Method<Name> = (
  store: ConversationStore,
  call: Call & { name: Name },
  ref: JobReference,
  published: PublishOptions,
) => Promise<object | null>;

const METHODS: { [Name in Call['name']]: Method<Name> } = {
  claim: (store, { state, ttlMs, queue }) =>
    store.claim(stateIn(state), { ttlMs, ...(queue !== undefined && { queue: { text: queue } }) }),
  hand_over: (store, { state, ttlMs }, ref, published) => store.handOver(ref, stateIn(state), { ttlMs, ...published }),
  set: (store, { state, ttlMs }) => store.set(stateIn(state), { ttlMs }),
  get: (store, _, ref) => store.get(ref),
  get_by_job: (store, { job = '', ttlMs, lastSeen }) => store.getByJobId(job, { ttlMs, lastSeen: lastSeen?.id }),
  update: (store, { patch, deliveryId }, ref, published) =>
    store.update(ref, Object.fromEntries(patch), { ...published, deliveryId }),
  set_pending: (store, { questionId, ttlMs, withinMs: answerWithinMs }, ref) =>
    questionId === ''
      ? store.clearPendingQuestion(ref, { ttlMs })
      : store.setPendingQuestion(ref, questionId, { ttlMs, answerWithinMs }),
  answer: (store, { questionId, answerId, ttlMs }, ref, published) =>
    store.answerQuestion(ref, questionId, { answerId, ttlMs, ...published }),
  remove: (store, { how }, ref) => store.remove(ref, { retry: how === 'retry', discardInbox: how === 'all' }),
  async due(store, { leaseMs, limit }) {
    const entries: string[] = [];
    for await (const { jobId, platform, channelId, dueAt } of store.due({ leaseMs, limit }))
      entries.push(named(jobId, `${platform}:${channelId}`, Number(dueAt)));
    return { outcome: entries.join('\n\n'), state: null };
  },
};

async function perform(store: ConversationStore, call: Call): Promise<Found> {
  const { channel, job, stream } = call;
  // The types want a job where there is a stream, as the calls of the model have one.
  const ref = { ...(channel && placeOf(channel)), ...(job && { jobId: job }) } as JobReference;
  const published = stream === undefined ? {} : { stream: store.key(ref, stream), fields: { text: textFor(call) } };
  const found = await (METHODS[call.name] as Method<unknown>)(store, call, ref, published as PublishOptions);
  return found && 'outcome' in found && 'state' in found ? [String(found.outcome), found.state] : ['', found];
}

function placeOf(channel: string): { platform: string; channelId: string } {
  const colon = channel.indexOf(':');
  return { platform: channel.slice(0, colon).toUpperCase(), channelId: channel.slice(colon + 1) };
}

function stateIn(document: Document): ConversationState {
  return JSON.parse(textOf(document));
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
