import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createDispatcher } from '../../scripts/start/dispatcher.ts';
import type { ChatMessage, JobMessage } from '../../scripts/start/events.ts';
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
  const dispatch = createDispatcher(new ConversationStore(client), jobs, { claimTtlMs: CLAIM_TTL_MS });
  return { client, dispatch, started, stopped };
}

function holder({ state }: { state: StoredConversationState | null }): StoredConversationState {
  if (!state) throw new Error('no state');
  return state;
}

test('a channel whose job could not be started is free at once', async () => {
  const refused = new Error('no room for a job');
  const { client, dispatch } = await dispatcher({ start: () => Promise.reject(refused) });
  assert.is(await dispatch(message('1')).catch((error: unknown) => error), refused);
  assert.equal(await dump(client), {});
});

test('a message that comes again finds the job that a dispatcher claimed for and did not live to start', async () => {
  const { dispatch, started } = await dispatcher();
  const first = await dispatch(message('1'));
  const second = await dispatch(message('1'));
  assert.is(second.outcome, 'duplicate');
  // Twice the same id: whoever runs jobs takes the second for the first.
  assert.equal(started, [holder(first).jobId, holder(first).jobId]);
});

test('a message that comes again does not shorten the life of a job at work', async () => {
  const { client, dispatch } = await dispatcher();
  const state = holder(await dispatch(message('1')));
  await dispatch(progress(state));
  const before = await dump(client);
  await dispatch(message('1'));
  assert.equal(await dump(client), before);
});

test('of fifty messages at once one starts a job, and the others hear of it', async () => {
  const { dispatch, started } = await dispatcher();
  const all = await Promise.all(Array.from({ length: 50 }, (_, at) => dispatch(message(String(at)))));
  const [claimed, ...others] = all.filter(({ outcome }) => outcome === 'claimed');
  assert.ok(claimed);
  assert.equal(others, []);
  assert.is(all.filter(({ outcome }) => outcome === 'held').length, 49);
  assert.equal(started, [holder(claimed).jobId]);
  for (const one of all) assert.is(holder(one).jobId, holder(claimed).jobId);
});

test('a takeover stops the job that had the channel, and where there was none it is a claim', async () => {
  const { dispatch, started, stopped } = await dispatcher();
  const first = await dispatch(message('1', 'fix #1 in todo instead'));
  assert.is(first.outcome, 'claimed');
  assert.equal(stopped, []);
  const second = await dispatch(message('2', 'fix #2 in todo instead'));
  assert.is(second.outcome, 'replaced');
  assert.equal(stopped, [holder(first).jobId]);
  assert.is(started.length, 2);
});

test('a takeover that is sent twice at once does not stop its own job', async () => {
  const { dispatch, stopped } = await dispatcher();
  const takeover = message('1', 'fix #1 in todo instead');
  const both = await Promise.all([dispatch(takeover), dispatch(takeover)]);
  assert.equal(
    both.map(({ outcome }) => outcome),
    ['claimed', 'claimed'],
  );
  assert.equal(stopped, []);
});

test('a job that speaks and holds no channel is stopped', async () => {
  const { dispatch, stopped } = await dispatcher();
  const lost = { kind: 'job', jobId: 'lost', text: 'still here', channel: CHANNEL } as const;
  assert.is((await dispatch({ ...lost, type: 'Progress' })).outcome, 'unknown');
  assert.is((await dispatch({ ...lost, type: 'Question', questionId: 'q1' })).outcome, 'unknown');
  assert.equal(stopped, ['lost', 'lost']);
});

test('an answer is in the stream of its job', async () => {
  const { client, dispatch } = await dispatcher();
  const { jobId } = holder(await dispatch(message('1')));
  await dispatch({ kind: 'job', type: 'Question', jobId, questionId: 'q1', text: 'Merge?', channel: CHANNEL });
  const click = { ...CHANNEL, userId: 'U2', answerId: 'a1', jobId, questionId: 'q1', answer: 'yes' };
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
  assert.is(question.outcome, 'asked');
  assert.is((await dispatch({ kind: 'job', type: 'Error', jobId, text: 'It broke' })).outcome, 'removed');
  assert.equal(await dump(client), {});
});

test('job ids are names that Kubernetes takes', async () => {
  const { dispatch } = await dispatcher();
  const { jobId, ticketId } = holder(await dispatch(message('1', 'please fix Shop2-1204 in web.shop_2, thanks')));
  assert.is(ticketId, 'SHOP2-1204');
  assert.match(jobId, /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
});

test.run();
