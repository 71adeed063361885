import type { ConversationStore } from 'conversation-state';
import type { Redis } from 'ioredis';
import { settings, tell } from './settings.ts';
import type { Spawner } from './spawn.ts';

/**
 * Answers questions whose time is over with no, and looks into every job that was silent for too long. Any number of
 * sweeps may run at once: each job is returned to one of them at a time. The end of a dead job goes through the stream
 * like all others, because a sweep that removed it and then died would leave a thread without an end.
 */
export async function sweep(store: ConversationStore, redis: Redis, spawner: Spawner): Promise<void> {
  for await (const due of store.due({ leaseMs: settings.sweepMs })) {
    const { reason, jobId, channelId, state } = due;
    const questionId = state?.pendingQuestionId;
    try {
      if (reason === 'question' && questionId) {
        // An answer like any other: the first one wins, and the job has it in its stream.
        const told = { stream: store.key(due, `job:${jobId}:in`), fields: { type: 'Answer', questionId, text: 'no' } };
        await store.answerQuestion(due, questionId, { answerId: `timeout:${jobId}:${questionId}`, ...told });
      } else if (state && (await spawner.isAlive(jobId))) await store.getByJobId(jobId);
      else await tell(redis, { type: 'Died', jobId, channelId, text: 'The job has died.' });
    } catch (error) {
      // The next sweep looks again.
      console.error(`${jobId}: ${error instanceof Error ? error.message : error}`);
    }
  }
}
