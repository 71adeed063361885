import { isDeepStrictEqual } from 'node:util';
import * as assert from 'uvu/assert';
import type { ConversationStore, StoredConversationState } from '../../src/index.ts';
import type { DumpedKey } from '../support/redis.ts';
import { STATE } from './calls.ts';

/** What there is of one conversation. */
export interface Kept {
  state: StoredConversationState | null;
  /** The answers that its stream has heard, the last of them: Redis trims the stream. */
  heard: string[];
}

const LAST = 200;

interface Step {
  after: Kept;
  /** Gives the state that has to be stored then, where the call answers with it. */
  call(store: ConversationStore): Promise<{ state?: StoredConversationState | null }>;
}

/** A caller that makes one call after the other in a channel of its own, and knows what has to be there. */
export class Caller {
  /** What every call up to the last one acknowledged has left. */
  kept: Kept = { state: null, heard: [] };
  acknowledged = 0;
  /** What the call under way, or the one that failed, would leave. */
  next: Kept | undefined;
  readonly #channel: { platform: string; channelId: string };
  readonly #store: ConversationStore;
  readonly #below: (limit: number) => number;
  #count = 0;

  constructor(channelId: string, store: ConversationStore, below: (limit: number) => number) {
    this.#channel = { platform: 'slack', channelId };
    this.#store = store;
    this.#below = below;
  }

  /** Makes one more call and looks at its answer. Throws what the call throws. */
  async step(): Promise<void> {
    const { after, call } = this.#choose(++this.#count);
    this.next = after;
    const { state } = await call(this.#store);
    if (state !== undefined) assert.equal(state, after.state);
    this.acknowledged++;
    this.kept = after;
    this.next = undefined;
  }

  /** Says whether what was found is what has to be there, with or without the call that failed, and goes on from it. */
  recover(keys: Record<string, DumpedKey>): 'with' | 'without' | 'lost' {
    const found = keptOf(keys, this.#channel.channelId);
    const [before, after] = [this.kept, this.next];
    this.kept = found;
    this.next = undefined;
    if (isDeepStrictEqual(found, before)) return 'without';
    return isDeepStrictEqual(found, after) ? 'with' : 'lost';
  }

  #choose(count: number): Step {
    const { state, heard } = this.kept;
    const { channelId } = this.#channel;
    const fresh = {
      ...STATE,
      channelId,
      jobId: `${channelId}-${count}`,
      claimId: `c${count}`,
      deliveryId: `d${count}`,
    };
    const kind = this.#below(10);
    if (!state) return { after: { state: fresh, heard }, call: (store) => store.claim(fresh) };
    if (kind === 0) return { after: { state: null, heard }, call: (store) => store.remove(state).then(() => ({})) };
    if (kind < 3) return { after: { state: fresh, heard }, call: (store) => store.set(fresh).then(() => ({})) };
    const questionId = state.pendingQuestionId;
    if (!questionId) {
      const asked = { ...state, pendingQuestionId: `q${count}` };
      return {
        after: { state: asked, heard },
        call: async (store) => ({ state: await store.setPendingQuestion(state, `q${count}`) }),
      };
    }
    const answerId = `a${count}`;
    const options = { answerId, stream: `heard:${channelId}`, fields: { answerId } };
    return {
      after: {
        state: { ...state, pendingQuestionId: null, lastAnswer: { questionId, answerId } },
        heard: [...heard, answerId].slice(-LAST),
      },
      call: (store) => store.answerQuestion(state, questionId, options),
    };
  }
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
  const entries = (keys[`heard:${channelId}`]?.value ?? []) as [string, [string, string]][];
  return { state, heard: entries.map(([, [, answerId]]) => answerId).slice(-LAST) };
}
