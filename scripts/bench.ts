// npm run bench: how fast the store is, side by side with what it replaces. About nine minutes.
// npm run bench -- --scale: among a million conversations too (two minutes more, 2 GB of memory).
// npm run bench -- --write: writes BENCHMARKS.md and benchmarks.svg.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bareContender } from './bench/bare.ts';
import { chart } from './bench/chart.ts';
import { compare, type Figures, type Plan, steps } from './bench/compare.ts';
import { connect } from './bench/contender.ts';
import { findContender, findContenders } from './bench/contenders.ts';
import { keepTo } from './bench/cores.ts';
import { countCalls } from './bench/counts.ts';
import { startDistance } from './bench/distance.ts';
import { judge } from './bench/goals.ts';
import { describeMachine, load } from './bench/machine.ts';
import { measureMemory } from './bench/memory.ts';
import { plainContender } from './bench/plain.ts';
import { startProgress } from './bench/progress.ts';
import * as report from './bench/report.ts';
import type { Place } from './bench/runner.ts';
import { measureScale, SCALE_STEPS } from './bench/scale.ts';
import { measureServerTime, SERVER_TIME_ROUNDS } from './bench/server-time.ts';
import { rawContender } from './bench/store.ts';
import { compareSizes, compareWays, pingTime, SIZES, WAYS_STEPS } from './bench/ways.ts';
import { startRedis } from './redis/start.ts';

const ROOT = join(import.meta.dirname, '..');
const PLAN: Plan = {
  calls: new Map([
    [1, 200],
    [32, 1280],
    [256, 3072],
  ]),
  turns: 16,
};
const DISTANCES = [
  {
    delayMs: 0.5,
    calls: new Map([
      [1, 40],
      [32, 320],
    ]),
    turns: 12,
  },
  {
    delayMs: 5,
    calls: new Map([
      [1, 8],
      [32, 160],
    ]),
    turns: 8,
  },
];

interface Options {
  scale: boolean;
  write: boolean;
}

function options(): Options {
  try {
    const { values } = parseArgs({ options: { scale: { type: 'boolean' }, write: { type: 'boolean' } } });
    return { scale: values.scale === true, write: values.write === true };
  } catch (error) {
    console.error(`${(error as Error).message}\nnpm run bench takes --scale and --write, behind a --.`);
    process.exit(2);
  }
}

async function bench({ scale, write }: Options): Promise<void> {
  const busy = load();
  // Arguments, be it none, make it a server of our own: the one of REDIS_URL is nothing to empty.
  const redis = await startRedis({ args: [] });
  try {
    const apart = keepTo('server', redis.pid);
    const { contenders, peers } = await findContenders();
    if (peers.length === 0) console.error('Without the peers, which npm run bench:peers installs.');
    const admin = await connect(redis.url);
    const machine = await describeMachine(admin, { peers, busy, apart });
    const counts = await countCalls(redis.url, admin, contenders);
    const places = (url: string): Place[] =>
      contenders.map(({ name }, index) => ({ name, contender: name, url: `${url}/${index}` }));

    let progress = startProgress('Side by side', steps(PLAN));
    const throughput = await compare(places(redis.url), PLAN, progress);
    progress.done();

    const distances: { delayMs: number; figures: Figures[] }[] = [];
    for (const { delayMs, ...plan } of DISTANCES) {
      progress = startProgress(`${delayMs} ms away`, steps(plan));
      const far = await startDistance(redis.url, delayMs);
      distances.push({ delayMs, figures: await compare(places(far.url), plan, progress) });
      far.close();
      progress.done();
    }

    // Who calls from here on is this process.
    keepTo('clients', process.pid);
    progress = startProgress('On the server', SERVER_TIME_ROUNDS + 1);
    const serverTime = await measureServerTime(admin, progress);
    progress.done();

    progress = startProgress('Bytes', 2 + SIZES.length);
    const store = await findContender('store');
    const memory = await measureMemory(redis.url, admin, [store, plainContender], {}, progress);
    const sizes = [];
    for (const bytes of SIZES) {
      const total = bytes > 50_000 ? 1000 : 5000;
      sizes.push(...(await measureMemory(redis.url, admin, [store], { bytes, total }, progress)));
    }
    progress.done();

    progress = startProgress('Ways to be fast', WAYS_STEPS);
    const pingMs = await pingTime(redis.url);
    const ways = await compareWays(redis.url, progress);
    const sized = await compareSizes(redis.url, progress);
    progress.done();

    let scaled: Awaited<ReturnType<typeof measureScale>> | undefined;
    if (scale) {
      progress = startProgress('Among many conversations', SCALE_STEPS);
      scaled = await measureScale(progress);
      progress.done();
    }

    const goals = judge({ counts, throughput, distances, serverTime, memory, scale: scaled?.scaled ?? [], pingMs });
    const text = [
      '# Benchmarks',
      `Written by \`npm run bench --${scale ? ' --scale' : ''} --write\`.`,
      machine.join('  \n'),
      ...(write ? ['![Calls per second with 32 callers](benchmarks.svg)'] : []),
      report.goalsSection(goals),
      report.throughputSection(throughput, counts, contenders),
      report.distanceSection(distances),
      report.serverTimeSection(serverTime),
      report.memorySection(memory, sizes),
      ...(scaled ? [report.scaleSection(scaled)] : []),
      report.waysSection(ways, sized, pingMs),
    ].join('\n\n');
    console.log(`\n${text}`);
    if (write) {
      writeFileSync(join(ROOT, 'BENCHMARKS.md'), `${text}\n`);
      const shown = contenders
        .map(({ name }) => name)
        .filter((name) => name !== rawContender.name && name !== bareContender.name);
      writeFileSync(join(ROOT, 'benchmarks.svg'), chart(throughput, shown, 32));
      console.error('BENCHMARKS.md and benchmarks.svg written.');
    }
    admin.disconnect();
  } finally {
    await redis.stop();
  }
}

try {
  await bench(options());
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : error}`);
  process.exit(1);
}
