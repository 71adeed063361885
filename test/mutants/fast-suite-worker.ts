// Runs the fast suite on one library after the other, in a process of its own: a mistake may hang a server for ever.
import { Redis } from 'ioredis';
import { putUnderTest } from '../support/library.ts';
import { beforeLeaving, withRedis } from '../support/redis.ts';
import { fastSuite } from './fast-suite.ts';
import type { Run } from './fast-suite-process.ts';

// What was on its way when a suite ended early.
process.on('unhandledRejection', () => {});
process.on('disconnect', () => process.exit());

const reached = new Set<number>();
const collect = async (client: Redis) => {
  // Not every server of a suite has the library.
  const found = await client.fcall_ro('conv_coverage', 0).catch(() => []);
  for (const point of found as number[]) reached.add(point);
};

const suite = await fastSuite();

// No function runs for so long unless it never ends; its server then tells everybody else.
const BUSY_MS = 1_000;
const uvu = await import('uvu');
const watch = new Redis(await withRedis(uvu.suite('watch')).url());
await watch.config('SET', 'busy-reply-threshold', BUSY_MS);
setInterval(() => {
  watch.ping().catch((error: Error) => {
    if (error.message.startsWith('BUSY')) process.exit();
  });
}, BUSY_MS / 2);

process.on('message', async ({ source, first }: { source: string; first: string[] }) => {
  putUnderTest(source);
  // Only an instrumented library has something to tell.
  beforeLeaving(source.includes('conv_coverage') ? collect : undefined);
  reached.clear();
  const run = await suite.run(first);
  process.send?.({ ...run, reached: [...reached] } satisfies Run);
});
process.send?.('ready');
