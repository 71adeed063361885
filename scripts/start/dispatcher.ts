import { createHash } from 'node:crypto';
import type { ConversationStore, StoredConversationState } from '../../src/index.ts';
import { type Command, commandOf } from './command.ts';
import type { ChatMessage, Click, DispatcherEvent, JobMessage, Stop } from './events.ts';

/** What the dispatcher notes in a state for itself. */
export type Notes = { messageId?: string; stoppedBy?: string };
type State = StoredConversationState<Notes>;

/** Where jobs run, and where people read. */
export interface Surroundings {
  /** Starts a job. */
  start(state: StoredConversationState): Promise<void>;
  /** Ends a job that lost its channel. */
  stop(jobId: string): Promise<void>;
  /** Posts the one message of a job that is edited with every progress, and returns its id. */
  post(state: StoredConversationState): Promise<string>;
  /**
   * How long a channel waits for the first word of a job in milliseconds: longer than any job takes to start, shorter
   * than people care to wait for one that never will.
   */
  claimTtlMs: number;
}

/**
 * What became of an event, for whoever tells the people: the outcome that the store gave or, where a call gives none,
 * whether there was a `state`. `state` is what holds the channel, or held it until now.
 */
export interface Dispatched {
  outcome: string;
  state: State | null;
}

/**
 * Makes a dispatcher: it lets people in chat channels start jobs, one in a channel, and passes questions and answers
 * between them. Any number of dispatchers may run side by side and any of them may die at any line, because all they
 * know is in the store.
 */
export function createDispatcher(store: ConversationStore<Notes>, { start, stop, post, claimTtlMs }: Surroundings) {
  return async function dispatch(event: DispatcherEvent): Promise<Dispatched> {
    switch (event.kind) {
      case 'message': {
        const command = commandOf(event);
        return command ? startJob(event, command) : { outcome: 'ignored', state: null };
      }
      case 'click':
        return answer(event);
      case 'stop':
        return tellToStop(event);
      case 'job':
        return hear(event);
      case 'noise':
        return { outcome: 'ignored', state: null };
    }
  };

  async function startJob(message: ChatMessage, { ticketId, project, instead }: Command): Promise<Dispatched> {
    const { platform, channelId, userId, messageId, text } = message;
    const state = {
      ...{ platform, channelId, userId, project, ticketId },
      jobId: jobIdFor(message, ticketId),
      startedAt: new Date().toISOString(),
      // The same in every redelivery, so that a message is never handled twice.
      deliveryId: messageId,
    };
    if (instead) return takeOver(state);
    // Short until the job speaks: if it never does, or this process ends here, the channel is soon free again. While
    // another job holds the channel, the message goes into that job's inbox.
    const queue = { type: 'Message', userId, text };
    const claim = await store.claim(state, { ttlMs: claimTtlMs, queue });
    if (claim.outcome !== 'claimed') return claim;
    try {
      await start(claim.state);
      return claim;
    } catch {
      // The job never ran, so the platform may deliver the message again.
      return store.remove(state, { retry: true });
    }
  }

  async function takeOver(state: State): Promise<Dispatched> {
    const before = await store.set(state, { ttlMs: claimTtlMs });
    if (before?.jobId === state.jobId) return { outcome: 'state', state: before };
    if (before) await stop(before.jobId);
    await start(state);
    return { outcome: before ? 'state' : 'null', state: before };
  }

  async function answer({ platform, channelId, jobId, questionId, clickId, answer }: Click): Promise<Dispatched> {
    // The button names its job, so that a click under a question of a job that lost the channel can't reach another one.
    return store.answerQuestion({ platform, channelId, jobId }, questionId, {
      answerId: clickId,
      stream: `job:${jobId}:in`,
      fields: { type: 'Answer', jobId, questionId, content: answer },
    });
  }

  async function tellToStop({ platform, channelId, jobId, userId, clickId }: Stop): Promise<Dispatched> {
    const told = { stream: `job:${jobId}:in`, fields: { type: 'Stop', jobId, by: userId }, deliveryId: clickId };
    return store.update({ platform, channelId, jobId }, { stoppedBy: userId }, told);
  }

  async function hear(message: JobMessage): Promise<Dispatched> {
    const { jobId, channel } = message;
    const ref = { ...channel, jobId };
    switch (message.type) {
      case 'Progress': {
        const state = await store.getByJobId(jobId);
        if (!state) return dismiss(jobId);
        if (state.messageId !== undefined) return { outcome: 'state', state };
        return store.update(ref, { messageId: await post(state) });
      }
      case 'Question': {
        const state = await store.setPendingQuestion(ref, message.questionId);
        return state ? { outcome: 'state', state } : dismiss(jobId);
      }
      case 'Done':
      case 'Error':
        // While something unread waits, the job is told so and reads on.
        return store.remove(ref, message.lastSeen === undefined ? {} : { lastSeen: message.lastSeen });
    }
  }

  /** A job whose claim lapsed, or that was displaced, works for nobody. */
  async function dismiss(jobId: string): Promise<Dispatched> {
    await stop(jobId);
    return { outcome: 'null', state: null };
  }
}

/** The same for the same message, so that it can be told where a job came from. A valid Kubernetes name. */
function jobIdFor({ platform, channelId, messageId }: ChatMessage, ticketId: number | string): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([platform, channelId, messageId]))
    .digest('hex');
  return `fix-${ticketId}-${hash.slice(0, 8)}`.toLowerCase();
}
