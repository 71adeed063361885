// npm run bench: how often the store and what people use in its place are wrong, and how fast they are, side by side. It takes about
// five minutes, wants an idle machine of two cores or more, and writes its figures into BENCHMARKS.md.
// npm run bench -- --quick FOLDER: a look in a minute, written into that folder, because its figures are worth little.
import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadLibrary } from '../src/index.ts';
import { playContests } from './bench/contests.ts';
import { connect, plainDesign, storeDesign, watchDesign } from './bench/designs.ts';
import { describeMachine, place } from './bench/machine.ts';
import { bullDesign, chatDesign } from './bench/packages.ts';
import { report } from './bench/page.ts';
import { startProxy } from './bench/proxy.ts';
import { loadBareCommands, measureServerTime, operationCalls } from './bench/server-time.ts';
import { race } from './bench/speed.ts';
import { startRedis } from './redis/start.ts';

const DESIGNS = [storeDesign, chatDesign, bullDesign, watchDesign, plainDesign];
const RACED = DESIGNS.filter((design) => design !== bullDesign);

const { values } = parseArgs({ options: { quick: { type: 'string' } } });
const root = join(import.meta.dirname, '..');
const folder = values.quick ?? root;
const [contests, nearTurns, farTurns, rounds, calls] = values.quick ? [40, 1, 1, 10, 64] : [2000, 16, 8, 400, 1280];

const [load = 0] = loadavg();
const began = performance.now();
const say = (what: string) => console.error(`${Math.round((performance.now() - began) / 1000)} s: ${what}`);
// Arguments, even an empty list, make it a server of our own: the one of REDIS_URL may hold something.
const redis = await startRedis({ args: [] });
try {
  const admin = await connect(redis.url);
  const machine = describeMachine(redis.origin, load, place('apart', redis.pid));
  const outcomes = [];
  for (const design of DESIGNS) {
    say(`contests, ${design.name}`);
    await admin.flushall();
    outcomes.push(await playContests(redis.url, design, contests));
  }
  await admin.flushall();
  const measure = (what: string, url: string, turns: number, ...callsOfCallers: [callers: number, calls: number][]) => {
    say(`speed, ${what}`);
    return race(url, RACED, { calls: new Map(callsOfCallers), turns });
  };
  // What 32 callers do first is compiled when the lone one comes.
  const apart = await measure('the server on a core of its own', redis.url, nearTurns, [32, calls], [1, calls / 5]);
  const { url, proxy } = await startProxy(redis.url, 1);
  const far = await measure('1 ms away', url, farTurns, [32, calls / 4], [1, 24]);
  proxy.disconnect();
  place('together', redis.pid);
  const together = await measure('all on one core', redis.url, nearTurns, [32, calls]);
  say('server time');
  place('apart', redis.pid);
  await loadLibrary(admin);
  const bare = await loadBareCommands(admin);
  const serverTime = await measureServerTime(admin, [operationCalls('conv_'), bare], rounds);
  admin.disconnect();
  const page = readFileSync(join(root, 'BENCHMARKS.md'), 'utf8');
  const measured = { apart, far, together, outcomes, serverTime, machine, designs: DESIGNS };
  writeFileSync(join(folder, 'BENCHMARKS.md'), report(page, measured));
  say(`BENCHMARKS.md is written to ${folder}`);
} finally {
  await redis.stop();
}
