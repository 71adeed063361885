// npm run bench: how fast the store is, and how often it is wrong, side by side with what people write. It takes minutes and wants an idle machine.
// npm run bench -- --write: writes BENCHMARKS.md and benchmarks.svg too.
// npm run bench -- --quick: a look in a minute, whose figures are worth little.
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadLibrary } from '../src/index.ts';
import { chart } from './bench/chart.ts';
import { compare } from './bench/compare.ts';
import { playContests } from './bench/contests.ts';
import { connect } from './bench/conversations.ts';
import { FLOOR_SOURCE, timedCalls } from './bench/floor.ts';
import { judge } from './bench/goals.ts';
import { describeMachine, keepTo } from './bench/machine.ts';
import { measureMemory } from './bench/memory.ts';
import { plainDesign } from './bench/plain.ts';
import { startProxy } from './bench/proxy.ts';
import { report } from './bench/report.ts';
import { DESIGNS } from './bench/runner.ts';
import { measureServerTime } from './bench/server-time.ts';
import { storeDesign } from './bench/store.ts';
import { startRedis } from './redis/start.ts';

const ROOT = join(import.meta.dirname, '..');

async function bench({ quick, write }: { quick: boolean; write: boolean }): Promise<void> {
  const load = loadavg()[0] ?? 0;
  const began = performance.now();
  const say = (what: string) => console.error(`${Math.round((performance.now() - began) / 1000)} s: ${what} …`);
  // Arguments, be it none, make it a server of our own: the one of REDIS_URL is nothing to empty.
  const redis = await startRedis({ args: [] });
  try {
    keepTo('away', process.pid);
    const shared = keepTo('server', redis.pid);
    const admin = await connect(redis.url);
    const machine = await describeMachine(admin, load, shared);
    const outcomes = [];
    // The floor decides nothing, so it can't take part.
    for (const design of DESIGNS.filter(({ name }) => name !== 'floor')) {
      say(`contests, ${design.name}`);
      outcomes.push(await playContests(redis.url, admin, design, quick ? 1_000 : 10_000));
    }
    await admin.flushall();
    // What 32 callers do first is compiled when the lone one comes.
    say('speed over loopback');
    const near = await compare(redis.url, { calls: new Map([[32, 1280]]).set(1, 250), turns: quick ? 3 : 40 });
    say('speed 1 ms away');
    const proxy = await startProxy(redis.url, 1);
    const far = await compare(proxy.url, { calls: new Map([[32, 320]]).set(1, 24), turns: quick ? 2 : 12 });
    proxy.close();
    say('server time');
    await loadLibrary(admin);
    await admin.function('LOAD', 'REPLACE', FLOOR_SOURCE);
    const serverTime = await measureServerTime(admin, [timedCalls('conv_'), timedCalls('floor_')], quick ? 20 : 200);
    for (const { operation, ran } of serverTime) {
      if (ran[0] !== ran[1]) throw new Error(`${operation} runs ${ran[0]}, but in floor.lua ${ran[1]}`);
    }
    say('bytes');
    const memory = [];
    for (const design of [storeDesign, plainDesign]) memory.push(await measureMemory(redis.url, admin, design));
    admin.disconnect();

    const measured = { near, far, outcomes, serverTime };
    const text = report({ ...measured, machine, memory, goals: judge(measured) });
    console.log(text);
    if (!write) return;
    writeFileSync(join(ROOT, 'BENCHMARKS.md'), text);
    writeFileSync(join(ROOT, 'benchmarks.svg'), chart(near, outcomes, 32, machine));
    say('BENCHMARKS.md and benchmarks.svg are written');
  } finally {
    await redis.stop();
  }
}

try {
  const { values } = parseArgs({ options: { quick: { type: 'boolean' }, write: { type: 'boolean' } } });
  const { quick = false, write = false } = values;
  if (quick && write) throw new Error('--quick does not go with --write: its figures are worth little.');
  await bench({ quick, write });
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
