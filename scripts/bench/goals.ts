import { type Figures, find } from './compare.ts';
import type { Outcome } from './contests.ts';
import { OPERATION_NAMES, OPERATIONS, type Operation } from './conversations.ts';
import type { ServerTime } from './server-time.ts';

/** Speed over loopback and further away, wrong outcomes, and time on the server. */
export type Measured = { near: Figures[]; far: Figures[]; outcomes: Outcome[]; serverTime: ServerTime[] };

export type Goal = ReturnType<typeof goal>;

const FLOOR_SHARE = 0.9;
const SERVER_TIMES = 2;

/** Designs other than the store with fewer than two wrong outcomes: those that it has to outrun. */
export function rightDesigns(outcomes: Outcome[]): string[] {
  return outcomes.filter(({ name, wrong }) => name !== 'store' && wrong < 2).map(({ name }) => name);
}

/** What was to be reached, and whether it was. */
export function judge({ near, far, outcomes, serverTime }: Measured) {
  const each = (of: (operation: Operation) => number, where = '') =>
    OPERATIONS.map((operation) => [of(operation), OPERATION_NAMES[operation] + where] as const);
  const right = rightDesigns(outcomes);
  const race = (all: Figures[], where: string) =>
    right.flatMap((name) =>
      [32, 1].flatMap((callers) =>
        each(
          (operation) => 1 / find(all, name, operation, callers).ratio,
          ` against ${name}${where}, callers: ${callers}`,
        ),
      ),
    );
  return [
    goal(
      'every call of the store is one round trip',
      each((operation) => find(near, 'store', operation, 1).reads),
      (value) => value <= 1.02,
      'More was sent than one command a call.',
    ),
    goal(
      `calls per second at least ${FLOOR_SHARE} times the floor's, 32 callers`,
      each((operation) => 1 / find(near, 'floor', operation, 32).ratio),
      (value) => value >= FLOOR_SHARE,
      `server and callers share one core, so all that a call does beyond the floor counts in full: ${beyondTheFloor(near, serverTime)}. In the function that is decoding the state, telling strict JSON from what the decoder lets pass, and checking keys and members before the first write; in the client, checking the reference, making keys and ids, and typed results and errors.`,
    ),
    goal(
      `faster than every design with fewer than two wrong outcomes (${right.join(', ') || 'there is none'}), in every operation`,
      [...race(near, ''), ...race(far, ' 1 ms away')],
      (value) => value > 1,
      'where such a design is faster, it does less: it does not check the state that it is given, and it does not keep byte for byte what another program stored.',
    ),
    goal(
      `server time at most ${SERVER_TIMES.toFixed(1)} times the floor's, in every operation`,
      serverTime.map(({ operation, ratio }) => [ratio, OPERATION_NAMES[operation]] as const),
      (value) => value <= SERVER_TIMES,
      'the floor runs the same commands and nothing else. What comes on top is, by its cost: decoding the state, telling strict JSON from what the decoder lets pass, taking both keys apart, and finding the member that changes so that every other byte stays. What another program stored has to be told from a state, and everything is checked before the first write, so none of it can be left out.',
    ),
  ];
}

/** A goal with every figure that falls short, or else the one that is closest to it; and why it can be missed. */
function goal(goal: string, figures: (readonly [number, string])[], holds: (value: number) => boolean, cause: string) {
  const sorted = figures.toSorted(([a], [b]) => (holds(0) ? b - a : a - b));
  const short = sorted.filter(([value]) => !holds(value));
  const shown = short.length > 0 ? short : sorted.slice(0, 1);
  const measured = shown.map(([value, where]) => `${value.toFixed(2)} (${where})`).join('; ');
  return { goal, reached: short.length === 0, measured: measured || 'nothing to compare with', cause };
}

/** For each operation that falls short, by how much, and how much of that is the function's. */
function beyondTheFloor(near: Figures[], serverTime: ServerTime[]): string {
  const short = serverTime.filter(({ operation }) => 1 / find(near, 'floor', operation, 32).ratio < FLOOR_SHARE);
  const parts = short.map(({ operation, first, second }) => {
    const { perSecond, ratio } = find(near, 'floor', operation, 32);
    const floor = 1e6 / perSecond;
    return `${OPERATION_NAMES[operation]} ${((ratio - 1) * floor).toFixed(1)} µs on ${floor.toFixed(1)} µs (on the server ${(first - second).toFixed(1)} µs)`;
  });
  return parts.join('; ');
}
