import { type Command, OPTIONS, type OptionName } from './command.ts';
import { terminalWidth, wrapped } from './text.ts';

const PROGRAM = 'conversation-state';
const GENERAL = ['help', 'version'] as const;
/** Longer lines are hard to read. */
const WIDEST = 120;

/** What there is, a line for each command. */
export function overview(commands: Readonly<Record<string, Command>>): string {
  const rows = Object.entries(commands).map(([name, { summary }]): [string, string] => [name, summary]);
  return [
    `usage: ${PROGRAM} COMMAND [options]`,
    '',
    ...table(rows),
    '',
    inLines(`${PROGRAM} help COMMAND shows its options and an example; --version shows the version.`),
    '',
    inLines(
      'The server is named by --url redis://user:password@host:port, rediss:// for TLS, or by REDIS_URL, which keeps ' +
        'the password out of the list of processes. A cluster is recognised from any of its nodes. Behind Sentinels, ' +
        'REDIS_USERNAME and REDIS_PASSWORD are those of the servers, SENTINEL_USERNAME and SENTINEL_PASSWORD those of ' +
        'the Sentinels.',
    ),
    inLines('Exit code: 0 yes, 1 no or it could not be done, 2 the command line is wrong.'),
  ].join('\n');
}

/** What one command does, its options and examples. */
export function helpFor(name: string, { summary, options, examples, notes = [] }: Command): string {
  const rows = [...options, ...GENERAL].map((option): [string, string] => [spelled(option), OPTIONS[option].summary]);
  return [
    `usage: ${PROGRAM} ${name} [options]`,
    '',
    inLines(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`),
    ...(notes.length > 0 ? [inLines(notes.join(' '))] : []),
    '',
    ...table(rows),
    '',
    examples.length === 1 ? 'Example:' : 'Examples:',
    ...examples.map((example) => `  npx ${PROGRAM} ${example}`),
  ].join('\n');
}

function inLines(text: string, indent = 0): string {
  return wrapped(text, indent, Math.min(terminalWidth(), WIDEST));
}

function spelled(name: OptionName): string {
  const option = OPTIONS[name];
  const long = 'value' in option ? `--${name} ${option.value}` : `--${name}`;
  return 'short' in option ? `-${option.short}, ${long}` : long;
}

function table(rows: readonly [string, string][]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => inLines(`  ${left.padEnd(width)}  ${right}`, width + 4));
}

/** The word that somebody most likely meant, if one is near. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  const [best] = words
    .map((candidate): [string, number] => [candidate, distance(word, candidate)])
    .filter(([candidate, far]) => far <= (candidate.length < 4 ? 1 : 2))
    .sort(([, a], [, b]) => a - b);
  return best?.[0];
}

/** How many letters have to be put in, taken out or changed (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (const [at, letter] of [...from].entries()) {
    let [left, diagonal] = [at + 1, at];
    const next = row.slice(1).map((above, column) => {
      left = Math.min(diagonal + (letter === to[column] ? 0 : 1), above + 1, left + 1);
      diagonal = above;
      return left;
    });
    row = [at + 1, ...next];
  }
  return row[to.length] ?? 0;
}
