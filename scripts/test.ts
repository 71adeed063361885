// npm test: the quick tests. npm run test:deep, test:cluster and test:package: the other kinds.
// npm test -- claim pending: only the files whose path holds one of these words.
import { readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { startTestRedis } from '../test/support/redis.ts';
import { findRedisBinary } from './redis/binary.ts';
import { type Plan, runFiles, type Verdict } from './test/run.ts';
import { compile } from './test/typescript.ts';

interface Kind extends Omit<Plan, 'directory' | 'files'> {
  /** How the names of its files end. */
  endings: string[];
  /** Whether they run on the Redis that all tests share. */
  onRedis?: boolean;
}

const MINUTE = 60_000;
const CORES = availableParallelism();

const KINDS: Record<string, Kind> = {
  // Much of what they do is to wait. To start a process takes longer than most of these files.
  quick: { endings: ['.test.ts'], silenceMs: 3 * MINUTE, atOnce: CORES + 4, reuse: true, onRedis: true },
  // Those of effort try more when they have more time.
  deep: { endings: ['.deep.ts', '.effort.test.ts'], silenceMs: 15 * MINUTE, atOnce: CORES, onRedis: true },
  // Each has six servers under load.
  cluster: { endings: ['.cluster.ts'], silenceMs: 3 * MINUTE, atOnce: 1 },
  // One test installs from a registry.
  package: { endings: ['.package.ts'], silenceMs: 5 * MINUTE, atOnce: 1 },
};

const DIRECTORY = join(import.meta.dirname, '..', 'test');

function filesOf({ endings }: Kind, words: string[]): string[] {
  const size = (name: string) => statSync(join(DIRECTORY, name)).size;
  const all = readdirSync(DIRECTORY, { recursive: true, encoding: 'utf8' })
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    // The largest files mostly take longest, so they begin first.
    .sort((a, b) => size(b) - size(a));
  const files = words.length > 0 ? all.filter((name) => words.some((word) => name.includes(word))) : all;
  if (files.length > 0) return files;
  const names = all.map((name) => name.replace(/\.\w+\.ts$/, '')).sort();
  throw new Error(`No test file's path holds ${words.join(' or ')}. There are: ${names.join(', ') || 'none'}.`);
}

/** The last line is for programs that count. */
function end(passed: number, failed: number, sentences: string[]): never {
  if (sentences.length > 0) console.log(sentences.join('\n'));
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exit(failed > 0 || passed === 0 ? 1 : 0);
}

async function run(name: string, words: string[]): Promise<never> {
  const kind = KINDS[name];
  if (!kind) throw new Error(`--${name} is not a kind of test. There are: --${Object.keys(KINDS).join(', --')}.`);
  const files = filesOf(kind, words);
  // What has to be downloaded is downloaded before the time limits of the tests count.
  const redis = kind.onRedis ? await startTestRedis() : undefined;
  await redis?.stop();
  console.log(`Tests run on ${(redis ?? (await findRedisBinary())).origin}\n`);
  if (name === 'deep') process.env['EFFORT'] = 'deep';
  // Some tests start programs with tsx, and coverage can't add up one source that was compiled in two ways.
  if (!process.env['NODE_V8_COVERAGE']) compile();
  let [passed, failed] = [0, 0];
  const wrong: string[] = [];
  const report = (verdict: Verdict) => {
    passed += verdict.passed;
    failed += verdict.failed;
    const problems = verdict.problems.map((problem) => `${verdict.file}: ${problem}`);
    if (verdict.failed > 0)
      wrong.push(...(problems.length > 0 ? problems : [`${verdict.file}: ${verdict.failed} failed`]));
    console.log(
      [`${verdict.file}, ${(verdict.ms / 1000).toFixed(1)} s`, verdict.output.trim(), ...problems].join('\n'),
    );
  };
  // On a shared server, one test would find what another one leaves.
  const atOnce = redis?.shared ? 1 : kind.atOnce;
  await runFiles({ ...kind, directory: DIRECTORY, files, atOnce }, report);
  end(passed, failed, wrong);
}

const args = process.argv.slice(2);
const name = args[0]?.startsWith('--') ? (args.shift() ?? '').slice(2) : 'quick';
// What ends without a count has failed.
process.exitCode = 1;
try {
  await run(
    name,
    args.map((word) => word.replace(/^(\.\/)?test\//, '')),
  );
} catch (error) {
  end(0, 1, [error instanceof Error ? error.message : String(error)]);
}
