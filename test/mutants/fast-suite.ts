import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

type Suite = () => Promise<[errors: string | true, passed: number, skipped: number, total: number]>;

/** The tests that make calls as FCALL, to be run in this process as often as wanted. */
export interface FastSuite {
  /**
   * Runs them up to the first that fails: its file, or null where all have passed, and how many have. The files that are
   * named run first, in their order.
   */
  run(first: readonly string[]): Promise<{ failed: string | null; passed: number }>;
}

const DIRECTORY = join(import.meta.dirname, '..');
/** Takes as long as all others together, so it is run last. */
const SLOWEST = join('library', 'redis-errors.test.ts');
/** It compares what the server lists with the library as it is. */
const EXCEPT = join('deploy', 'version.test.ts');

declare global {
  var UVU_DEFER: number | undefined;
  var UVU_QUEUE:
    | [name: string | null, ...suites: (() => Promise<[errors: string | true, ...unknown[]]>)[]][]
    | undefined;
  var UVU_INDEX: number | undefined;
}

/** Loads the tests, which keeps them from running by themselves, and silences them. */
export async function fastSuite(): Promise<FastSuite> {
  globalThis.UVU_DEFER = 1;
  globalThis.UVU_INDEX = 0;
  const suites: { name: string; run: Suite }[] = [];
  for (const name of readdirSync(DIRECTORY, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.test.ts') || name === EXCEPT) continue;
    const file = join(DIRECTORY, name);
    if (!readFileSync(file, 'utf8').includes('withLibrary(')) continue;
    globalThis.UVU_QUEUE = [[name]];
    await import(pathToFileURL(file).href);
    for (const run of globalThis.UVU_QUEUE[0]?.slice(1) ?? []) suites.push({ name, run: run as unknown as Suite });
  }
  const rank = (first: readonly string[], name: string) => {
    if (name === SLOWEST) return Number.POSITIVE_INFINITY;
    return first.includes(name) ? first.indexOf(name) : first.length;
  };
  // NaN, of the slowest and itself, counts as equal.
  return { run: (first) => runAll(suites.toSorted((a, b) => rank(first, a.name) - rank(first, b.name))) };
}

async function runAll(suites: { name: string; run: Suite }[]): Promise<{ failed: string | null; passed: number }> {
  const write = process.stdout.write;
  let passed = 0;
  try {
    // A failed test is marked like this. To throw is what ends its suite early.
    process.stdout.write = (text: unknown) => {
      if (String(text).includes('✘')) throw new Error('one failure is enough');
      return true;
    };
    for (const suite of suites) {
      const [errors, ended, , total] = await suite.run();
      passed += ended;
      if (errors === true && ended === total) continue;
      return { failed: suite.name, passed };
    }
    return { failed: null, passed };
  } finally {
    process.stdout.write = write;
  }
}
