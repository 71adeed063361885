import type { ChannelReference, ConversationStore } from '../../src/index.ts';

/** What a scene needs of the load that plays it. */
export interface Stage {
  /** Whether a call may be sent twice, and its answer be that of the second time. */
  resends: boolean;
  call<T>(run: () => Promise<T>): Promise<T>;
  expect(right: boolean, what: string, found: unknown): void;
  published(key: string, question: string): Promise<string[]>;
  /** Why a sweep named a job, once one has. */
  named(jobId: string): Promise<string>;
}

/**
 * One conversation from its claim to its removal, with everything around it that may go wrong. Only this scene touches
 * the channel, so that it knows what every call has to answer.
 */
export async function playScene(load: Stage, store: ConversationStore, channel: ChannelReference): Promise<void> {
  const [a, b, c] = [store.newJobId(channel), store.newJobId(channel), store.newJobId(channel)];
  const state = (jobId: string) => ({
    ...channel,
    jobId,
    userId: 'U1',
    project: 'web',
    ticketId: 12,
    startedAt: '2026-01-31T09:30:00Z',
  });
  const { call, expect, resends } = load;
  const stream = store.key(channel, `stream:${channel.channelId}`);

  // Nobody holds it: of simultaneous claims one is claimed, and all see the winner.
  const claims = await Promise.all(
    [a, b, c].map((jobId) => call(() => store.claim({ ...state(jobId), claimId: jobId }, { startWithinMs: 600_000 }))),
  );
  const winners = claims.filter(({ outcome }) => outcome === 'claimed').map((claim) => claim.state?.jobId);
  expect(winners.length === 1, 'one claim wins', claims);
  const first = winners[0] ?? a;
  const isSeen = claims.every((claim) => claim.state?.jobId === first && claim.state.starting);
  expect(isSeen, 'all claims see the winner, which is starting', claims);
  const [second, third] = [a, b, c].filter((jobId) => jobId !== first) as [string, string];

  // By every reference, the conversation is found and changed.
  const heard = await call(() => store.getByJobId(first));
  expect(heard?.starting === false, 'the first sign of life ends its start', heard);
  const found = await Promise.all([
    call(() => store.get(channel)),
    call(() => store.get({ jobId: first })),
    call(() => store.get(state(first))),
    call(() => store.get({ jobId: second })),
  ]);
  const isFound = found.slice(0, 3).every((each) => each?.jobId === first);
  expect(isFound && found[3] === null, 'a living conversation is found, a job that was held is not', found);

  for (const ref of [{ jobId: first }, state(first)]) {
    const question = `q${Object.keys(ref).length}`;
    const asked = await call(() => store.setPendingQuestion(ref, question));
    expect(asked?.pendingQuestionId === question && asked.jobId === first, 'a question is pending', asked);
    // Of simultaneous answers one is accepted, and published once, also when it is sent again.
    const answers = await Promise.all(
      ['x', 'y', 'z'].map((name) => {
        const answer = { answerId: `${question}-${name}`, stream, fields: { question, name } };
        return call(() => store.answerQuestion(ref, question, answer));
      }),
    );
    const accepted = answers.flatMap((answer, index) => (answer.outcome === 'accepted' ? ['xyz'[index]] : []));
    const isOnce = accepted.length === 1 && answers.every(({ outcome }) => /^(accepted|answered)$/.test(outcome));
    expect(isOnce, 'one answer is accepted, the question of the others is answered', answers);
    const answerId = `${question}-${accepted[0]}`;
    const repeat = { answerId, stream, fields: { question, name: 'twice' } };
    const again = await call(() => store.answerQuestion(ref, question, repeat));
    const isKept = again.outcome === 'accepted' && again.state.lastAnswer?.answerId === answerId;
    expect(isKept, 'the same answer again is accepted', again);
    const published = await load.published(stream, question);
    expect(published.join() === accepted.join(), 'an answer is published once', { accepted, published });
  }

  // A question has a time limit: a sweep names the job, and publishes a default as any answer.
  const limited = await call(() => store.setPendingQuestion(state(first), 'limited', { answerWithinMs: 1 }));
  expect(typeof limited?.answerBy === 'number', 'a question has a time limit', limited);
  const reason = await load.named(first);
  expect(reason === 'question', 'it is due because of its question', reason);
  const timeout = { answerId: `timeout:${first}`, stream, fields: { question: 'limited', name: 'default' } };
  const timedOut = await call(() => store.answerQuestion(state(first), 'limited', timeout));
  expect(timedOut.outcome === 'accepted' && !timedOut.state.answerBy, 'its default is accepted', timedOut);

  // What comes while a job runs is queued once, keeps it from ending unread, and is a duplicate from then on.
  const queue = (name: string) =>
    call(() => store.claim({ ...state(second), claimId: name, deliveryId: name }, { queue: { text: name } }));
  for (const name of ['more', 'and more']) {
    const queued = await queue(name);
    expect(queued.outcome === 'queued' && queued.state.jobId === first, 'what comes is queued', queued);
  }
  const redelivery = { ...state(second), claimId: 'another', deliveryId: 'more' };
  const repeated = await call(() => store.claim(redelivery, { queue: { text: 'more' } }));
  expect(repeated.outcome === 'duplicate', 'a redelivery of it is a duplicate', repeated);
  const unread = await call(() => store.remove(state(first)));
  expect(unread.outcome === 'waiting', 'a job does not end unread', unread);
  const inbox = (ref: Parameters<typeof store.inbox>[0]) =>
    call(async () => {
      const entries: { id: string; text: string | undefined }[] = [];
      for await (const { id, fields } of store.inbox(ref)) entries.push({ id, text: fields['text'] });
      return entries;
    });
  const entries = await inbox({ jobId: first });
  expect(entries.map(({ text }) => text).join() === 'more,and more', 'the inbox holds each once, in order', entries);
  const read = await call(() => store.getByJobId(first, { lastSeen: entries[0]?.id ?? '0' }));
  expect(read?.jobId === first, 'the job says what it has read', read);

  for (const ref of [{ jobId: first }, state(first)]) {
    const deliveryId = `note${Object.keys(ref).length}`;
    const note = { stream, fields: { question: deliveryId, name: 'note' }, deliveryId };
    const noted = await call(() => store.update(ref, { project: deliveryId }, note));
    const isOnce = noted.outcome === 'updated' || (resends && noted.outcome === 'duplicate');
    expect(isOnce && noted.state?.project === deliveryId, 'a member is put into the state', noted);
    const told = await load.published(stream, deliveryId);
    expect(told.join() === 'note', 'its stream hears it once', told);
  }
  const renamed = await call(() => store.update(channel, { project: 'web' }));
  expect(renamed.outcome === 'updated' && renamed.state.project === 'web', 'by channel too', renamed);

  // Of simultaneous hand-overs one is claimed, the outgoing job is told once, and what it has not read is there.
  const told = { stream, fields: { question: 'handed over', name: 'stop' } };
  const overs = await Promise.all(
    [second, third].map((jobId) =>
      call(() => store.handOver({ jobId: first }, { ...state(jobId), claimId: jobId }, told)),
    ),
  );
  const successors = overs.flatMap(({ outcome }, n) => (outcome === 'claimed' ? [[second, third][n]] : []));
  const successor = successors[0] ?? second;
  const isOne = successors.length === 1 && overs.every(({ state: seen }) => seen?.jobId === successor);
  expect(isOne, 'one hand-over is claimed, and both see its job', overs);
  const stops = await load.published(stream, 'handed over');
  expect(stops.join() === 'stop', 'the outgoing job is told once', stops);
  const left = [await inbox(state(successor)), await inbox(state(first))];
  const isLeft = left[0]?.map(({ text }) => text).join() === 'and more' && left[1]?.length === 0;
  expect(isLeft, 'what was not read is there for the successor alone', left);
  const last = left[0]?.[0]?.id ?? '0';
  const taken = await call(() => store.getByJobId(successor, { lastSeen: last }));
  expect(taken?.jobId === successor, 'the successor says that it has read it', taken);
  const late = await Promise.all([
    call(() => store.getByJobId(first)),
    call(() => store.setPendingQuestion({ jobId: first }, 'late')),
    call(() => store.setPendingQuestion(state(first), 'late')),
  ]);
  expect(
    late.every((reply) => reply === null),
    'a job that was replaced reaches nothing',
    late,
  );
  const lateDone = await call(() => store.remove(state(first)));
  expect(lateDone.outcome === 'held' && lateDone.state.jobId === successor, 'its late end is held', lateDone);

  // It changes hands while calls by channel alone are under way.
  const final = store.newJobId(channel);
  const [replaced, pending, seen] = await Promise.all([
    call(() => store.set(state(final))),
    call(() => store.setPendingQuestion(channel, 'changing')),
    call(() => store.get(channel)),
  ]);
  const holders = [successor, final];
  const isReplaced = replaced?.jobId === successor || (resends && replaced?.jobId === final);
  expect(isReplaced, 'set gives what it replaced', replaced);
  expect(pending !== null && holders.includes(pending.jobId), 'a living conversation takes a question', pending);
  expect(seen !== null && holders.includes(seen.jobId), 'a living conversation is found while it changes hands', seen);

  // It ends, by one reference or another, once.
  const ends = [channel, { jobId: final }, state(final)];
  const removed = await call(() => store.remove(ends[Number(channel.channelId.slice(1)) % 3] ?? channel));
  const isGone = resends && removed.outcome === 'gone';
  expect(isGone || (removed.outcome === 'removed' && removed.state?.jobId === final), 'it is removed', removed);
  const after = await Promise.all([
    call(() => store.get(channel)),
    call(() => store.getByJobId(final)),
    call(() => store.setPendingQuestion(channel, 'ghost')),
  ]);
  expect(
    after.every((reply) => reply === null),
    'what was removed is gone',
    after,
  );
}
