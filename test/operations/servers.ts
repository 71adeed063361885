import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis, type RedisOptions } from 'ioredis';
import { findRedisBinary } from '../../scripts/redis/binary.ts';
import { freePort } from '../../scripts/redis/free-port.ts';

const START_LIMIT_MS = 15_000;
export const SETTLE_LIMIT_MS = 60_000;

/** A server on 127.0.0.1 that is killed, stopped and started again, always at its port and in its folder. */
export interface Server {
  port: number;
  folder: string;
  process: ChildProcess;
  args: string[];
  /** A connection for the tests' own questions and orders. */
  admin: Redis;
}

const alive = new Set<Server>();
process.on('exit', stopAll);

export interface ServerOptions {
  /** Settings, by their names in redis.conf. */
  settings?: Record<string, string | number>;
  /** Lines of a Sentinel's redis.conf. The server is a Sentinel then. */
  sentinel?: string[];
  /** How its `admin` connects, where the port alone does not do. */
  admin?: RedisOptions;
}

/** Starts a server and waits until it answers. */
export async function startServer({ settings = {}, sentinel, admin }: ServerOptions = {}): Promise<Server> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'conversation-state-operations-'));
  const all = { port, bind: '127.0.0.1', dir: folder, ...(sentinel ? {} : { save: '' }), ...settings };
  const config = join(folder, 'redis.conf');
  const lines = Object.entries(all).map(([name, value]) => `${name} ${value === '' ? '""' : value}`);
  writeFileSync(config, [...lines, ...(sentinel ?? [])].join('\n'));
  const args = [config, ...(sentinel ? ['--sentinel'] : [])];
  const server: Server = {
    port,
    folder,
    args,
    process: await launch(args),
    admin: new Redis({ port, retryStrategy: () => 50, maxRetriesPerRequest: null, ...admin } as RedisOptions & {
      replyMapping?: 'legacy';
    }),
  };
  server.admin.on('error', () => {});
  alive.add(server);
  await answers(server);
  return server;
}

async function launch(args: string[]): Promise<ChildProcess> {
  const { path } = await findRedisBinary();
  return spawn(path, args, { stdio: 'ignore' });
}

async function answers({ admin, port, process }: Server): Promise<void> {
  const limit = Date.now() + START_LIMIT_MS;
  for (;;) {
    if (process.exitCode !== null) throw new Error(`the server on port ${port} ended while it started`);
    const answer = await Promise.race([admin.ping().catch(String), sleep(1_000, 'no answer')]);
    if (answer === 'PONG') return;
    if (Date.now() > limit) throw new Error(`the server on port ${port} does not answer: ${answer}`);
    await sleep(20);
  }
}

/** Ends a server at once, as a crash does. */
export async function kill(server: { process: ChildProcess }): Promise<void> {
  const gone = new Promise((resolve) => server.process.once('exit', resolve));
  server.process.kill('SIGKILL');
  await gone;
}

/** Stops a server as a machine that hangs: its connections stay, and nothing is answered. */
export function pause(server: Server): void {
  server.process.kill('SIGSTOP');
}

export function resume(server: Server): void {
  server.process.kill('SIGCONT');
}

/** Starts a server that was killed. */
export async function restart(server: Server): Promise<void> {
  server.process = await launch(server.args);
  await answers(server);
}

export function stopServer(server: Server): void {
  alive.delete(server);
  server.admin.disconnect();
  server.process.kill('SIGKILL');
  rmSync(server.folder, { recursive: true, force: true });
}

export function stopAll(): void {
  for (const server of [...alive]) stopServer(server);
}

/** Waits until something is so. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const limit = Date.now() + SETTLE_LIMIT_MS;
  while (!(await isSo())) {
    if (Date.now() > limit) throw new Error(`not within ${SETTLE_LIMIT_MS / 1000} s: ${what}`);
    await sleep(50);
  }
}

export const MASTER_NAME = 'chat';
/** After how long without an answer a Sentinel takes its master for dead. */
export const DOWN_AFTER_MS = 1_000;

/** A master, its replica and three Sentinels that watch them. */
export interface Watched {
  master: Server;
  replica: Server;
  sentinels: Server[];
  /** For a client: `{ sentinels, name }`. */
  address: { sentinels: { host: string; port: number }[]; name: string };
}

export async function startSentinels(): Promise<Watched> {
  const master = await startServer();
  const replica = await startServer({
    settings: { replicaof: `127.0.0.1 ${master.port}`, 'repl-diskless-sync-delay': 0 },
  });
  await until('the replica is in step', async () =>
    /^master_link_status:up/m.test(await replica.admin.info('replication')),
  );
  const sentinel = [
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${master.port} 2`,
    `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${MASTER_NAME} 10000`,
  ];
  const sentinels = await Promise.all([1, 2, 3].map(() => startServer({ sentinel })));
  for (const { admin } of sentinels) {
    await until('the Sentinels know each other and the replica', async () => {
      const quorum = await admin.call('SENTINEL', 'CKQUORUM', MASTER_NAME).catch(String);
      const others = (await admin.call('SENTINEL', 'SENTINELS', MASTER_NAME)) as unknown[];
      const replicas = (await admin.call('SENTINEL', 'REPLICAS', MASTER_NAME)) as unknown[];
      return String(quorum).startsWith('OK') && others.length === 2 && replicas.length === 1;
    });
  }
  const places = sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
  return { master, replica, sentinels, address: { sentinels: places, name: MASTER_NAME } };
}
