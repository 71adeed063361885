import { type Figures, find } from './compare.ts';
import { WRONGS, type Wrong } from './contests.ts';
import { OPERATION_NAMES, OPERATIONS, type Operation } from './conversations.ts';
import { type Goal, type Measured, rightDesigns } from './goals.ts';
import type { Machine } from './machine.ts';
import type { Memory } from './memory.ts';
import { DESIGNS } from './runner.ts';

type Report = Measured & { machine: Machine; memory: readonly Memory[]; goals: readonly Goal[] };

/** All of BENCHMARKS.md: the result first, the goals last. */
export function report(all: Report): string {
  const { machine, near, far, outcomes, serverTime, memory, goals } = all;
  const grid = (cell: (name: string, operation: Operation) => string) =>
    table(
      ['', ...Object.values(OPERATION_NAMES)],
      DESIGNS.map(({ name }) => [name, ...OPERATIONS.map((operation) => cell(name, operation))]),
    );
  const speeds = (figures: readonly Figures[], callers: number) =>
    grid((name, operation) => {
      const { perSecond, p50, p99 } = find(figures, name, operation, callers);
      return `${count(perSecond)} · ${milliseconds(p50)} / ${milliseconds(p99)}`;
    });
  const batch = (name: string) => (1 / find(near, name, 'lookup', 32).reads).toFixed(0);
  const causes = goals.filter(({ reached }) => !reached).map(({ goal, cause }) => `- **${goal}**: ${cause}`);
  const judged = goals.map(({ reached, goal, measured }) => [reached ? 'reached' : '**missed**', goal, measured]);
  const wrongs = Object.keys(WRONGS) as Wrong[];
  const contests = count(outcomes[0]?.contests ?? 0);
  const parts = [
    '# Benchmarks',
    machine.warning,
    ...result(all, contests),
    '![Calls per second with 32 callers](benchmarks.svg)',
    `${machine.date}. ${machine.hardware}. ${machine.software}. Written by \`npm run bench -- --write\`.`,
    '## Wrong outcomes',
    `In ${contests} contests four clients call at about the same time: four claims of a free channel; four answers to one question; the late end, told twice, of a job whose channel another job takes over; a late question of such a job. One judge for all looks at what the callers were told and what is stored. A contest can be wrong in more than one way.`,
    table(
      ['', ...Object.values(WRONGS), 'wrong contests'],
      outcomes.map((one) => [one.name, ...[...wrongs, 'wrong' as const].map((wrong) => count(one[wrong]))]),
    ),
    DESIGNS.map(({ name, what }) => `- **${name}**: ${what}`).join('\n'),
    '## Speed over loopback',
    'Calls per second · p50 / p99 in milliseconds. One caller:',
    speeds(near, 1),
    'With 32 callers:',
    speeds(near, 32),
    `Server and callers share one core, so that a call counts with all the work that it makes. On two cores the client is the slower side, and a quick server makes it slower still, because the replies come one by one: there the floor looked slower than the store. Here, with 32 callers, the server finds ${batch('store')} calls of the store at once and ${batch('floor')} of the floor. Looking up renews the deadlines, except in the plain and SET NX designs. Nobody publishes the answer.`,
    '## Speed 1 ms away',
    'The same with a proxy that holds every request back by 1 ms. One caller:',
    speeds(far, 1),
    'With 32 callers:',
    speeds(far, 32),
    'Round trips of a call:',
    grid((name, operation) => String(Math.round(find(near, name, operation, 1).reads))),
    '## Server time and bytes',
    table(
      ['µs on the server', 'store', 'floor', 'ratio'],
      serverTime.map(({ operation, ...of }) => [
        OPERATION_NAMES[operation],
        two(of.first),
        two(of.second),
        two(of.ratio),
      ]),
    ),
    "By the server's own clock (INFO commandstats), medians of interleaved rounds. Both run the very same Redis commands, which is checked.",
    `Bytes of memory of a conversation, as claimed and once answered (MEMORY USAGE of both keys): ${memory.map(([name, ...bytes]) => `${name} ${bytes.join(' and ')}`).join('; ')}. The store keeps the id of the claim and of the first answer too, so that one sent again is recognised.`,
    'What number, size and connections cost, and packages that were measured once: [docs/performance.md](docs/performance.md).',
    '## Goals',
    table(['', 'goal', 'measured'], judged),
    causes.join('\n'),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** The result in a few sentences. */
function result({ outcomes, near }: Report, contests: string): string[] {
  const right = rightDesigns(outcomes);
  const wrong = outcomes.filter(({ name }) => name !== 'store' && !right.includes(name));
  const store = outcomes.find(({ name }) => name === 'store');
  const range = (name: string) => {
    const shares = OPERATIONS.map((operation) => 1 / find(near, name, operation, 32).ratio);
    return `${Math.min(...shares).toFixed(2)} to ${Math.max(...shares).toFixed(2)} times ${name}`;
  };
  const others = wrong.map(({ name, wrong }) => `${name}: ${count(wrong)}`).join('; ');
  const compared = [...right, ...wrong.map(({ name }) => name), 'floor'].map(range).join('; ');
  return [
    `**Of ${contests} contests between concurrent callers, the store decides ${count(store?.wrong ?? 0)} wrongly.** ${others}. Fewer than two: ${right.join(' and ') || 'no other design'}.`,
    `Calls per second of the store with 32 callers, from its worst operation to its best: ${compared}.`,
  ];
}

/** A Markdown table, numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, column) => (rows.every((row) => /^\d/.test(row[column] ?? '')) ? '---:' : '---'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** `23,400`: of more than ten thousand three digits, because the fourth is noise. */
export function count(value: number): string {
  const rounded = value > 10_000 ? Number(value.toPrecision(3)) : Math.round(value);
  return String(rounded).replace(/\B(?=(\d{3})+$)/g, ',');
}

const two = (value: number) => value.toFixed(2);

function milliseconds(value: number): string {
  return value.toFixed(value >= 10 ? 1 : value >= 1 ? 2 : 3);
}
