#!/usr/bin/env node
import { parseArgs, styleText } from 'node:util';
import { LIBRARY_VERSION } from '../conversation.gen.ts';
import { type Command, OPTIONS, type OptionName, type Values } from './command.ts';
import { check, load } from './deploy.ts';
import { Failure, USAGE_ERROR } from './failure.ts';
import { keys } from './keys.ts';

const COMMANDS: Record<string, Command> = { load, check, keys };
const NAMES = new Intl.ListFormat('en', { type: 'disjunction' }).format(Object.keys(COMMANDS));
const GENERAL = ['help', 'version'] as const;

/** Something is still open: a name being looked up, a server that does not hang up. Nobody waits for that. */
const LINGER_MS = 500;

try {
  await main(process.argv.slice(2));
} catch (error) {
  // Whatever it is, a person reads it: no stack trace.
  const message = error instanceof Error ? error.message : String(error);
  console.error(process.stderr.hasColors?.() ? styleText('red', message) : message);
  process.exitCode = error instanceof Failure ? error.exitCode : 1;
}
setTimeout(() => process.exit(), LINGER_MS).unref();

async function main(args: string[]): Promise<void> {
  const [name, ...rest] = args[0]?.startsWith('-') ? ['', ...args] : args;
  if (name === undefined) throw new Failure(help(), USAGE_ERROR);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  // The word is not repeated: it may be an address with its password.
  if (!command && name !== '') throw mistake(`There is no such command. Wanted is ${NAMES}.`);
  const values = parse(rest, command);
  if (values.help) console.log(help());
  else if (values.version) console.log(LIBRARY_VERSION);
  else if (command) await command.run(values);
  else throw mistake(`No command is given. Wanted is ${NAMES}.`);
}

function parse(args: string[], command: Command | undefined): Values {
  const names = [...(command?.options ?? []), ...GENERAL];
  const options = Object.fromEntries(names.map((name) => [name, { type: OPTIONS[name].type }]));
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw mistake(misuse(error as NodeJS.ErrnoException));
  }
}

/** Names options only, never their values, because those may hold a password. */
function misuse({ code, message }: NodeJS.ErrnoException): string {
  const name = /^(?:Unknown option|Option) '(--?[a-z][a-z-]*)/.exec(message)?.[1];
  if (code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL') return 'There is a word too many. An address goes after --url.';
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return `There is no such option${name ? ` here: ${name}` : ''}.`;
  return message.includes('does not take') ? `${name} takes no value.` : `${name} wants a value after it.`;
}

function mistake(message: string): Failure {
  return new Failure(`${message}\nconversation-state --help shows what there is.`, USAGE_ERROR);
}

function help(): string {
  const usages = Object.entries(COMMANDS).map(([name, { options }], index) =>
    [
      index === 0 ? 'usage:' : '      ',
      'conversation-state',
      name,
      ...options.map((option) => `[${spelled(option)}]`),
    ].join(' '),
  );
  const commands = Object.entries(COMMANDS).map(([name, { summary }]) => [name, summary]);
  const options = (Object.keys(OPTIONS) as OptionName[]).map((name) => [spelled(name), OPTIONS[name].summary]);
  return [
    ...usages,
    '',
    ...table(commands),
    '',
    ...table(options),
    '',
    'An address is redis://user:password@host:port, or rediss:// for TLS. In REDIS_URL the password stays out of the list',
    'of processes. The user needs the rights +function|load +function|list, on a cluster +cluster|nodes too, and no keys.',
    'Of a cluster any node is named, and every master is served.',
    'Exit code: 0 the server is at this version, 1 it is not or could not be asked, 2 the command line is wrong.',
  ].join('\n');
}

function spelled(name: OptionName): string {
  const option = OPTIONS[name];
  return 'value' in option ? `--${name} ${option.value}` : `--${name}`;
}

function table(rows: string[][]): string[] {
  const width = Math.max(...rows.map(([left = '']) => left.length));
  return rows.map(([left = '', right]) => `  ${left.padEnd(width)}  ${right}`);
}
