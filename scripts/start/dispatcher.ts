import { createHash } from 'node:crypto';
import type { ConversationStore, StoredConversationState } from '../../src/index.ts';
import { type Command, commandOf } from './command.ts';
import type { ChatMessage, Click, DispatcherEvent, JobMessage } from './events.ts';

/** Where jobs run. */
export interface Jobs {
  /**
   * Starts a job. One of the same id that was started before is left alone: a Kubernetes Job named for the job id gives
   * that for nothing.
   */
  start(state: StoredConversationState): Promise<void>;
  /** Ends a job that lost its channel. */
  stop(jobId: string): Promise<void>;
}

export interface DispatcherOptions {
  /**
   * How long a channel waits for the first word of a job in milliseconds: longer than any job takes to start, shorter
   * than people care to wait for one that never will.
   */
  claimTtlMs: number;
}

/** What became of an event, for whoever tells the people. `state` is what holds the channel, or held it until now. */
export type Dispatched =
  | { outcome: 'claimed' | 'duplicate' | 'replaced' | 'renewed' | 'asked'; state: StoredConversationState }
  | { outcome: 'held' | 'accepted' | 'answered' | 'stale'; state: StoredConversationState }
  | { outcome: 'removed'; state: StoredConversationState | null }
  | { outcome: 'gone' | 'unknown' | 'ignored'; state: null };

/**
 * Makes a dispatcher: it lets people in chat channels start jobs, one in a channel, and passes questions and answers
 * between them. Any number of dispatchers may run side by side and any of them may die at any line, because all they
 * know is in the store.
 */
export function createDispatcher(store: ConversationStore, jobs: Jobs, { claimTtlMs }: DispatcherOptions) {
  return async function dispatch(event: DispatcherEvent): Promise<Dispatched> {
    switch (event.kind) {
      case 'message': {
        const command = commandOf(event);
        return command ? startJob(event, command) : { outcome: 'ignored', state: null };
      }
      case 'click':
        return answer(event);
      case 'job':
        return hear(event);
      case 'noise':
        return { outcome: 'ignored', state: null };
    }
  };

  async function startJob(message: ChatMessage, { ticketId, project, instead }: Command): Promise<Dispatched> {
    const { platform, channelId, userId } = message;
    const jobId = jobIdFor(message, ticketId);
    const state = { jobId, platform, channelId, userId, project, ticketId, startedAt: new Date().toISOString() };

    // A platform that got no answer in time sends a message again. Then the job runs, or the dispatcher that claimed the
    // channel died before it could start it. Claiming again would cut a running job's time down to that of a claim.
    const running = await store.getByJobId(jobId, { renew: false });
    if (running) {
      await jobs.start(running);
      return { outcome: 'duplicate', state: running };
    }

    // Short until the job speaks: if it never does, or this process ends here, the channel is soon free again.
    const claim = instead ? await takeOver(state) : await store.claim(state, { ttlMs: claimTtlMs });
    if (claim.outcome === 'held') return claim;
    try {
      await jobs.start(state);
    } catch (error) {
      await store.remove(state);
      throw error;
    }
    return claim;
  }

  async function takeOver(state: StoredConversationState): Promise<Dispatched> {
    const { jobId } = state;
    const before = await store.set(state, { ttlMs: claimTtlMs });
    // Sent again for a reply that was lost it finds this very state; who was displaced then is stopped at its next word.
    if (!before || before.jobId === jobId) return { outcome: 'claimed', state };
    await jobs.stop(before.jobId);
    return { outcome: 'replaced', state: before };
  }

  async function answer({ platform, channelId, jobId, questionId, answerId, answer }: Click): Promise<Dispatched> {
    // The button names its job, so that a click under a question of a job that lost the channel can't reach another one.
    return store.answerQuestion({ platform, channelId, jobId }, questionId, {
      answerId,
      stream: `job:${jobId}:in`,
      fields: { type: 'Answer', jobId, questionId, content: answer },
    });
  }

  async function hear(message: JobMessage): Promise<Dispatched> {
    const { jobId, channel } = message;
    const ref = { ...channel, jobId };
    switch (message.type) {
      case 'Progress': {
        const state = await store.getByJobId(jobId);
        return state ? { outcome: 'renewed', state } : dismiss(jobId);
      }
      case 'Question': {
        const state = await store.setPendingQuestion(ref, message.questionId);
        return state ? { outcome: 'asked', state } : dismiss(jobId);
      }
      case 'Done':
      case 'Error':
        return store.remove(ref);
    }
  }

  /** A job whose claim lapsed, or that was displaced, works for nobody. */
  async function dismiss(jobId: string): Promise<Dispatched> {
    await jobs.stop(jobId);
    return { outcome: 'unknown', state: null };
  }
}

/** The same for the same message, so that a message that is delivered twice starts one job. A valid Kubernetes name. */
function jobIdFor({ platform, channelId, messageId }: ChatMessage, ticketId: number | string): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([platform, channelId, messageId]))
    .digest('hex');
  return `fix-${ticketId}-${hash.slice(0, 8)}`.toLowerCase();
}
