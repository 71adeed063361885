// npm run bench: how fast the store is, side by side with what it replaces. About five minutes.
// npm run bench -- --scale: among a million conversations too (two minutes more, 2 GB of memory).
// npm run bench -- --write: writes BENCHMARKS.md and benchmarks.svg.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chart } from './bench/chart.ts';
import { compare, type Figures } from './bench/compare.ts';
import { connect } from './bench/contender.ts';
import { OPERATIONS } from './bench/conversations.ts';
import { countCalls } from './bench/counts.ts';
import { startDistance } from './bench/distance.ts';
import { judge } from './bench/goals.ts';
import { describeMachine, load } from './bench/machine.ts';
import { measureMemory } from './bench/memory.ts';
import { peerContenders } from './bench/peers.ts';
import { plainContender } from './bench/plain.ts';
import { startProgress } from './bench/progress.ts';
import * as report from './bench/report.ts';
import { LIVE, measureScale, SCALE_ROUNDS } from './bench/scale.ts';
import { measureServerTime, SERVER_TIME_ROUNDS } from './bench/server-time.ts';
import { rawContender, storeContender } from './bench/store.ts';
import { watchContender } from './bench/watch.ts';
import { compareSizes, compareWays, pingTime, SIZES, WAYS_OPERATIONS, WAYS_ROUNDS } from './bench/ways.ts';
import { startRedis } from './redis.ts';

const ROOT = join(import.meta.dirname, '..');
const ROUNDS = 9;
const CALLS = new Map([
  [1, 150],
  [32, 1000],
  [256, 2000],
]);
const DISTANCES = [
  {
    delayMs: 0.5,
    calls: new Map([
      [1, 40],
      [32, 384],
    ]),
  },
  {
    delayMs: 5,
    calls: new Map([
      [1, 10],
      [32, 160],
    ]),
  },
];
const DISTANCE_ROUNDS = 5;

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
    const store = storeContender('store', 'this package, one connection for all callers');
    const peers = await peerContenders();
    if (peers.contenders.length === 0) console.error('Without the peers, which npm run bench:peers installs.');
    const contenders = [store, rawContender, plainContender, watchContender, ...peers.contenders];
    const admin = await connect(redis.url);
    const machine = await describeMachine(admin, peers.versions, busy);
    const counts = await countCalls(redis.url, admin, contenders);

    const cells = (rounds: number, operations: number, callers: number) => (rounds + 1) * operations * callers;
    let progress = startProgress('Side by side', cells(ROUNDS, OPERATIONS.length, CALLS.size));
    const throughput = await compare(redis.url, contenders, { calls: CALLS, rounds: ROUNDS }, progress);
    progress.done();

    const distances: { delayMs: number; figures: Figures[] }[] = [];
    for (const { delayMs, calls } of DISTANCES) {
      progress = startProgress(`${delayMs} ms away`, cells(DISTANCE_ROUNDS, OPERATIONS.length, calls.size));
      const far = await startDistance(redis.url, delayMs);
      distances.push({
        delayMs,
        figures: await compare(far.url, contenders, { calls, rounds: DISTANCE_ROUNDS }, progress),
      });
      far.close();
      progress.done();
    }

    progress = startProgress('On the server', SERVER_TIME_ROUNDS + 1);
    const serverTime = await measureServerTime(admin, progress);
    progress.done();

    progress = startProgress('Bytes', 2 + SIZES.length);
    const memory = await measureMemory(redis.url, admin, [store, plainContender], {}, progress);
    const sizes = [];
    for (const bytes of SIZES) {
      const total = bytes > 50_000 ? 1000 : 5000;
      sizes.push(...(await measureMemory(redis.url, admin, [store], { bytes, total }, progress)));
    }
    progress.done();

    progress = startProgress(
      'Ways to be fast',
      cells(WAYS_ROUNDS, WAYS_OPERATIONS.length, 3) + cells(WAYS_ROUNDS, OPERATIONS.length, 1),
    );
    const pingMs = await pingTime(redis.url);
    const ways = await compareWays(redis.url, progress);
    const sized = await compareSizes(redis.url, store, progress);
    progress.done();

    let scaled: Awaited<ReturnType<typeof measureScale>> | undefined;
    if (scale) {
      progress = startProgress('Among many conversations', cells(SCALE_ROUNDS, OPERATIONS.length, 2) + LIVE.length * 8);
      scaled = await measureScale([store, plainContender], progress);
      progress.done();
    }

    const goals = judge({ counts, throughput, distances, serverTime, memory, scale: scaled?.scaled ?? [], pingMs });
    const text = [
      '# Benchmarks',
      `Written by \`npm run bench --${scale ? ' --scale' : ''} --write\`.`,
      machine.join('  \n'),
      ...(write ? ['![Calls per second with 32 callers](benchmarks.svg)'] : []),
      report.goalsSection(goals),
      report.throughputSection(throughput, counts, contenders, ROUNDS),
      report.distanceSection(distances),
      report.serverTimeSection(serverTime),
      report.memorySection(memory, sizes),
      ...(scaled ? [report.scaleSection(scaled)] : []),
      report.waysSection(ways, sized, pingMs),
    ].join('\n\n');
    console.log(`\n${text}`);
    if (write) {
      writeFileSync(join(ROOT, 'BENCHMARKS.md'), `${text}\n`);
      const shown = contenders.map(({ name }) => name).filter((name) => name !== rawContender.name);
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
