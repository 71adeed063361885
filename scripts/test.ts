// npm test: the quick tests. npm run test:deep, test:cluster and test:package: the other kinds.
// npm test -- claim pending: only the files whose path holds one of these words.
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { startTestRedis } from '../test/support/redis.ts';
import { findRedisBinary } from './redis/binary.ts';
import { guard } from './test/guard.ts';
import type { Limits } from './test/run-files.ts';
import { compile } from './test/typescript.ts';

interface Kind extends Limits {
  /** How the names of its files end. */
  suffix: string;
  /** Whether a file of another name belongs to it too. */
  takes?(name: string, source: string): boolean;
  limitMs: number;
  atOnce: number;
  /** What takes longest, and so begins first. */
  first?: string[];
  /** How many of the other files, whose tests take less time than to start their process, share one. */
  together?: number;
  env?: NodeJS.ProcessEnv;
}

const SECOND = 1_000;
const MINUTE = 60_000;
const CORES = availableParallelism();

const KINDS: Record<string, Kind> = {
  quick: {
    suffix: '.test.ts',
    limitMs: 10 * MINUTE,
    silenceMs: 60 * SECOND,
    lingerMs: 10 * SECOND,
    // Much of what they do is to wait.
    atOnce: CORES + 4,
    first: [
      'cli/cli.test.ts',
      'cli/operating.test.ts',
      'demo/start.test.ts',
      'cli/doctor.test.ts',
      'cli/cluster.test.ts',
      'generator/generate.test.ts',
      'faults/outages.test.ts',
      'operations/acl.test.ts',
      'faults/lost-replies.test.ts',
      'docs/programs.test.ts',
      'cli/terminal.test.ts',
      'cli/usage.test.ts',
      'cluster/one-node-cluster.test.ts',
      'scenarios/processes.test.ts',
    ],
    together: 6,
  },
  deep: {
    suffix: '.deep.ts',
    // Quick tests that try more when they have more time.
    takes: (name, source) => name.endsWith('.test.ts') && source.includes("support/effort.ts'"),
    limitMs: 60 * MINUTE,
    silenceMs: 15 * MINUTE,
    lingerMs: 10 * SECOND,
    atOnce: CORES,
    first: ['mutants/mutants.deep.ts'],
    env: { EFFORT: 'deep' },
  },
  cluster: {
    suffix: '.cluster.ts',
    limitMs: 9 * MINUTE,
    silenceMs: 60 * SECOND,
    lingerMs: 10 * SECOND,
    // Each has six servers under load.
    atOnce: 1,
  },
  package: {
    suffix: '.package.ts',
    limitMs: 15 * MINUTE,
    // One test installs from a registry.
    silenceMs: 5 * MINUTE,
    lingerMs: 10 * SECOND,
    atOnce: 1,
  },
};

const DIRECTORY = join(import.meta.dirname, '..', 'test');

function filesOf({ suffix, takes, first = [] }: Kind): string[] {
  const names = readdirSync(DIRECTORY, { recursive: true, encoding: 'utf8' }).sort();
  const own = names.filter(
    (name) =>
      name.endsWith(suffix) || (name.endsWith('.ts') && takes?.(name, readFileSync(join(DIRECTORY, name), 'utf8'))),
  );
  const rank = (name: string) => (first.includes(name) ? first.indexOf(name) : first.length);
  return own.sort((a, b) => rank(a) - rank(b));
}

function groupsOf(files: string[], { first = [], together = 1 }: Kind): string[][] {
  const groups = files.filter((file) => first.includes(file)).map((file) => [file]);
  const others = files.filter((file) => !first.includes(file));
  // Neighbours are much alike, and so in different groups.
  const count = Math.ceil(others.length / together);
  const shared = Array.from({ length: count }, (_, at) => others.filter((_, index) => index % count === at));
  return [...groups, ...shared];
}

/** The last line is for whoever counts; what is wrong stands above it. */
function end(passed: number, failed: number, sentences: string[]): never {
  if (sentences.length > 0) console.log(sentences.join('\n'));
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exit(failed > 0 || passed === 0 ? 1 : 0);
}

/** One line at the bottom of a terminal. */
function progress(running: string[], ended: number, all: number): void {
  if (!process.stderr.isTTY) return;
  const line = running.length > 0 ? `${ended} of ${all} files; ${running.join(', ')}` : '';
  process.stderr.write(`\r\x1b[K${line.slice(0, process.stderr.columns - 1)}`);
}

const args = process.argv.slice(2);
const name = args[0]?.startsWith('--') ? (args.shift() ?? '').slice(2) : 'quick';
const kind = KINDS[name];
const words = args.map((word) => word.replace(/^(\.\/)?test\//, ''));
try {
  if (!kind) throw new Error(`--${name} is no kind of test. There are: --${Object.keys(KINDS).join(', --')}.`);
  const all = filesOf(kind);
  const files = words.length > 0 ? all.filter((file) => words.some((word) => file.includes(word))) : all;
  if (files.length === 0) {
    const names = all.map((file) => file.replace(/\.\w+\.ts$/, ''));
    throw new Error(`No test file's path holds ${words.join(' or ')}. There are: ${names.join(', ') || 'none'}.`);
  }
  // Whatever has to be downloaded or installed is so before the tests look for it under their time limits.
  const redis = name === 'quick' || name === 'deep' ? await startTestRedis() : undefined;
  await redis?.stop();
  console.log(`Tests run on ${(redis ?? (await findRedisBinary())).origin}\n`);
  Object.assign(process.env, kind.env);
  // Coverage counts the lines of the sources.
  if (name === 'quick' && !process.env['NODE_V8_COVERAGE']) compile();
  const verdict = await guard({
    directory: DIRECTORY,
    groups: groupsOf(files, kind),
    ...kind,
    // What one test leaves on a server that all of them use, another one would find.
    atOnce: redis?.shared ? 1 : kind.atOnce,
    write: (text) => {
      if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
      process.stdout.write(text);
    },
    progress: (running, ended) => progress(running, ended, files.length),
  });
  const { passed, failed, failedFiles, problems } = verdict;
  end(passed, failed, [...(failedFiles.length > 0 ? [`Failed: ${failedFiles.join(', ')}`] : []), ...problems]);
} catch (error) {
  end(0, 1, [error instanceof Error ? error.message : String(error)]);
}
