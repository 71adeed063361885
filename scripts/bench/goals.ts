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
  /** The figures that fall short, or else the worst one, and where it was met. */
  measured: string;
  /** Why such a goal can be missed. */
  cause: string;
}

export interface Measured {
  counts: readonly Counts[];
  throughput: readonly Figures[];
  distances: readonly { delayMs: number; figures: readonly Figures[] }[];
  serverTime: readonly ServerTime[];
  memory: readonly Memory[];
  scale: readonly Scaled[];
  pingMs: number;
}

const SERVER_TIME_LIMITS: Record<Operation, number> = {
  claim: 2,
  set: 2,
  lookup: 2,
  pending: 2.5,
  answer: 2.5,
  remove: 2,
};

/** Of the figures that fall short, so many are named. */
const NAMED = 3;

/** What was to be reached, and whether it was. */
export function judge(measured: Measured): Goal[] {
  const { counts, throughput, distances, serverTime, memory, scale } = measured;
  return [
    roundTrips(counts),
    ...[1, 32].map((callers) => fasterThan(throughput, 'plain', 1.8, [callers], loopbackCause(measured))),
    ...distances.flatMap(({ delayMs, figures }) =>
      [1, 32].map((callers) => fasterThan(figures, 'plain', 1.8, [callers], busyCause, `, ${delayMs} ms away`)),
    ),
    fasterThan(throughput, 'raw fcall', 0.95, [1, 32, 256], rawCause),
    ...serverTime.map(({ operation, ratio }) => ({
      goal: `server time to ${OPERATION_NAMES[operation]} at most ${SERVER_TIME_LIMITS[operation].toFixed(1)} times the bare commands`,
      reached: ratio <= SERVER_TIME_LIMITS[operation],
      measured: times(ratio),
      cause: serverCause,
    })),
    smaller(memory),
    ...(scale.length > 0 ? [steady(scale)] : []),
  ];
}

function loopbackCause({ pingMs, serverTime }: Measured): string {
  const most = Math.max(...serverTime.map(({ library }) => library));
  const least = Math.min(...serverTime.map(({ library }) => library));
  return (
    `Over loopback a round trip is nearly free: a PING takes ${Math.round(pingMs * 1000)} µs, while the server spends ${least.toFixed(0)} to ` +
    `${most.toFixed(0)} µs on a call, half of it on checks and decisions that the plain design does without. One round trip ` +
    'instead of two then gains little, and with many callers, who keep client and server busy, only the work counts. With a ' +
    'network in between it is the round trips that count.'
  );
}

const busyCause =
  'Many callers keep client and server busy however far apart they are: while one waits for the network, the others work. ' +
  'The nearer they are, the fewer it takes.';

const rawCause =
  'The store checks the ids of a call, makes its keys and hears out errors: below a microsecond a call, which shows where ' +
  'the client is the busy one. Rounds on a machine that does other things lie further apart than that.';

const serverCause =
  'By their cost: decoding the state, telling strict JSON from what the decoder lets pass, taking both keys apart, looking ' +
  'at the members. None of it can be left out: what another program stored has to be told from a state, and what is given ' +
  'is checked before the first write.';

const cacheCause =
  'The keys of a thousand conversations stay in the processor’s caches, those of a million do not, and every Redis command ' +
  'that touches one takes longer. A call of the store runs four to six commands in its one round trip, one of the plain ' +
  'design two or three in as many; its own ratio stands beside.';

function roundTrips(counts: readonly Counts[]): Goal {
  const own = counts.filter(({ contender }) => contender === 'store');
  const most = Math.max(...own.map((each) => each.roundTrips));
  return {
    goal: 'every call of the store is one round trip',
    reached: most === 1,
    measured: `at most ${most}`,
    cause: '',
  };
}

/** Against the other, of calls per second, where it is worst. */
function fasterThan(
  all: readonly Figures[],
  other: string,
  wanted: number,
  callers: readonly number[],
  cause: string,
  where = '',
): Goal {
  const ratios = OPERATIONS.flatMap((operation) =>
    callers.map((number) => ({
      where: callers.length > 1 ? `${OPERATION_NAMES[operation]}, ${number}` : OPERATION_NAMES[operation],
      ratio: 1 / (find(all, other, operation, number)?.ratio ?? Number.NaN),
    })),
  ).sort((a, b) => a.ratio - b.ratio);
  const [worst] = ratios;
  const short = ratios.filter(({ ratio }) => !(ratio >= wanted));
  return {
    goal: `calls per second at least ${wanted} times ${other}, ${callers.join(', ')} ${callers.join() === '1' ? 'caller' : 'callers'}${where}`,
    reached: short.length === 0,
    measured:
      (short.length > 0 ? short.slice(0, NAMED) : [worst])
        .map((each) => `${times(each?.ratio ?? Number.NaN)} (${each?.where})`)
        .join('; ') + (short.length > NAMED ? ` and ${short.length - NAMED} more of ${ratios.length}` : ''),
    cause,
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
    cause: '',
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
    measured: `${times(slowest?.ratio ?? Number.NaN)} (${OPERATION_NAMES[slowest?.operation ?? 'claim']}, ${slowest?.callers} ${slowest?.callers === 1 ? 'caller' : 'callers'})`,
    cause: cacheCause,
  };
}
