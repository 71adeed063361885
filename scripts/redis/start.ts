import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { RedisInstance } from 'redis-memory-server';
import { onExit } from 'signal-exit';
import { findRedisBinary, type RedisBinary } from './binary.ts';
import { freePort } from './free-port.ts';
import { checkRedisUrl } from './url.ts';

/** A server to work with. It lives until `stop()`, and no longer than this process. */
export interface RunningRedis {
  /** What to connect to. With `REDIS_URL` it may hold a password: don't print it, print `origin`. */
  url: string;
  /** Where the server came from, in words for a person: `redis-server 7.0.15 from the PATH`. */
  origin: string;
  /** True for the server of `REDIS_URL`: others may use it, so nothing of theirs may be touched. */
  shared: boolean;
  /** The process and the program, when this process started the server. */
  pid?: number;
  binary?: string;
  /** Ends the server if this process started it; a shared one goes on. Calling it twice does no harm. */
  stop(): Promise<void>;
  /** Lets Node end while the server still runs; the server then ends with it. */
  unref(): void;
}

const START_LIMIT_MS = 15_000;
const ATTEMPTS = 3;

/**
 * Gives a Redis (or Valkey) of version 7 or later, without anybody having installed one: the server of `REDIS_URL`,
 * else an own one on a free port of 127.0.0.1 that keeps nothing on disk.
 *
 * `args` are further arguments of the server (`['--maxmemory', '2mb']`). They can't be given to the server of
 * `REDIS_URL`, so whoever passes them, be it an empty list, gets an own server in any case.
 *
 * @throws Error with a message that stands on its own: what was tried, and the line that installs Redis here.
 */
export async function startRedis({ args }: { args?: readonly string[] } = {}): Promise<RunningRedis> {
  const { REDIS_URL: url } = process.env;
  if (url && !args) {
    const origin = await checkRedisUrl(url);
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

/** What the server said before it was ready is the only explanation for one that never got there. */
class Instance extends RedisInstance {
  said = '';

  override stdoutHandler(message: string | Buffer): void {
    if (!this.isInstanceReady) this.said += message.toString();
    super.stdoutHandler(message);
  }

  override stderrHandler(message: string | Buffer): void {
    if (!this.isInstanceReady) this.said += message.toString();
    super.stderrHandler(message);
  }
}

async function launch(binary: RedisBinary, args: readonly string[]): Promise<RunningRedis> {
  // A folder of its own: a server reads whatever dump.rdb lies where it starts.
  const folder = mkdtempSync(join(tmpdir(), 'conversation-state-'));
  const port = await freePort();
  const instance = new Instance({
    instance: { ip: '127.0.0.1', port, args: [...args] },
    binary: { systemBinary: withoutSpaces(binary.path, folder) },
    spawn: { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] },
  });
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= instance.kill().then(() => forget(instance));
    return stopping;
  };
  remember(instance, folder);
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(`it was not ready within ${START_LIMIT_MS / 1000} s`), START_LIMIT_MS);
    });
    await Promise.race([instance.run(), late]);
  } catch (error) {
    const said = instance.said.trim().split('\n').slice(-4).join('\n');
    await stop();
    throw new Error(
      `${binary.origin} did not start: ${error instanceof Error ? error.message : error}\n${said}`.trim(),
    );
  } finally {
    clearTimeout(timer);
  }
  const pid = instance.getPid();
  return {
    url: `redis://127.0.0.1:${port}`,
    origin: binary.origin,
    shared: false,
    ...(pid === undefined ? {} : { pid }),
    binary: binary.path,
    stop,
    unref: () => unref(instance),
  };
}

/** redis-memory-server can't start a program whose path has a space in it. */
function withoutSpaces(path: string, folder: string): string {
  if (!/\s/.test(path)) return path;
  const link = join(folder, basename(path));
  symlinkSync(path, link);
  return link;
}

function unref(instance: RedisInstance): void {
  for (const child of [instance.childProcess, instance.killerProcess]) {
    child?.unref();
    for (const stream of child?.stdio ?? []) if (stream instanceof Socket) stream.unref();
  }
}

// redis-memory-server has a second process look every two seconds whether this one still lives. That is the net for a
// SIGKILL; every other way out takes the servers along at once.
const alive = new Map<RedisInstance, string>();
let unwatch: (() => void) | undefined;

function remember(instance: RedisInstance, folder: string): void {
  alive.set(instance, folder);
  unwatch ??= onExit(killAll);
}

function forget(instance: RedisInstance): void {
  const folder = alive.get(instance);
  if (folder === undefined) return;
  alive.delete(instance);
  rmSync(folder, { recursive: true, force: true });
  if (alive.size > 0) return;
  unwatch?.();
  unwatch = undefined;
}

function killAll(): void {
  for (const instance of alive.keys()) {
    instance.childProcess?.kill('SIGKILL');
    instance.killerProcess?.kill('SIGKILL');
    forget(instance);
  }
}
