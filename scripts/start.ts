import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { parseArgs } from 'node:util';
import { printServer, printSummary } from './start/frame.ts';
import { play } from './start/play.ts';
import { openServer, type Server } from './start/server.ts';
import { printHeadings } from './start/timeline.ts';

const STORY = path.join(import.meta.dirname, 'start', 'events.jsonl');

/** Every way in which a terminal, a shell or an init system ends a program, with its exit code. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

const USAGE = `usage: npm start -- [file] [--keep]

Plays events of chat platforms and jobs, JSON Lines, through a dispatcher and prints what becomes of each.
file    what to play, - for standard input; a story that shows everything by default (scripts/start/events.jsonl)
--keep  leave the server running at the end, to look around with redis-cli

REDIS_URL names a server to use; without it one is started.`;

/** A message for whoever typed the command, instead of a stack trace. */
class Mistake extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

// Whoever reads only the first lines has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await start();
} catch (error) {
  if (!(error instanceof Mistake)) throw error;
  console.error(error.message);
  process.exitCode = error.exitCode;
}

async function start(): Promise<void> {
  const { file, keep, help } = commandLine();
  if (help) return console.log(USAGE);
  const input = await open(file);
  const server = await openServer().catch(({ message }: Error) => {
    throw new Mistake(message, 1);
  });
  const interrupted = new AbortController();
  let exitCode = 0;
  // npm ends its shell and itself at a SIGTERM, and does not tell what runs in the shell.
  const parent = process.ppid;
  const orphaned = setInterval(() => {
    if (process.ppid === parent) return;
    exitCode = SIGNALS.SIGTERM;
    interrupted.abort();
  }, 500);
  orphaned.unref();
  for (const [signal, code] of Object.entries(SIGNALS)) {
    // Not once: npm passes on a Ctrl-C that this process has heard itself.
    process.on(signal, () => {
      exitCode = code;
      interrupted.abort();
    });
  }
  try {
    printServer(server);
    if (file === '-' && process.stdin.isTTY) {
      console.log('Type or paste events, one JSON object a line; Ctrl-D ends.\n');
    }
    printHeadings();
    const tally = await play(input, server, interrupted.signal).catch(explain(server));
    if (interrupted.signal.aborted) throw new Mistake('\nInterrupted.', exitCode);
    const used = [...tally].some(([outcome]) => outcome !== 'skipped');
    if (tally.size > 0 && !used) throw new Mistake(`No line of ${file === '-' ? 'the input' : file} is an event.`, 1);
    await printSummary(server, tally, { keep }).catch(explain(server));
    if (keep && !server.redis.shared) await interruption(interrupted.signal);
  } finally {
    await server.close({ keepKeys: keep && !interrupted.signal.aborted });
  }
}

function commandLine(): { file: string; keep: boolean; help: boolean } {
  try {
    const { values, positionals } = parseArgs({
      options: { keep: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
      allowPositionals: true,
    });
    const [file, ...others] = positionals;
    if (others.length > 0) throw new TypeError(`Wanted one file, ${positionals.length} were given.`);
    // npm runs scripts in the folder of the package, wherever it was called.
    const { INIT_CWD: folder = '' } = process.env;
    if (file === '-') return { file, ...values };
    return { file: file === undefined ? STORY : path.resolve(folder, file), ...values };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // parseArgs goes on about files whose names begin with a dash.
    throw new Mistake(`${error.message.replace(/\. To specify.*/s, '.')}\n\n${USAGE}`, 2);
  }
}

async function open(file: string): Promise<Readable> {
  if (file === '-') return process.stdin;
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw new Mistake(
      `${file} can't be read: ${error.code === 'ENOENT' ? 'there is no such file' : error.message}.`,
      1,
    );
  });
  if (found.isDirectory()) throw new Mistake(`${file} can't be read: it is a folder.`, 1);
  return createReadStream(file);
}

/** What the server or the disk refuse is for a person to read; anything else is a defect and keeps its stack trace. */
function explain({ client, redis }: Server): (error: Error) => never {
  return (error) => {
    if ('syscall' in error) throw new Mistake(`The events can't be read: ${error.message}.`, 1);
    if (error.name === 'ReplyError') throw new Mistake(`${redis.origin} refused: ${error.message}`, 1);
    if (client.status === 'ready') throw error;
    throw new Mistake(`${redis.origin} does not answer any more: ${error.message}`, 1);
  };
}

async function interruption(signal: AbortSignal): Promise<void> {
  // A signal alone would let Node end.
  const alive = setInterval(() => {}, 60_000);
  if (!signal.aborted) await once(signal, 'abort');
  clearInterval(alive);
  console.log('\nStopped.');
}
