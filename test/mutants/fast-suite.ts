import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startRedis } from '../../scripts/redis/start.ts';
import { isGood, startProcess } from '../../scripts/test/run.ts';

/** The tests that make calls as FCALL. */
const DIRECTORY = join(import.meta.dirname, '..', 'library');
export const FILES = readdirSync(DIRECTORY).filter((name) => name.endsWith('.test.ts'));
/** How long a mistake may have everybody wait. */
const SILENCE_MS = 60_000;

/** A process that has the fast suite loaded, and its server. */
export interface FastSuite {
  /** Runs one of its files on a library, up to the first test that fails. */
  run(source: string, file: string): Promise<{ isGood: boolean; passed: number }>;
  /** Whether the process is gone: the library made it hang. */
  isOver(): boolean;
  end(): Promise<void>;
}

export async function startFastSuite(): Promise<FastSuite> {
  const folder = mkdtempSync(join(tmpdir(), 'conversation-state-mutant-'));
  const server = await startRedis({ args: [] });
  const env = { ...process.env, REDIS_URL: server.url, MUTANT: join(folder, 'mutant.lua'), BAIL: '1' };
  const child = startProcess(SILENCE_MS, env);
  // No function runs for so many seconds unless it never ends. The server then tells everybody else.
  const client = new Redis(server.url);
  const watch = setInterval(() => {
    client.ping().catch(({ message }: Error) => message.startsWith('BUSY') && child.kill());
  }, 1_000);
  let isOver = false;
  return {
    isOver: () => isOver,
    async run(source, file) {
      writeFileSync(env.MUTANT, source);
      const standing = await child.run(join(DIRECTORY, file));
      isOver = !standing.isDone;
      return { isGood: isGood(standing), passed: standing.passed };
    },
    async end() {
      clearInterval(watch);
      client.disconnect();
      await child.end();
      await server.stop();
      rmSync(folder, { recursive: true });
    },
  };
}
