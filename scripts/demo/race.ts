import type { Redis } from 'ioredis';
import { ConversationStore } from '../../src/index.ts';

/** What one race came to, with GET and SET and with the library. */
export type Race = [what: string, plain: string, library: string];

const MESSAGES = 50;
const CHANNEL = { platform: 'slack', channelId: 'C-RACE' };

const jobOf = (n: number) => {
  return { ...CHANNEL, jobId: `job-${n}`, userId: `U${n}`, project: 'website', ticketId: n, startedAt: new Date() };
};

/** Runs the same three mishaps with GET and SET and with the library, on the same server. */
export async function runRaces(redis: Redis, prefix: string): Promise<Race[]> {
  const store = new ConversationStore(redis, { prefix });
  const key = `${prefix}plain:slack:C-RACE`;
  const each = Array.from({ length: MESSAGES }, (_, n) => n);
  const count = (results: boolean[]) => results.filter(Boolean).length;
  const read = async () => JSON.parse((await redis.get(key)) ?? 'null');

  const started = await Promise.all(
    each.map(async (n) => {
      if (await read()) return false;
      await redis.set(key, JSON.stringify(jobOf(n)), 'EX', 60);
      return true;
    }),
  );
  const claimed = await Promise.all(each.map((n) => store.claim(jobOf(n), { ttlMs: 60_000 })));
  const winner = claimed.find(({ outcome }) => outcome === 'claimed');

  await redis.set(key, JSON.stringify({ ...(await read()), pendingQuestionId: 'deploy-1' }), 'EX', 60);
  const clicks = await Promise.all(
    ['yes', 'no'].map(async (answer) => {
      const state = await read();
      if (state.pendingQuestionId !== 'deploy-1') return false;
      await redis.set(key, JSON.stringify({ ...state, pendingQuestionId: null, answer }), 'EX', 60);
      return true;
    }),
  );
  await store.setPendingQuestion(CHANNEL, 'deploy-1');
  const answers = await Promise.all(
    ['yes', 'no'].map((answerId) => store.answerQuestion(CHANNEL, 'deploy-1', { answerId })),
  );

  // A second job takes the channel over, and then the first one says that it is done.
  const next = jobOf(MESSAGES);
  await redis.set(key, JSON.stringify(next), 'EX', 60);
  await redis.del(key);
  const plainLost = (await read()) === null;
  await store.set(next, { ttlMs: 60_000 });
  const late = await store.remove(winner?.state ?? next);
  const kept = (await store.get(CHANNEL))?.jobId === next.jobId;

  await store.remove(CHANNEL);
  const ofClaims = claimed.map(({ outcome }) => outcome === 'claimed');
  const ofAnswers = answers.map(({ outcome }) => outcome === 'accepted');
  const [forgotten, stands] = ['the new job is forgotten', 'the new job stands'];
  // The widest of each column together fit 80 columns.
  return [
    [`${MESSAGES} messages at once`, `${count(started)} jobs started`, `${count(ofClaims)} job started`],
    ['two clicks on one question', `${count(clicks)} answers taken`, `${count(ofAnswers)} answer taken`],
    ['an old job says "done" late', plainLost ? forgotten : stands, kept ? `${late.outcome}: ${stands}` : forgotten],
  ];
}
