import { spawn } from 'node:child_process';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { compiledFolder, typescript } from '../../scripts/test/typescript.ts';

/** How a run of the command line ended. */
export interface CliRun {
  stdout: string;
  stderr: string;
  /** Null where it had to be killed. */
  code: number | null;
}

const LIMIT_MS = 60_000;

const COMPILED = compiledFolder();

/**
 * What Node runs as the command line. Compiled, it needs nothing that lies beside its sources; and a process of 0.2 s ends
 * before what V8 optimises meanwhile is of use.
 */
export const COMMAND_LINE = COMPILED
  ? ['--no-opt', join(COMPILED, 'src', 'cli', 'main.js')]
  : [...typescript(), join('src', 'cli', 'main.ts')];

/** Starts it, to be ended by whoever asked for it, or after 60 s. */
export function startCli(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return spawn(process.execPath, [...COMMAND_LINE, ...args], {
    cwd: join(import.meta.dirname, '..', '..'),
    env: { ...process.env, REDIS_URL: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LIMIT_MS,
  });
}

/** Runs `conversation-state` as a person would: a process of its own, without this one's REDIS_URL. */
export async function cli(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CliRun> {
  const child = startCli(args, env);
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  return { stdout, stderr, code };
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
