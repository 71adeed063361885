import { spawnSync } from 'node:child_process';
import { cpus, totalmem, type } from 'node:os';
import ioredis from 'ioredis/package.json' with { type: 'json' };
import { LIBRARY_VERSION } from '../../src/index.ts';

/**
 * Keeps the server and this process, which makes the calls, on a core each, as people run them, or both on one core: there a call
 * costs all that is done for it, in the client, the kernel and the server. On that core the server may not interrupt whoever
 * calls, so that it always finds a full batch. Returns false where the system can't do it.
 */
export function place(where: 'apart' | 'together', server: number | undefined): boolean {
  const last = cpus().length - 1;
  if (last < 1 || server === undefined) return false;
  const run = (command: string, ...args: string[]) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
  const keep = (pid: number, core: number) => run('taskset', '-a', '-c', '-p', String(core), String(pid));
  const kept = keep(server, last) && keep(process.pid, where === 'apart' ? last - 1 : last);
  return run('chrt', '-a', where === 'apart' ? '-o' : '-b', '-p', '0', String(server)) && kept;
}

export type Machine = ReturnType<typeof describeMachine>;

/**
 * Where and with what it was measured. `server` is what the server is called, `load` the load average before, `placed` whether the
 * processes were kept to their cores.
 */
export function describeMachine(server: string, load: number, placed: boolean) {
  return {
    busy: load > 0.5 ? ` The load average before was ${load.toFixed(1)}, so the absolute figures may be low.` : '',
    date: new Date().toISOString().slice(0, 10),
    hardware: `${type()}, ${cpus().length} cores of ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB of memory${placed ? '' : '; the system chose the cores'}`,
    software: `${server} without persistence, Node ${process.versions.node}, ioredis ${ioredis.version}, conversation-state ${LIBRARY_VERSION}`,
  };
}
