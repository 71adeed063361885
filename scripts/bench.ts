// npm run bench: how often the store and what people use in its place are wrong, and how fast they are, side by side. It takes about
// five minutes, wants an idle machine of two cores or more, and writes BENCHMARKS.md and benchmarks.svg.
// npm run bench -- --quick FOLDER: a look in a minute, written into that folder, because its figures are worth little.
import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadLibrary } from '../src/index.ts';
import { chart } from './bench/chart.ts';
import { playContests } from './bench/contests.ts';
import { connect } from './bench/conversations.ts';
import { OWN_DESIGNS, storeDesign } from './bench/designs.ts';
import { describeMachine, place } from './bench/machine.ts';
import { bullDesign, chatDesign } from './bench/packages.ts';
import { startProxy } from './bench/proxy.ts';
import { race } from './bench/race.ts';
import { report } from './bench/report.ts';
import { measureMemory, measureServerTime, operationCalls } from './bench/server-time.ts';
import { startRedis } from './redis/start.ts';

const RACED = [storeDesign, chatDesign, ...OWN_DESIGNS];
const DESIGNS = [storeDesign, chatDesign, bullDesign, ...OWN_DESIGNS];

const { values } = parseArgs({ options: { quick: { type: 'string' } } });
const folder = values.quick ?? join(import.meta.dirname, '..');
const [contests, nearTurns, farTurns, rounds] = values.quick ? [40, 1, 1, 10] : [2000, 16, 8, 400];
const MANY_CALLS = values.quick ? 64 : 1280;

const load = loadavg()[0] ?? 0;
const began = performance.now();
const say = (what: string) => console.error(`${Math.round((performance.now() - began) / 1000)} s: ${what}`);
// Arguments, even an empty list, make it a server of our own: the one of REDIS_URL may hold something.
const redis = await startRedis({ args: [] });
try {
  const admin = await connect(redis.url);
  const machine = await describeMachine(admin, load, place('apart', redis.pid));
  const outcomes = [];
  for (const design of DESIGNS) {
    say(`contests, ${design.name}`);
    await admin.flushall();
    outcomes.push(await playContests(redis.url, design, contests));
  }
  await admin.flushall();
  // What 32 callers do first is compiled when the lone one comes.
  say('speed, the server on a core of its own');
  const calls = new Map([[32, MANY_CALLS]]);
  const apart = await race(redis.url, RACED, { calls: new Map([...calls, [1, MANY_CALLS / 5]]), turns: nearTurns });
  say('speed 1 ms away');
  const { url, proxy } = await startProxy(redis.url, 1);
  const far = await race(url, RACED, {
    calls: new Map([
      [32, MANY_CALLS / 4],
      [1, 24],
    ]),
    turns: farTurns,
  });
  proxy.disconnect();
  say('speed, all on one core');
  place('together', redis.pid);
  const together = await race(redis.url, RACED, { calls, turns: nearTurns });
  say('server time');
  place('apart', redis.pid);
  await loadLibrary(admin);
  await admin.function('LOAD', readFileSync(join(import.meta.dirname, 'bench', 'floor.lua'), 'utf8'));
  const serverTime = await measureServerTime(admin, [operationCalls('conv_'), operationCalls('floor_')], rounds);
  for (const { operation, ran } of serverTime) {
    if (ran[0] !== ran[1]) throw new Error(`${operation} runs ${ran[0]}, but in floor.lua ${ran[1]}`);
  }
  const memory = [];
  for (const size of [0, 10_240, 102_400]) memory.push(await measureMemory(admin, size));
  admin.disconnect();
  const text = report({ apart, far, together, outcomes, serverTime, memory, machine, designs: DESIGNS });
  writeFileSync(join(folder, 'BENCHMARKS.md'), text);
  writeFileSync(join(folder, 'benchmarks.svg'), chart(outcomes, apart, 32, machine));
  say(`BENCHMARKS.md and benchmarks.svg are written to ${folder}`);
} finally {
  await redis.stop();
}
