import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onExit } from 'signal-exit';
import { Failure } from '../../src/cli/command.ts';
import { type Server, withServer } from '../../src/cli/connect.ts';
import { findRedisBinary, type RedisBinary } from './binary.ts';

/** A server that runs until `stop()`, and no longer than this process. */
export interface RunningRedis {
  /** With `REDIS_URL` it may contain a password: print `origin` instead. */
  url: string;
  /** For people: `redis-server 7.0.15 from the PATH`. */
  origin: string;
  /** True for the server of `REDIS_URL`, which others may use too. */
  shared: boolean;
  /** The process, if this one started the server. */
  pid?: number;
  /** Ends the server, unless it is shared. */
  stop(): Promise<void>;
  /** Lets Node end while the server still runs; the server then ends with it. */
  unref(): void;
}

const START_LIMIT_MS = 60_000;
const ATTEMPTS = 3;

/**
 * Starts a Redis (or Valkey) of version 7 or later, installed or not, on a free port of 127.0.0.1, without persistence;
 * or uses the server of `REDIS_URL`. With `args` (`['--maxmemory', '2mb']`, or an empty list), it starts one in any case.
 * @throws Error that says what was tried and how to install Redis here
 */
export async function startRedis({ args }: { args?: readonly string[] } = {}): Promise<RunningRedis> {
  const { REDIS_URL: url } = process.env;
  if (url && !args) {
    const origin = await withServer({}, checkServer);
    return { url, origin, shared: true, stop: async () => {}, unref: () => {} };
  }
  const binary = await findRedisBinary();
  for (let attempt = 1; ; attempt++) {
    try {
      return await launch(binary, args ?? []);
    } catch (error) {
      // Between choosing the port and binding it another process may have taken it.
      if (attempt === ATTEMPTS || !/already in use/i.test(String(error))) throw error;
    }
  }
}

/** The server of `REDIS_URL` in words: `REDIS_URL db:6379 (Redis 7.2.4)`. @throws Failure where it is too old */
async function checkServer({ client, name }: Server): Promise<string> {
  const info = await client.info('server');
  // Valkey of any version calls itself Redis 7.2.4 for the sake of clients.
  const [, product, version = ''] = /^(valkey)_version:(\S+)/m.exec(info) ?? /^(redis)_version:(\S+)/m.exec(info) ?? [];
  const origin = `REDIS_URL ${name} (${product === 'valkey' ? 'Valkey' : 'Redis'} ${version})`;
  if (Number.parseInt(version, 10) >= 7) return origin;
  throw new Failure(`${origin} is too old: functions need version 7 or later. Unset REDIS_URL to have one started.`);
}

// The servers end with this process. For a SIGKILL, a second process of each server waits until descriptor 3 is closed; a
// line on it says that the server has ended.
const WATCHED = '(read -r line <&3 || { kill -9 $$; rm -rf "$PWD"; }) >/dev/null 2>&1 & exec "$@" 3<&-';
const alive = new Set<() => void>();
onExit(() => {
  for (const kill of alive) kill();
});

async function launch({ path, origin }: RedisBinary, args: readonly string[]): Promise<RunningRedis> {
  // A folder of its own: a server reads a dump.rdb in the folder where it starts.
  const folder = mkdtempSync(join(tmpdir(), 'conversation-state-'));
  const port = await freePort();
  const own = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...args];
  const server = spawn('/bin/sh', ['-c', WATCHED, 'sh', path, ...own], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const streams = server.stdio.filter((stream) => stream instanceof Socket);
  const ended = once(server, 'exit').then(() => streams.at(-1)?.end('ended\n'));
  const kill = () => {
    server.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
    alive.delete(kill);
  };
  alive.add(kill);
  const stop = async () => {
    server.ref();
    kill();
    await ended;
  };
  let said = '';
  const ready = new Promise<boolean>((resolve) => {
    for (const stream of streams) {
      // Whoever watched the server may be gone before it.
      stream.on('error', () => {});
      stream.on('data', (text) => {
        said = `${said}${text}`.slice(-2_000);
        if (said.includes('Ready to accept connections')) resolve(true);
      });
    }
  });
  const isReady = await Promise.race([ready, ended, sleep(START_LIMIT_MS, false, { ref: false })]);
  if (isReady !== true) {
    await stop();
    throw new Error(`${origin} did not start:\n${said.trim().split('\n').slice(-4).join('\n')}`);
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    origin,
    shared: false,
    pid: server.pid as number,
    stop,
    unref: () => {
      for (const one of [server, ...streams]) one.unref();
    },
  };
}

/** Below those that Linux, macOS and Windows give to connections, which would take one between the look and its use. */
const [FIRST, LAST] = [15_000, 32_000];

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(attemptsLeft = 100): Promise<number> {
  const server = createServer().listen(randomInt(FIRST, LAST), '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if (attemptsLeft === 0) throw error;
    return freePort(attemptsLeft - 1);
  }
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
