import { styleText } from 'node:util';
import type { Race } from './race.ts';
import type { Row } from './story.ts';

type Style = Parameters<typeof styleText>[0];

const GOOD = ['claimed', 'accepted', 'updated', 'removed', 'state'];
const TIME = 7;
const EVENT = 37;
const OUTCOME = 11;

/** Coloured on a terminal, plain in a pipe; NO_COLOR and FORCE_COLOR have the last word. */
export function style(format: Style, text: string): string {
  return styleText(format, text, { stream: process.stdout });
}

export function printTitle(text: string): void {
  console.log(`\n${style('bold', text)}\n`);
}

export function printRaces(races: Race[]): void {
  const all: Race[] = [['', 'GET and SET', 'conversation-state'], ...races];
  const [left, middle] = [0, 1].map((column) => Math.max(...all.map((race) => race[column]?.length ?? 0)) + 2);
  for (const [at, [what, plain, library]] of all.entries()) {
    const [bad, good]: [Style, Style] = at === 0 ? ['dim', 'dim'] : ['red', 'green'];
    console.log(`${what.padEnd(left ?? 0)}${style(bad, plain.padEnd(middle ?? 0))}${style(good, library)}`);
  }
}

/** Prints one row. In a narrow terminal, its meaning is a second line. */
export function printRow([event, outcome, meaning]: Row, sinceMs: number): void {
  const time = `${(sinceMs / 1000).toFixed(1)} s`.padStart(TIME - 2).padEnd(TIME);
  const format: Style = GOOD.includes(outcome) ? 'green' : 'yellow';
  const start = `${style('dim', time)}${event.padEnd(EVENT)}${style(format, outcome.padEnd(OUTCOME))}`;
  const isWide = (process.stdout.columns ?? Number.POSITIVE_INFINITY) >= TIME + EVENT + OUTCOME + 48;
  console.log(isWide ? start + meaning : `${start.trimEnd()}\n${' '.repeat(TIME + 2)}${style('dim', meaning)}`);
}
