import { execFile } from 'node:child_process';
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const ROOT = join(import.meta.dirname, '..', '..');

/** Packs the package into a folder of its own. */
export async function pack(): Promise<{ folder: string; tarball: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'conversation-state-package-'));
  await run(ROOT, 'npm', 'pack', '--pack-destination', folder);
  const [name = ''] = await readdir(folder);
  return { folder, tarball: join(folder, name) };
}

export const install = (folder: string, ...packages: string[]) =>
  run(folder, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', ...packages);

type Ended = Record<'stdout' | 'stderr', string> & { code: number };

/** Runs a program to its end; a test that goes on although it failed has to look at the code. */
export async function attempt(cwd: string, program: string, ...args: string[]): Promise<Ended> {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1' };
  // What npm tells its scripts about this project does not hold in another one.
  for (const name of Object.keys(env)) if (/^npm_(package|lifecycle|config_local_prefix)/.test(name)) delete env[name];
  try {
    return { code: 0, ...(await promisify(execFile)(program, args, { cwd, env, maxBuffer: 64 * 1024 * 1024 })) };
  } catch (error) {
    const { code, stdout, stderr, message } = error as Error & Ended;
    if (typeof code !== 'number') throw new Error(message);
    return { code, stdout, stderr };
  }
}

export async function run(cwd: string, program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await attempt(cwd, program, ...args);
  if (code === 0) return stdout;
  throw new Error(`${[program, ...args].join(' ')} ended with ${code}\n${stdout}\n${stderr}`);
}
