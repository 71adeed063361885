import { OPERATIONS, type Operation } from './conversations.ts';
import { DESIGNS, startRunner, type Turn } from './runner.ts';
import { median, quantile, shuffled } from './statistics.ts';

export type Figures = ReturnType<typeof summarize>;

/** Turns before those that count: what is done for the first time takes longer. */
const WARM_UP = 6;
const NAMES = DESIGNS.map(({ name }) => name);

/** How many turns, and how many calls are one, by how many callers make them. */
type Plan = { calls: ReadonlyMap<number, number>; turns: number; names?: readonly string[] };

/**
 * Measures designs side by side: in turns of a fraction of a second, one directly after the other and in any order, so that
 * whatever slows the machine down slows them all. Each has a process and a database of its own.
 */
export async function compare(url: string, { calls, turns, names = NAMES }: Plan): Promise<Figures[]> {
  const figures: Figures[] = [];
  const runners = names.map((name, at) => startRunner(name, `${url}/${at}`, Math.max(...calls.keys())));
  try {
    for (const operation of OPERATIONS) {
      for (const [callers, count] of calls) {
        const taken = runners.map((): Turn[] => []);
        for (let turn = 0; turn < WARM_UP + turns; turn++) {
          for (const [at, runner] of shuffled(runners.entries())) {
            const took = await runner.run(operation, callers, count);
            if (turn >= WARM_UP) taken[at]?.push(took);
          }
        }
        figures.push(...taken.map((own, at) => summarize(names[at] ?? '', operation, callers, own, taken[0] ?? [])));
      }
    }
  } finally {
    for (const runner of runners) runner.close();
  }
  return figures;
}

/** Of calls per second medians over the turns and, as `low` and `high`, quartiles; p50 and p99, in milliseconds, of all calls. */
function summarize(name: string, operation: Operation, callers: number, own: Turn[], base: Turn[]) {
  const all = own.map((turn) => turn.perSecond);
  const latencies = own.flatMap((turn) => [...turn.latencies]);
  const [low = 0, perSecond = 0, high = 0] = [0.25, 0.5, 0.75].map((share) => quantile(all, share));
  const [p50 = 0, p99 = 0] = [0.5, 0.99].map((share) => quantile(latencies, share));
  // Against the first design in the same turn.
  const ratio = median(all.map((value, turn) => value / (base[turn]?.perSecond ?? Number.NaN)));
  return {
    name,
    operation,
    callers,
    perSecond,
    low,
    high,
    p50,
    p99,
    ratio,
    reads: median(own.map(({ reads }) => reads)),
  };
}

/** The figures of one design, of what was measured. */
export function find(all: readonly Figures[], name: string, operation: Operation, callers: number): Figures {
  return all.find((one) => one.name === name && one.operation === operation && one.callers === callers) as Figures;
}
