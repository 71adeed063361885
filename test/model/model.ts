import { type Document, memberOf, withMember } from './document.ts';

/** A call as the model sees it. Channels are `{platform, lower case}:{channelId}`; one of the two may be left out. */
export type Call = { channel?: string; job?: string; ttlMs?: number } & (
  | { name: 'claim'; channel: string; job: string; state: Document }
  | { name: 'set'; channel: string; job: string; state: Document }
  | { name: 'get' }
  | { name: 'get_by_job' }
  | { name: 'remove' }
  | { name: 'set_pending'; questionId: string }
  | { name: 'answer'; questionId: string; answerId: string; stream?: string }
);

/** What a call answers: an outcome or error code where it has one, and a state. */
export type Reply = [outcome: string, state: Document | null];

export interface Conversation {
  job: string;
  state: Document;
}

/** Every conversation by its channel. A job's index is no thing of its own here, so it cannot lie. */
export type World = ReadonlyMap<string, Conversation>;

export interface Step {
  reply: Reply;
  world: World;
  /** The channel whose deadline the call has set. */
  renewed?: string;
  /** Whether a stream that the call names hears of it. */
  published?: boolean;
}

/** What the contract says a call does, one call at a time. */
export function step(world: World, call: Call): Step {
  const bound = [...world].find(([, { job }]) => job === call.job)?.[0];
  const channel = call.channel ?? bound ?? '';
  const there = world.get(channel);
  const mine = there !== undefined && (call.job === undefined || there.job === call.job);
  const same = (outcome: string, state: Document | null): Step => ({ reply: [outcome, state], world });
  const wrote = (outcome: string, conversation: Conversation, replied: Document | null = conversation.state): Step => ({
    reply: [outcome, replied],
    world: new Map([...world, [channel, conversation]]),
    renewed: channel,
  });

  if (call.name === 'claim' || call.name === 'set') {
    if (bound !== undefined && bound !== channel) return same('CONVJOB', null);
    const given = { job: call.job, state: call.state };
    if (call.name === 'set') return wrote('', given, there?.state ?? null);
    if (!there) return wrote('claimed', given);
    return mine ? wrote('claimed', there) : same('held', there.state);
  }
  if (call.name === 'remove') {
    if (!mine) return there ? same('held', there.state) : same('gone', null);
    return { reply: ['removed', there.state], world: new Map([...world].filter(([key]) => key !== channel)) };
  }
  if (!mine) return same(call.name === 'answer' ? 'gone' : '', null);
  if (call.name === 'get') return same('', there.state);
  if (call.name === 'get_by_job') return wrote('', there);
  const pending = memberOf(there.state, 'pendingQuestionId') ?? '';
  if (call.name === 'set_pending') {
    if (pending === call.questionId) return wrote('', there);
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
