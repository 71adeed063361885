import { setTimeout as pause } from 'node:timers/promises';
import { ConversationStore } from 'conversation-state';
import { connect, fieldsOf, say, settings } from './settings.ts';

// One job, as a process of its own. It does not talk to Slack: its output goes into a stream that the bots read.

const { JOB_ID: jobId = '', CHANNEL_ID: channelId = '', TEXT: prompt = '', LAST_SEEN = '' } = process.env;
const job = { platform: 'slack', channelId, jobId };
const redis = connect();
// XREAD waits, and everything else on its connection would wait with it.
const reader = connect({ waits: true });
const store = new ConversationStore(redis, { silentAfterMs: settings.silentMs });

/** The last entry of the inbox that the job has read: of a successor, the one that it was started with. */
let lastSeen = LAST_SEEN || '0-0';
const messages: string[] = [];
let onAnswer: ((text: string) => void) | undefined;
const stopped = new AbortController();
const over = new AbortController();

const tell = (type: string, more: Record<string, string> = {}) => say(redis, { type, jobId, channelId, ...more });

/** Returns whether the job still holds its channel; if not, nobody is waiting for it any more. */
async function signOfLife(read?: string): Promise<boolean> {
  const holds = (await store.getByJobId(jobId, { lastSeen: read })) !== null;
  if (!holds) over.abort();
  return holds;
}

/** Reads what people write to the job, and what the bots pass on: answers, and a stop. */
async function listen(): Promise<void> {
  const inbox = store.inboxKey(job);
  const own = store.key(job, `job:${jobId}:in`);
  let lastOwn = '0';
  while (!over.signal.aborted) {
    const found = await reader.xread('BLOCK', 5_000, 'STREAMS', inbox, own, lastSeen, lastOwn);
    for (const [stream, entries] of found ?? []) {
      for (const [id, flat] of entries) {
        const { type, text = '', answer = '', by = '', id: message = '' } = fieldsOf(flat);
        if (stream === inbox) {
          // Say first that it was read, and act on it only if the job still holds the thread: a successor reads it otherwise.
          if (!(await signOfLife(id))) return;
          messages.push(text);
          lastSeen = id;
          await tell('Read', { message });
        } else {
          lastOwn = id;
          if (type === 'Answer') onAnswer?.(answer);
          if (type === 'Stop') stopped.abort(`Stopped by <@${by}>.`);
        }
      }
    }
  }
}

async function ask(questionId: string, text: string, answers: string[]): Promise<string> {
  const answered = new Promise<string>((resolve, reject) => {
    onAnswer = resolve;
    interrupted.addEventListener('abort', () => reject(interrupted.reason));
  });
  // People may take days. While the question waits, silence does not count; then the sweep answers no.
  if (!(await store.setPendingQuestion(job, questionId, { answerWithinMs: settings.answerMs }))) over.abort();
  await tell('Question', { questionId, text, answers: JSON.stringify(answers) });
  return answered;
}

/**
 * Your work goes here. `messages` has what people have written since it began; `signal` ends what has to stop. Returns
 * what the thread is told.
 */
async function work(signal: AbortSignal): Promise<string> {
  for (const step of [1, 2, 3]) {
    await tell('Progress', { text: `Step ${step} of 3: ${prompt}` });
    await pause(settings.stepMs, undefined, { signal });
    if (step === 2 && /deploy/i.test(prompt)) {
      const answer = await ask(`${jobId}-deploy`, 'Deploy to production?', ['yes', 'no']);
      if (answer === 'no') return `Not deployed: ${prompt}.`;
    }
    if (step === 2 && /fail/i.test(prompt)) throw new Error('there was nothing to work with');
  }
  return `Done: ${prompt}.`;
}

/** Stops reading and says that the job is done. What comes from now on is for a successor. */
async function end(text: string): Promise<void> {
  reader.disconnect();
  await listening;
  if (over.signal.aborted) return;
  const read = messages.length > 0 ? ` I read ${messages.length} more: ${messages.join('; ')}.` : '';
  // The bot that reads this removes the conversation and tells the thread: a job that did it itself could die in between.
  await tell('Done', { text: text + read });
}

const interrupted = AbortSignal.any([stopped.signal, over.signal]);
process.once('SIGTERM', () => stopped.abort('The job was shut down.'));
await signOfLife(LAST_SEEN || undefined);
if (!over.signal.aborted) await tell('Started', { text: `Working on it: ${prompt}` });
const timer = setInterval(() => signOfLife().catch(() => {}), settings.silentMs / 4);
// It ends with the connection that it waits on.
const listening = listen().catch(() => {});
try {
  await end(await work(interrupted));
} catch (error) {
  // What is unread is for a successor.
  if (stopped.signal.aborted) await tell('Stopped', { text: String(stopped.signal.reason) });
  else if (!over.signal.aborted) {
    await tell('Error', { text: `The job failed: ${error instanceof Error ? error.message : error}.` });
  }
}
clearInterval(timer);
over.abort();
reader.disconnect();
await listening;
await redis.quit();
