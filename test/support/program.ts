import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** How a program ended. */
export interface Ended {
  stdout: string;
  stderr: string;
  code: number;
}

/** Starts Node as a process without this one's REDIS_URL, to be ended by whoever asked for it. */
export function startProgram(args: readonly string[], env: NodeJS.ProcessEnv = {}, folder = '.') {
  const child = spawn(process.execPath, args, {
    cwd: join(import.meta.dirname, '..', '..', folder),
    env: { ...process.env, REDIS_URL: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  }
  const ended = once(child, 'close').then(([code]): Ended => ({ ...said, code }));
  return { child, said, ended };
}
