import type { Contender } from './contender.ts';
import { conversations, OPERATIONS, type Operation } from './conversations.ts';
import { measure, type Sample } from './measure.ts';
import type { Progress } from './progress.ts';
import { median, spread } from './statistics.ts';

/** Medians over the rounds. */
export interface Figures extends Sample {
  contender: string;
  operation: Operation;
  callers: number;
  /** Of calls per second, as a share. */
  spread: number;
  /** Calls per second against the first contender's in the same round. */
  ratio: number;
}

export interface Plan {
  /** How many calls are measured, by how many make them at a time. */
  calls: ReadonlyMap<number, number>;
  rounds: number;
  operations?: readonly Operation[];
}

/**
 * Measures the contenders side by side: each round measures every operation of each, one directly after the other and
 * in another order, so that whatever slows the machine down slows them all.
 */
export async function compare(
  url: string,
  contenders: readonly Contender[],
  { calls, rounds, operations = OPERATIONS }: Plan,
  progress: Progress,
): Promise<Figures[]> {
  const most = Math.max(...calls.keys());
  const all = conversations(Math.max(...calls.values()));
  const sessions = await Promise.all(contenders.map((contender) => contender.open(url, most)));
  const samples = new Map<string, Sample[]>();
  const key = (contender: string, operation: Operation, callers: number) => `${contender}/${operation}/${callers}`;
  // Round 0 warms up: it is shorter and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const operation of operations) {
      for (const [callers, count] of calls) {
        progress.step(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
        for (const index of shuffled(contenders.keys())) {
          const [contender, session] = [contenders[index], sessions[index]];
          if (!contender || !session) continue;
          const some = all.slice(0, round === 0 ? Math.ceil(count / 4) : count);
          const sample = await measure(session, operation, some, callers);
          if (!sample || round === 0) continue;
          const name = key(contender.name, operation, callers);
          samples.set(name, [...(samples.get(name) ?? []), sample]);
        }
      }
    }
  }
  await Promise.all(sessions.map((session) => session.close()));
  const first = contenders[0]?.name ?? '';
  return operations.flatMap((operation) =>
    [...calls.keys()].flatMap((callers) =>
      contenders.flatMap(({ name }) => {
        const own = samples.get(key(name, operation, callers));
        const base = samples.get(key(first, operation, callers));
        return own && base ? [{ contender: name, operation, callers, ...figures(own, base) }] : [];
      }),
    ),
  );
}

function figures(own: readonly Sample[], base: readonly Sample[]): Sample & { spread: number; ratio: number } {
  const perSecond = own.map((sample) => sample.perSecond);
  return {
    perSecond: median(perSecond),
    spread: spread(perSecond),
    p50: median(own.map((sample) => sample.p50)),
    p99: median(own.map((sample) => sample.p99)),
    ratio: median(own.map((sample, round) => sample.perSecond / (base[round]?.perSecond ?? Number.NaN))),
  };
}

/** In any order, so that nobody always follows the same one and works in what that left behind. */
function shuffled<T>(items: Iterable<T>): T[] {
  return [...items]
    .map((item) => ({ item, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

/** One contender's figures, where it has them. */
export function find(all: readonly Figures[], contender: string, operation: Operation, callers: number) {
  return all.find((each) => each.contender === contender && each.operation === operation && each.callers === callers);
}
