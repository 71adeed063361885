import { type Design, entryOf, type Operation, type Session, type Told } from './designs.ts';
import { shuffled } from './speed.ts';

/** How a contest can end wrongly. */
export const WRONGS = {
  started: 'two jobs started',
  accepted: 'two answers accepted',
  removed: 'successor removed',
  elsewhere: 'index leads elsewhere',
  lost: 'message lost',
} as const;
export type Wrong = keyof typeof WRONGS;

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
  // Four messages again: the job that one of them starts reads until nothing is left, and ends.
  messages: 'receive 0, receive 1, receive 2, receive 3',
};
type Scenario = keyof typeof SCENARIOS;
type Move = { call: Operation | 'receive'; player: number; told: Told };

/** Contests that were played, those that ended wrongly, and how; one can do so in more than one way. Of what was not played, null. */
export type Outcome = Record<Wrong, number | null> & { name: string; contests: number; wrong: number };

const PLAYERS = [0, 1, 2, 3];
/** How many contests run at once, each on a channel of its own. */
const LANES = 16;

/** Has four clients of a design, each with its own connections, play so many contests of each kind. */
export async function playContests(url: string, design: Design, each: number): Promise<Outcome> {
  const clients = await Promise.all(PLAYERS.map(() => design.open(url, LANES)));
  const kinds = (Object.keys(SCENARIOS) as Scenario[]).filter((kind) =>
    movesOf(kind).every(([call]) => clients[0]?.[call] !== undefined),
  );
  const can = (...some: Scenario[]) => (some.some((kind) => kinds.includes(kind)) ? 0 : null);
  const outcome: Outcome = {
    name: design.name,
    contests: kinds.length * each,
    wrong: 0,
    started: can('start'),
    accepted: can('answer'),
    removed: can('late end'),
    elsewhere: can('late end', 'late question'),
    lost: can('messages'),
  };
  const all = Array.from({ length: outcome.contests }, (_, index) => index).values();
  const lane = async (_: unknown, caller: number) => {
    for (const index of all) {
      const wrongs = await play(clients, kinds[index % kinds.length] as Scenario, index, caller);
      for (const wrong of wrongs) outcome[wrong] = (outcome[wrong] ?? 0) + 1;
      if (wrongs.length > 0) outcome.wrong++;
    }
  };
  await Promise.all(Array.from({ length: LANES }).map(lane));
  await Promise.all(clients.map((client) => client.close()));
  return outcome;
}

const movesOf = (kind: Scenario) =>
  SCENARIOS[kind].split(', ').map((move) => move.split(' ') as [Move['call'], string]);

async function play(clients: Session[], kind: Scenario, index: number, caller: number): Promise<Wrong[]> {
  const read = new Set<string>();
  if (kind !== 'start' && kind !== 'messages') await clients[0]?.set?.(entryOf(index), caller);
  if (kind === 'answer') await clients[0]?.pending?.(entryOf(index), caller);
  const moves = await Promise.all(
    shuffled(movesOf(kind).entries()).map(async ([at, [call, of]]): Promise<Move> => {
      for (let wait = Math.floor(Math.random() * 4); wait > 0; wait--) await new Promise(setImmediate);
      const [client, player] = [clients[at] as Session, Number(of)];
      const entry = { ...entryOf(index, player), answerId: `answer-${at}` };
      if (call === 'receive') await client.receive?.(entry, `message-${index}-${at}`, (message) => read.add(message));
      return { call, player, told: (call !== 'receive' && (await client[call]?.(entry, caller))) ?? null };
    }),
  );
  // One judge for all: it looks only at what the callers got, and at what each job finds when all is over.
  const jobOf = (player: number) => entryOf(index, player).state.jobId;
  const lookUp = clients[0]?.lookup;
  const found = await Promise.all(PLAYERS.map((player) => lookUp?.(entryOf(index, player), caller) ?? jobOf(player)));
  const [first, ...others] = moves.filter((move) => move.told === true).map(({ player }) => player);
  const finds = (player: number | undefined) => player !== undefined && found[player] === jobOf(player);
  const isOther = (told: Told, player: number) => typeof told === 'string' && told !== jobOf(player);
  const wrong: Record<Wrong, boolean> = {
    started: kind === 'start' && (others.length > 0 || !finds(first)),
    accepted: kind === 'answer' && (others.length > 0 || first === undefined),
    removed: kind === 'late end' && !finds(1),
    // Who looks up a job finds that job's state or nothing.
    elsewhere:
      found.some(isOther) || moves.some(({ call, told, player }) => call === 'lookup' && isOther(told, player)),
    // No call is under way any more, so nobody is left to read what was not read.
    lost: kind === 'messages' && read.size < PLAYERS.length,
  };
  return (Object.keys(wrong) as Wrong[]).filter((one) => wrong[one]);
}
