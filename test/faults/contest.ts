import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { random } from '../support/random.ts';
import { dump } from '../support/redis.ts';
import { STATE } from './calls.ts';
import { closeLines, type Fault, type Line, openLines } from './proxy.ts';

const CONTESTANTS = 6;
const CHANNEL = { platform: 'slack', channelId: 'C1' };
/** Later than any entry of an inbox. */
const ALL = '999999999999999';

/**
 * Rounds in which some clients, each over a bad network of its own, claim one channel for a message each, answer one
 * question, update one state, remove one conversation and settle one lapsed job at the same time. Whatever is lost or
 * late on the way, one of them wins and knows it, the others know who, and every message is there once. Gives the
 * figures.
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

  const claims = await all('fcall conv_claim', (store, index) =>
    store.claim(states[index] ?? STATE, { queue: { by: index } }),
  );
  const winner = onlyIndex(claims, 'claimed');
  for (const { state } of claims) assert.equal(state, states[winner], `${prefix} claims do not agree who won`);
  assert.equal(await keysThere(direct), keysOf(prefix, winner), `${prefix} keys after the claims`);
  const others = lines.map((_, index) => index).filter((index) => index !== winner);
  assert.equal(
    claims.map(({ outcome }) => outcome),
    lines.map((_, index) => (index === winner ? 'claimed' : 'queued')),
  );
  assert.equal(await heardBy(direct, `${prefix}conversation-inbox:slack:C1`), others, `${prefix} the inbox`);

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

  const updates = await all('fcall conv_update', (store, index) =>
    store.update(winnersRef, {}, { deliveryId: `u${index}`, stream: 'updates', fields: { by: index } }),
  );
  for (const { outcome } of updates) assert.match(outcome, /^(updated|duplicate)$/, `${prefix} an update`);
  assert.equal(
    await heardBy(direct, `${prefix}updates`),
    lines.map((_, index) => index),
    `${prefix} each update is published once`,
  );

  const early = await all('fcall conv_remove', (store) => store.remove(winnersRef, { lastSeen: '0' }));
  assert.ok(
    early.every(({ outcome }) => outcome === 'waiting'),
    `${prefix} a removal by who has read nothing`,
  );
  const removals = await all('fcall conv_remove', (store) => store.remove(CHANNEL, { lastSeen: ALL }));
  const removed = removals.filter(({ outcome }) => outcome === 'removed');
  assert.ok(removed.length <= 1, `${prefix} ${removed.length} removals of one conversation`);
  assert.ok(
    removals.every(({ outcome }) => outcome !== 'held'),
    `${prefix} a removal was held`,
  );
  const streams = [`${prefix}heard`, `${prefix}updates`];
  assert.equal(await keysThere(direct), streams, `${prefix} keys after the removals`);

  const lapsed = { ...STATE, jobId: 'lapsed' };
  await new ConversationStore(direct, { prefix, silentAfterMs: 1 }).set(lapsed, { ttlMs: 1 });
  await sleep(5);
  const ends = await all('fcall conv_remove', (store) => store.remove(lapsed));
  const settled = ends.filter(({ outcome }) => outcome === 'lapsed');
  assert.ok(settled.length <= 1, `${prefix} ${settled.length} removals were told that one job lapsed`);
  assert.ok(
    ends.every(({ outcome }) => outcome === 'lapsed' || outcome === 'gone'),
    `${prefix} the end of a lapsed job`,
  );
  assert.equal(await keysThere(direct), streams, `${prefix} keys after the job that lapsed`);
}

/** Who is named in the entries of a stream, in order of their numbers. */
async function heardBy(direct: Redis, stream: string): Promise<number[]> {
  const entries = await direct.xrange(stream, '-', '+');
  return entries.map(([, [, by]]) => Number(by)).sort((a, b) => a - b);
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
  return [`${prefix}conversation-inbox:slack:C1`, `${prefix}conversation:slack:C1`, `${prefix}job-index:job${winner}`];
}
