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
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  // Line ends are JSON's own; those of a string are escaped already. An escape of JSON is one of a UTF-16 unit.
  return JSON.stringify(value, undefined, indent).replace(UNSEEN, (seen) => seen.replace(/[^\n]/g, escaped));
}

/** A time span in its two largest units: 1h59m, 45s; 0s where it is unknown, or not over yet. */
export function span(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms || 0) / 1_000);
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3_600)];
  const parts = [`${Math.floor(hours / 24)}d`, `${hours % 24}h`, `${minutes % 60}m`, `${seconds % 60}s`];
  const [first = '0s', second = ''] = parts.slice(parts.findIndex((part) => !part.startsWith('0')));
  return second.startsWith('0') ? first : first + second;
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
