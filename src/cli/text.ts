import { stripVTControlCharacters, styleText } from 'node:util';

/** What a terminal would obey, or what would not be seen. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** A text from outside, with nothing in it that a terminal would obey or that would not be seen. */
export function shown(text: string): string {
  return text.replace(UNSEEN, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** A text as one word of a command for a shell, with nothing in it that a terminal would obey or that would not be seen. */
export function quoted(text: string): string {
  const word = text.replaceAll("'", "'\\''");
  const escaped = word.replace(UNSEEN, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `'$'\\U${code.toString(16).padStart(8, '0')}''`;
  });
  return `'${escaped}'`;
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
  /** What is cut first where the table is too wide, the last such column before the others: down to this many characters. */
  min?: number;
  /** Columns are left out where cutting is not enough, the highest number first; never without one. */
  spare?: number;
  align?: 'right';
}

/** Lines that line up; on a terminal as wide as it is, in a pipe as wide as they need. Cells may have colours. */
export function tableOf(columns: readonly Column[], rows: readonly string[][], width = terminalWidth()): string[] {
  const fitted = columns.map((column, at) => {
    // A million rows would be too many arguments for Math.max.
    const full = rows.reduce((most, row) => Math.max(most, lengthOf(row[at] ?? '')), column.head.length);
    return { ...column, full, width: full, isHere: true };
  });
  const excess = () => fitted.reduce((sum, each) => sum + (each.isHere ? each.width + 2 : 0), -2) - width;
  // What tells one row from another stands first.
  for (const each of [...fitted].reverse()) {
    if (each.min !== undefined) each.width -= Math.min(Math.max(0, each.width - each.min), Math.max(0, excess()));
  }
  const rank = ({ spare = 0 }: Column) => spare;
  for (const each of fitted.filter(({ spare }) => spare !== undefined).sort((a, b) => rank(b) - rank(a))) {
    if (excess() > 0) each.isHere = false;
  }
  // What leaving out columns has won goes to those that were cut.
  for (const each of fitted) each.width = Math.min(each.full, each.width + Math.max(0, -excess()));
  const line = (cells: readonly string[]) =>
    fitted
      .flatMap(({ align, ...each }, at) => (each.isHere ? [padded(cells[at] ?? '', each.width, align)] : []))
      .join('  ')
      .trimEnd();
  return [styled('dim', line(columns.map(({ head }) => head))), ...rows.map(line)];
}

/** In columns; without an end where there is no terminal. */
export function terminalWidth(): number {
  return process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY;
}

const PLAIN = /^[\x20-\x7e]*$/;
/** What stands on two columns of a terminal. A flag is two letters of one column each. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]|(?!\p{Regional_Indicator})\p{Emoji_Presentation}/u;
/** What stands on none: it is written over the character before it. */
const NONE = /[\p{Mn}\p{Me}]/u;

/** How many columns of a terminal a text takes, without its colours. */
export function lengthOf(cell: string): number {
  if (PLAIN.test(cell)) return cell.length;
  return [...stripVTControlCharacters(cell)].reduce((sum, character) => sum + columnsOf(character), 0);
}

function columnsOf(character: string): number {
  if (NONE.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

function padded(cell: string, width: number, align?: 'right'): string {
  const text = lengthOf(cell) > width ? cut(cell, width) : cell;
  const blank = ' '.repeat(width - lengthOf(text));
  return align === 'right' ? blank + text : text + blank;
}

/** The beginning of a text that has no colours, with an ellipsis at its end. */
function cut(text: string, width: number): string {
  let end = 0;
  let left = width - 1;
  for (const character of text) {
    left -= columnsOf(character);
    if (left < 0) break;
    end += character.length;
  }
  return `${text.slice(0, end)}…`;
}

/** Breaks a text between words where the terminal ends, and not in a pipe. The lines after the first are indented. */
export function wrapped(text: string, indent = 0, width = terminalWidth()): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line !== undefined && lengthOf(line) + 1 + lengthOf(word) <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(line === undefined ? word : ' '.repeat(indent) + word);
  }
  return lines.join('\n');
}
