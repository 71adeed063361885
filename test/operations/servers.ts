import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { findRedisBinary } from '../../scripts/redis/binary.ts';
import { freePort } from '../../scripts/redis/start.ts';
import type { ClientOptions } from '../support/redis.ts';

const LIMIT_MS = 60_000;

/** A server on 127.0.0.1 that is killed, stopped and started again, always at its port and in its folder. */
export interface Server {
  port: number;
  /** Where the other nodes of its cluster reach it. */
  busPort: number;
  folder: string;
  program: string;
  args: string[];
  process: ChildProcess;
  /** A connection for the tests' own questions and orders. */
  admin: Redis;
}

const clients: Redis[] = [];
const alive = new Set<Server>();
process.on('exit', stopAll);

export interface ServerOptions {
  /** Settings, by their names in redis.conf. */
  settings?: Record<string, string | number>;
  /** Lines of a Sentinel's redis.conf. The server is a Sentinel then. */
  sentinel?: string[];
  /** What is started, if not the server that all tests use. */
  program?: string;
}

/** Starts a server and waits until it answers. */
export async function startServer(options: ServerOptions = {}, attemptsLeft = 2): Promise<Server> {
  const { settings = {}, sentinel, program = (await findRedisBinary()).path } = options;
  const [port, busPort] = [await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), 'conversation-state-server-'));
  const own = sentinel ? {} : { save: '', 'cluster-port': busPort };
  const lines = Object.entries({ port, bind: '127.0.0.1', dir: folder, ...own, ...settings }).map(
    ([name, value]) => `${name} ${value === '' ? '""' : value}`,
  );
  const config = join(folder, 'redis.conf');
  writeFileSync(config, [...lines, ...(sentinel ?? [])].join('\n'));
  const args = [config, ...(sentinel ? ['--sentinel'] : [])];
  const admin = new Redis({ port, lazyConnect: true, retryStrategy: () => 50, maxRetriesPerRequest: null });
  admin.on('error', () => {});
  const server = { port, busPort, folder, program, args, process: launch(program, args), admin };
  alive.add(server);
  try {
    await answers(server);
  } catch (error) {
    // Between choosing a port and binding it another process may have taken it.
    if (server.process.exitCode === null || attemptsLeft === 0) throw error;
    return startServer(options, attemptsLeft - 1);
  }
  return server;
}

export function launch(program: string, args: string[]): ChildProcess {
  return spawn(program, args, { stdio: 'ignore' });
}

function answers({ admin, port, process }: Server): Promise<void> {
  return until(`the server on port ${port} answers`, async () => {
    if (process.exitCode !== null) throw new Error(`the server on port ${port} ended while it started`);
    return (await Promise.race([admin.ping().catch(String), sleep(1_000)])) === 'PONG';
  });
}

/** Ends a server at once, as a crash does. */
export async function kill({ process }: Server): Promise<void> {
  const gone = once(process, 'exit');
  process.kill('SIGKILL');
  await gone;
}

/** Starts a server again that has ended, with what it kept. */
export async function restart(server: Server): Promise<void> {
  server.process = launch(server.program, server.args);
  await answers(server);
}

/** A client of a server that hears of lost connections without a word; {@link stopAll} ends it. */
export function connectTo({ port }: { port: number }, options: ClientOptions = {}): Redis {
  const client = new Redis({ port, ...options }).on('error', () => {});
  clients.push(client);
  return client;
}

export function stopAll(): void {
  for (const client of clients.splice(0)) client.disconnect();
  for (const { admin, process, folder } of alive) {
    admin.disconnect();
    process.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
  alive.clear();
}

/** Waits until something is so. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const limit = Date.now() + LIMIT_MS;
  while (!(await isSo())) {
    if (Date.now() > limit) throw new Error(`within ${LIMIT_MS / 1000} s it was never so that ${what}`);
    await sleep(20);
  }
}

const NAME = 'chat';

/** Starts a master, its replica and three Sentinels that watch them; `address` is for a client. */
export async function startSentinels() {
  const master = await startServer();
  const replica = await startServer({
    settings: { replicaof: `127.0.0.1 ${master.port}`, 'repl-diskless-sync-delay': 0 },
  });
  await until('the replica is in step', async () =>
    /^master_link_status:up/m.test(await replica.admin.info('replication')),
  );
  const sentinel = [
    `sentinel monitor ${NAME} 127.0.0.1 ${master.port} 2`,
    // After how long without an answer a Sentinel takes its master for dead.
    `sentinel down-after-milliseconds ${NAME} 1000`,
    `sentinel failover-timeout ${NAME} 10000`,
  ];
  const sentinels = await Promise.all([1, 2, 3].map(() => startServer({ sentinel })));
  for (const { admin } of sentinels) {
    await until('the Sentinels know each other and the replica', async () => {
      const quorum = await admin.call('SENTINEL', 'CKQUORUM', NAME).catch(String);
      const others = (await admin.call('SENTINEL', 'SENTINELS', NAME)) as unknown[];
      const replicas = (await admin.call('SENTINEL', 'REPLICAS', NAME)) as unknown[];
      return String(quorum).startsWith('OK') && others.length === 2 && replicas.length === 1;
    });
  }
  const places = sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
  return { master, replica, sentinels, address: { sentinels: places, name: NAME } };
}
