import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningRedis, startRedis } from '../../scripts/redis/start.ts';

/** A server of its own that is killed and comes back on the same port and the same folder. */
export class CrashingServer {
  readonly url: string;
  readonly #args: readonly string[];
  readonly #folder: string;
  #running: RunningRedis;

  private constructor(running: RunningRedis, args: readonly string[], folder: string) {
    this.url = running.url;
    this.#running = running;
    this.#args = [...args, '--port', new URL(running.url).port];
    this.#folder = folder;
  }

  static async start(...args: string[]): Promise<CrashingServer> {
    const folder = await mkdtemp(join(tmpdir(), 'conversation-state-crash-'));
    const all = [...args, '--dir', folder];
    return new CrashingServer(await startRedis({ args: all }), all, folder);
  }

  /** Kills it with SIGKILL; the process is gone once this ends. */
  async kill(): Promise<void> {
    await this.#running.stop();
  }

  async restart(...args: string[]): Promise<void> {
    this.#running = await startRedis({ args: [...this.#args, ...args] });
  }

  async stop(): Promise<void> {
    await this.#running.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
