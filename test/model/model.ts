import { type Document, memberOf, withMember } from './document.ts';

/** A call as the model sees it. Channels are `{platform, lower case}:{channelId}`; one of the two may be left out. */
export type Call = { channel?: string; job?: string; ttlMs?: number } & (
  | { name: 'claim'; channel: string; job: string; state: Document; silentMs?: number; queue?: string }
  | { name: 'set'; channel: string; job: string; state: Document; silentMs?: number }
  | { name: 'get' }
  | { name: 'get_by_job'; silentMs?: number }
  | { name: 'update'; patch: [name: string, value: unknown][]; deliveryId?: string; stream?: string; text: string }
  | { name: 'remove'; lastSeen?: 'nothing' | 'everything'; retry?: boolean }
  | { name: 'set_pending'; questionId: string }
  | { name: 'answer'; questionId: string; answerId: string; stream?: string }
  | { name: 'due' }
);

/** What a call answers: an outcome or error code where it has one, and a state. */
export type Reply = [outcome: string, state: Document | null];

export interface Conversation {
  job: string;
  state: Document;
}

/**
 * Everything there is. A job's index is no thing of its own here, so it cannot lie. A job on watch is silent at once,
 * where it was put there for SOON, or not as long as a test runs.
 */
export interface World {
  conversations: ReadonlyMap<string, Conversation>;
  /** What came, by the channel. */
  inboxes: ReadonlyMap<string, readonly string[]>;
  /** For each channel the deliveries that were handled, and by which claims; an empty text where none did it. */
  handled: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;
  /** Job and channel, and whether the job counts as silent. */
  watch: ReadonlyMap<string, boolean>;
}

export const EMPTY: World = { conversations: new Map(), inboxes: new Map(), handled: new Map(), watch: new Map() };

/** The silentMs after which a job is silent by the time that anybody asks. */
export const SOON = 1;

/** The messages that an inbox takes. */
export const INBOX_LENGTH = 1_000;

export interface Step {
  reply: Reply;
  world: World;
  /** The channel whose deadline the call has set. */
  renewed?: string;
  /** Whether a deadline that is later than the new one stays, because a question is pending. */
  keeps?: boolean;
  /** Whether a stream that the call names hears of it. */
  published?: boolean;
}

export const watched = (job: string, channel: string) => `${job}\n${channel}`;

function with_<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  return new Map([...map, [key, value]]);
}

function without<K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> {
  return new Map([...map].filter(([each]) => each !== key));
}

function handle(world: World, channel: string, delivery: unknown, claim: unknown): World {
  if (typeof delivery !== 'string') return world;
  const before = world.handled.get(channel) ?? new Map<string, readonly string[]>();
  const claims = [...new Set([...(before.get(delivery) ?? []), typeof claim === 'string' ? claim : ''])].sort();
  const deliveries = with_(before, delivery, claims);
  return { ...world, handled: with_(world.handled, channel, deliveries) };
}

function watch(world: World, job: string | undefined, channel: string, silentMs: number | undefined): World {
  if (silentMs === undefined) return world;
  return { ...world, watch: with_(world.watch, watched(job ?? '', channel), silentMs === SOON) };
}

/** What the contract says a call does, one call at a time. */
export function step(world: World, call: Call): Step {
  if (call.name === 'due') return due(world);
  const { conversations } = world;
  const bound = [...conversations].find(([, { job }]) => job === call.job)?.[0];
  const channel = call.channel ?? bound ?? '';
  const there = conversations.get(channel);
  const mine = there !== undefined && (call.job === undefined || there.job === call.job);
  const same = (outcome: string, state: Document | null): Step => ({ reply: [outcome, state], world });
  const wrote = (outcome: string, conversation: Conversation, from = world): Step => ({
    reply: [outcome, conversation.state],
    world: { ...from, conversations: with_(conversations, channel, conversation) },
    renewed: channel,
  });

  if (call.name === 'claim' || call.name === 'set') {
    if (bound !== undefined && bound !== channel) return same('CONVJOB', null);
    if (call.name === 'claim') return claim(world, call, there);
    const displaced = there && there.job !== call.job ? watched(there.job, channel) : '';
    const from = watch({ ...world, watch: without(world.watch, displaced) }, call.job, channel, call.silentMs);
    return { ...wrote('', { job: call.job, state: call.state }, from), reply: ['', there?.state ?? null] };
  }
  if (call.name === 'remove') return mine ? remove(world, call, channel, there) : settle(world, call, channel, there);
  if (!mine) return same(call.name === 'answer' || call.name === 'update' ? 'gone' : '', null);
  if (call.name === 'get') return same('', there.state);
  const pending = memberOf(there.state, 'pendingQuestionId') ?? '';
  const keeps = pending !== '';
  if (call.name === 'get_by_job') return { ...wrote('', there, watch(world, call.job, channel, call.silentMs)), keeps };
  if (call.name === 'update') {
    const { patch, deliveryId } = call;
    const isHandled =
      deliveryId !== undefined &&
      (world.handled.get(channel)?.has(deliveryId) || memberOf(there.state, 'deliveryId') === deliveryId);
    if (isHandled) return same('duplicate', there.state);
    const state = patch.reduce((state, [name, value]) => withMember(state, name, value), there.state);
    return { ...wrote('updated', { ...there, state }, handle(world, channel, deliveryId, '')), keeps, published: true };
  }
  if (call.name === 'set_pending') {
    if (pending === call.questionId) return { ...wrote('', there), keeps };
    return wrote('', { ...there, state: withMember(there.state, 'pendingQuestionId', call.questionId || null) });
  }
  const { questionId, answerId } = call;
  const last = memberOf(there.state, 'lastAnswer') as { questionId: string; answerId: string } | null | undefined;
  const again = answerId !== '' && last?.questionId === questionId && last.answerId === answerId;
  if (pending === questionId) {
    const cleared = withMember(there.state, 'pendingQuestionId', null);
    const state = withMember(cleared, 'lastAnswer', { questionId, answerId });
    return { ...wrote('accepted', { ...there, state }), published: !again };
  }
  if (last?.questionId !== questionId) return same('stale', there.state);
  return same(again ? 'accepted' : 'answered', there.state);
}

function claim(world: World, call: Call & { name: 'claim' }, there: Conversation | undefined): Step {
  const { channel, job, state, silentMs, queue } = call;
  const claimId = memberOf(state, 'claimId');
  const delivery = memberOf(state, 'deliveryId');
  const same = (outcome: string): Step => ({ reply: [outcome, there?.state ?? null], world });
  const handledBy = world.handled.get(channel)?.get(String(delivery));
  if (delivery !== undefined && handledBy !== undefined) {
    const resent = there !== undefined && claimId !== undefined && handledBy.includes(String(claimId));
    return same(!resent ? 'duplicate' : queue === undefined ? 'held' : 'queued');
  }
  if (!there) {
    const conversations = with_(world.conversations, channel, { job, state });
    return {
      reply: ['claimed', state],
      world: watch({ ...world, conversations }, job, channel, silentMs),
      renewed: channel,
    };
  }
  if (there.job === job && claimId !== undefined && memberOf(there.state, 'claimId') === claimId)
    return same('claimed');
  if (delivery === undefined) return same('held');
  if (memberOf(there.state, 'deliveryId') === delivery) return same('duplicate');
  const waiting = world.inboxes.get(channel) ?? [];
  if (queue !== undefined && waiting.length >= INBOX_LENGTH) return same('full');
  const told = handle(world, channel, delivery, claimId);
  if (queue === undefined) return { reply: ['held', there.state], world: told };
  const inboxes = with_(world.inboxes, channel, [...waiting, queue]);
  return { reply: ['queued', there.state], world: { ...told, inboxes } };
}

function remove(
  world: World,
  { lastSeen, retry }: Call & { name: 'remove' },
  channel: string,
  there: Conversation,
): Step {
  if (lastSeen === 'nothing' && world.inboxes.get(channel)?.length) return { reply: ['waiting', there.state], world };
  const left: World = {
    ...world,
    conversations: without(world.conversations, channel),
    inboxes: lastSeen ? without(world.inboxes, channel) : world.inboxes,
    watch: without(world.watch, watched(there.job, channel)),
  };
  const after = retry ? left : handle(left, channel, memberOf(there.state, 'deliveryId'), '');
  return { reply: ['removed', there.state], world: after };
}

/** The end of a job that does not hold the channel. */
function settle(
  world: World,
  { job = '' }: Call & { name: 'remove' },
  channel: string,
  there: Conversation | undefined,
): Step {
  const entry = watched(job, channel);
  const outcome = world.watch.has(entry) ? 'lapsed' : there ? 'held' : 'gone';
  return { reply: [outcome, there?.state ?? null], world: { ...world, watch: without(world.watch, entry) } };
}

/** Names every silent job, in an order of its own, and puts all of them off for longer than a test runs. */
function due(world: World): Step {
  const silent = [...world.watch].filter(([, isSilent]) => isSilent).map(([entry]) => entry);
  const watch = new Map([...world.watch].map(([entry]) => [entry, false]));
  return { reply: [silent.sort().join(), null], world: { ...world, watch } };
}
