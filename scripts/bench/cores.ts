import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';

/**
 * Keeps a process on the server's core or on the clients' ones, as if they were two machines. Where the system decides,
 * it puts a caller now beside its server and now far from it, and a lone caller then waits a third or three times as long.
 * False where there is one core, or no `taskset`, as on macOS.
 */
export function keepTo(side: 'server' | 'clients', pid: number | undefined): boolean {
  const last = cpus().length - 1;
  if (last < 1 || pid === undefined) return false;
  const cores = side === 'server' ? '0' : `1-${last}`;
  return spawnSync('taskset', ['-a', '-c', '-p', cores, String(pid)], { stdio: 'ignore' }).status === 0;
}
