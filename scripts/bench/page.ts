import { type Outcome, WRONGS, type Wrong } from './contests.ts';
import { type Design, OPERATION_NAMES, OPERATIONS } from './conversations.ts';
import type { Machine } from './machine.ts';
import type { ServerTime } from './server-time.ts';
import { type Figures, find } from './speed.ts';

/** Wrong outcomes; speed with the server on a core of its own and 1 ms away; time on the server. */
type Measured = { outcomes: Outcome[]; apart: Figures[]; far: Figures[]; serverTime: ServerTime[] };
type Figure = readonly [value: number, where: string];

/** A goal with every figure that is greater than it may be, or else the greatest; and why one can be missed. */
function goal(goal: string, figures: Figure[], holds: (value: number) => boolean, cause: string) {
  const sorted = figures.toSorted(([a], [b]) => b - a);
  const short = sorted.filter(([value]) => !holds(value));
  const shown = short.length > 0 ? short : sorted.slice(0, 1);
  const measured = shown.map(([value, where]) => `${value.toFixed(2)} (${where})`).join('; ');
  return { goal, reached: short.length === 0, measured: measured || 'nothing to compare with', cause };
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
    goal(
      'no wrong outcome',
      [[store?.wrong ?? Number.NaN, 'contests']],
      (wrong) => wrong === 0,
      'the library or the judge has a defect.',
    ),
    goal(
      'a call takes no longer than with plain GET and SET, 32 callers: set, look up, pending, remove',
      against(apart, '', ({ name, callers, operation }) => {
        return name === 'plain' && callers === 32 && ['set', 'lookup', 'pending', 'remove'].includes(operation);
      }),
      (share) => share <= 1,
      'where the server is the slower side, what a function checks counts in full, and plain GET and SET check nothing.',
    ),
    goal(
      `a call takes less time than in every design without wrong outcomes (${right.join(', ') || 'there is no other'})`,
      [...against(apart, '', isRight), ...against(far, ' 1 ms away', isRight)],
      (share) => share < 1,
      'such a design does less: it does not check the state that it is given, and it does not keep byte for byte what another program stored.',
    ),
    goal(
      'server time at most 2.0 times that of the bare commands',
      serverTime.map(({ operation, ratio }): Figure => [ratio, OPERATION_NAMES[operation]]),
      (ratio) => ratio <= 2,
      'what comes on top of the commands is, by its cost: decoding the state, telling strict JSON from what the decoder lets pass, taking both keys apart, and finding the member that changes so that every other byte stays. What another program stored has to be told from a state, and everything is checked before the first write.',
    ),
  ];
}

/** All of BENCHMARKS.md: the result first, the goals last. `together` is the speed with the server on the core of its callers. */
export function report(all: Measured & { together: Figures[]; machine: Machine; designs: readonly Design[] }): string {
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
  const wrongs = Object.keys(WRONGS) as Wrong[];
  const sums = outcomes.map(({ name, wrong, contests }) => `${name} ${count(wrong)} of ${count(contests)}`);
  const goals = judge(all);
  return `${[
    '# Benchmarks',
    `**Contests between concurrent callers that were decided wrongly**: ${sums.join('; ')}.`,
    `**Speed with the server on a core of its own and 32 callers**: from its worst operation to its best, the store is ${ranges(apart).join('; ')}.`,
    `**With the server 1 ms away**: ${ranges(far).join('; ')}.`,
    '![Wrong outcomes, and calls per second with 32 callers](benchmarks.svg)',
    `${machine.date}. ${machine.hardware}. ${machine.software}. All of it was measured in one run of \`npm run bench\`, which wrote this page.${machine.busy}`,
    '## Wrong outcomes',
    'In a contest, four clients call at about the same time. There are as many of each kind: four claims of a free channel; four answers to one question; the late end, reported twice, of a job whose channel another job takes over; a late question of such a job; four messages, which a job reads until nothing is left, and then ends. One judge for all looks at what the callers got, and at what each job finds when all is over. A message is lost if nobody has read it by then: it lies there until somebody writes again or it expires, or it was dropped. A contest can be wrong in more than one way; a dash stands for what a design has no calls for.',
    table(
      ['', ...Object.values(WRONGS), 'wrong contests', 'of'],
      outcomes.map((one) => [
        one.name,
        ...wrongs.map((wrong) => (one[wrong] === null ? '–' : count(one[wrong]))),
        count(one.wrong),
        count(one.contests),
      ]),
    ),
    designs.map(({ name, what }) => `- **${name}**: ${what}`).join('\n'),
    '## Speed, the server on a core of its own',
    'Calls per second · p50 / p99 in milliseconds, over loopback. With 32 callers:',
    speeds(apart, 32),
    'One caller:',
    speeds(apart, 1),
    'Looking up renews the deadlines, except in Chat SDK and plain. Nobody publishes the answer. BullMQ is not raced: it has no such calls.',
    '## Speed 1 ms away',
    'The same with a proxy that holds every request back by 1 ms. With 32 callers:',
    speeds(far, 32),
    'One caller:',
    speeds(far, 1),
    '## What a call costs in all',
    `Here the server and 32 callers share one core, so that a call counts with all that is done for it, in the client, the kernel and the server. The store is ${ranges(together).join('; ')}.`,
    speeds(together, 32),
    '## Server time',
    table(
      ['µs on the server', 'store', 'bare commands', 'ratio'],
      serverTime.map(({ operation, first, second, ratio }) => [
        OPERATION_NAMES[operation],
        ...[first, second, ratio].map((value) => value.toFixed(2)),
      ]),
    ),
    "By the server's own clock (INFO commandstats), in rounds in turn, of which the quick tenth counts. The bare commands are the very same Redis commands, as MONITOR shows them, in a function that decides nothing.",
    '## Goals',
    table(
      ['', 'goal', 'measured'],
      goals.map(({ reached, goal, measured }) => [reached ? 'reached' : '**missed**', goal, measured]),
    ),
    ...goals.filter(({ reached }) => !reached).map(({ goal, cause }) => `Missed, **${goal}**: ${cause}`),
  ].join('\n\n')}\n`;
}

/** A Markdown table, numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, column) => (rows.every((row) => /^[\d–]/.test(row[column] ?? '')) ? '---:' : '---'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** `23,400`: of more than ten thousand three digits, because the fourth is noise. */
export function count(value: number): string {
  const rounded = value > 10_000 ? Number(value.toPrecision(3)) : Math.round(value);
  return String(rounded).replace(/\B(?=(\d{3})+$)/g, ',');
}

function milliseconds(value: number): string {
  return value.toFixed(value >= 10 ? 1 : value >= 1 ? 2 : 3);
}
