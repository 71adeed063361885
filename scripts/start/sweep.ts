import type { ConversationStore, DueJob, RemoveResult, StoredConversationState } from '../../src/index.ts';

/** What the sweep did about one silent job. */
export type Swept = { job: DueJob<StoredConversationState> } & (
  | { outcome: 'alive' }
  | { outcome: 'failed'; error: unknown }
  | RemoveResult<StoredConversationState>
);

/**
 * Looks into every job that was silent for too long. Any number of sweeps may run at the same time: each silent job is
 * given to one of them at a time, and given out again where that one died.
 * @param isAlive asks Kubernetes, or whatever runs the jobs
 */
export async function* sweep(
  store: ConversationStore,
  isAlive: (jobId: string) => Promise<boolean>,
  leaseMs = 60_000,
): AsyncGenerator<Swept> {
  for await (const job of store.due({ leaseMs })) {
    try {
      if (job.state && (await isAlive(job.jobId))) {
        // Not one of its own words, but a sign of life all the same.
        await store.getByJobId(job.jobId);
        yield { job, outcome: 'alive' };
      } else {
        // Channel and job, so that nothing of a job that came after it goes. One sweep is told `removed` or `lapsed`: that
        // one tells the people in the channel.
        yield { job, ...(await store.remove(job)) };
      }
    } catch (error) {
      // A state that cannot be read, say. It must not keep the sweep from the jobs behind it.
      yield { job, outcome: 'failed', error };
    }
  }
}
