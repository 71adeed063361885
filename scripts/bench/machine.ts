import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, totalmem, type } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { LIBRARY_VERSION } from '../../src/index.ts';

/**
 * Keeps a process on the core where everything is measured, server and callers alike, or away from it.
 *
 * They share one core because a call's cost is then all that is done for it, in the client, the kernel and the server. On
 * two cores the slower side decides, and that is the client: a quick server answers it call by call, a slow one by the
 * dozen, and every batch of replies costs the client a turn of its event loop. So functions that do nothing came out
 * slower than the library. Here the server, which may not interrupt whoever calls, always finds a full batch. False where
 * the system can't do it.
 */
export function keepTo(side: 'measured' | 'server' | 'away', pid: number | undefined): boolean {
  const last = cpus().length - 1;
  if (last < 1 || pid === undefined) return false;
  const run = (command: string, ...args: string[]) =>
    spawnSync(command, [...args, String(pid)], { stdio: 'ignore' }).status === 0;
  const kept = run('taskset', '-a', '-c', '-p', side === 'away' ? `0-${last - 1}` : String(last));
  return side === 'server' ? run('chrt', '-a', '-b', '-p', '0') && kept : kept;
}

export type Machine = Awaited<ReturnType<typeof describeMachine>>;

/** Where and with what it was measured. `load` is the load average before, `shared` whether all was kept to one core. */
export async function describeMachine(admin: Redis, load: number, shared: boolean) {
  const cores = cpus().length;
  const server = await admin.info('server');
  const of = (name: string) => new RegExp(`^${name}:(.+?)\r?$`, 'm').exec(server)?.[1];
  const engine = of('valkey_version') ? `Valkey ${of('valkey_version')}` : `Redis ${of('redis_version')}`;
  const ioredis = join(import.meta.dirname, '..', '..', 'node_modules', 'ioredis', 'package.json');
  const warning = `**Measured with fewer than four idle cores (${cores} cores, load average ${load.toFixed(1)} before the run): absolute figures may be low; ratios are of turns that ran one directly after the other.**`;
  return {
    warning: cores - load < 4 ? warning : '',
    date: new Date().toISOString().slice(0, 10),
    hardware: `${type()}, ${cores} cores of ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB of memory; ${shared ? 'server and callers share one core' : 'the system chose the cores'}`,
    software: `${engine} without persistence, Node ${process.versions.node}, ioredis ${JSON.parse(readFileSync(ioredis, 'utf8')).version}, conversation-state ${LIBRARY_VERSION}`,
  };
}

/** One number of INFO. */
export async function infoOf(client: Redis, section: string, name: string): Promise<number> {
  return Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(await client.info(section))?.[1]);
}
