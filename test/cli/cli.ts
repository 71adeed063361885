import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** How a run of the command line ended. */
export interface CliRun {
  stdout: string;
  stderr: string;
  /** Null where it had to be killed. */
  code: number | null;
  seconds: number;
}

const LIMIT_MS = 30_000;

/** Runs `conversation-state` as a person would: a process of its own, without this one's REDIS_URL. */
export async function cli(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CliRun> {
  const started = performance.now();
  const child = spawn(process.execPath, ['--import', 'tsx', join('src', 'cli', 'main.ts'), ...args], {
    cwd: join(import.meta.dirname, '..', '..'),
    env: { ...process.env, REDIS_URL: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LIMIT_MS,
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  return { stdout, stderr, code, seconds: (performance.now() - started) / 1000 };
}
