import { type Outcome, WRONGS, type Wrong } from './contests.ts';
import { type Design, OPERATION_NAMES, OPERATIONS, type Operation } from './designs.ts';
import type { Machine } from './machine.ts';
import type { ServerTime } from './server-time.ts';
import { type Figures, find } from './speed.ts';

/** Wrong outcomes; speed with the server on a core of its own and 1 ms away; time on the server. */
type Measured = { outcomes: Outcome[]; apart: Figures[]; far: Figures[]; serverTime: ServerTime[] };
type Figure = readonly [value: number, where: string];

/** A goal with every figure that is greater than it may be, or else the greatest. */
function goal(goal: string, figures: Figure[], holds: (value: number) => boolean) {
  const sorted = figures.toSorted(([a], [b]) => b - a);
  const short = sorted.filter(([value]) => !holds(value));
  const shown = short.length > 0 ? short : sorted.slice(0, 1);
  const measured = shown.map(([value, where]) => `${value.toFixed(2)} (${where})`).join('; ');
  return { goal, reached: short.length === 0, measured: measured || 'nothing to compare with' };
}

export function judge({ outcomes, apart, far, serverTime }: Measured) {
  const [store, ...others] = outcomes;
  const right = others.flatMap(({ name, wrong }) => (wrong === 0 ? [name] : []));
  const against = (all: Figures[], where: string, wanted: (figures: Figures) => boolean) =>
    all.filter(wanted).map(({ name, operation, callers, outrun }): Figure => {
      return [1 / outrun, `${OPERATION_NAMES[operation]} against ${name}${where}, callers: ${callers}`];
    });
  const isRight = ({ name }: Figures) => right.includes(name);
  return [
    goal('no wrong outcome', [[store?.wrong ?? Number.NaN, 'contests']], (wrong) => wrong === 0),
    goal(
      'a call takes no longer than with plain GET and SET, 32 callers: set, look up, pending, remove',
      against(apart, '', ({ name, callers, operation }) => {
        return name === 'plain' && callers === 32 && ['set', 'lookup', 'pending', 'remove'].includes(operation);
      }),
      (share) => share <= 1,
    ),
    goal(
      `a call takes less time than in every design without wrong outcomes (${right.join(', ') || 'there is no other'})`,
      [...against(apart, '', isRight), ...against(far, ' 1 ms away', isRight)],
      (share) => share < 1,
    ),
    goal(
      'server time at most 2.0 times that of the bare commands',
      serverTime.map(({ operation, ratio }): Figure => [ratio, OPERATION_NAMES[operation]]),
      (ratio) => ratio <= 2,
    ),
  ];
}

/**
 * BENCHMARKS.md with what was measured in the places that its comments mark. `together` is the speed with the server on the core
 * of its callers.
 */
export function report(
  page: string,
  all: Measured & { together: Figures[]; machine: Machine; designs: readonly Design[] },
): string {
  const { machine, designs, outcomes, apart, far, together, serverTime } = all;
  const names = [...new Set(apart.map(({ name }) => name))];
  const speeds = (figures: readonly Figures[], callers: number) =>
    table(
      ['', ...Object.values(OPERATION_NAMES)],
      names.map((name) => [
        name,
        ...OPERATIONS.map((operation) => {
          const { perSecond, p50, p99 } = find(figures, name, operation, callers);
          return `${count(perSecond)} · ${milliseconds(p50)} / ${milliseconds(p99)}`;
        }),
      ]),
    );
  const ranges = (figures: readonly Figures[]) =>
    names.slice(1).map((name) => {
      const times = OPERATIONS.map((operation) => find(figures, name, operation, 32).outrun);
      return `${Math.min(...times).toFixed(1)} to ${Math.max(...times).toFixed(1)} times as fast as ${name}`;
    });
  const most = Math.max(...apart.map(({ perSecond }) => perSecond));
  const speed = (name: string, operation: Operation) => {
    const { perSecond } = find(apart, name, operation, 32);
    return bar(name, perSecond / most, count(perSecond));
  };
  const wrongs = Object.keys(WRONGS) as Wrong[];
  const sums = outcomes.map(({ name, wrong, contests }) => `${name} ${count(wrong)} of ${count(contests)}`);
  const parts: Record<string, string> = {
    result: [
      `**Contests between concurrent callers that were decided wrongly**: ${sums.join('; ')}.`,
      `**Speed with the server on a core of its own and 32 callers**: from its worst operation to its best, the store is ${ranges(apart).join('; ')}.`,
      `**With the server 1 ms away**: ${ranges(far).join('; ')}.`,
    ].join('\n\n'),
    chart: [
      '```text',
      'Contests between four callers that were decided wrongly',
      ...outcomes.map(({ name, wrong, contests }) =>
        bar(name, wrong / contests, `${count(wrong)} of ${count(contests)}`),
      ),
      '\nCalls per second with 32 callers, the server on a core of its own',
      ...OPERATIONS.flatMap((operation) => [
        `\n${OPERATION_NAMES[operation]}`,
        ...names.map((name) => speed(name, operation)),
      ]),
      '```',
    ].join('\n'),
    machine: `${machine.date}. ${machine.hardware}. ${machine.software}.${machine.busy}`,
    'wrong outcomes': table(
      ['', ...Object.values(WRONGS), 'wrong contests', 'of'],
      outcomes.map((one) => [
        one.name,
        ...wrongs.map((wrong) => (one[wrong] === null ? '–' : count(one[wrong]))),
        count(one.wrong),
        count(one.contests),
      ]),
    ),
    designs: designs.map(({ name, what }) => `- **${name}**: ${what}`).join('\n'),
    'apart, 32 callers': speeds(apart, 32),
    'apart, one caller': speeds(apart, 1),
    'far, 32 callers': speeds(far, 32),
    'far, one caller': speeds(far, 1),
    'one core': `The store is ${ranges(together).join('; ')}.\n\n${speeds(together, 32)}`,
    'server time': table(
      ['µs on the server', 'store', 'bare commands', 'ratio'],
      serverTime.map(({ operation, first, second, ratio }) => [
        OPERATION_NAMES[operation],
        ...[first, second, ratio].map((value) => value.toFixed(2)),
      ]),
    ),
    goals: table(
      ['', 'goal', 'measured'],
      judge(all).map(({ reached, goal, measured }) => [reached ? 'reached' : '**missed**', goal, measured]),
    ),
  };
  return page.replace(
    /(<!-- measured: ([^>]+) -->\n\n).*?(?=\n\n<!-- end -->)/gs,
    (_, mark: string, name: string) => `${mark}${parts[name]}`,
  );
}

/** A bar of text, and what it stands for. */
function bar(name: string, share: number, label: string): string {
  return `${name.padEnd(10)}${'█'.repeat(Math.round(share * 50))} ${label}`;
}

/** A Markdown table, numbers to the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, column) => (rows.every((row) => /^[\d–]/.test(row[column] ?? '')) ? '---:' : '---'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** `23,400`: of more than ten thousand three digits, because the fourth is noise. */
function count(value: number): string {
  const rounded = value > 10_000 ? Number(value.toPrecision(3)) : Math.round(value);
  return String(rounded).replace(/\B(?=(\d{3})+$)/g, ',');
}

function milliseconds(value: number): string {
  return value.toFixed(value >= 10 ? 1 : value >= 1 ? 2 : 3);
}
