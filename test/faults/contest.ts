import { Redis } from 'ioredis';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { random } from '../support/random.ts';
import { dump } from '../support/redis.ts';
import { STATE } from './calls.ts';
import { closeLines, type Fault, type Line, openLines } from './proxy.ts';

const CONTESTANTS = 6;
const CHANNEL = { platform: 'slack', channelId: 'C1' };

/**
 * Rounds in which some clients, each over a bad network of its own, claim one channel, answer one question and remove
 * one conversation at the same time. Whatever is lost or late on the way, one of them wins and knows it, and the others
 * know who. Gives the figures.
 */
export async function contest(url: string, seed: number, rounds: number): Promise<string> {
  const below = random(seed);
  const lines = await openLines(url, CONTESTANTS);
  const direct = new Redis(url);
  try {
    for (let round = 0; round < rounds; round++) await play(`round${round}:`, lines, direct, below);
    const faults = lines.reduce((sum, { proxy }) => sum + proxy.faults, 0);
    return `seed ${seed}: ${rounds} rounds of ${CONTESTANTS} clients, ${faults} faults`;
  } catch (error) {
    if (error instanceof Error) error.message = `SEED=${seed} repeats it: ${error.message}`;
    throw error;
  } finally {
    direct.disconnect();
    await closeLines(lines);
  }
}

async function play(prefix: string, lines: Line[], direct: Redis, below: (limit: number) => number): Promise<void> {
  await direct.flushall();
  const judge = new ConversationStore(direct, { prefix });
  const stores = lines.map(({ client }) => new ConversationStore(client, { prefix }));
  await Promise.all(stores.map((store) => store.ready()));
  const states = lines.map((_, index) => ({
    ...STATE,
    jobId: `job${index}`,
    claimId: `c${index}`,
    deliveryId: `d${index}`,
  }));
  const all = async <T>(command: string, call: (store: ConversationStore, index: number) => Promise<T>) => {
    for (const { proxy } of lines) misfortune(below, (fault, times) => proxy.arm(command, fault, times));
    const replies = await Promise.all(stores.map(call));
    await Promise.all(lines.map(({ proxy }) => proxy.settled()));
    return replies;
  };

  const claims = await all('fcall conv_claim', (store, index) => store.claim(states[index] ?? STATE));
  const winner = onlyIndex(claims, 'claimed');
  for (const { state } of claims) assert.equal(state, states[winner], `${prefix} claims do not agree who won`);
  assert.equal(await keysThere(direct), keysOf(prefix, winner), `${prefix} keys after the claims`);

  const winnersRef = { jobId: `job${winner}` };
  await judge.setPendingQuestion(CHANNEL, 'q1');
  const answers = await all('fcall conv_answer', (store, index) =>
    store.answerQuestion(winnersRef, 'q1', { answerId: `a${index}`, stream: 'heard', fields: { by: index } }),
  );
  const accepted = onlyIndex(answers, 'accepted');
  for (const { outcome, state } of answers) {
    assert.is.not(outcome, 'stale', `${prefix} an answer`);
    assert.equal(state?.lastAnswer, { questionId: 'q1', answerId: `a${accepted}` }, `${prefix} answers do not agree`);
  }
  const heard = await direct.xrange(`${prefix}heard`, '-', '+');
  assert.equal(
    heard.map(([, fields]) => fields),
    [['by', String(accepted)]],
    `${prefix} the stream heard another answer, or more than one`,
  );

  const removals = await all('fcall conv_remove', (store) => store.remove(CHANNEL));
  const removed = removals.filter(({ outcome }) => outcome === 'removed');
  assert.ok(removed.length <= 1, `${prefix} ${removed.length} removals of one conversation`);
  assert.ok(
    removals.every(({ outcome }) => outcome !== 'held'),
    `${prefix} a removal was held`,
  );
  assert.equal(await keysThere(direct), [`${prefix}heard`], `${prefix} keys after the removals`);
}

/** One time out of five nothing. No command has fewer than 40 bytes, no reply fewer than 15. */
function misfortune(below: (limit: number) => number, arm: (fault: Fault, times?: number) => void): void {
  const kind = below(5);
  if (kind === 1) arm({ kind: 'cut request', bytes: below(40) });
  if (kind === 2) arm({ kind: 'cut reply', bytes: below(15) }, 1 + below(2));
  if (kind === 3) arm({ kind: 'late' });
  if (kind === 4) arm({ kind: 'slow', ms: below(100) });
}

/** All keys but the one that remembers which messages were handled. */
async function keysThere(direct: Redis): Promise<string[]> {
  return Object.keys(await dump(direct)).filter((key) => !key.includes('conversation-handled:'));
}

function onlyIndex(replies: { outcome: string }[], outcome: string): number {
  const winners = replies.flatMap((reply, index) => (reply.outcome === outcome ? [index] : []));
  assert.is(winners.length, 1, `${winners.length} were told ${outcome}`);
  return winners[0] ?? -1;
}

function keysOf(prefix: string, winner: number): string[] {
  return [`${prefix}conversation:slack:C1`, `${prefix}job-index:job${winner}`];
}
