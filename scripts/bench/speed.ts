import { connect, type Design, entryOf, OPERATIONS, type Operation, prepare } from './designs.ts';

/** Turns before those that count: what is done for the first time takes longer. */
const WARM_UP = 3;

type Turn = { perSecond: number; latencies: Float64Array };
export type Figures = ReturnType<typeof summarize>;

/**
 * Measures designs side by side: in turns of a fraction of a second, one directly after the other and in any order, so that
 * whatever slows the machine down slows them all. `calls` says how many calls are one turn, by how many callers make them.
 * Each design has a database of its own. The first one is what the others are compared with.
 */
export async function race(
  url: string,
  designs: readonly Design[],
  { calls, turns }: { calls: ReadonlyMap<number, number>; turns: number },
): Promise<Figures[]> {
  const figures: Figures[] = [];
  const most = Math.max(...calls.keys());
  const racers = await Promise.all(designs.map((design, at) => enter(design, `${url}/${at}`, most)));
  try {
    for (const operation of OPERATIONS) {
      for (const [callers, count] of calls) {
        const taken = designs.map((): Turn[] => []);
        for (let turn = 0; turn < WARM_UP + turns; turn++) {
          for (const [at, { run }] of shuffled(racers.entries())) {
            const took = await run(operation, callers, count);
            if (turn >= WARM_UP) taken[at]?.push(took);
          }
        }
        const [first = []] = taken;
        figures.push(...taken.map((own, at) => summarize(designs[at]?.name ?? '', operation, callers, own, first)));
      }
    }
  } finally {
    for (const racer of racers) racer.close();
  }
  return figures;
}

async function enter(design: Design, url: string, most: number) {
  const [client, session] = [await connect(url), await design.open(url, most)];
  const run = async (operation: Operation, callers: number, count: number): Promise<Turn> => {
    const all = Array.from({ length: count }, (_, index) => entryOf(index));
    await prepare(client, operation, all, design.prefix);
    const latencies = new Float64Array(count);
    const left = all.entries();
    const work = async (_: unknown, caller: number) => {
      for (const [at, entry] of left) {
        const began = performance.now();
        const told = await session[operation]?.(entry, caller);
        latencies[at] = performance.now() - began;
        // Figures of calls that did something else are worthless.
        if (told !== (operation === 'lookup' ? entry.state.jobId : true)) {
          throw new Error(`${design.name}: ${operation} had another outcome than it was prepared for`);
        }
      }
    };
    const began = performance.now();
    await Promise.all(Array.from({ length: callers }).map(work));
    return { perSecond: (count / (performance.now() - began)) * 1000, latencies };
  };
  return { run, close: () => [client.disconnect(), session.close()] };
}

/**
 * Calls per second; p50 and p99, in milliseconds, of all calls; and `outrun`, how many times as fast the first design was in the
 * same turns. Both rates are medians over the turns.
 */
function summarize(name: string, operation: Operation, callers: number, own: Turn[], first: Turn[]) {
  const all = own.map((turn) => turn.perSecond);
  const latencies = own.flatMap((turn) => [...turn.latencies]);
  const [p50 = 0, p99 = 0] = [0.5, 0.99].map((share) => quantile(latencies, share));
  const ratios = all.map((value, turn) => (first[turn]?.perSecond ?? Number.NaN) / value);
  return { name, operation, callers, perSecond: quantile(all, 0.5), p50, p99, outrun: quantile(ratios, 0.5) };
}

/** The figures of one design, of what was measured. */
export function find(all: readonly Figures[], name: string, operation: Operation, callers: number): Figures {
  return all.find((one) => one.name === name && one.operation === operation && one.callers === callers) as Figures;
}

/** The value at a share of the sorted values: 0.5 is the median. */
export function quantile(values: Iterable<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.round((sorted.length - 1) * share)] ?? Number.NaN;
}

/** In any order, so that nobody always follows the same one and works in what that left behind. */
export function shuffled<T>(items: Iterable<T>): T[] {
  const keyed = [...items].map((item) => ({ item, place: Math.random() }));
  return keyed.sort((a, b) => a.place - b.place).map(({ item }) => item);
}
