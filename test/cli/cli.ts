import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { compiledFolder, typescript } from '../../scripts/test/typescript.ts';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { type Ended, startProgram } from '../support/program.ts';

export type CliRun = Ended;

const COMPILED = compiledFolder();

/** What Node runs as the command line. Compiled, it needs nothing that lies beside its sources. */
export const COMMAND_LINE = COMPILED
  ? [join(COMPILED, 'src', 'cli', 'main.js')]
  : [...typescript(), join('src', 'cli', 'main.ts')];

/** Starts it as a person would. */
export function startCli(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return startProgram([...COMMAND_LINE, ...args], env);
}

/**
 * Runs the command line in this process, which costs a hundredth of a process of its own, with the environment of
 * `startCli`: one run after the other, because what is printed and the environment are the process's. With `columns`
 * its stdout is a terminal of that width.
 */
export async function cli(args: readonly string[], given: NodeJS.ProcessEnv = {}, columns?: number): Promise<CliRun> {
  const env = { REDIS_URL: '', ...given };
  const said = { stdout: '', stderr: '' };
  const putBack = (['stdout', 'stderr'] as const).map((name) => {
    const stream = process[name];
    const before = { write: stream.write, isTTY: stream.isTTY, columns: stream.columns };
    const capture = (text: string) => {
      said[name] += text;
      return true;
    };
    Object.assign(stream, { write: capture, isTTY: columns !== undefined && name === 'stdout', columns });
    return () => Object.assign(stream, before);
  });
  const before = { ...process.env };
  Object.assign(process.env, env);
  try {
    return { code: await runCommandLine(args), ...said };
  } finally {
    for (const undo of putBack) undo();
    for (const name of Object.keys(env)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

/** What it printed with --json, an object for each line. */
export function jsonLines({ stdout }: CliRun) {
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
}

/** One line on stdout and nothing else. */
export function succeeded({ stdout, stderr, code }: CliRun, said: string): void {
  assert.is(stderr, '');
  assert.is(stdout, `${said}\n`);
  assert.is(code, 0);
}

/** One sentence or two on stderr, no stack trace, and by default nothing on stdout. */
export function failed({ stdout, stderr, code }: CliRun, said: string | RegExp, { exit = 1, out = '' } = {}): void {
  assert.is(stdout, out && `${out}\n`);
  if (typeof said === 'string') assert.is(stderr, `${said}\n`);
  else assert.match(stderr, said);
  assert.not.match(stderr, /^\s+at |node:internal|\.ts:\d|\.js:\d/m);
  assert.is(code, exit);
}
