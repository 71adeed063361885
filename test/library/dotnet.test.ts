import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { type Library, withLibrary } from '../support/library.ts';

const test = suite('the C# dispatcher of the same keys');
const it = withLibrary(test);

const CHANNEL = 'conversation:teams:19:abc+1@thread.tacv2';
const JOB = 'job-index:job-7f';

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
  assert.equal(await at.unchanged(() => store.get({ platform: 'Teams', channelId: STATE.channelId })), STATE);
  assert.equal(await at.unchanged(() => store.get({ jobId: 'job-7f' })), STATE);
  assert.equal(await at.unchanged(() => store.get(STATE)), STATE);
  for await (const state of store.list({ platform: 'teams' })) assert.equal(state, STATE);
});

it('a lookup by job keeps every byte and brings the deadlines together', async (at) => {
  await dispatch(at);
  assert.is(await at.living(7_300_000, () => at.call('get_by_job', [JOB], 7_300_000), [CHANNEL, JOB]), text('null'));
  assert.is(await at.redis.get(CHANNEL), text('null'));
});

it('an index that it has not written yet comes to be with the next write by channel', async (at) => {
  await at.redis.set(CHANNEL, text('null'), 'EX', 7_200);
  assert.is(await at.call('get_by_job', [JOB]), null);
  await at.living(60_000, () => at.call('set_pending', [CHANNEL], '', 60_000), [CHANNEL, JOB]);
  assert.is(await at.redis.get(JOB), CHANNEL);
});

it('its state is changed in its place, and every other byte stays', async (at) => {
  for (const keys of [[CHANNEL], [JOB], [CHANNEL, JOB]]) {
    await at.redis.flushall();
    await dispatch(at);
    const asked = () => at.call('set_pending', keys, 'q1', 7_300_000);
    assert.is(await at.living(7_300_000, asked, [CHANNEL, JOB]), text('"q1"'));
    const answer = '"lastAnswer":{"questionId":"q1","answerId":"a1"}';
    const answered = `${text('null').slice(0, -1)},${answer}}`;
    assert.equal(await at.call('answer', keys, 'q1', 'a1'), ['accepted', answered]);
    assert.equal(await at.call('remove', keys), ['removed', answered]);
  }
});

it('its own pending question, escapes and all, is known', async (at) => {
  await dispatch(at, '"q\\u002B\\u00E9"');
  assert.is(
    await at.living(7_300_000, () => at.call('set_pending', [JOB], 'q+é', 7_300_000), [CHANNEL, JOB]),
    text('"q\\u002B\\u00E9"'),
  );
  const [outcome, answered] = (await at.call('answer', [JOB], 'q+é', 'a1')) as [string, string];
  assert.is(outcome, 'accepted');
  assert.is(JSON.parse(answered).lastAnswer.questionId, 'q+é');
});

it('it may write null for every member that the library adds, and takes a claim with false for starting', async (at) => {
  const optional =
    '"lastAnswer":null,"claimId":null,"deliveryId":null,"starting":null,"silentAfterMs":null,"answerBy":null';
  const given = text('null').replace('"emoji"', `${optional},"emoji"`);
  assert.equal(await at.call('claim', [CHANNEL, JOB], given), ['claimed', given]);
  assert.is(await at.call('get_by_job', [JOB]), given);
  assert.equal(await at.call('remove', [JOB], 'retry'), ['removed', given]);
  const heard = given.replace('"starting":null', '"starting":false');
  assert.equal(await at.call('claim', [CHANNEL, JOB], heard), ['claimed', heard]);
  assert.equal(await at.call('remove', [JOB], 'retry'), ['held', heard]);
});

test.run();
