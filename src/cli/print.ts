import { styleText } from 'node:util';

/** How pages and messages call this program: outside a project that has it, plain npx would fetch whatever has its name. */
export const NPX = 'npx --no conversation-state';

/** What a terminal would obey, or what would not be seen. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** The same, and what would be taken for an escape of it. */
const ESCAPED = new RegExp(`${UNSEEN.source}|\\\\(?=u\\{)`, 'gu');

/** A text from outside, with nothing in it that a terminal would obey or that would not be seen. */
export function shown(text: string): string {
  return text.replace(ESCAPED, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** The text that was shown, so that what a command prints can be given to another. */
export function unescaped(shownText: string): string {
  return shownText.replace(/\\u\{([\da-f]{1,5}|10[\da-f]{4})\}/gi, (_, code) =>
    String.fromCodePoint(Number.parseInt(code, 16)),
  );
}

/** A text as one word of a command for a shell; what a terminal would obey or not show is an escape of bash, zsh and ksh. */
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
  const unit = (character: string, at: number) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value, undefined, indent).replace(UNSEEN, (character) =>
    // Line ends and indentation are JSON's own; those of a string are escaped already.
    character === '\n' ? character : Array.from({ length: character.length }, (_, at) => unit(character, at)).join(''),
  );
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

/** `1 conversation`, `2,000 conversations` */
export function counted(count: number, one: string, all = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : all}`;
}

export function sentence(text: string): string {
  return `${text[0]?.toUpperCase()}${text.slice(1)}`;
}

type Style = Parameters<typeof styleText>[0];

/** Colours on a terminal that shows them; none in a pipe or with NO_COLOR. */
export function styled(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return stream.isTTY && stream.hasColors?.() ? styleText(style, text) : text;
}

/** In columns; without an end where there is no terminal. */
export function terminalWidth(): number {
  return process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY;
}
