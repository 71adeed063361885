import { Command, CommanderError } from 'commander';
import { LIBRARY_NAME, LIBRARY_VERSION } from '../conversation.gen.ts';
import { isConversationError } from '../errors.ts';
import { Failure, misuse, USAGE_ERROR, type Values } from './command.ts';
import { NPX, sentence, styled } from './print.ts';

// The words of the command line. What a command does is loaded when it is run.

type Flag = [flags: string, summary: string];

const SERVER: Flag[] = [
  ['--url <redis://…>', 'the server, or any node of a cluster; REDIS_URL if absent'],
  ['--sentinel <host:port,…>', 'Sentinels that know the server, instead of --url'],
  ['--name <name>', 'the name by which the Sentinels know it'],
  ['--tls-ca <file>', 'certificate authority of the server (PEM)'],
  ['--tls-cert <file>', 'certificate to show to the server (PEM)'],
  ['--tls-key <file>', 'private key of that certificate (PEM)'],
];
const KEYSPACE: Flag[] = [
  ['--prefix <text>', "the store's prefix; empty if absent"],
  ['--sharded', 'the store has `sharded: true`'],
];
const STORE = [...SERVER, ...KEYSPACE];
const PLATFORM: Flag = ['--platform <name>', 'slack, teams, …'];
const REFERENCE: Flag[] = [PLATFORM, ['--channel <id>', 'the channel on its platform'], ['--job <id>', 'the job']];
const FILTERS: Flag[] = [
  PLATFORM,
  ['--silent', 'only those whose job is silent'],
  ['--waiting', 'only those with a pending question'],
  ['--sort <column>', 'order by platform, channel, job, started, unread, due or left'],
  ['--wide', 'cut nothing and leave nothing out'],
];
const JSON_LINES: Flag = ['--json', 'print JSON, one object a line'];

interface Definition {
  summary: string;
  /** What its own help says besides. */
  notes?: string;
  options: Flag[];
  /** A command line to copy, without the program's name. */
  example: string;
  /** Prints its results to stdout. @throws Failure what is wrong and what to do */
  run(values: Values): Promise<void>;
}

const THIS = `${LIBRARY_NAME} ${LIBRARY_VERSION}`;
const COMMANDS: Readonly<Record<string, Definition>> = {
  list: {
    summary: 'show every conversation: its channel, job, question, unread messages, and whether somebody has to look',
    notes:
      'UNREAD counts the messages in the inbox, LEFT is the time to live. STATUS is starting for a job that has ' +
      'given no sign of life yet, silent or no answer for one that somebody has to look at, and since when.',
    options: [...STORE, ...FILTERS, JSON_LINES],
    example: 'list --platform slack --sort started',
    run: async (values) => (await import('./list.ts')).list(values),
  },
  show: {
    summary: 'show one conversation: its state, both deadlines, its inbox, and what is wrong with it',
    notes: 'Name the channel, the job or both, as list prints them. It exits with 1 if something is wrong.',
    options: [...STORE, ...REFERENCE, JSON_LINES],
    example: 'show --job j1',
    run: async (values) => (await import('./show.ts')).show(values),
  },
  watch: {
    summary: 'show the list again every two seconds, in place; q ends it',
    options: [...STORE, ...FILTERS],
    example: 'watch --sort due',
    run: async (values) => (await import('./list.ts')).watch(values),
  },
  release: {
    summary: 'take a channel from a job and remove its conversation; with --stream, tell the job',
    notes:
      'It does not end the job itself. The entry for the job has the fields type (Released), jobId, by and reason. With ' +
      'unread messages in the inbox nothing is changed, unless --discard-inbox gives them up.',
    options: [
      ...STORE,
      ...REFERENCE,
      ['--reason <text>', 'why: stored in the state until it is removed, and with --stream told to the job'],
      ['--by <name>', 'who; the name of the system user if absent'],
      ['--stream <key>', 'the stream that the job reads, by its whole key: PREFIXjob:ID:in'],
      ['--discard-inbox', 'remove what waits in the inbox too'],
      ['--yes', 'do not ask'],
      JSON_LINES,
    ],
    example: 'release --job j1 --reason "hangs since noon" --stream job:j1:in',
    run: async (values) => (await import('./release.ts')).release(values),
  },
  due: {
    summary: 'show the jobs that are silent and the questions whose time is over; changes nothing',
    options: [...STORE, JSON_LINES],
    example: 'due --url redis://localhost:6379',
    run: async (values) => (await import('./list.ts')).due(values),
  },
  doctor: {
    summary: 'say what is wrong with the server, the rights of a user and the stored conversations, and what to do',
    notes:
      'Each line has a mark: ✓ as it should be, ! worth a look, ✗ wrong; then it exits with 1. It changes nothing.',
    options: [
      ...STORE,
      ['--user <name>', 'whose rights are checked; the user of this connection if absent'],
      ['--stream <key>', 'a stream that the apps write to, by its whole key, whose rights are checked too'],
      JSON_LINES,
    ],
    example: 'doctor --user app --stream job:j1:in',
    run: async (values) => (await import('./doctor.ts')).doctor(values),
  },
  load: {
    summary: `bring a server's or a cluster's library to ${THIS}`,
    options: [
      ...SERVER,
      ['--wait <seconds>', 'how long to try again while the server cannot be reached; 0 if absent'],
      ['--force', "replace a newer version or another program's library of this name, too"],
      JSON_LINES,
    ],
    example: 'load --url redis://localhost:6379 --wait 30',
    run: async (values) => (await import('./deployment.ts')).load(values),
  },
  check: {
    summary: `say whether a server or cluster serves apps of ${THIS}; changes nothing`,
    options: [...SERVER, ['--exact', 'check for exactly this version, not for one that serves it'], JSON_LINES],
    example: 'check --url redis://localhost:6379',
    run: async (values) => (await import('./deployment.ts')).check(values),
  },
  keys: {
    summary: 'print the keys of a conversation, by its channel, its job or both; asks no server',
    notes: 'By the channel or the job alone it prints nothing but the key, for redis-cli GET "$(…)".',
    options: [...REFERENCE, ...KEYSPACE],
    example: 'keys --platform slack --channel C0123',
    run: async (values) => (await import('./reference.ts')).keys(values),
  },
};

const SERVERS =
  'The server, or any node of a cluster, is named by --url redis://user:password@host:port, rediss:// for TLS, or by ' +
  'REDIS_URL, which keeps the password out of the list of processes. Behind Sentinels, REDIS_USERNAME and REDIS_PASSWORD ' +
  'are those of the servers, SENTINEL_USERNAME and SENTINEL_PASSWORD those of the Sentinels. Exit code: 0 yes, 1 no or ' +
  'it could not be done, 2 the command line is wrong. More in docs/command-line.md.';

/** Runs a command line, says on stderr why it failed, and returns the exit code. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(commandFirst(args), { from: 'user' });
    return 0;
  } catch (error) {
    // Help or the version was printed.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_ERROR;
    // Whatever it is, a person reads it: no stack trace.
    const isMisused = isConversationError(error, 'INVALID_ARGUMENT');
    const said = error instanceof Error ? `${error.message}${isMisused ? '.' : ''}` : String(error);
    console.error(styled('red', said, process.stderr));
    return error instanceof Failure ? error.exitCode : isMisused ? USAGE_ERROR : 1;
  }
}

function program(): Command {
  const root = new Command('conversation-state')
    .description(SERVERS)
    .version(LIBRARY_VERSION, '-v, --version', 'show the version')
    .helpOption('-h, --help', 'show this')
    .helpCommand('help [command]', 'show the options of a command and an example')
    .configureOutput({ outputError: () => {} });

  const explain = (command: Command) =>
    command.exitOverride((error) => {
      throw explained(error, command);
    });
  explain(root);
  for (const [name, { summary, notes = '', options, example, run }] of Object.entries(COMMANDS)) {
    const command = root
      .command(name)
      .summary(summary)
      .description(sentence(`${summary}. ${notes}`.trim()));
    for (const [flags, what] of options) {
      command.option(flags, what, (value: string, before?: string) => {
        if (before === undefined) return value;
        throw mistake(`${flags.split(' ')[0]} is given twice.`, command);
      });
    }
    explain(command).addHelpText('after', `\nExample:\n  ${NPX} ${example}`).action(run);
  }
  return root;
}

/** Options may stand before the command too; commander takes those of a command behind it. */
function commandFirst(args: readonly string[]): string[] {
  const flags = Object.values(COMMANDS).flatMap(({ options }) => options.map(([flag]) => flag));
  const isValue = (at: number) => flags.some((flag) => flag.startsWith(`${args[at - 1]} <`));
  const at = args.findIndex((word, n) => !word.startsWith('-') && !isValue(n));
  return at < 1 ? [...args] : [args[at] ?? '', ...args.slice(0, at), ...args.slice(at + 1)];
}

/** What commander found wrong, as a sentence. It quotes what was given, which may hold a password. */
function explained(error: CommanderError, command: Command): Error {
  if (/help|version/i.test(error.code)) return error;
  if (error.code === 'commander.excessArguments') {
    return mistake(`Unexpected argument${named(command.args[0] ?? '') || '. An address goes after --url'}.`, command);
  }
  const word = /'(-*[^' =]*)/.exec(error.message)?.[1] ?? '';
  const meant = /Did you mean .*\?/.exec(error.message)?.[0];
  if (error.code === 'commander.optionMissingArgument') return mistake(`${word} needs a value.`, command);
  if (command.options.some(({ long }) => long === word)) return mistake(`${word} takes no value.`, command);
  const what = error.code === 'commander.unknownOption' ? 'option' : 'command';
  return mistake(`Unknown ${what}${named(word)}.${meant ? ` ${meant}` : ''}`, command);
}

/** A word to name in a message; none that may be an address or another place for a password. */
function named(word: string): string {
  return /^(-\w.|[^-].*[:@/])/.test(word) ? '' : ` "${word}"`;
}

function mistake(message: string, command: Command): Failure {
  const help = command.parent ? `${command.name()} --help shows its options` : '--help lists the commands';
  return misuse(`${message}\n${NPX} ${help}.`);
}
