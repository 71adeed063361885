import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startRedis } from '../../scripts/redis/start.ts';
import { isGood, startProcess } from '../../scripts/test/run.ts';
import type { Mutant } from './mutate.ts';

/** The fast suite: the tests that make calls as FCALL. */
const DIRECTORY = join(import.meta.dirname, '..', 'library');
const size = (name: string) => statSync(join(DIRECTORY, name)).size;
/** The smallest first: they are mostly the quickest. */
export const FILES = readdirSync(DIRECTORY)
  .filter((name) => name.endsWith('.test.ts'))
  .sort((a, b) => size(a) - size(b));
/** How long a mistake may have everybody wait. */
const SILENCE_MS = 60_000;

/** Starts a process that loads the fast suite once and runs it again and again, and its server. */
export async function startFastSuite() {
  const folder = mkdtempSync(join(tmpdir(), 'conversation-state-mutant-'));
  const server = await startRedis({ args: [] });
  const env = { ...process.env, REDIS_URL: server.url, MUTANT: join(folder, 'mutant.lua'), BAIL: '1' };
  const child = startProcess(SILENCE_MS, env);
  // No function runs for so many seconds unless it never ends. The server then tells everybody else.
  const client = new Redis(server.url);
  const watch = setInterval(() => {
    client.ping().catch(({ message }: Error) => message.startsWith('BUSY') && child.kill());
  }, 1_000);
  return {
    /** Runs one of the files on a library, up to the first test that fails. `isOver`: the library made the process hang. */
    async run(source: string, file: string) {
      writeFileSync(env.MUTANT, source);
      const standing = await child.run(join(DIRECTORY, file));
      return { isGood: isGood(standing), passed: standing.passed, isOver: !standing.isDone };
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

/** Runs the fast suite on one mutant after the other, as many at once as there are cores. Returns those that no test noticed. */
export async function hunt(mutants: readonly Mutant[]): Promise<Set<Mutant>> {
  const left = [...mutants];
  const survivors = new Set<Mutant>();
  // Who noticed a mistake is asked first: what noticed one in the same function, then what noticed the last ones.
  const likely = new Map<string, string[]>();
  let order = FILES;
  const lane = async () => {
    let suite = await startFastSuite();
    for (let mutant = left.shift(); mutant; mutant = left.shift()) {
      survivors.add(mutant);
      const [place = ''] = mutant.name.split(':');
      for (const file of new Set([...(likely.get(place) ?? []), ...order])) {
        const { isGood, isOver } = await suite.run(mutant.source, file);
        if (isGood) continue;
        survivors.delete(mutant);
        likely.set(place, [file]);
        order = [file, ...order.filter((other) => other !== file)];
        if (isOver) {
          await suite.end();
          suite = await startFastSuite();
        }
        break;
      }
      if (left.length % 50 === 0) console.log(`${left.length} of ${mutants.length} are left`);
    }
    await suite.end();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
  return survivors;
}
