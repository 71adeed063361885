import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { App, type BlockAction, type ButtonAction, HTTPReceiver, webApi } from '@slack/bolt';
import { ConversationStore } from 'conversation-state';
import { createDispatcher, type Job, type Notes } from './dispatcher.ts';
import { postEnd, react, readEvents, section } from './events.ts';
import { connect, say, settings } from './settings.ts';
import { type Spawner, spawnerOf } from './spawn.ts';

const platform = 'slack';

/** A message that a person wrote, in either of the two events that tell of it. */
interface Written {
  channel: string;
  thread_ts?: string | undefined;
  ts: string;
  user?: string | undefined;
  text?: string | undefined;
}

/** Starts a bot. Any number may run side by side: whatever they know is in Redis. Returns what stops this one. */
export async function startBot(spawner: Spawner): Promise<() => Promise<void>> {
  const { SLACK_BOT_TOKEN: token, SLACK_SIGNING_SECRET: signingSecret, SLACK_API_URL: slackApiUrl } = process.env;
  if (!token || !signingSecret) throw new Error('SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET must be set.');
  const redis = connect();
  const store = new ConversationStore<Notes>(redis, { silentAfterMs: settings.silentMs });
  await store.ready();
  // Bounded, so that an entry is shown, or given up, long before another bot takes it over.
  const limits = { timeout: 5_000, retryConfig: { retries: 2, maxTimeout: 2_000 }, rejectRateLimitedCalls: true };
  const clientOptions = { ...limits, ...(slackApiUrl ? { slackApiUrl } : {}) };
  const slack = new webApi.WebClient(token, clientOptions);
  const { user_id: botUserId = '', bot_id: botId = '', team_id: project = 'slack' } = await slack.auth.test();
  const dispatcher = createDispatcher(store, {
    ...spawner,
    newJob: (thread) => ({ jobId: store.newJobId(thread), project, ticketId: thread.channelId }),
    tell: (job, text) => postEnd(slack, job, text),
    startWithinMs: settings.startMs,
  });

  const receiver = new HTTPReceiver({
    signingSecret,
    // Slack hears "received" once the message is claimed and its job is started, so one that a dying bot had in its
    // hands is delivered again. What is only shown to people comes after that, and does not cost any of the three seconds.
    processBeforeResponse: true,
    processEventErrorHandler: async ({ error, response }) => {
      console.error(`Slack will deliver again: ${error.message}`);
      if (!response.headersSent) response.writeHead(503).end();
      return false;
    },
    customRoutes: [
      { path: '/healthz', method: 'GET', handler: (_, response) => response.writeHead(200).end() },
      {
        path: '/readyz',
        method: 'GET',
        handler: (_, response) =>
          redis.ping().then(
            () => response.writeHead(200).end(),
            () => response.writeHead(503).end(),
          ),
      },
    ],
  });
  const app = new App({ token, botUserId, botId, receiver, clientOptions });
  // To the receiver's handler above, which needs no stack.
  app.error(async (error) => {
    throw error;
  });

  const unfinished = new Set<Promise<unknown>>();
  /** Does what Slack need not wait for. A stopping bot finishes it. */
  function later(task: Promise<unknown>): void {
    const done = task.catch((error) => console.error(error.message)).finally(() => unfinished.delete(done));
    unfinished.add(done);
  }

  async function onMessage(
    { channel, thread_ts, ts, user: userId = 'unknown', text = '' }: Written,
    isMention: boolean,
  ) {
    const thread = { platform, channelId: `${channel}:${thread_ts ?? ts}` };
    // Without a mention, it is meant for the bot only where a job is at work. If that job ends before the claim, the
    // message starts the next one, so that it is not lost.
    if (!isMention && !(await store.get(thread))) return;
    // Not the event's id: that is another one for `message` and for `app_mention`.
    const id = `${channel}:${ts}`;
    const message = { ...thread, id, userId, text: text.replaceAll(`<@${botUserId}>`, '').trim() };
    let outcome = await dispatcher.onMessage(message);
    // Another delivery of it is starting the job, or its bot died before that: then the claim lapses.
    for (let n = 0; outcome === 'starting' && n < 5; n++) {
      await pause(200);
      outcome = await dispatcher.onMessage(message);
    }
    if (outcome === 'claimed') return later(react(slack, channel, ts, 'eyes'));
    if (outcome === 'queued') return later(react(slack, channel, ts, 'inbox_tray'));
    if (outcome === 'full') {
      const full = 'Too many messages wait for this job already. Please write again later.';
      return later(slack.chat.postMessage({ channel, thread_ts: thread_ts ?? ts, text: full }));
    }
    if (outcome === 'duplicate') return;
    throw new Error(`no job has started for the message ${id}: ${outcome}`);
  }

  app.event('app_mention', ({ event }) => onMessage(event, true));

  app.message(async ({ message }) => {
    if (message.subtype && message.subtype !== 'file_share' && message.subtype !== 'thread_broadcast') return;
    await onMessage(message as Written, false);
  });

  /** A click. It names the job of its button, so one on an old button never reaches the next job of the thread. */
  function clickOf({ channel, message, user }: BlockAction, jobId: string, id: string) {
    if (!channel || !message) throw new Error('a button outside of a message');
    const channelId = `${channel.id}:${message['thread_ts'] ?? message.ts}`;
    const edit = (text: string) =>
      later(slack.chat.update({ channel: channel.id, ts: message.ts, text, blocks: [section(text)] }));
    return { click: { platform, channelId, jobId, id, userId: user.id }, edit };
  }

  app.action<BlockAction<ButtonAction>>(/^answer:/, async ({ ack, action, body }) => {
    const { jobId, questionId, answer } = JSON.parse(action.value ?? '{}');
    // Question, who and what: so whoever clicks second is shown who was first, and the same click again is the same answer.
    const { click, edit } = clickOf(body, jobId, `${questionId}|<@${body.user.id}> said *${answer}*`);
    const { outcome, state } = await dispatcher.onAnswer({ ...click, questionId, answer });
    await ack();
    const is =
      outcome === 'accepted' || outcome === 'answered' ? whoSaid(state.lastAnswer?.answerId) : 'It no longer waits.';
    edit(`${body.message?.text ?? ''}\n${is}`);
  });

  app.action<BlockAction<ButtonAction>>('stop', async ({ ack, action, body }) => {
    const jobId = action.value ?? '';
    const { click, edit } = clickOf(body, jobId, `stop:${jobId}`);
    const { outcome, state } = await dispatcher.onStop(click);
    await ack();
    edit(outcome === 'gone' ? 'This job has ended.' : `<@${state?.stoppedBy ?? click.userId}> stops the job.`);
  });

  const stopReading = await readEvents({ store, redis, slack, dispatcher, later });
  // The end of a dead job goes through the stream like all others, because a sweep that removed it and then died would
  // leave a thread without an end.
  const report = async ({ jobId, channelId }: Job, text: string) => {
    await say(redis, { type: 'Died', jobId, channelId, text });
    return 'reported';
  };
  const sweeping = setInterval(() => later(dispatcher.sweep(settings.sweepMs, report)), settings.sweepMs);
  await receiver.start({ port: Number(process.env['PORT'] ?? 3000), host: process.env['HOST'] ?? '0.0.0.0' });

  return async () => {
    clearInterval(sweeping);
    await receiver.stop(); // Takes no more requests, and finishes those that it has.
    await stopReading();
    await Promise.all(unfinished);
    await redis.quit();
  };
}

/** The words of an answer, behind its question. A question that nobody answered in time was answered by the sweep. */
function whoSaid(answerId = ''): string {
  return answerId.startsWith('timeout:') ? 'Nobody answered in time.' : answerId.slice(answerId.indexOf('|') + 1);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const stop = await startBot(spawnerOf(process.env['SPAWN'])).catch((error) => {
    console.error(`The bot can't start: ${error.message}`);
    process.exit(1);
  });
  process.once('SIGTERM', stop).once('SIGINT', stop);
  console.log('The bot listens.');
}
