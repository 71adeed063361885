#!/usr/bin/env node
import { parseArgs, styleText } from 'node:util';
import { LIBRARY_VERSION } from '../conversation.gen.ts';
import { type Command, OPTIONS, type OptionName, type Values } from './command.ts';
import { Failure, USAGE_ERROR } from './failure.ts';
import { helpFor, nearest, overview } from './help.ts';

/** Each is loaded where it is needed, which saves the others a third of the time that they take to start. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  list: async () => (await import('./list.ts')).list,
  show: async () => (await import('./show.ts')).show,
  watch: async () => (await import('./list.ts')).watch,
  release: async () => (await import('./release.ts')).release,
  due: async () => (await import('./due.ts')).due,
  doctor: async () => (await import('./doctor.ts')).doctor,
  load: async () => (await import('./deploy.ts')).load,
  check: async () => (await import('./deploy.ts')).check,
  keys: async () => (await import('./keys.ts')).keys,
};
const GENERAL = ['help', 'version'] as const;

/** Something is still open: a name being looked up, a server that does not hang up. Nobody waits for that. */
const LINGER_MS = 500;

// Whoever reads the output has seen enough: `| head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});
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
  if (name === undefined) throw new Failure(await helpOnAll(), USAGE_ERROR);
  if (name === 'help') return console.log(await helpOn(rest));
  const command = name === '' ? undefined : await commandOf(name);
  const values = parse(rest, command);
  if (values.help) console.log(command ? helpFor(name, command) : await helpOnAll());
  else if (values.version) console.log(LIBRARY_VERSION);
  else if (command) await command.run(values);
  else throw mistake(`No command is given. The commands are ${names()}.`);
}

async function commandOf(name: string): Promise<Command> {
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!load) throw unknownCommand(name);
  return load();
}

async function helpOnAll(): Promise<string> {
  const loaded = Object.entries(COMMANDS).map(async ([name, load]) => [name, await load()] as const);
  return overview(Object.fromEntries(await Promise.all(loaded)));
}

async function helpOn([name, ...others]: string[]): Promise<string> {
  if (others.length > 0) throw mistake('There is an argument too many. help takes the name of one command.');
  if (name === undefined || name.startsWith('-')) return helpOnAll();
  return helpFor(name, await commandOf(name));
}

function names(): string {
  // Made where it is wanted: Intl takes 10 ms to begin.
  return new Intl.ListFormat('en', { type: 'conjunction' }).format(Object.keys(COMMANDS));
}

/** The word is not repeated: it may be an address with its password. */
function unknownCommand(word: string): Failure {
  const meant = nearest(word, Object.keys(COMMANDS));
  return mistake(`Unknown command. ${meant ? `Did you mean ${meant}?` : `The commands are ${names()}.`}`);
}

function parse(args: string[], command: Command | undefined): Values {
  const names: OptionName[] = [...(command?.options ?? []), ...GENERAL];
  const options = Object.fromEntries(names.map((name) => [name, optionOf(name)]));
  try {
    const { values, tokens } = parseArgs({ args, options, tokens: true });
    const given = tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []));
    const twice = given.find((name, at) => given.indexOf(name) !== at);
    if (twice) throw mistake(`--${twice} is given twice.`);
    return values;
  } catch (error) {
    throw error instanceof Failure ? error : mistake(misuse(error as NodeJS.ErrnoException, names));
  }
}

function optionOf(name: OptionName): { type: 'string' | 'boolean'; short?: string } {
  const option = OPTIONS[name];
  return 'short' in option ? { type: option.type, short: option.short } : { type: option.type };
}

/** Names options only, never their values, because those may hold a password. */
function misuse({ code, message }: NodeJS.ErrnoException, names: OptionName[]): string {
  const name = /^(?:Unknown option|Option) '(?:-[a-z], )?(--?[a-z][a-z-]*)/.exec(message)?.[1];
  if (code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL')
    return 'There is an argument too many. An address goes after --url.';
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    const meant = name?.startsWith('--') ? nearest(name.slice(2), names) : undefined;
    return `Unknown option${name ? ` here: ${name}` : ''}.${meant ? ` Did you mean --${meant}?` : ''}`;
  }
  return message.includes('does not take') ? `${name} takes no value.` : `${name} needs a value after it.`;
}

function mistake(message: string): Failure {
  return new Failure(`${message}\nconversation-state --help lists the commands.`, USAGE_ERROR);
}
