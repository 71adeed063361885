import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createDispatcher } from '../../scripts/start/dispatcher.ts';
import type { ChatMessage, JobMessage } from '../../scripts/start/events.ts';
import { sweep } from '../../scripts/start/sweep.ts';
import { ConversationStore, type StoredConversationState } from '../../src/index.ts';
import { dump, withRedis } from '../support/redis.ts';

const test = suite('the dispatcher of npm start');
const redis = withRedis(test);

const CHANNEL = { platform: 'slack', channelId: 'C1' };
const CLAIM_TTL_MS = 60_000;

function message(messageId: string, text = 'fix #65 in todo'): ChatMessage {
  return { kind: 'message', ...CHANNEL, userId: 'U1', messageId, text };
}

function progress({ jobId }: StoredConversationState): JobMessage {
  return { kind: 'job', type: 'Progress', jobId, text: 'at work', channel: CHANNEL };
}

/** A dispatcher on an empty server, and what it asked of its jobs. */
async function dispatcher({ start = async (_: StoredConversationState) => {} } = {}) {
  const client = await redis.connect();
  await client.flushall();
  const started: string[] = [];
  const stopped: string[] = [];
  const jobs = {
    async start(state: StoredConversationState) {
      started.push(state.jobId);
      await start(state);
    },
    async stop(jobId: string) {
      stopped.push(jobId);
    },
  };
  const post = async ({ jobId }: StoredConversationState) => `message of ${jobId}`;
  const dispatch = createDispatcher(new ConversationStore(client), { ...jobs, post, claimTtlMs: CLAIM_TTL_MS });
  return { client, dispatch, started, stopped };
}

function holder({ state }: { state: StoredConversationState | null }): StoredConversationState {
  if (!state) throw new Error('no state');
  return state;
}

test('a channel whose job could not be started is free at once, and the redelivery of its message starts it', async () => {
  let canStart = false;
  const start = async () => {
    if (!canStart) throw new Error('no room for a job');
  };
  const { client, dispatch } = await dispatcher({ start });
  assert.is((await dispatch(message('1'))).outcome, 'removed');
  assert.equal(await dump(client), {});
  canStart = true;
  assert.is((await dispatch(message('1'))).outcome, 'claimed');
});

test('a message that comes again is a duplicate, while its job runs and after its end, and changes nothing', async () => {
  const { client, dispatch, started } = await dispatcher();
  const state = holder(await dispatch(message('1')));
  await dispatch(progress(state));
  const before = await dump(client);
  assert.is((await dispatch(message('1'))).outcome, 'duplicate');
  assert.equal(await dump(client), before);
  await dispatch({ kind: 'job', type: 'Done', jobId: state.jobId, text: 'Done', channel: CHANNEL });
  assert.is((await dispatch(message('1'))).outcome, 'duplicate');
  assert.equal(started, [state.jobId]);
});

test('the first progress of a job notes the message that is edited from then on', async () => {
  const { dispatch } = await dispatcher();
  const state = holder(await dispatch(message('1')));
  const first = await dispatch(progress(state));
  assert.equal([first.outcome, first.state?.messageId], ['updated', `message of ${state.jobId}`]);
  assert.is((await dispatch(progress(state))).outcome, 'state');
});

test('what comes while a job runs is in its inbox, and keeps it from ending unread', async () => {
  const { client, dispatch } = await dispatcher();
  const { jobId } = holder(await dispatch(message('1')));
  assert.is((await dispatch(message('2', 'fix #2 in todo'))).outcome, 'queued');
  const done = { kind: 'job', type: 'Done', jobId, text: 'Done', channel: CHANNEL } as const;
  assert.is((await dispatch({ ...done, lastSeen: '0' })).outcome, 'waiting');
  const [[id = '', fields = []] = []] = await client.xrange('conversation-inbox:slack:C1', '-', '+');
  assert.equal(fields, ['type', 'Message', 'userId', 'U1', 'text', 'fix #2 in todo']);
  assert.is((await dispatch({ ...done, lastSeen: id })).outcome, 'removed');
});

test('a stop button tells the job that it names, once a click', async () => {
  const { client, dispatch } = await dispatcher();
  const { jobId } = holder(await dispatch(message('1')));
  const stop = { kind: 'stop', ...CHANNEL, userId: 'U2', clickId: 's1', jobId } as const;
  assert.equal([(await dispatch(stop)).outcome, (await dispatch(stop)).outcome], ['updated', 'duplicate']);
  assert.is((await dispatch({ ...stop, clickId: 's2', jobId: 'another' })).outcome, 'gone');
  const heard = await client.xrange(`job:${jobId}:in`, '-', '+');
  assert.equal(
    heard.map(([, fields]) => fields),
    [['type', 'Stop', 'jobId', jobId, 'by', 'U2']],
  );
});

test('of fifty messages at once one starts a job, and the others hear of it', async () => {
  const { dispatch, started } = await dispatcher();
  const all = await Promise.all(Array.from({ length: 50 }, (_, at) => dispatch(message(String(at)))));
  const [claimed, ...others] = all.filter(({ outcome }) => outcome === 'claimed');
  assert.ok(claimed);
  assert.equal(others, []);
  assert.is(all.filter(({ outcome }) => outcome === 'queued').length, 49);
  assert.equal(started, [holder(claimed).jobId]);
  for (const one of all) assert.is(holder(one).jobId, holder(claimed).jobId);
});

test('a takeover stops the job that had the channel, and where there was none it is a claim', async () => {
  const { dispatch, started, stopped } = await dispatcher();
  const first = await dispatch(message('1', 'fix #1 in todo instead'));
  assert.is(first.outcome, 'null');
  assert.equal(stopped, []);
  const second = await dispatch(message('2', 'fix #2 in todo instead'));
  assert.is(second.outcome, 'state');
  assert.equal(stopped, [holder(second).jobId]);
  assert.is(started.length, 2);
});

test('a takeover that is sent twice at once does not stop its own job', async () => {
  const { dispatch, stopped } = await dispatcher();
  const takeover = message('1', 'fix #1 in todo instead');
  const both = await Promise.all([dispatch(takeover), dispatch(takeover)]);
  assert.equal(
    both.map(({ outcome }) => outcome),
    ['null', 'state'],
  );
  assert.equal(stopped, []);
});

test('a job that speaks and holds no channel is stopped', async () => {
  const { dispatch, stopped } = await dispatcher();
  const lost = { kind: 'job', jobId: 'lost', text: 'still here', channel: CHANNEL } as const;
  assert.is((await dispatch({ ...lost, type: 'Progress' })).outcome, 'null');
  assert.is((await dispatch({ ...lost, type: 'Question', questionId: 'q1' })).outcome, 'null');
  assert.equal(stopped, ['lost', 'lost']);
});

test('an answer is in the stream of its job', async () => {
  const { client, dispatch } = await dispatcher();
  const { jobId } = holder(await dispatch(message('1')));
  await dispatch({ kind: 'job', type: 'Question', jobId, questionId: 'q1', text: 'Merge?', channel: CHANNEL });
  const click = { ...CHANNEL, userId: 'U2', clickId: 'a1', jobId, questionId: 'q1', answer: 'yes' };
  assert.is((await dispatch({ kind: 'click', ...click })).outcome, 'accepted');
  const entries = await client.xrange(`job:${jobId}:in`, '-', '+');
  assert.equal(
    entries.map(([, fields]) => fields),
    [['type', 'Answer', 'jobId', jobId, 'questionId', 'q1', 'content', 'yes']],
  );
});

test('a job that does not name its channel is found by its id', async () => {
  const { client, dispatch } = await dispatcher();
  const { jobId } = holder(await dispatch(message('1')));
  const question = await dispatch({ kind: 'job', type: 'Question', jobId, questionId: 'q1', text: 'Merge?' });
  assert.is(question.outcome, 'state');
  assert.is((await dispatch({ kind: 'job', type: 'Error', jobId, text: 'It broke' })).outcome, 'removed');
  assert.equal(Object.keys(await dump(client)), ['conversation-handled:slack:C1']);
});

test('job ids are names that Kubernetes takes', async () => {
  const { dispatch } = await dispatcher();
  const { jobId, ticketId } = holder(await dispatch(message('1', 'please fix Shop2-1204 in web.shop_2, thanks')));
  assert.is(ticketId, 'SHOP2-1204');
  assert.match(jobId, /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
});

test('a state that cannot be read does not keep the sweep from the jobs behind it', async () => {
  const { client } = await dispatcher();
  const store = new ConversationStore(client, { silentAfterMs: 1 });
  const common = { platform: 'slack', userId: 'U1', project: 'todo', ticketId: 65, startedAt: new Date() };
  for (const n of [1, 2, 3]) await store.claim({ ...common, channelId: `C${n}`, jobId: `j${n}` });
  await client.set('conversation:slack:C1', 'no JSON', 'KEEPTTL');
  await sleep(10);
  const swept: string[] = [];
  for await (const { job, outcome } of sweep(store, async (jobId) => jobId === 'j2'))
    swept.push(`${job.jobId} ${outcome}`);
  assert.equal(swept, ['j1 failed', 'j2 alive', 'j3 removed']);
});

test.run();
