import { randomUUID } from 'node:crypto';
import type { webApi } from '@slack/bolt';
import type { ConversationStore } from 'conversation-state';
import type { Redis } from 'ioredis';
import type { createDispatcher, Job, Notes } from './dispatcher.ts';
import { connect, EVENTS, fieldsOf, settings } from './settings.ts';

const platform = 'slack';
const GROUP = 'bots';
const DAY = 24 * 3_600_000;

type Entry = [id: string, fields: string[]];

interface Surroundings {
  store: ConversationStore<Notes>;
  redis: Redis;
  slack: webApi.WebClient;
  dispatcher: ReturnType<typeof createDispatcher>;
  /** Does what nobody need wait for. */
  later(task: Promise<unknown>): void;
}

/** Shows in the threads what the jobs say. Returns what stops that, once the entry in hand is shown. */
export async function readEvents(surroundings: Surroundings): Promise<() => Promise<void>> {
  const { store, redis, slack, dispatcher, later } = surroundings;
  const reader = connect({ waits: true });
  /** Shows what a job says. `again`: another bot, or this one, may have done some of it before. */
  async function show(
    { type, jobId = '', channelId = '', text = '', ...more }: Record<string, string>,
    again: boolean,
  ) {
    const [channel, thread_ts] = placeOf(channelId);
    const job = { platform, channelId, jobId };
    if (type === 'Read') return react(slack, ...placeOf(more['message'] ?? ''), 'white_check_mark');
    const state = await store.get(job);
    if (type === 'Started' || type === 'Progress') {
      if (!state) return;
      const blocks = [section(text), buttons([button('stop', 'Stop', jobId)])];
      if (state.progressMessage) {
        return void (await slack.chat.update({ channel, ts: state.progressMessage, text, blocks }));
      }
      if (type === 'Progress') return;
      const { ts = '' } = await slack.chat.postMessage({ channel, thread_ts, text, blocks });
      return void (await store.update(job, { progressMessage: ts }));
    }
    if (type === 'Question') {
      const questionId = more['questionId'] ?? '';
      if (state?.pendingQuestionId !== questionId) return;
      const choices = (JSON.parse(more['answers'] ?? '[]') as string[]).map((answer, n) =>
        button(`answer:${n}`, answer, JSON.stringify({ jobId, questionId, answer })),
      );
      const blocks = [section(text), buttons(choices)];
      return void (await slack.chat.postMessage({ channel, thread_ts, text, blocks }));
    }
    // Done, Error, Stopped or Died. One call ends the job, and that one tells the thread.
    const outcome = await dispatcher.onEnd(job, text);
    // The bot that made it may have died before it told the thread, or after: look into the thread.
    const isTold = !again || !['held', 'gone'].includes(outcome) || (await hasEnd(slack, job));
    if (!isTold) await postEnd(slack, job, text);
    if (!state?.progressMessage) return;
    const ended = 'This job has ended.';
    later(slack.chat.update({ channel, ts: state.progressMessage, text: ended, blocks: [section(ended)] }));
  }

  let stopping = false;
  /** Each entry goes to one bot, and to another one if it was not acknowledged in time. */
  async function readOn(): Promise<void> {
    const me = randomUUID();
    while (!stopping) {
      try {
        const left = await reader.xautoclaim(EVENTS, GROUP, me, settings.retryMs, '0', 'COUNT', 1);
        let [, found] = left as [string, Entry[]];
        const again = found.length > 0;
        if (!again) {
          const news = await reader.xreadgroup('GROUP', GROUP, me, 'COUNT', 1, 'BLOCK', 500, 'STREAMS', EVENTS, '>');
          found = (news as [string, Entry[]][] | null)?.[0]?.[1] ?? [];
        }
        for (const [id, flat] of found) {
          // One that nobody could show for a day, in a channel that was deleted, say, is given up.
          const isOld = Number(id.split('-')[0]) < Date.now() - DAY;
          if (!isOld) await show(fieldsOf(flat), again);
          await redis.multi().xack(EVENTS, GROUP, id).xdel(EVENTS, id).exec();
        }
      } catch (error) {
        if (/NOGROUP/.test(String(error))) await createGroup().catch(() => {});
        else console.error(`Tried again later: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
  async function createGroup(): Promise<void> {
    await reader.xgroup('CREATE', EVENTS, GROUP, '0', 'MKSTREAM').catch((error) => {
      if (!/BUSYGROUP/.test(error.message)) throw error;
    });
  }

  await createGroup();
  const reading = readOn();
  return async () => {
    stopping = true;
    await reading;
    await reader.quit();
  };
}

/** Channel and ts, of a thread's `channelId` and of a message's id. */
const placeOf = (id: string) => id.split(':') as [channel: string, ts: string];

/** Tells the thread of a job how it ended. */
export async function postEnd(slack: webApi.WebClient, { channelId, jobId }: Job, text: string): Promise<void> {
  const [channel, thread_ts] = placeOf(channelId);
  const metadata = { event_type: 'job_ended', event_payload: { jobId } };
  await slack.chat.postMessage({ channel, thread_ts, text, metadata });
}

async function hasEnd(slack: webApi.WebClient, { channelId, jobId }: Job): Promise<boolean> {
  const [channel, ts] = placeOf(channelId);
  const replies = { channel, ts, include_all_metadata: true, limit: 200 };
  for await (const page of slack.paginate('conversations.replies', replies)) {
    for (const { metadata } of (page as webApi.ConversationsRepliesResponse).messages ?? []) {
      if ((metadata as { event_payload?: { jobId?: string } } | undefined)?.event_payload?.jobId === jobId) return true;
    }
  }
  return false;
}

/** Adding the same reaction again changes nothing, so this can be done twice. */
export async function react(slack: webApi.WebClient, channel: string, timestamp: string, name: string): Promise<void> {
  await slack.reactions.add({ channel, timestamp, name }).catch((error) => {
    if (error.data?.error !== 'already_reacted') throw error;
  });
}

export const section = (text: string) => ({ type: 'section' as const, text: { type: 'mrkdwn' as const, text } });
const buttons = (elements: ReturnType<typeof button>[]) => ({ type: 'actions' as const, elements });
const button = (action_id: string, label: string, value: string) => {
  return { type: 'button' as const, action_id, value, text: { type: 'plain_text' as const, text: label } };
};
