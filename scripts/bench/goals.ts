import { type Figures, find } from './compare.ts';
import { OPERATION_NAMES, OPERATIONS, type Operation } from './conversations.ts';
import type { Counts } from './counts.ts';
import type { Memory } from './memory.ts';
import { LIVE, type Scaled } from './scale.ts';
import type { ServerTime } from './server-time.ts';
import { times } from './table.ts';

export interface Goal {
  goal: string;
  reached: boolean;
  /** The figure that decides: the worst one, and where it was met. */
  measured: string;
}

export interface Measured {
  counts: readonly Counts[];
  throughput: readonly Figures[];
  serverTime: readonly ServerTime[];
  memory: readonly Memory[];
  scale: readonly Scaled[];
}

const SERVER_TIME_LIMITS: Record<Operation, number> = {
  claim: 2,
  set: 2,
  lookup: 2,
  pending: 2.5,
  answer: 2.5,
  remove: 2,
};

/** What was to be reached, and whether it was. */
export function judge({ counts, throughput, serverTime, memory, scale }: Measured): Goal[] {
  return [
    roundTrips(counts),
    ...[1, 32].map((callers) => fasterThan(throughput, 'plain', 1.8, [callers])),
    fasterThan(throughput, 'raw fcall', 0.95, [1, 32, 256]),
    ...serverTime.map(({ operation, ratio }) => ({
      goal: `${OPERATION_NAMES[operation]}: server time at most ${SERVER_TIME_LIMITS[operation].toFixed(1)} of the bare commands`,
      reached: ratio <= SERVER_TIME_LIMITS[operation],
      measured: times(ratio),
    })),
    smaller(memory),
    ...(scale.length > 0 ? [steady(scale)] : []),
  ];
}

function roundTrips(counts: readonly Counts[]): Goal {
  const own = counts.filter(({ contender }) => contender === 'store');
  const most = Math.max(...own.map((each) => each.roundTrips));
  return { goal: 'every call of the store is one round trip', reached: most === 1, measured: `at most ${most}` };
}

/** Against the other, of calls per second, where it is worst. */
function fasterThan(all: readonly Figures[], other: string, wanted: number, callers: readonly number[]): Goal {
  const ratios = OPERATIONS.flatMap((operation) =>
    callers.map((number) => ({
      where: `${OPERATION_NAMES[operation]}, ${number} ${number === 1 ? 'caller' : 'callers'}`,
      ratio: 1 / (find(all, other, operation, number)?.ratio ?? Number.NaN),
    })),
  ).sort((a, b) => a.ratio - b.ratio);
  const [worst] = ratios;
  const short = ratios.filter(({ ratio }) => !(ratio >= wanted));
  return {
    goal: `calls per second at least ${wanted} of ${other}, ${callers.join(', ')} ${callers[0] === 1 && callers.length === 1 ? 'caller' : 'callers'}`,
    reached: short.length === 0,
    measured: (short.length > 0 ? short : [worst])
      .map((each) => `${times(each?.ratio ?? Number.NaN)} (${each?.where})`)
      .join('; '),
  };
}

function smaller(memory: readonly Memory[]): Goal {
  const store = memory.find(({ contender }) => contender === 'store');
  const plain = memory.find(({ contender }) => contender === 'plain');
  const [own, other] = [store?.claimed ?? Number.NaN, plain?.claimed ?? Number.NaN];
  return {
    goal: 'no more bytes per conversation than plain',
    // The server's own bookkeeping moves by less than a byte for each.
    reached: own <= other + 1,
    measured: `${Math.round(own)} against ${Math.round(other)}`,
  };
}

function steady(scale: readonly Scaled[]): Goal {
  const most = LIVE.at(-1);
  const slowest = scale
    .filter(({ contender, live }) => contender === 'store' && live === most)
    .sort((a, b) => b.ratio - a.ratio)[0];
  return {
    goal: 'p50 among a million conversations within 10 % of that among a thousand',
    reached: (slowest?.ratio ?? Number.NaN) <= 1.1,
    measured: `${times(slowest?.ratio ?? Number.NaN)} (${OPERATION_NAMES[slowest?.operation ?? 'claim']}, ${slowest?.callers} callers)`,
  };
}
