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

const RAW_LIMIT = 0.95;
const RAW_CALLERS = [1, 32, 256];

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
    fasterThan(throughput, 'raw fcall', RAW_LIMIT, RAW_CALLERS, rawCause(measured)),
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

function loopbackCause({ pingMs, serverTime, throughput }: Measured): string {
  const library = range(serverTime.map(({ library }) => library)).map((usec) => usec.toFixed(0));
  const bare = [1, 32].map((callers) =>
    range(ratios(throughput, 'bare functions', 'plain', callers).map(({ ratio }) => ratio)).map(times),
  );
  return (
    `Over loopback a round trip is nearly free: a PING takes ${Math.round(pingMs * 1000)} µs with all that the client does for it, and ` +
    `the server spends ${library.join(' to ')} µs on a call. Functions that run the same commands and check nothing, the bare ones below, ` +
    `reach ${bare[0]?.join(' to ')} times plain with 1 caller and ${bare[1]?.join(' to ')} times with 32: what is left to ` +
    'them is the work of the commands, which both designs need. With a network in between it is the round trips that count.'
  );
}

function rawCause({ throughput }: Measured): string {
  const longer = RAW_CALLERS.flatMap((callers) => ratios(throughput, 'store', 'raw fcall', callers))
    .filter(({ ratio }) => ratio < RAW_LIMIT)
    .map(({ operation, callers, ratio }) => {
      const usec = 1e6 / (find(throughput, 'raw fcall', operation, callers)?.perSecond ?? Number.NaN);
      return `${(usec * (1 / ratio - 1)).toFixed(1)} µs on ${usec.toFixed(1)} µs`;
    });
  return (
    'The store checks the ids of a call, makes its keys, narrows the reply and hears out errors, and with many callers, who ' +
    `keep the client busy, the cheapest calls show it: where it falls short, that is ${longer.join(', ')}.`
  );
}

const busyCause =
  'Many callers keep client and server busy however far apart they are: while one waits for the network, the others work. ' +
  'The nearer they are, the fewer it takes.';

const serverCause =
  'By their cost: decoding the state, telling strict JSON from what the decoder lets pass, taking both keys apart, looking ' +
  'at the members. None of it can be left out: what another program stored has to be told from a state, and what is given ' +
  'is checked before the first write.';

function cacheCause(scale: readonly Scaled[]): string {
  const [store, bare] = [true, false].map((own) =>
    [LIVE[0], LIVE.at(-1)].map((live) => {
      const one = scale.find((each) => (each.contender === 'store') === own && each.live === live);
      return `${(one?.serverTime ?? Number.NaN).toFixed(1)} µs`;
    }),
  );
  return (
    'The keys of a thousand conversations stay in the processor’s caches, those of a million do not, and every Redis command ' +
    `that touches one waits for the memory: a call takes the server ${store?.join(' among a thousand and ')} among a million; bare functions, ` +
    `which run the same commands and nothing else, ${bare?.join(' and ')}. Where the callers keep the server busy, all of them wait for it.`
  );
}

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

/** Calls per second of one against another, operation by operation. */
function ratios(all: readonly Figures[], name: string, other: string, callers: number) {
  return OPERATIONS.map((operation) => {
    const [own, base] = [name, other].map((one) => find(all, one, operation, callers)?.ratio ?? Number.NaN);
    return { operation, callers, ratio: (own as number) / (base as number) };
  });
}

/** The least and the greatest. */
function range(values: readonly number[]): [number, number] {
  return [Math.min(...values), Math.max(...values)];
}

/** The store against the other, of calls per second, where it is worst. */
function fasterThan(
  all: readonly Figures[],
  other: string,
  wanted: number,
  callers: readonly number[],
  cause: string,
  where = '',
): Goal {
  const sorted = callers.flatMap((number) => ratios(all, 'store', other, number)).sort((a, b) => a.ratio - b.ratio);
  const short = sorted.filter(({ ratio }) => !(ratio >= wanted));
  const shown = short.length > 0 ? short.slice(0, NAMED) : sorted.slice(0, 1);
  const named = ({ operation, callers: number, ratio }: (typeof sorted)[number]) =>
    `${times(ratio)} (${OPERATION_NAMES[operation]}${callers.length > 1 ? `, ${number}` : ''})`;
  return {
    goal: `calls per second at least ${wanted} times ${other}, ${callers.join(', ')} ${callers.join() === '1' ? 'caller' : 'callers'}${where}`,
    reached: short.length === 0,
    measured:
      shown.map(named).join('; ') +
      (short.length > NAMED ? ` and ${short.length - NAMED} more of ${sorted.length}` : ''),
    cause,
  };
}

function smaller(memory: readonly Memory[]): Goal {
  const store = memory.find(({ contender }) => contender === 'store');
  const plain = memory.find(({ contender }) => contender === 'plain');
  const [own, other] = [store?.claimed ?? Number.NaN, plain?.claimed ?? Number.NaN];
  return {
    goal: 'no more bytes per conversation than plain',
    reached: own <= other,
    measured: `${own.toFixed(1)} against ${other.toFixed(1)}`,
    cause: '',
  };
}

function steady(scale: readonly Scaled[]): Goal {
  const most = LIVE.at(-1);
  const slowest = scale
    .filter(({ contender, live }) => contender === 'store' && live === most)
    .sort((a, b) => b.p50Ratio - a.p50Ratio)[0];
  return {
    goal: 'p50 among a million conversations within 10 % of that among a thousand',
    reached: (slowest?.p50Ratio ?? Number.NaN) <= 1.1,
    measured: `${times(slowest?.p50Ratio ?? Number.NaN)} (${OPERATION_NAMES[slowest?.operation ?? 'claim']}, ${slowest?.callers} ${slowest?.callers === 1 ? 'caller' : 'callers'})`,
    cause: cacheCause(scale),
  };
}
