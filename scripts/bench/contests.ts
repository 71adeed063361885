import type { Redis } from 'ioredis';
import { type Design, entryOf, type Operation, prepare, type Session, type Told } from './conversations.ts';
import { shuffled } from './statistics.ts';

/** How a contest can end wrongly. */
export const WRONGS = {
  started: 'two told to start',
  accepted: 'two answers accepted',
  removed: 'successor removed',
  elsewhere: 'index leads elsewhere',
} as const;
export type Wrong = keyof typeof WRONGS;

/** Contests that ended wrongly, by how. One contest can do so in more than one way. */
export type Outcome = Record<Wrong, number> & { name: string; contests: number; wrong: number };

/** What four clients call at about the same time, and for which job of the channel. Job 0 holds it, except at the start. */
const SCENARIOS = {
  // Four messages in one channel, each with a job of its own.
  start: 'claim 0, claim 1, claim 2, claim 3',
  // Four clicks on the buttons of one question.
  answer: 'answer 0, answer 0, answer 0, answer 0',
  // Job 1 takes the channel over, and the end of job 0 is reported late, twice.
  'late end': 'set 1, remove 0, remove 0, lookup 0',
  // Job 1 takes the channel over, and job 0 still asks something.
  'late question': 'set 1, pending 0, lookup 0, lookup 1',
};
type Scenario = keyof typeof SCENARIOS;
type Move = { operation: Operation; player: number; told: Told };

const PLAYERS = 4;
/** Contests that go on at the same time, each on a channel of its own. */
const LANES = 16;

/** Has four clients of a design, each with its own connections, play contests. The judge is the same for all designs. */
export async function playContests(url: string, admin: Redis, design: Design, contests: number): Promise<Outcome> {
  await admin.flushall();
  const clients = await Promise.all(Array.from({ length: PLAYERS }, () => design.open(url, LANES)));
  const outcome = { name: design.name, contests, wrong: 0, started: 0, accepted: 0, removed: 0, elsewhere: 0 };
  const kinds = Object.keys(SCENARIOS) as Scenario[];
  let next = 0;
  const lane = async (caller: number) => {
    for (let index = next++; index < contests; index = next++) {
      const kind = kinds[index % kinds.length] as Scenario;
      const wrongs = await judge(admin, kind, index, await play(admin, clients, kind, index, caller));
      for (const wrong of wrongs) outcome[wrong]++;
      if (wrongs.length > 0) outcome.wrong++;
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, caller) => lane(caller)));
  for (const client of clients) client.close();
  return outcome;
}

async function play(admin: Redis, clients: Session[], kind: Scenario, index: number, caller: number): Promise<Move[]> {
  await prepare(admin, kind === 'start' ? 'claim' : kind === 'answer' ? 'answer' : 'set', [entryOf(index)]);
  return Promise.all(
    shuffled(SCENARIOS[kind].split(', ').entries()).map(async ([client, move]) => {
      const [operation, player] = move.split(' ') as [Operation, string];
      for (let wait = Math.floor(Math.random() * 4); wait > 0; wait--) await new Promise(setImmediate);
      const entry = Object.assign(entryOf(index, Number(player)), { answerId: `answer-${client}` });
      return { operation, player: Number(player), told: (await clients[client]?.[operation](entry, caller)) ?? null };
    }),
  );
}

/** Looks only at what the callers were told and at what is stored. */
async function judge(admin: Redis, kind: Scenario, index: number, moves: readonly Move[]): Promise<Wrong[]> {
  const players = Array.from({ length: PLAYERS }, (_, player) => entryOf(index, player));
  const { conversation } = entryOf(index);
  const [text, ...indexes] = await admin.mget(conversation, ...players.map(({ job }) => job));
  const stored: Told = text ? JSON.parse(text).jobId : null;
  const told = moves.filter((move) => move.told === true);
  const isOf = (jobId: Told, player: number) => jobId === players[player]?.state.jobId;
  // What an index leads to, and what whoever looked up a job was told, is that job's or nothing.
  const indexed = indexes.every((key, player) => key !== conversation || stored === null || isOf(stored, player));
  const lookedUp = moves.every(({ operation, player, told }) => operation !== 'lookup' || !told || isOf(told, player));
  const wrong: Record<Wrong, boolean> = {
    started: kind === 'start' && (told.length !== 1 || !isOf(stored, told[0]?.player ?? 0)),
    accepted: kind === 'answer' && told.length !== 1,
    removed: kind === 'late end' && (!isOf(stored, 1) || indexes[1] !== conversation),
    elsewhere: !indexed || !lookedUp,
  };
  return (Object.keys(wrong) as Wrong[]).filter((one) => wrong[one]);
}
