import type {
  ChannelReference,
  ConversationStore,
  DueJob,
  JobReference,
  StoredConversationState,
} from 'conversation-state';

/** The members that this dispatcher and its bot add to a state. */
export type Notes = {
  /** The id of the message that shows the job's progress, which is edited with each step. */
  progressMessage?: string;
  stoppedBy?: string;
};
export type Job = ChannelReference & JobReference;

/** A message of a person. Its id is the same in every redelivery. */
export interface Message extends ChannelReference {
  id: string;
  userId: string;
  text: string;
}

/** A click on a button, which carries its job and, under a question, the question and the answer. */
export interface Click extends Job {
  id: string;
  userId: string;
}

/** Where jobs run, and where people read. */
export interface Surroundings {
  /** What a new job is called, and what it works on. */
  newJob(channel: ChannelReference): { jobId: string; project: string; ticketId: string };
  /** Starts a job. With `lastSeen`, its message is from the inbox, and its first sign of life says that it was read. */
  startJob(job: Job & { text: string; lastSeen?: string }): Promise<void>;
  isAlive(jobId: string): Promise<boolean>;
  /** Tells the channel of a job how it ended. */
  tell(job: Job, text: string): Promise<void>;
  /** How long a job may take to its first sign of life, in milliseconds. It must end before the platform's last redelivery. */
  startWithinMs: number;
}

/** Makes a dispatcher. Any number may run side by side, and any may die at any line: everything they know is in the store. */
export function createDispatcher(store: ConversationStore<Notes>, surroundings: Surroundings) {
  const { newJob, startJob, isAlive, tell, startWithinMs } = surroundings;

  const stateOf = ({ platform, channelId, userId }: ChannelReference & { userId: string }) => ({
    ...{ platform, channelId, ...newJob({ platform, channelId }) },
    ...{ userId, startedAt: new Date() },
  });
  /** An entry for the stream that a job reads. */
  const entryFor = (job: Job, fields: Record<string, string>) => ({
    stream: store.key(job, `job:${job.jobId}:in`),
    fields,
  });

  async function onMessage(message: Message): Promise<string> {
    const state = { ...stateOf(message), deliveryId: message.id };
    const queue = { id: message.id, userId: message.userId, text: message.text };
    const { outcome } = await store.claim(state, { startWithinMs, queue });
    if (outcome === 'claimed') return start(state, message.text);
    return outcome; // After `starting`, do not acknowledge the message, so that the platform delivers it again.
  }

  async function start(job: Job, text: string, lastSeen?: string): Promise<string> {
    try {
      await startJob({ ...job, text, ...(lastSeen !== undefined && { lastSeen }) });
      return 'claimed';
    } catch (error) {
      console.error(`${job.jobId}: ${error instanceof Error ? error.message : error}`);
      // A redelivery of the message may start the job. It never ran, unless it gave a sign of life all the same.
      const { outcome, state } = await store.remove(job, { retry: true });
      return outcome === 'held' && state.jobId === job.jobId ? 'claimed' : outcome;
    }
  }

  /** A message that replaces the running job: "stop that, do this". */
  async function onInterrupt(running: Job, message: Message): Promise<string> {
    const next = { ...stateOf(message), deliveryId: message.id };
    const told = entryFor(running, { type: 'Stop', by: message.userId });
    const { outcome } = await store.handOver(running, next, { startWithinMs, ...told });
    return outcome === 'claimed' ? start(next, message.text) : outcome;
  }

  function onAnswer({ id, questionId, answer, ...job }: Click & { questionId: string; answer: string }) {
    return store.answerQuestion(job, questionId, {
      answerId: id,
      ...entryFor(job, { type: 'Answer', questionId, answer }),
    });
  }

  function onStop({ id, userId, ...job }: Click) {
    return store.update(job, { stoppedBy: userId }, { deliveryId: id, ...entryFor(job, { type: 'Stop', by: userId }) });
  }

  /** A job has ended. What is in its inbox is for its successor. */
  async function onEnd(job: Job, text: string): Promise<string> {
    const { outcome, state } = await store.remove(job);
    if (outcome === 'waiting') return follow(job, state?.userId ?? 'unknown', text);
    if (outcome === 'removed' || outcome === 'lapsed') await tell(job, text);
    return outcome;
  }

  /** Gives the channel to a successor, which starts with the first message that waits. */
  async function follow(job: Job, userId: string, text: string): Promise<string> {
    const next = stateOf({ ...job, userId });
    const { outcome } = await store.handOver(job, next, { startWithinMs });
    if (outcome !== 'claimed') return outcome;
    await tell(job, text);
    // Read after the hand-over, never before: another dispatcher may have been faster.
    for await (const { id, fields } of store.inbox(next)) return start(next, fields['text'] ?? '', id);
    return outcome;
  }

  /**
   * Run it every minute, in as many dispatchers as you like: each job is returned to one of them at a time. `end` gets
   * the jobs that died; it may pass them to `onEnd` through a queue.
   */
  async function sweep(leaseMs: number, end = onEnd): Promise<void> {
    for await (const due of store.due({ leaseMs })) {
      // An error at one job, such as a state that cannot be read, must not keep the sweep from the others.
      await settle(due, end).catch((error: Error) => console.error(`${due.jobId}: ${error.message}`));
    }
  }

  async function settle(due: DueJob<StoredConversationState<Notes>>, end = onEnd): Promise<string> {
    const questionId = due.state?.pendingQuestionId;
    if (due.reason === 'question' && questionId) {
      // The default is an answer like any other: the first one wins.
      const id = `timeout:${due.jobId}:${questionId}`;
      return (await onAnswer({ ...due, id, userId: 'nobody', questionId, answer: 'no' })).outcome;
    }
    if (due.state && (await isAlive(due.jobId))) {
      await store.getByJobId(due.jobId);
      return 'alive';
    }
    return end(due, 'The job has died.');
  }

  return { onMessage, onInterrupt, onAnswer, onStop, onEnd, sweep, settle };
}
