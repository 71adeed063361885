import { type Figures, find } from './compare.ts';
import type { Contender } from './contender.ts';
import { OPERATION_NAMES, OPERATIONS, TTL_MS } from './conversations.ts';
import type { Counts } from './counts.ts';
import type { Goal } from './goals.ts';
import type { Memory } from './memory.ts';
import type { Expiry, Scaled } from './scale.ts';
import { SERVER_TIME_ROUNDS, type ServerTime } from './server-time.ts';
import { count, grouped, milliseconds, percent, table, times } from './table.ts';

/** One heading with what stands under it, as Markdown that reads well in a terminal too. */
export function section(title: string, ...parts: string[]): string {
  return [`## ${title}`, ...parts].join('\n\n');
}

export function goalsSection(goals: readonly Goal[]): string {
  const rows = goals.map(({ goal, reached, measured }) => [reached ? 'reached' : '**missed**', goal, measured]);
  const causes = new Set(goals.flatMap(({ reached, cause }) => (reached || cause === '' ? [] : [`- ${cause}`])));
  const why = causes.size > 0 ? [`Why those that are missed are missed:\n\n${[...causes].join('\n')}`] : [];
  return section('Goals', table(['', 'goal', 'measured'], rows), ...why);
}

/** The one table that matters: calls per second, an operation in each row. */
export function summary(throughput: readonly Figures[], contenders: readonly string[], callers: number): string {
  const rows = OPERATIONS.map((operation) => [
    OPERATION_NAMES[operation],
    ...contenders.map((contender) => {
      const figures = find(throughput, contender, operation, callers);
      return figures ? count(figures.perSecond) : '–';
    }),
  ]);
  return table(['', ...contenders], rows);
}

export function throughputSection(
  throughput: readonly Figures[],
  counts: readonly Counts[],
  contenders: readonly Contender[],
): string {
  const names = contenders.map(({ name }) => name);
  const what = contenders.map(({ name, what }) => `- **${name}**: ${what}`).join('\n');
  const tables = OPERATIONS.map((operation) => {
    const rows = throughput
      .filter((each) => each.operation === operation)
      .map((each) => {
        const counted = counts.find((one) => one.contender === each.name && one.operation === operation);
        return [
          each.name,
          String(each.callers),
          count(each.perSecond),
          percent(each.spread),
          milliseconds(each.p50),
          milliseconds(each.p99),
          plain(counted?.roundTrips),
          plain(counted?.commands),
          times(each.ratio),
        ];
      });
    const head = ['', 'callers', 'calls/s', 'spread', 'p50 ms', 'p99 ms', 'round trips', 'commands', 'of the store'];
    return `### ${capital(OPERATION_NAMES[operation])}\n\n${table(head, rows)}`;
  });
  return section(
    'Side by side',
    `Calls per second with 32 callers:\n\n${summary(throughput, names, 32)}`,
    what,
    'Every contender has a process and a database of its own. They take turns of a fraction of a second, one directly ' +
      'after the other, in any order. Calls per second are the median of the turns, the spread is half their middle half, ' +
      'and the last column is the median of calls per second against the store in the same turn; p50 and p99 are of all ' +
      'calls. Round trips and commands are counted for one call by one caller: the round trips by a proxy, the commands, ' +
      'those inside functions and scripts too, by the server. Looking up renews both deadlines in the store, raw fcall, ' +
      'bare functions and WATCH/MULTI; the others only read. None of them publishes the answer.',
    ...tables,
  );
}

export function distanceSection(distances: readonly { delayMs: number; figures: readonly Figures[] }[]): string {
  const contenders = [...new Set(distances.flatMap(({ figures }) => figures.map(({ name }) => name)))];
  const parts = distances.flatMap(({ delayMs, figures }) =>
    [...new Set(figures.map(({ callers }) => callers))].map((callers) => {
      const rows = contenders.map((contender) => [
        contender,
        ...OPERATIONS.map((operation) => {
          const one = find(figures, contender, operation, callers);
          return one ? `${milliseconds(one.p50)} (${times(one.ratio)})` : '–';
        }),
      ]);
      const head = ['', ...OPERATIONS.map((operation) => OPERATION_NAMES[operation])];
      return `### ${delayMs} ms, ${callers} ${callers === 1 ? 'caller' : 'callers'}\n\n${table(head, rows)}`;
    }),
  );
  return section(
    'With a network in between',
    'A local proxy holds each request back by so much, as a round trip would. Milliseconds per call (p50) and, in brackets, ' +
      'calls per second against the store.',
    ...parts,
  );
}

export function serverTimeSection(all: readonly ServerTime[]): string {
  const rows = all.map(({ operation, library, bare, ratio, spread }) => [
    OPERATION_NAMES[operation],
    library.toFixed(2),
    bare.toFixed(2),
    times(ratio),
    percent(spread),
  ]);
  return section(
    'On the server',
    table(['', 'library µs', 'bare µs', 'ratio', 'spread'], rows),
    `Microseconds per call by the server's own clock (INFO commandstats), medians of ${SERVER_TIME_ROUNDS} interleaved rounds. The bare functions ` +
      'run the very same Redis commands, which is checked, and parse, check and decide nothing.',
  );
}

export function memorySection(all: readonly Memory[], sizes: readonly Memory[]): string {
  const rows = all.map(({ contender, json, claimed, answered }) => [
    contender,
    grouped(json),
    grouped(Math.round(claimed)),
    grouped(Math.round(answered)),
  ]);
  const perGiB = sizes.map(({ json, claimed }) => [
    grouped(json),
    grouped(Math.round(claimed)),
    count(2 ** 30 / claimed),
  ]);
  return section(
    'Bytes per conversation',
    table(['', 'JSON', 'claimed', 'answered'], rows),
    'Of the server’s memory, both keys with their deadlines. An answered conversation of the store also says which answer was the first, so ' +
      'that one sent again is recognised; the plain design forgets it.',
    table(['JSON', 'bytes', 'conversations per GiB'], perGiB),
  );
}

export function scaleSection({ scaled, expiry }: { scaled: readonly Scaled[]; expiry: readonly Expiry[] }): string {
  const rows = scaled
    .filter(({ contender }) => contender === 'store')
    .map(({ live, operation, callers, perSecond, p50, p99, p50Ratio }) => {
      const control = scaled.find(
        (one) =>
          one.contender !== 'store' && one.live === live && one.operation === operation && one.callers === callers,
      );
      return [
        OPERATION_NAMES[operation],
        String(callers),
        grouped(live),
        count(perSecond),
        milliseconds(p50),
        milliseconds(p99),
        times(p50Ratio),
        times(control?.p50Ratio ?? Number.NaN),
      ];
    });
  const expired = expiry.map(({ live, perSecond }) => `${count(perSecond)} per second among ${grouped(live)}`);
  return section(
    'Among many conversations',
    table(['', 'callers', 'conversations', 'calls/s', 'p50 ms', 'p99 ms', 'p50 ratio', 'of bare'], rows),
    'Three servers, measured in turn with the same number of calls on conversations from all over each. The ratio is p50 ' +
      'against that among a thousand; that of the bare functions, which run the same commands, tells what the server does by itself. Meanwhile further ' +
      `conversations ran out, and the servers dropped ${expired.join(', ')}.`,
  );
}

export function waysSection(ways: readonly Figures[], sizes: readonly Figures[], pingMs: number): string {
  const wayRows = ways.map(({ operation, callers, name, perSecond, spread, p50, p99 }) => [
    OPERATION_NAMES[operation],
    String(callers),
    name,
    count(perSecond),
    percent(spread),
    milliseconds(p50),
    milliseconds(p99),
  ]);
  const sizeRows = sizes.map(({ operation, name, callers, perSecond, p50, p99 }) => [
    OPERATION_NAMES[operation],
    grouped(Number(name)),
    String(callers),
    count(perSecond),
    milliseconds(p50),
    milliseconds(p99),
  ]);
  return section(
    'Ways to be fast',
    `### Connections and autopipelining\n\n${table(['', 'callers', 'store over', 'calls/s', 'spread', 'p50 ms', 'p99 ms'], wayRows)}`,
    `### What the size of a state costs\n\n${table(['', 'JSON bytes', 'callers', 'calls/s', 'p50 ms', 'p99 ms'], sizeRows)}`,
    `A PING took ${milliseconds(pingMs)} ms. All states live ${TTL_MS / 3_600_000} h.`,
  );
}

function plain(value: number | undefined): string {
  return value === undefined ? '–' : String(Number(value.toFixed(1)));
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
