import { randomUUID } from 'node:crypto';
import type { webApi } from '@slack/bolt';
import type { ChannelReference, ConversationStore, JobReference, StoredConversationState } from 'conversation-state';
import type { Redis } from 'ioredis';
import { connect, EVENTS, fieldsOf, type Notes, settings } from './settings.ts';
import type { Spawner } from './spawn.ts';

const platform = 'slack';
const GROUP = 'bots';
const DAY = 24 * 3_600_000;

type Entry = [id: string, fields: string[]];

interface Surroundings {
  store: ConversationStore<Notes>;
  redis: Redis;
  slack: webApi.WebClient;
  spawner: Spawner;
  /** Does what nobody need wait for. */
  later(task: Promise<unknown>): void;
}

/** Shows in the threads what the jobs say. Returns what stops that, once the entry in hand is shown. */
export async function readEvents({ store, redis, slack, spawner, later }: Surroundings): Promise<() => Promise<void>> {
  const reader = connect({ waits: true });
  /** Shows what a job says. `again`: another bot, or this one, may have done some of it before. */
  async function show(
    { type, jobId = '', channelId = '', text = '', ...more }: Record<string, string>,
    again: boolean,
  ) {
    const [channel = '', thread_ts = ''] = channelId.split(':');
    const job = { platform, channelId, jobId };
    if (type === 'Read') return react(slack, channel, more['ts'] ?? '', 'white_check_mark');
    const state = await store.get(job);
    if (type === 'Started' || type === 'Progress') {
      if (!state) return;
      const blocks = [section(text), buttons([button('stop', 'Stop', jobId)])];
      if (state.messageTs) return void (await slack.chat.update({ channel, ts: state.messageTs, text, blocks }));
      if (type === 'Progress') return;
      const { ts = '' } = await slack.chat.postMessage({ channel, thread_ts, text, blocks });
      return void (await store.update(job, { messageTs: ts }));
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
    // Done, Error, Stopped or Died. One caller gets `removed` or `lapsed`, and that one tells the thread.
    const { outcome } = await store.remove(job);
    // Somebody wrote in the last moment, or to a job that died: that is for a successor.
    const told = outcome === 'removed' || outcome === 'lapsed' || (outcome === 'waiting' && (await follow(job, state)));
    // The bot that got it may have died before it told the thread, or after: look into the thread.
    if (!told && !(again && !(await hasEnd(channel, thread_ts, jobId)))) return;
    if (state?.messageTs) {
      const ended = 'This job has ended.';
      later(slack.chat.update({ channel, ts: state.messageTs, text: ended, blocks: [section(ended)] }));
    }
    const metadata = { event_type: 'job_ended', event_payload: { jobId } };
    await slack.chat.postMessage({ channel, thread_ts, text, metadata });
  }

  /** Gives the thread and its inbox to a successor, which starts with the first unread message. */
  async function follow(
    job: ChannelReference & JobReference,
    before: StoredConversationState | null,
  ): Promise<boolean> {
    const { userId = 'unknown', project = 'unknown', ticketId = 'unknown' } = before ?? {};
    const next = { ...job, jobId: store.newJobId(job), userId, project, ticketId, startedAt: new Date() };
    const { outcome } = await store.handOver(job, next, { startWithinMs: settings.startMs });
    if (outcome !== 'claimed') return false;
    for await (const { id, fields } of store.inbox(next)) {
      await spawner.start({ ...next, prompt: fields['text'] ?? '', lastSeen: id });
      break;
    }
    return true;
  }

  async function hasEnd(channel: string, ts: string, jobId: string): Promise<boolean> {
    const replies = { channel, ts, include_all_metadata: true, limit: 200 };
    for await (const page of slack.paginate('conversations.replies', replies)) {
      for (const { metadata } of (page as webApi.ConversationsRepliesResponse).messages ?? []) {
        if ((metadata as { event_payload?: { jobId?: string } } | undefined)?.event_payload?.jobId === jobId)
          return true;
      }
    }
    return false;
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
