import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { type Library, withLibrary } from '../support/library.ts';

const test = suite('the C# dispatcher of the same keys');
const it = withLibrary(test);

const CHANNEL = 'conversation:teams:19:abc+1@thread.tacv2';
const JOB = 'job-index:job-7f';
const PAIR = [CHANNEL, JOB];

/** What System.Text.Json writes: camelCase, nulls, seven digits of a second, everything but plain ASCII escaped. */
const text = (pending: string) =>
  '{"jobId":"job-7f","channelId":"19:abc\\u002B1@thread.tacv2","userId":"29:\\u00DCnal","platform":"Teams",' +
  '"project":"M\\u00FCnchen \\u0022Nord\\u0022 \\u0026 \\u003Cb\\u003E","ticketId":4711,' +
  `"startedAt":"2026-02-03T10:15:30.1234567+01:00","pendingQuestionId":${pending},"threadId":null,"emoji":"\\uD83D\\uDE00"}`;

const STATE = JSON.parse(text('null'));

/** The dispatcher's SetAsync and IndexJobAsync: two commands, whose deadlines differ. */
async function dispatch({ redis }: Library, pending = 'null'): Promise<void> {
  await redis.set(CHANNEL, text(pending), 'EX', 7_200);
  await redis.set(JOB, CHANNEL, 'PX', 7_100_000);
}

it('its state is read as it is, by every form of reference', async (at) => {
  await dispatch(at);
  const store = new ConversationStore(at.redis);
  assert.equal(STATE.channelId, '19:abc+1@thread.tacv2');
  for (const ref of [{ platform: 'Teams', channelId: STATE.channelId }, { jobId: 'job-7f' }, STATE]) {
    assert.equal(await at.unchanged(() => store.get(ref)), STATE);
  }
  for await (const state of store.list({ platform: 'teams' })) assert.equal(state, STATE);
});

it('its state is changed in its place, every other byte stays, and the deadlines come together', async (at) => {
  for (const keys of [[CHANNEL], [JOB], PAIR]) {
    await at.redis.flushall();
    await dispatch(at);
    assert.is(await at.living(7_300_000, () => at.call('get_by_job', [JOB], 7_300_000), PAIR), text('null'));
    assert.is(await at.call('set_pending', keys, 'q1'), text('"q1"'));
    const answered = `${text('null').slice(0, -1)},"lastAnswer":{"questionId":"q1","answerId":"a1"}}`;
    assert.equal(await at.call('answer', keys, 'q1', 'a1'), ['accepted', answered]);
    assert.equal(await at.call('remove', keys), ['removed', answered]);
  }
});

it('its own pending question, escapes and all, is known', async (at) => {
  await dispatch(at, '"q\\u002B\\u00E9"');
  assert.is(await at.call('set_pending', [JOB], 'q+é'), text('"q\\u002B\\u00E9"'));
  const [outcome, answered] = (await at.call('answer', [JOB], 'q+é', 'a1')) as [string, string];
  assert.is(outcome, 'accepted');
  assert.is(JSON.parse(answered).lastAnswer.questionId, 'q+é');
});

it('it may write null for every member that the library adds', async (at) => {
  const names = ['lastAnswer', 'claimId', 'deliveryId', 'starting', 'silentAfterMs', 'answerBy'];
  const given = text('null').replace('"emoji"', `${names.map((name) => `"${name}":null`)},"emoji"`);
  assert.equal(await at.call('claim', PAIR, given), ['claimed', given]);
  assert.is(await at.call('get_by_job', [JOB]), given);
  assert.equal(await at.call('remove', [JOB], 'retry'), ['removed', given]);
});

test.run();
