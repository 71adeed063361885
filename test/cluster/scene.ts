import * as assert from 'uvu/assert';
import type { ChannelReference, ConversationReference, ConversationStore } from '../../src/index.ts';
import { all } from '../store/store.ts';
import { STATE } from '../support/library.ts';

/** What a scene needs of the load that plays it. */
interface Stage {
  resends: boolean;
  call<T>(run: () => Promise<T>): Promise<T>;
  published(stream: string, question: string): Promise<unknown[]>;
  named(jobId: string): Promise<unknown>;
}

const outcomes = (results: { outcome: string }[]) => results.map(({ outcome }) => outcome).sort();

/**
 * One conversation from its claim to its removal, with everything around it that may go wrong. Only this scene touches
 * the channel, so that it knows what every call has to answer.
 */
export async function playScene(load: Stage, store: ConversationStore, channel: ChannelReference): Promise<void> {
  const { call, published, resends } = load;
  const stream = store.key(channel, `stream:${channel.channelId}`);
  const state = (jobId: string) => ({ ...STATE, ...channel, jobId, claimId: jobId });
  const jobs = [store.newJobId(channel), store.newJobId(channel), store.newJobId(channel)];

  // Nobody holds it: of simultaneous claims one is claimed, and all see the winner.
  const claims = await Promise.all(
    jobs.map((jobId) => call(() => store.claim(state(jobId), { startWithinMs: 600_000 }))),
  );
  assert.equal(outcomes(claims), ['claimed', 'held', 'held']);
  const first = claims.find(({ outcome }) => outcome === 'claimed')?.state?.jobId as string;
  for (const { state: seen } of claims) assert.equal([seen?.jobId, seen?.starting], [first, true]);
  const [second, third] = jobs.filter((jobId) => jobId !== first) as [string, string];
  const byJob = [{ jobId: first }, state(first)];

  // By every reference, the conversation is found and changed.
  assert.is((await call(() => store.getByJobId(first)))?.starting, false, 'the first sign of life ends its start');
  const found = [channel, ...byJob, { jobId: second }].map((ref) => call(() => store.get(ref)));
  assert.equal(
    (await Promise.all(found)).map((each) => each?.jobId),
    [first, first, first, undefined],
  );
  for (const [n, ref] of byJob.entries()) {
    const question = `q${n}`;
    const asked = await call(() => store.setPendingQuestion(ref, question));
    assert.equal([asked?.jobId, asked?.pendingQuestionId], [first, question]);
    // Of simultaneous answers one is accepted, and published once, also when it is sent again.
    const answer = (name: string, answerId = name) =>
      call(() =>
        store.answerQuestion(ref, question, {
          answerId: `${question}-${answerId}`,
          stream,
          fields: { question, name },
        }),
      );
    const answers = await Promise.all(['x', 'y', 'z'].map((name) => answer(name)));
    assert.equal(outcomes(answers), ['accepted', 'answered', 'answered']);
    const accepted = 'xyz'[answers.findIndex(({ outcome }) => outcome === 'accepted')] as string;
    const again = await answer('twice', accepted);
    assert.equal([again.outcome, again.state?.lastAnswer?.answerId], ['accepted', `${question}-${accepted}`]);
    assert.equal(await published(stream, question), [accepted]);
  }

  // A question has a time limit: a sweep names the job, and publishes a default as any answer.
  const limited = await call(() => store.setPendingQuestion(state(first), 'limited', { answerWithinMs: 1 }));
  assert.type(limited?.answerBy, 'number');
  assert.is(await load.named(first), 'question');
  const timeout = { answerId: `timeout:${first}`, stream, fields: { question: 'limited', name: 'default' } };
  const timedOut = await call(() => store.answerQuestion(state(first), 'limited', timeout));
  assert.equal([timedOut.outcome, timedOut.state?.answerBy], ['accepted', null]);

  // What comes while a job runs is queued once, keeps it from ending unread, and is a duplicate from then on.
  const queue = (deliveryId: string, claimId = deliveryId) =>
    call(() => store.claim({ ...state(second), claimId, deliveryId }, { queue: { text: deliveryId } }));
  for (const name of ['more', 'and more']) {
    const queued = await queue(name);
    assert.equal([queued.outcome, queued.state?.jobId], ['queued', first]);
  }
  assert.is((await queue('more', 'another')).outcome, 'duplicate');
  assert.is((await call(() => store.remove(state(first)))).outcome, 'waiting');
  const inbox = (ref: ConversationReference) => call(() => all(store.inbox(ref)));
  const [more, andMore, ...others] = await inbox({ jobId: first });
  assert.equal([more?.fields, andMore?.fields, others], [{ text: 'more' }, { text: 'and more' }, []]);
  assert.is((await call(() => store.getByJobId(first, { lastSeen: more?.id })))?.jobId, first);

  // A member is put into the state, and its stream hears it once.
  for (const [n, ref] of byJob.entries()) {
    const deliveryId = `note${n}`;
    const note = { stream, fields: { question: deliveryId, name: 'note' }, deliveryId };
    const noted = await call(() => store.update(ref, { project: deliveryId }, note));
    assert.ok(noted.outcome === 'updated' || (resends && noted.outcome === 'duplicate'), noted.outcome);
    assert.is(noted.state?.project, deliveryId);
    assert.equal(await published(stream, deliveryId), ['note']);
  }
  const renamed = await call(() => store.update(channel, { project: 'web' }));
  assert.equal([renamed.outcome, renamed.state?.project], ['updated', 'web']);

  // Of simultaneous hand-overs one is claimed, the outgoing job is told once, and what it has not read is there.
  const told = { stream, fields: { question: 'handed over', name: 'stop' } };
  const overs = await Promise.all(
    [second, third].map((jobId) => call(() => store.handOver({ jobId: first }, state(jobId), told))),
  );
  const successor = [second, third][overs.findIndex(({ outcome }) => outcome === 'claimed')] as string;
  assert.is(overs.filter(({ outcome }) => outcome === 'claimed').length, 1);
  for (const { state: seen } of overs) assert.is(seen?.jobId, successor);
  assert.equal(await published(stream, 'handed over'), ['stop']);
  assert.equal([await inbox(state(successor)), await inbox(state(first))], [[andMore], []]);
  assert.is((await call(() => store.getByJobId(successor, { lastSeen: andMore?.id })))?.jobId, successor);
  const late = await Promise.all([
    call(() => store.getByJobId(first)),
    call(() => store.setPendingQuestion({ jobId: first }, 'late')),
    call(() => store.setPendingQuestion(state(first), 'late')),
  ]);
  assert.equal(late, [null, null, null], 'a job that was replaced reaches nothing');
  const lateDone = await call(() => store.remove(state(first)));
  assert.equal([lateDone.outcome, lateDone.state?.jobId], ['held', successor]);

  // It changes hands while calls by channel alone are under way.
  const final = store.newJobId(channel);
  const [replaced, pending, seen] = await Promise.all([
    call(() => store.set(state(final))),
    call(() => store.setPendingQuestion(channel, 'changing')),
    call(() => store.get(channel)),
  ]);
  assert.ok(replaced?.jobId === successor || (resends && replaced?.jobId === final), 'set gives what it replaced');
  for (const each of [pending, seen]) assert.ok(each && [successor, final].includes(each.jobId));

  // It ends, by one reference or another, once.
  const ends = [channel, { jobId: final }, state(final)];
  const removed = await call(() => store.remove(ends[Number(channel.channelId.slice(1)) % 3] ?? channel));
  if (!resends || removed.outcome !== 'gone') {
    assert.equal([removed.outcome, removed.state?.jobId], ['removed', final]);
  }
  const after = await Promise.all([
    call(() => store.get(channel)),
    call(() => store.getByJobId(final)),
    call(() => store.setPendingQuestion(channel, 'ghost')),
  ]);
  assert.equal(after, [null, null, null], 'what was removed is gone');
}
