import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { CHANNEL, type Event } from './events.ts';
import { typescript } from './typescript.ts';

/** How long a process with test files may take, in milliseconds. */
export interface Limits {
  /** For this long nothing may happen: no test begin or end, nothing be printed. */
  silenceMs: number;
  /** For this long the process may go on once its last test has ended. */
  lingerMs: number;
}

/** What happened in a process with test files. */
export interface Course {
  events: Event[];
  /** What it printed, stdout and stderr as they came. */
  output: string;
  /** How it ended, in words. */
  exit: string;
  /** Why it had to be killed, if it had. */
  killed?: string;
  ms: number;
}

const KILL_AFTER_MS = 2_000;

/**
 * Runs test files, one after the other, in a process of their own.
 *
 * @param signal ends it; the reason is a sentence that says why
 * @param hear takes what it prints, piece by piece
 */
export function runFiles(
  files: readonly string[],
  { silenceMs, lingerMs }: Limits,
  signal: AbortSignal,
  hear: (text: string) => void = () => {},
): Promise<Course> {
  const begin = Date.now();
  // Stack traces name the lines of the sources.
  const args = ['--enable-source-maps', ...typescript(), join(import.meta.dirname, 'child.ts'), ...files];
  const child = spawn(process.execPath, args, {
    // A process group of its own, so that servers and whatever else the tests started end with it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: process.stdout.isTTY && !('NO_COLOR' in process.env) ? { ...process.env, FORCE_COLOR: '1' } : process.env,
  });
  const events: Event[] = [];
  let output = '';
  let killed: string | undefined;
  const signalGroup = (name: NodeJS.Signals) => {
    try {
      if (child.pid) process.kill(-child.pid, name);
    } catch {
      // Nobody of the group is left.
    }
  };
  const kill = (why: string) => {
    killed ??= why;
    // A test may itself run tests: SIGTERM lets it take its own group along.
    signalGroup('SIGTERM');
    setTimeout(() => signalGroup('SIGKILL'), KILL_AFTER_MS).unref();
  };
  const abort = () => kill(String(signal.reason));
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);

  let ended = 0;
  const isDone = () => ended === files.length;
  const awaitMore = () =>
    isDone()
      ? setTimeout(
          () => kill('All tests ended, but something keeps the process alive: a client, server or timer.'),
          lingerMs,
        )
      : setTimeout(() => kill(`Nothing happened for ${silenceMs / 1000} s.`), silenceMs);
  let wasDone = false;
  let patience = awaitMore();
  const heard = () => {
    if (wasDone) return;
    wasDone = isDone();
    clearTimeout(patience);
    patience = awaitMore();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      output += text;
      hear(text);
      heard();
    });
  }
  const told = child.stdio[CHANNEL];
  if (!(told instanceof Readable)) throw new Error(`descriptor ${CHANNEL} can't be read`);
  createInterface({ input: told }).on('line', (line) => {
    const event: Event = JSON.parse(line);
    events.push(event);
    if (event.kind === 'done') ended++;
    heard();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    // Whoever of the group outlives the tests would hold their output open.
    child.on('exit', () => signalGroup('SIGKILL'));
    child.on('close', (code, by) => {
      clearTimeout(patience);
      signal.removeEventListener('abort', abort);
      const exit = by ?? `exit code ${code}`;
      resolve({ events, output, exit, ms: Date.now() - begin, ...(killed === undefined ? {} : { killed }) });
    });
  });
}
