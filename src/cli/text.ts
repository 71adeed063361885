import { stripVTControlCharacters, styleText } from 'node:util';

/** What a terminal would obey, or what would not be seen. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** A text from outside, with nothing in it that a terminal would obey or that would not be seen. */
export function shown(text: string): string {
  return text.replace(UNSEEN, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** JSON in which every character that a terminal would obey is written as an escape of JSON. */
export function shownJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(UNSEEN, (character) =>
    // Line ends and indentation are JSON's own; those of a string are escaped already.
    character === '\n'
      ? character
      : Array.from({ length: character.length }, (_, at) => unit(character.charCodeAt(at))).join(''),
  );
}

function unit(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}

const UNITS: readonly [name: string, ms: number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
];

/** A time span in its two largest units: 1h59m, 45s. */
export function span(ms: number): string {
  const at = UNITS.findIndex(([, each]) => ms >= each);
  if (at < 0) return '0s';
  const [name, each] = UNITS[at] as [string, number];
  const [smaller, part] = UNITS[at + 1] ?? ['', 0];
  const rest = part === 0 ? 0 : Math.floor((ms % each) / part);
  return `${Math.floor(ms / each)}${name}${rest === 0 ? '' : `${rest}${smaller}`}`;
}

export type Style = Parameters<typeof styleText>[0];

/** Colours on a terminal that shows them; none in a pipe or with NO_COLOR. */
export function styled(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return stream.isTTY && stream.hasColors?.() ? styleText(style, text) : text;
}

/** A column of a table. */
export interface Column {
  head: string;
  /** What is cut first where the table is too wide: down to this many characters. */
  min?: number;
  /** Columns are left out where cutting is not enough, the highest number first; never without one. */
  spare?: number;
  align?: 'right';
}

/** Lines that line up; on a terminal as wide as it is, in a pipe as wide as they need. Cells may have colours. */
export function tableOf(columns: readonly Column[], rows: readonly string[][], width = terminalWidth()): string[] {
  // A million rows would be too many arguments for Math.max.
  const full = columns.map(({ head }, at) =>
    rows.reduce((most, row) => Math.max(most, lengthOf(row[at] ?? '')), head.length),
  );
  const widths = [...full];
  const isHere = columns.map(() => true);
  const total = () => widths.reduce((sum, each, at) => sum + (isHere[at] ? each + 2 : 0), -2);
  for (const [at, { min }] of columns.entries()) {
    if (min !== undefined)
      widths[at] = Math.max(Math.min(widths[at] ?? 0, min), (widths[at] ?? 0) - excess(total(), width));
  }
  const spare = columns.flatMap(({ spare: order }, at) => (order === undefined ? [] : [{ at, order }]));
  for (const { at } of spare.sort((a, b) => b.order - a.order)) if (total() > width) isHere[at] = false;
  // What leaving out columns has won goes to those that were cut.
  for (const [at, { min }] of columns.entries()) {
    if (min === undefined) continue;
    widths[at] = Math.min(full[at] ?? 0, (widths[at] ?? 0) + Math.max(0, width - total()));
  }
  const line = (cells: readonly string[]) =>
    columns
      .flatMap(({ align }, at) => (isHere[at] ? [padded(cells[at] ?? '', widths[at] ?? 0, align)] : []))
      .join('  ')
      .trimEnd();
  return [styled('dim', line(columns.map(({ head }) => head))), ...rows.map(line)];
}

function excess(total: number, width: number): number {
  return Math.max(0, total - width);
}

function terminalWidth(): number {
  return process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY;
}

function lengthOf(cell: string): number {
  return stripVTControlCharacters(cell).length;
}

function padded(cell: string, width: number, align?: 'right'): string {
  const length = lengthOf(cell);
  if (length > width) return `${cell.slice(0, width - 1)}…`;
  const blank = ' '.repeat(width - length);
  return align === 'right' ? blank + cell : cell + blank;
}
