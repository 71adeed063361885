import type { ChannelReference, ConversationState, ConversationStore } from '../../src/index.ts';
/** What a scene needs of the load that plays it. */
export interface Stage {
  resends: boolean;
  call<T>(run: () => Promise<T>): Promise<T>;
  expect(right: boolean, what: string, found: unknown): void;
  published(key: string, question: string): Promise<string[]>;
}

/**
 * One conversation from its claim to its removal, with everything around it that may go wrong. Only this scene touches
 * the channel, so that it knows what every call has to answer.
 */
export async function playScene(load: Stage, store: ConversationStore, channel: ChannelReference): Promise<void> {
  const [a, b, c] = Array.from({ length: 3 }, () => store.newJobId(channel)) as [string, string, string];
  const state = (jobId: string) => ({
    ...channel,
    jobId,
    userId: 'U1',
    project: 'web',
    ticketId: 12,
    startedAt: '2026-01-31T09:30:00Z',
  });
  const { call, expect } = load;
  const stream = store.key(channel, `stream:${channel.channelId}`);

  // Nobody holds it: of simultaneous claims one is claimed, and all see the winner.
  const claims = await Promise.all([a, b, c].map((jobId) => call(() => store.claim(state(jobId)))));
  const winners = claims.filter(({ outcome }) => outcome === 'claimed').map((claim) => claim.state?.jobId);
  expect(winners.length === 1, 'one claim wins', claims);
  const first = winners[0] ?? a;
  expect(
    claims.every((claim) => claim.state?.jobId === first),
    'all claims see the winner',
    claims,
  );
  const [second, third] = [a, b, c].filter((jobId) => jobId !== first) as [string, string];

  // By every reference, the conversation is found and changed.
  const found = await Promise.all([
    call(() => store.get(channel)),
    call(() => store.get({ jobId: first })),
    call(() => store.getByJobId(first)),
    call(() => store.get(state(first))),
    call(() => store.get({ jobId: second })),
  ]);
  expect(
    found.slice(0, 4).every((each) => each?.jobId === first),
    'a living conversation is found',
    found,
  );
  expect(found[4] === null, 'a job that was held is unknown', found);

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
    expect(accepted.length === 1, 'one answer is accepted', answers);
    expect(
      answers.every(({ outcome }) => /^(accepted|answered)$/.test(outcome)),
      'the others are answered',
      answers,
    );
    const answerId = `${question}-${accepted[0]}`;
    const again = await call(() =>
      store.answerQuestion(ref, question, { answerId, stream, fields: { question, name: 'twice' } }),
    );
    expect(again.outcome === 'accepted', 'the same answer again is accepted', again);
    expect(again.state?.lastAnswer?.answerId === answerId, 'the accepted answer is kept', again);
    const published = await load.published(stream, question);
    expect(published.join() === accepted.join(), 'an answer is published once', { accepted, published });
  }

  // What comes meanwhile is queued once, keeps the job from ending unread, and is a duplicate from then on.
  const more = { ...state(second), deliveryId: 'more' };
  const queued = await call(() => store.claim(more, { queue: { text: 'more' } }));
  expect(queued.outcome === 'queued' && queued.state.jobId === first, 'what comes meanwhile is queued', queued);
  const repeated = await call(() => store.claim(more, { queue: { text: 'more' } }));
  expect(repeated.outcome === 'duplicate', 'a redelivery of it is a duplicate', repeated);
  const unread = await call(() => store.remove(state(first)));
  expect(unread.outcome === 'waiting', 'a job does not end unread', unread);
  const texts = await call(async () => {
    const found: (string | undefined)[] = [];
    for await (const { fields } of store.inbox({ jobId: first })) found.push(fields['text']);
    return found;
  });
  expect(texts.join() === 'more', 'the inbox holds it once', texts);
  for (const ref of [{ jobId: first }, state(first)]) {
    const deliveryId = `note${Object.keys(ref).length}`;
    const note = { stream, fields: { question: deliveryId, name: 'note' }, deliveryId };
    const noted = await call(() => store.update(ref, { project: deliveryId }, note));
    const isOnce = noted.outcome === 'updated' || (load.resends && noted.outcome === 'duplicate');
    expect(isOnce && noted.state?.project === deliveryId, 'a member is put into the state', noted);
    const heard = await load.published(stream, deliveryId);
    expect(heard.join() === 'note', 'its stream hears it once', heard);
  }
  const renamed = await call(() => store.update(channel, { project: 'web' }));
  expect(renamed.outcome === 'updated' && renamed.state.project === 'web', 'by channel too', renamed);

  // Another job takes it over; what the old one still does, does nothing.
  const taken = await call(() => store.set(state(second)));
  expect(taken?.jobId === first || (load.resends && taken?.jobId === second), 'set gives what it replaced', taken);
  const late = await Promise.all([
    call(() => store.getByJobId(first)),
    call(() => store.setPendingQuestion({ jobId: first }, 'late')),
    call(() => store.setPendingQuestion(state(first), 'late')),
  ]);
  expect(
    late.every((reply) => reply === null),
    'a displaced job reaches nothing',
    late,
  );
  const lateDone = await call(() => store.remove(state(first)));
  expect(lateDone.outcome === 'held' && lateDone.state.jobId === second, 'a late Done is held', lateDone);

  // It changes hands while calls by channel alone are under way.
  const [, pending, read] = await Promise.all([
    call(() => store.set(state(third))),
    call(() => store.setPendingQuestion(channel, 'meanwhile')),
    call(() => store.get(channel)),
  ]);
  const holders = [second, third];
  expect(pending !== null && holders.includes(pending.jobId), 'a living conversation takes a question', pending);
  expect(read !== null && holders.includes(read.jobId), 'a living conversation is found while it changes hands', read);

  // It ends, by one reference or another, once.
  const ends = [channel, { jobId: third }, state(third)];
  const removed = await call(() =>
    store.remove(ends[Number(channel.channelId.slice(1)) % 3] ?? channel, { discardInbox: true }),
  );
  const gone = load.resends && removed.outcome === 'gone';
  expect(gone || (removed.outcome === 'removed' && removed.state?.jobId === third), 'it is removed', removed);
  const after: (ConversationState | null)[] = await Promise.all([
    call(() => store.get(channel)),
    call(() => store.getByJobId(third)),
    call(() => store.setPendingQuestion(channel, 'ghost')),
  ]);
  expect(
    after.every((reply) => reply === null),
    'what was removed is gone',
    after,
  );
}
