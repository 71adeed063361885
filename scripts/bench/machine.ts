import { readFileSync } from 'node:fs';
import { cpus, loadavg, totalmem, type } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { LIBRARY_VERSION } from '../../src/index.ts';

/** Where and with what it was measured, in lines for a reader. */
export async function describeMachine(
  admin: Redis,
  { peers, busy, apart }: { peers: readonly string[]; busy: number; apart: boolean },
): Promise<string[]> {
  const [cpu] = cpus();
  const server = await admin.info('server');
  const of = (name: string) => new RegExp(`^${name}:(.+?)\r?$`, 'm').exec(server)?.[1];
  const valkey = of('valkey_version');
  const ioredis = readFileSync(
    join(import.meta.dirname, '..', '..', 'node_modules', 'ioredis', 'package.json'),
    'utf8',
  );
  return [
    `${new Date().toISOString().slice(0, 10)}, ${type()} on ${cpus().length} cores of ${cpu?.model.trim() ?? 'unknown make'}, ` +
      `${Math.round(totalmem() / 2 ** 30)} GiB of memory, over loopback; ${apart ? 'the server keeps to one core, the clients to the others' : 'client and server share them'}.`,
    `${valkey ? `Valkey ${valkey}` : `Redis ${of('redis_version')}`}, nothing kept on disk; Node ${process.versions.node}, ` +
      `ioredis ${JSON.parse(ioredis).version}, conversation-state ${LIBRARY_VERSION}${peers.length > 0 ? `; ${peers.join(', ')}` : ''}.`,
    busy > cpus().length / 2
      ? `**The machine was not idle (load average ${busy.toFixed(1)} in the minute before).** If that went on, absolute figures are low, and ` +
        'figures whose spread is wide say little; ratios are of turns that ran side by side.'
      : `The machine did little else (load average ${busy.toFixed(1)} in the minute before).`,
  ];
}

export function load(): number {
  return loadavg()[0] ?? 0;
}
