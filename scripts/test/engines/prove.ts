import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../../redis/free-port.ts';
import { run, Unavailable } from './apt.ts';
import { folderOf } from './install.ts';

/** An engine that was started and asked for its version. `server` and `cli` are the paths of programs. */
export interface Installed {
  name: string;
  version: string;
  server: string;
  cli: string;
}

/**
 * Starts an engine from its folder below `cache` on a free loopback port, asks it who it is, and stops it.
 *
 * @throws {Unavailable} where it is not there, does not start, or is of another series than its name says.
 */
export async function prove(name: string, cache: string): Promise<Installed> {
  const server = join(folderOf(name, cache), 'server');
  const cli = join(folderOf(name, cache), 'cli');
  if (!existsSync(server) || !existsSync(cli)) throw new Unavailable('not fetched yet');
  await run(cli, ['--version']);

  const [product = '', series = ''] = name.split(' ');
  const version = new RegExp(`^${product}_version:(\\S+)`, 'm').exec(await askWhoItIs(server))?.[1];
  if (!version?.startsWith(`${series}.`)) throw new Unavailable(`turned out to be ${version ?? 'another product'}`);
  return { name, version, server, cli };
}

async function askWhoItIs(server: string): Promise<string> {
  const port = await freePort();
  const args = ['--bind', '127.0.0.1', '--port', `${port}`, '--save', ''];
  // In its own folder: a dump that lies where the command was called is not for it.
  const child = spawn(server, args, { cwd: dirname(server), stdio: 'ignore' });
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Unavailable(`does not start: ended with ${signal ?? code}`)));
  });
  // Refused until the server listens, for five seconds at most.
  const redis = new Redis({ port, retryStrategy: () => 50, maxRetriesPerRequest: 100 });
  redis.on('error', () => {});
  const answer = redis.info('server').catch((error: Error) => {
    throw new Unavailable(`does not answer: ${error.message}`);
  });
  try {
    return await Promise.race([answer, ended]);
  } finally {
    redis.disconnect();
    child.kill('SIGKILL');
  }
}
