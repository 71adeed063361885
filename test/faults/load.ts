import { isDeepStrictEqual } from 'node:util';
import * as assert from 'uvu/assert';
import type { ConversationStore, StoredConversationState } from '../../src/index.ts';
import type { DumpedKey } from '../support/redis.ts';
import { STATE } from './calls.ts';

/** What there is of one conversation. */
export interface Kept {
  state: StoredConversationState | null;
  /** What its stream has heard, answers and messages, the last of them: Redis trims the stream. */
  heard: string[];
  /** The messages that wait in its inbox. */
  inbox: string[];
  /** The deliveries that are handled, the last of them: the library trims them. */
  handled: string[];
  /** The jobs of this channel that are on watch. */
  watched: string[];
}

/** After what time a job of a {@link Caller} counts as silent: its store has this as `silentAfterMs`. */
export const SILENT_AFTER_MS = 3_600_000;

const LAST = 200;

interface Step {
  name: string;
  after: Kept;
  /** The outcomes that the call may be told; the second one where it was sent again. */
  told?: string[];
  /** Whether it is a sign of life of the job. */
  speaks?: boolean;
  /** Gives the state that has to be stored then, where the call answers with it. */
  call(store: ConversationStore): Promise<{ outcome?: string; state?: StoredConversationState | null }>;
}

/** A caller that makes one call after the other in a channel of its own, and knows what has to be there. */
export class Caller {
  /** What every call up to the last one acknowledged has left. */
  kept: Kept = { state: null, heard: [], inbox: [], handled: [], watched: [] };
  acknowledged = 0;
  /** What the call under way, or the one that failed, would leave. */
  next: Kept | undefined;
  /** The last call made. */
  doing = '';
  readonly #channel: { platform: string; channelId: string };
  readonly #store: ConversationStore;
  readonly #below: (limit: number) => number;
  #count = 0;
  /** Since when the job of the last sign of life that was acknowledged has been silent. */
  #spoke = 0;

  constructor(channelId: string, store: ConversationStore, below: (limit: number) => number) {
    this.#channel = { platform: 'slack', channelId };
    this.#store = store;
    this.#below = below;
  }

  /** Makes one more call and looks at its answer. Throws what the call throws. */
  async step(): Promise<void> {
    const { name, after, told, speaks, call } = this.#choose(++this.#count);
    this.doing = name;
    this.next = after;
    const begin = Date.now();
    const { outcome, state } = await call(this.#store);
    if (told) assert.ok(told.includes(String(outcome)), `${outcome}, not ${told.join(' or ')}`);
    if (state !== undefined) assert.equal(state, after.state);
    if (speaks) this.#spoke = begin;
    this.acknowledged++;
    this.kept = after;
    this.next = undefined;
  }

  /** Says whether what was found is what has to be there, with or without the call that failed, and goes on from it. */
  recover(keys: Record<string, DumpedKey>): 'with' | 'without' | 'lost' {
    const found = keptOf(keys, this.#channel.channelId);
    for (const [, score] of watchOf(keys, this.#channel.channelId)) {
      // One millisecond, for the server cuts its time to whole ones.
      assert.ok(score >= this.#spoke + SILENT_AFTER_MS - 1, 'a sign of life that was acknowledged is not there');
    }
    const [before, after] = [this.kept, this.next];
    this.kept = found;
    this.next = undefined;
    if (isDeepStrictEqual(found, before)) return 'without';
    return isDeepStrictEqual(found, after) ? 'with' : 'lost';
  }

  #choose(count: number): Step {
    const { kept } = this;
    const { state, inbox } = kept;
    const { channelId } = this.#channel;
    const fresh = {
      ...STATE,
      channelId,
      jobId: `${channelId}-${count}`,
      claimId: `c${count}`,
      deliveryId: `d${count}`,
    };
    const begun = { ...kept, state: fresh, watched: [fresh.jobId] };
    if (!state)
      return { name: 'claim', after: begun, told: ['claimed'], speaks: true, call: (store) => store.claim(fresh) };
    const kind = this.#below(18);
    if (kind < 3) return this.#remove(kind, state);
    if (kind < 5)
      return { name: 'set', after: begun, speaks: true, call: (store) => store.set(fresh).then(() => ({})) };
    if (kind < 8) {
      const queue = { text: `t${count}` };
      return {
        name: 'queue',
        after: { ...kept, inbox: [...inbox, queue.text], handled: handledToo(kept, fresh.deliveryId) },
        told: ['queued'],
        call: (store) => store.claim(fresh, { queue }),
      };
    }
    if (kind < 11) return this.#update(count, state);
    if (kind < 12) {
      return {
        name: 'renew',
        after: kept,
        speaks: true,
        call: async (store) => ({ state: await store.getByJobId(state.jobId) }),
      };
    }
    const questionId = state.pendingQuestionId;
    if (!questionId) {
      return {
        name: 'ask',
        after: { ...kept, state: { ...state, pendingQuestionId: `q${count}` } },
        call: async (store) => ({ state: await store.setPendingQuestion(state, `q${count}`) }),
      };
    }
    const answerId = `a${count}`;
    const options = { answerId, stream: `heard:${channelId}`, fields: { answerId } };
    return {
      name: 'answer',
      after: {
        ...kept,
        state: { ...state, pendingQuestionId: null, lastAnswer: { questionId, answerId } },
        heard: heardToo(kept, answerId),
      },
      told: ['accepted'],
      call: (store) => store.answerQuestion(state, questionId, options),
    };
  }

  /** The end of a job that has read nothing, everything, or never looks into its inbox. */
  #remove(kind: number, state: StoredConversationState): Step {
    const { kept } = this;
    if (kind === 0 && kept.inbox.length > 0) {
      return {
        name: 'remove, waiting',
        after: kept,
        told: ['waiting'],
        call: (store) => store.remove(state, { lastSeen: '0' }),
      };
    }
    const handled = handledToo(kept, String(state.deliveryId));
    const told = ['removed', 'gone'];
    const after = { ...kept, state: null, handled, watched: [] };
    if (kind === 1)
      return { name: 'remove', after, told, call: async (store) => ({ outcome: (await store.remove(state)).outcome }) };
    return {
      name: 'remove with lastSeen',
      after: { ...after, inbox: [] },
      told,
      call: async (store) => {
        let lastSeen = '0';
        for await (const { id } of store.inbox(state)) lastSeen = id;
        return { outcome: (await store.remove(state, { lastSeen })).outcome };
      },
    };
  }

  /** A member that is noted, and a message to the job in the same step. */
  #update(count: number, state: StoredConversationState): Step {
    const { kept } = this;
    const deliveryId = `u${count}`;
    const options = { deliveryId, stream: `heard:${state.channelId}`, fields: { deliveryId } };
    return {
      name: 'update',
      after: {
        ...kept,
        state: { ...state, userId: `U${count}` },
        heard: heardToo(kept, deliveryId),
        handled: handledToo(kept, deliveryId),
      },
      told: ['updated', 'duplicate'],
      call: (store) => store.update(state, { userId: `U${count}` }, options),
    };
  }
}

function heardToo({ heard }: Kept, text: string): string[] {
  return [...heard, text].slice(-LAST);
}

function handledToo({ handled }: Kept, deliveryId: string): string[] {
  return lastOf([...handled, deliveryId]);
}

/** Delivery ids in the order of the calls that they are of. */
function lastOf(deliveryIds: string[]): string[] {
  return deliveryIds.toSorted((a, b) => Number(a.slice(1)) - Number(b.slice(1))).slice(-LAST);
}

/** What is there of a channel; a state and its index only together, and both with one deadline. */
function keptOf(keys: Record<string, DumpedKey>, channelId: string): Kept {
  const conversation = `conversation:slack:${channelId}`;
  const stored = keys[conversation];
  const state = stored ? JSON.parse(String(stored.value)) : null;
  assert.equal(
    Object.entries(keys).flatMap(([key, { value, deadline }]) => (value === conversation ? [[key, deadline]] : [])),
    stored ? [[`job-index:${state.jobId}`, stored.deadline]] : [],
  );
  const members = membersOf(keys[`conversation-handled:slack:${channelId}`]).map(([member]) => member);
  return {
    state,
    heard: textsIn(keys[`heard:${channelId}`]).slice(-LAST),
    inbox: textsIn(keys[`conversation-inbox:slack:${channelId}`]),
    handled: lastOf(members.filter((member) => !member.includes('\n'))),
    watched: watchOf(keys, channelId).map(([jobId]) => jobId),
  };
}

/** The jobs of a channel that are on watch, and from when on each counts as silent. */
function watchOf(keys: Record<string, DumpedKey>, channelId: string): [jobId: string, score: number][] {
  return membersOf(keys['conversation-watch']).flatMap(([entry, score]): [string, number][] => {
    const [jobId = '', conversation] = entry.split('\n');
    return conversation === `conversation:slack:${channelId}` ? [[jobId, score]] : [];
  });
}

/** The value of the first field of each entry of a stream. */
function textsIn(stream: DumpedKey | undefined): string[] {
  return ((stream?.value ?? []) as [string, [string, string]][]).map(([, [, text]]) => text);
}

/** Members and scores of a sorted set. */
function membersOf(set: DumpedKey | undefined): [member: string, score: number][] {
  const flat = ((set?.value ?? []) as unknown[]).flat().map(String);
  return flat.flatMap((member, at): [string, number][] => (at % 2 === 0 ? [[member, Number(flat[at + 1])]] : []));
}
