import { OPERATION_NAMES, OPERATIONS, type Operation } from './conversations.ts';
import type { Turn } from './measure.ts';
import type { Progress } from './progress.ts';
import { type Place, type Runner, startRunner } from './runner.ts';
import { median, quantile, spread } from './statistics.ts';

/** Calls per second and ratios: medians over the turns. Milliseconds: quantiles over all calls. */
export interface Figures {
  name: string;
  operation: Operation;
  callers: number;
  perSecond: number;
  p50: number;
  p99: number;
  /** Of calls per second, as a share. */
  spread: number;
  /** Calls per second against the first place's in the same turn. */
  ratio: number;
  /** p50 against the first place's in the same turn. */
  p50Ratio: number;
}

export interface Plan {
  /** How many calls are a turn, by how many callers make them. */
  calls: ReadonlyMap<number, number>;
  turns: number;
  operations?: readonly Operation[];
}

/**
 * Turns of everything before the first that counts, and again of each call before those of it that count: what is done
 * for the first time takes longer.
 */
const WARM_UP = 2;

/** How often a comparison says how far it is. */
export function steps({ calls, turns, operations = OPERATIONS }: Plan): number {
  return operations.length * calls.size * (WARM_UP + WARM_UP + turns);
}

/**
 * Measures places side by side: in turns of a fraction of a second, one place directly after the other and in any order,
 * so that whatever slows the machine down slows them all.
 */
export async function compare(places: readonly Place[], plan: Plan, progress: Progress): Promise<Figures[]> {
  const { calls, turns, operations = OPERATIONS } = plan;
  const most = Math.max(...calls.keys());
  const runners: Runner[] = [];
  const take = async (operation: Operation, callers: number, count: number, turns: number) => {
    const taken = places.map((): Turn[] => []);
    for (let turn = 0; turn < turns; turn++) {
      progress.step(`${OPERATION_NAMES[operation]}, ${callers} ${callers === 1 ? 'caller' : 'callers'}`);
      for (const runner of runners) await runner.prepare(operation, count);
      for (const [index, runner] of shuffled(runners.entries())) {
        const took = await runner.run(operation, callers);
        if (took) taken[index]?.push(took);
      }
    }
    return taken;
  };
  const each = operations.flatMap((operation) => [...calls].map(([callers, count]) => ({ operation, callers, count })));
  const figures: Figures[] = [];
  try {
    for (const place of places) runners.push(await startRunner(place, most));
    for (const { operation, callers, count } of each) await take(operation, callers, count, WARM_UP);
    for (const { operation, callers, count } of each) {
      const taken = await take(operation, callers, count, WARM_UP + turns);
      const [base = [], ...others] = taken.map((one) => one.slice(WARM_UP));
      for (const [index, own] of [base, ...others].entries()) {
        const name = places[index]?.name ?? '';
        if (own.length > 0) figures.push({ name, operation, callers, ...summarize(own, base) });
      }
    }
  } finally {
    for (const runner of runners) runner.close();
  }
  return figures;
}

function summarize(own: readonly Turn[], base: readonly Turn[]): Omit<Figures, 'name' | 'operation' | 'callers'> {
  const perSecond = own.map((turn) => turn.perSecond);
  const latencies = own.flatMap((turn) => [...turn.latencies]);
  const against = (figure: (turn: Turn) => number) =>
    median(own.flatMap((turn, index) => (base[index] ? [figure(turn) / figure(base[index])] : [])));
  return {
    perSecond: median(perSecond),
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    spread: spread(perSecond),
    ratio: against((turn) => turn.perSecond),
    p50Ratio: against((turn) => median(turn.latencies)),
  };
}

/** In any order, so that nobody always follows the same one and works in what that left behind. */
function shuffled<T>(items: Iterable<T>): T[] {
  return [...items]
    .map((item) => ({ item, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

/** The figures of one place, where it has them. */
export function find(all: readonly Figures[], name: string, operation: Operation, callers: number) {
  return all.find((each) => each.name === name && each.operation === operation && each.callers === callers);
}
