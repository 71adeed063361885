import type {
  ChannelReference,
  ConversationStore,
  DueJob,
  JobReference,
  StoredConversationState,
} from 'conversation-state';

/** The members that this dispatcher adds to a state. */
export type Notes = { progressMessage?: string; stoppedBy?: string };
type Job = ChannelReference & JobReference;

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
  newJobId(channel: ChannelReference): string;
  /** Starts a job. With `lastSeen`, its message is from the inbox, and its first sign of life says that it was read. */
  startJob(job: Job & { text: string; lastSeen?: string }): Promise<void>;
  stopJob(jobId: string): Promise<void>;
  isAlive(jobId: string): Promise<boolean>;
  tell(channel: ChannelReference, text: string): Promise<void>;
  /** How long a job may take to its first sign of life, in milliseconds: shorter than the platform delivers again. */
  startWithinMs: number;
  /** How long a question waits for a person, in milliseconds. */
  answerWithinMs: number;
}

/** Makes a dispatcher. Any number may run side by side, and any may die at any line: all they know is in the store. */
export function createDispatcher(store: ConversationStore<Notes>, surroundings: Surroundings) {
  const { newJobId, startJob, stopJob, isAlive, tell, startWithinMs, answerWithinMs } = surroundings;

  const stateOf = ({ platform, channelId, userId }: ChannelReference & { userId: string }) => ({
    ...{ platform, channelId, jobId: newJobId({ platform, channelId }) },
    ...{ userId, project: 'website', ticketId: 'WEB-12', startedAt: new Date() },
  });
  /** An entry for the stream that a job reads. */
  const entryFor = (job: Job, fields: Record<string, string>) => ({
    stream: store.key(job, `job:${job.jobId}:in`),
    fields,
  });

  async function onMessage(message: Message): Promise<string> {
    const state = { ...stateOf(message), deliveryId: message.id };
    const queue = { userId: message.userId, text: message.text };
    const { outcome } = await store.claim(state, { startWithinMs, queue });
    if (outcome === 'claimed') return start(state, message.text);
    if (outcome === 'queued') await tell(message, 'I will read this when I am done.');
    if (outcome === 'full') await tell(message, 'Too many messages are waiting. Please write again later.');
    return outcome; // After `starting`, do not acknowledge the message: the platform shall deliver it again.
  }

  async function start(job: Job, text: string, lastSeen?: string): Promise<string> {
    try {
      await startJob({ ...job, text, ...(lastSeen !== undefined && { lastSeen }) });
      return 'claimed';
    } catch {
      // The job never ran. After `removed`, a redelivery of the message may start it.
      return (await store.remove(job, { retry: true })).outcome;
    }
  }

  /** A message that replaces the running job: "stop that, do this". */
  async function onInterrupt(running: Job, message: Message): Promise<string> {
    const next = { ...stateOf(message), deliveryId: message.id };
    const told = entryFor(running, { type: 'Stop', by: message.userId });
    const { outcome } = await store.handOver(running, next, { startWithinMs, ...told });
    return outcome === 'claimed' ? start(next, message.text) : outcome;
  }

  async function onSignOfLife(job: Job, lastSeen?: string): Promise<boolean> {
    const state = await store.getByJobId(job.jobId, { lastSeen });
    if (!state) await stopJob(job.jobId); // Nobody is waiting for it any more.
    return state !== null;
  }

  async function onQuestion(job: Job, questionId: string): Promise<boolean> {
    const state = await store.setPendingQuestion(job, questionId, { answerWithinMs });
    return state?.pendingQuestionId === questionId;
  }

  async function onAnswer(click: Click & { questionId: string; answer: string }): Promise<string> {
    const told = entryFor(click, { type: 'Answer', questionId: click.questionId, answer: click.answer });
    return (await store.answerQuestion(click, click.questionId, { answerId: click.id, ...told })).outcome;
  }

  async function onStop(click: Click): Promise<string> {
    const told = entryFor(click, { type: 'Stop', by: click.userId });
    return (await store.update(click, { stoppedBy: click.userId }, { deliveryId: click.id, ...told })).outcome;
  }

  /** A job has ended. Whatever waits in its inbox is for its successor. */
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

  /** Run it every minute, in as many dispatchers as you like: each job is returned to one of them at a time. */
  async function sweep(leaseMs: number): Promise<void> {
    for await (const due of store.due({ leaseMs })) {
      // An error at one job, such as a state that cannot be read, must not keep the sweep from the others.
      await settle(due).catch((error: Error) => console.error(`${due.jobId}: ${error.message}`));
    }
  }

  async function settle(due: DueJob<StoredConversationState<Notes>>): Promise<string> {
    const questionId = due.state?.pendingQuestionId;
    if (due.reason === 'question' && questionId) {
      // The default is an answer like any other: the first one wins.
      return onAnswer({ ...due, id: `timeout:${due.jobId}:${questionId}`, userId: 'nobody', questionId, answer: 'no' });
    }
    if (due.state && (await isAlive(due.jobId))) {
      await store.getByJobId(due.jobId);
      return 'alive';
    }
    return onEnd(due, 'The job has died.');
  }

  return { onMessage, onInterrupt, onSignOfLife, onQuestion, onAnswer, onStop, onEnd, sweep, settle };
}
