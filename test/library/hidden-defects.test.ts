import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore, loadLibrary } from '../../src/index.ts';
import { CHANNEL, HANDLED, INBOX, JOB, STREAM, WATCH } from '../support/keys.ts';
import { DAY, SOURCE, STATE, sourceUnderTest } from '../support/library.ts';
import { AGAIN, codeOf, DELIVERED, dueOf, NEXT, PLACE, type Play, told, withEnds } from './ends.ts';

// What goes wrong behind an outcome that says that all is well.

const test = suite('defects behind a success that are impossible');
const it = withEnds(test);

const FOLLOWING = { ...NEXT, deliveryId: 'd2' };
const THIRD = { ...STATE, jobId: 'j3', claimId: 'c3' };
const START = { startWithinMs: 60_000 };
const QUEUE = { queue: { text: 'next' } };

it('defect 28: a dispatcher claims and dies: the redelivery is told starting, and claims once the claim has lapsed', async (at) => {
  await at.end.claim(DELIVERED, START);
  for (const options of [{}, START, QUEUE]) {
    assert.is(await told(at.unchanged(() => at.end.claim(AGAIN, options))), 'starting');
  }
  await at.lapse();
  assert.is(await told(at.end.claim(AGAIN, START)), 'claimed');
  await at.end.getByJobId('j2');
  assert.is(await told(at.unchanged(() => at.end.claim(DELIVERED))), 'duplicate', 'a job that was heard of runs');
});

it('defect 29: the message of a job that was displaced by set is a duplicate', async ({ end }) => {
  await end.claim(DELIVERED);
  await end.set(NEXT);
  for (const _ of [1, 2]) {
    assert.equal(await end.claim({ ...THIRD, deliveryId: 'd1' }, QUEUE), {
      outcome: 'duplicate',
      state: await end.get(PLACE),
    });
    await end.remove(NEXT);
  }
});

it('defect 30: a job that reads no inbox ends while a message waits: one of all hand-overs starts the next one', async (at) => {
  await at.end.claim(DELIVERED);
  await at.end.claim(FOLLOWING, QUEUE);
  assert.is(await told(at.unchanged(() => at.end.remove(STATE))), 'waiting');
  const handOver = (end: Play['end'], n: number) => end.handOver(STATE, { ...THIRD, jobId: `k${n}`, claimId: `k${n}` });
  assert.equal(await at.atOnce(20, handOver), { claimed: 1, held: 19 });
  assert.equal(await at.said(INBOX), ['text next']);
  const successor = (await at.end.get(PLACE)) ?? STATE;
  await at.end.getByJobId(successor.jobId, { lastSeen: await at.lastQueued() });
  assert.is(await told(at.end.remove(successor)), 'removed');
});

it('defect 31: what was queued to a dead job is not stranded, with or without its state', async (at) => {
  for (const hasState of [true, false]) {
    await at.redis.flushall();
    const watched = at.open(at.redis, 60_000);
    await watched.claim(DELIVERED);
    await at.end.claim(FOLLOWING, QUEUE);
    if (!hasState) await at.lapse();
    await at.silence();
    assert.equal(await dueOf(at.end), ['j1 silent']);
    assert.is(await told(at.unchanged(() => at.end.remove(STATE))), 'waiting');
    await at.silence();
    assert.equal(await dueOf(at.end), ['j1 silent'], 'whoever died here is followed by another');
    assert.is(await told(at.end.handOver(STATE, THIRD)), 'claimed');
    assert.equal(await at.said(INBOX), ['text next']);
    assert.is(await told(at.end.claim({ ...FOLLOWING, jobId: 'j4', claimId: 'c4' })), 'duplicate');
    assert.is(await at.redis.exists(WATCH), 0);
  }
});

it('defect 32: what a job has read and said is not read again by the next one', async (at) => {
  await at.end.claim(DELIVERED);
  await at.end.claim(FOLLOWING, { queue: { text: 'done' } });
  const read = await at.lastQueued();
  await at.end.claim({ ...FOLLOWING, claimId: 'c3', deliveryId: 'd3' }, { queue: { text: 'not read' } });
  for (const _ of ['said', 'said again']) await at.end.getByJobId('j1', { lastSeen: read });
  await at.end.handOver(STATE, THIRD);
  assert.equal(await at.said(INBOX), ['text not read']);
});

it('defect 33: a yes delivered again answers no other question and starts no job', async ({ end, unchanged }) => {
  await end.set({ ...STATE, pendingQuestionId: 'delete one file' });
  const yes = { answerId: 'm1', stream: STREAM, fields: { text: 'yes' } };
  assert.is(await told(end.answerQuestion(STATE, 'delete one file', yes)), 'accepted');
  await end.setPendingQuestion(STATE, 'delete everything');
  assert.is(await told(unchanged(() => end.answerQuestion(STATE, 'delete everything', yes))), 'duplicate');
  assert.is(await told(unchanged(() => end.claim({ ...NEXT, deliveryId: 'm1' }, QUEUE))), 'duplicate');
  await end.remove(STATE);
  assert.is(await told(unchanged(() => end.claim({ ...NEXT, deliveryId: 'm1' }))), 'duplicate');
});

it('defect 34: a message that was held can be queued, interrupt the job, or come again', async (at) => {
  for (const [outcome, next] of [
    ['queued', () => at.end.claim(FOLLOWING, QUEUE)],
    ['claimed', () => at.end.handOver(STATE, FOLLOWING)],
    ['claimed', () => at.end.remove(STATE).then(() => at.end.claim(FOLLOWING))],
  ] as const) {
    await at.redis.flushall();
    await at.end.claim(DELIVERED);
    assert.is(await told(at.unchanged(() => at.end.claim(FOLLOWING))), 'held');
    assert.is(await told(next()), outcome);
  }
});

it('defect 35: no renewal, note or default of a worker makes a conversation end sooner or a claim later', async (at) => {
  const { end, deadlines } = at;
  await end.claim(STATE, { ttlMs: DAY });
  const long = await deadlines(CHANNEL, JOB);
  await end.getByJobId('j1');
  await end.update(STATE, { progress: 50 });
  await end.setPendingQuestion(STATE, 'q1');
  assert.equal(await deadlines(CHANNEL, JOB), long);
  await at.redis.flushall();
  await end.claim(STATE, START);
  const short = await deadlines(CHANNEL, JOB);
  await end.update(STATE, { message: 1 });
  assert.equal(await deadlines(CHANNEL, JOB), short);
});

it('defect 36: a stream that is written to lives for 24 h, or as long as the conversation', async (at) => {
  const published = { stream: STREAM, fields: { text: 'Yes' } };
  for (const ttlMs of [1_000, 3 * DAY]) {
    for (const send of [
      () => at.end.answerQuestion(STATE, 'q1', { ...published, ttlMs }),
      () => at.end.update(STATE, {}, { ...published, deliveryId: 'd1' }),
      () => at.end.handOver(STATE, NEXT, { ...published, ttlMs }),
    ]) {
      await at.redis.flushall();
      await at.end.set({ ...STATE, pendingQuestionId: 'q1' }, { ttlMs });
      if (ttlMs < DAY) await at.redis.xadd(STREAM, '*', 'type', 'hello');
      await at.redis.pexpire(STREAM, 60_000);
      if (ttlMs < DAY) await at.living(DAY, send, [STREAM]);
      else await send();
      const [stream, conversation] = await at.deadlines(STREAM, CHANNEL);
      if (ttlMs > DAY) assert.is(stream, conversation, send.toString());
    }
  }
});

it('defect 37: a worker without the option keeps its job off the list of the silent', async (at) => {
  await at.open(at.redis, 60_000).claim(STATE);
  const worker = at.open(at.redis);
  for (const sign of [
    () => worker.getByJobId('j1'),
    () => worker.setPendingQuestion(STATE, 'q1'),
    () => worker.clearPendingQuestion(STATE),
  ]) {
    await at.silence();
    await sign();
    assert.equal(await dueOf(at.end), [], sign.toString());
  }
});

it('defect 38: a job that waits three days for a person is silent only when the time of its question is over', async (at) => {
  await at.open(at.redis, 1).claim(STATE);
  await at.end.setPendingQuestion(STATE, 'q1', { answerWithinMs: 3 * DAY });
  await sleep(10);
  assert.equal(await dueOf(at.end), []);
  assert.ok((await at.redis.pttl(CHANNEL)) > 3 * DAY, 'and its conversation lives longer');
  await at.end.answerQuestion(STATE, 'q1', { answerId: 'a1' });
  await sleep(10);
  assert.equal(await dueOf(at.end), ['j1 silent'], 'from the answer on it may be silent for no longer than ever');
});

it('defect 39: a question whose time is over is named to one caller at a time and answered once', async (at) => {
  await at.end.claim(STATE);
  await at.end.setPendingQuestion(STATE, 'q1', { answerWithinMs: 1 });
  await sleep(10);
  const named: string[] = [];
  await at.atOnce(10, async (end) => named.push(...(await dueOf(end))));
  assert.equal(named, ['j1 question']);
  const answerId = 'timeout:j1:q1';
  const answer = (end: Play['end'], n: number) =>
    end.answerQuestion(STATE, 'q1', { answerId: n < 9 ? answerId : 'm1', stream: STREAM, fields: { n } });
  const { accepted = 0, answered = 0 } = await at.atOnce(10, answer);
  assert.is(accepted + answered, 10);
  assert.is((await at.said(STREAM)).length, 1);
  assert.equal(await dueOf(at.end, 1), []);
});

it('defect 40: a channel with 1000 messages in an hour still knows an earlier one', async ({ end, redis }) => {
  await end.claim(DELIVERED);
  await end.remove(STATE);
  await redis.zadd(HANDLED, ...Array.from({ length: 9_998 }, (_, n) => [Date.now(), `m${n}`]).flat());
  await end.claim({ ...NEXT, deliveryId: 'd2' });
  await end.remove(NEXT);
  assert.is(await told(end.claim(DELIVERED)), 'duplicate');
});

it('defect 41: a message with a large attachment is refused, not queued often', async ({ end, unchanged }) => {
  await end.claim(STATE);
  const fields = { file: 'x'.repeat(300_000) };
  const published = { stream: STREAM, fields };
  for (const call of [
    () => end.claim(FOLLOWING, { queue: fields }),
    () => end.update(STATE, {}, { ...published, deliveryId: 'd1' }),
    () => end.answerQuestion(STATE, 'q1', { ...published, answerId: 'a1' }),
    () => end.handOver(STATE, NEXT, published),
  ]) {
    assert.match(await unchanged(() => codeOf(call())), /^(CONVARG|INVALID_ARGUMENT)$/);
  }
});

test('defect 42: a text that is cut off in the middle of an emoji is stored, with U+FFFD for its half', async () => {
  const store = new ConversationStore(await it.server.connect());
  const claimed = await store.claim({ ...STATE, channelId: 'C42', jobId: 'j42', project: 'half a \ud83d' });
  assert.equal([claimed.outcome, claimed.state?.project], ['claimed', 'half a \ufffd']);
});

it('defect 43: a stream is named by its whole key, and one of another prefix is refused', async (at) => {
  const { end, said, redis, unchanged } = at;
  await end.set({ ...STATE, pendingQuestionId: 'q1' });
  const yes = { answerId: 'a1', fields: { text: 'Yes' } };
  assert.is(await told(end.answerQuestion(STATE, 'q1', { ...yes, stream: 'answers' })), 'accepted');
  assert.equal(await said('answers'), ['text Yes']);
  const store = new ConversationStore(redis, { prefix: 'tenant:' });
  await store.set({ ...STATE, pendingQuestionId: 'q1' });
  const refusal = await unchanged(() => codeOf(store.answerQuestion(STATE, 'q1', { ...yes, stream: 'answers' })));
  assert.is(refusal, 'INVALID_ARGUMENT');
  const keys = ['tenant:conversation:slack:C1', 'tenant:job-index:j1', 'answers'];
  const raw = () => redis.fcall('conv_answer', 3, ...keys, 'q1', 'a1', '', 'text', 'Yes');
  assert.is(await unchanged(() => codeOf(raw())), 'CONVKEY');
  await store.answerQuestion(STATE, 'q1', { ...yes, stream: store.key(STATE, 'answers') });
  assert.equal(await said(store.key(STATE, 'answers')), ['text Yes']);
});

it('defect 44: a server that was demoted refuses in words that say that the call may be sent again', async (at) => {
  const demoted = await it.server.connect({}, await it.server.server());
  await demoted.function('LOAD', SOURCE);
  await demoted.replicaof('127.0.0.1', 1);
  assert.match(await codeOf(at.open(demoted).claim(STATE)), /^(READONLY|UNAVAILABLE)$/);
});

test('defect 45: a library of an older major version is not replaced unasked', async () => {
  const other = await it.server.connect({}, await it.server.server());
  await other.function('LOAD', SOURCE.replace("VERSION = '1.", "VERSION = '0."));
  const before = await other.function('LIST', 'WITHCODE');
  assert.is(await codeOf(new ConversationStore(other).claim(STATE)), 'LIBRARY_OUTDATED');
  assert.is(await codeOf(loadLibrary(other)), 'LIBRARY_OUTDATED');
  assert.equal(await other.function('LIST', 'WITHCODE'), before);
  await loadLibrary(other, { force: true });
  assert.is((await new ConversationStore(other).claim(STATE)).outcome, 'claimed');
});

it('defect 46: a message waits in the inbox for as long as its job waits for a person', async (at) => {
  await at.end.claim(DELIVERED);
  await at.end.claim(FOLLOWING, QUEUE);
  await at.end.setPendingQuestion(STATE, 'q1', { answerWithinMs: 30 * DAY });
  const [conversation = 0, inbox = 0] = await at.deadlines(CHANNEL, INBOX);
  assert.ok(inbox >= conversation && conversation > Date.now() + 29 * DAY);
});

it('defect 47: a question whose asking is sent again after the answer does not stand again', async ({ end }) => {
  await end.claim(STATE);
  for (const options of [{}, { answerWithinMs: 60_000 }]) {
    await end.setPendingQuestion(STATE, 'q1', options);
    await end.answerQuestion(STATE, 'q1', { answerId: 'a1' });
    const again = await end.setPendingQuestion(STATE, 'q1', options);
    assert.is(again?.pendingQuestionId, null);
    assert.equal(again?.lastAnswer, { questionId: 'q1', answerId: 'a1' });
  }
});

it('defect 48: an overdue question and a silent job are one entry of one page', async (at) => {
  await at.open(at.redis, 1).claim(STATE);
  await at.end.setPendingQuestion(STATE, 'q1', { answerWithinMs: 1 });
  await sleep(10);
  assert.equal(await dueOf(at.end), ['j1 question']);
  assert.is(await at.redis.zcard(WATCH), 1);
});

it('defect 49: a redelivery does not interrupt the very job that it started', async ({ end, unchanged }) => {
  const stop = { stream: STREAM, fields: { type: 'stop' } };
  await end.claim(DELIVERED, START);
  assert.is(await told(unchanged(() => end.handOver(STATE, AGAIN, stop))), 'starting');
  await end.getByJobId('j1');
  assert.is(await told(unchanged(() => end.handOver(STATE, AGAIN, stop))), 'duplicate');
});

it('defect 50: with memory full a job says what it has read, is found silent and answered for', async (at) => {
  const full = await it.server.connect({}, await it.server.server('--maxmemory-policy', 'noeviction'));
  await full.function('LOAD', 'REPLACE', sourceUnderTest());
  const end = at.open(full, 1);
  await end.claim(DELIVERED, START);
  await end.claim(FOLLOWING, QUEUE);
  const [[id = ''] = []] = await full.xrange(INBOX, '-', '+');
  await full.config('SET', 'maxmemory', '1');
  assert.is((await end.getByJobId('j1', { lastSeen: id }))?.jobId, 'j1');
  assert.is(await full.xlen(INBOX), 0);
  await sleep(10);
  assert.equal(await dueOf(end), ['j1 silent']);
});

it('defect 51: a claim or a hand-over that is sent again is a write of its own, which WAIT covers', async (at) => {
  const changes = async () => Number(/changes_since_last_save:(\d+)/.exec(await at.redis.info('persistence'))?.[1]);
  await at.end.claim(STATE);
  for (const again of [() => at.end.claim(STATE), () => at.end.handOver({ ...STATE, jobId: 'j0' }, STATE)]) {
    const before = await changes();
    assert.is(await told(at.unchanged(again)), 'claimed');
    assert.ok((await changes()) > before, again.toString());
  }
});

it('defect 52: a state that was just small enough when it was stored can be asked and answered', async (at) => {
  const { end } = at;
  const given = { ...STATE, starting: true, silentAfterMs: 60_000, note: '' };
  const state = { ...given, note: 'n'.repeat(262_144 - JSON.stringify(given).length) };
  const [questionId, answerId] = ['q'.repeat(1_024), '"'.repeat(1_024)];
  assert.is(await told(at.open(at.redis, 60_000).claim(state, START)), 'claimed');
  await end.setPendingQuestion(STATE, questionId, { answerWithinMs: 60_000 });
  const { outcome, state: answered } = await end.answerQuestion(STATE, questionId, { answerId });
  assert.equal([outcome, answered?.lastAnswer], ['accepted', { questionId, answerId }]);
  assert.equal(await end.getByJobId('j1'), answered);
  const ours = ['pendingQuestionId', 'answerBy', 'lastAnswer', 'starting'];
  const own = Object.entries(answered ?? {}).filter(([name]) => !ours.includes(name));
  const note = state.note + 'n'.repeat(262_144 - JSON.stringify(Object.fromEntries(own)).length);
  assert.is(await told(end.update(STATE, { note })), 'updated');
  assert.is(await codeOf(end.update(STATE, { note: `${note}n` })), 'CONVSTATE');
  assert.is(await told(end.handOver(STATE, { ...state, ...NEXT })), 'claimed');
  // What a state brings of the library's members is not room for more than a state can be read with.
  const lastAnswer = { questionId, answerId, note: 'n'.repeat(150_000) };
  await end.set({ ...STATE, jobId: 'j2', lastAnswer });
  assert.is(await codeOf(end.update(PLACE, { note: lastAnswer.note })), 'CONVSTATE');
  assert.equal((await end.get(PLACE))?.lastAnswer, lastAnswer);
});

test('defect 54: a logger that throws or rejects is no failure of the call', async () => {
  const fail = () => {
    throw new Error('the disk of the log is full');
  };
  const redis = await it.server.connect();
  // A rejection that nobody handles would end the process.
  for (const hear of [fail, async () => fail()]) {
    const store = new ConversationStore(redis, { logger: { debug: hear, info: hear, warn: hear, error: hear } });
    await redis.flushall();
    assert.is((await store.claim({ ...STATE, channelId: 'C54', jobId: 'j54' })).outcome, 'claimed');
    assert.is(await store.setPendingQuestion({ jobId: 'j9' }, 'q1'), null);
    await redis.set(CHANNEL, 'rubbish');
    assert.is(await codeOf(store.get(PLACE)), 'CONVCORRUPT');
  }
});

it('defect 55: a patch of any size goes through, a key that is far too long not', async ({ end, unchanged }) => {
  const members = Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`m${n}`, 'x\\'.repeat(10_000)]));
  await end.set({ ...STATE, ...members });
  const patch = Object.fromEntries(Object.keys(members).map((name) => [name, 'y']));
  assert.equal((await end.update(STATE, patch)).state, { ...STATE, ...patch });
  const long = { platform: 'slack', channelId: 'x'.repeat(500_000) };
  for (const call of [() => end.get(long), () => end.claim({ ...STATE, ...long }), () => end.remove(long)]) {
    assert.match(await unchanged(() => codeOf(call())), /^(CONV(KEY|STATE)|INVALID_ARGUMENT)$/);
  }
});

it('defect 56: a successor made from the state of the old job revives no question', async ({ end, unchanged }) => {
  await end.set({ ...STATE, pendingQuestionId: 'q1' });
  const read = (await end.get(STATE)) ?? STATE;
  await end.answerQuestion(STATE, 'q1', { answerId: 'a1' });
  const answered = (await end.get(STATE)) ?? STATE;
  for (const state of [read, answered, { ...STATE, answerBy: Date.now() }]) {
    const successor = { ...state, jobId: 'j2', claimId: 'c2' };
    assert.is(await unchanged(() => codeOf(end.handOver(STATE, successor))), 'CONVSTATE');
    assert.is(await unchanged(() => codeOf(end.claim(successor))), 'CONVSTATE');
  }
});

it('defect 57: a job that was heard of is not removed with retry, and runs once', async ({ end, unchanged }) => {
  await end.claim(DELIVERED, START);
  const state = await end.getByJobId('j1');
  assert.equal(await unchanged(() => end.remove(STATE, { retry: true })), { outcome: 'held', state });
  assert.is(await told(end.claim(AGAIN)), 'duplicate');
});

it('defect 58: the message of a button waits until its job is heard of, and may come again', async (at) => {
  const { end, said, unchanged } = at;
  await end.claim(DELIVERED, START);
  const stop = { deliveryId: 'b1', stream: STREAM, fields: { type: 'stop' } };
  assert.is(await told(unchanged(() => end.update(STATE, {}, stop))), 'starting');
  await end.getByJobId('j1');
  assert.is(await told(end.update(STATE, {}, stop)), 'updated');
  assert.equal(await said(STREAM), ['type stop']);
});

test.run();
