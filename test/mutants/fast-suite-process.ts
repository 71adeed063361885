import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** How long one run may take; a mistake can have everybody wait for ever. */
const LIMIT_MS = 90_000;
/** The fast suite is no smaller; fewer tests were not all of them. */
export const FEWEST_TESTS = 400;
export const HUNG = 'its time limit';

/** What a run of the fast suite found. */
export interface Run {
  /** The test file that failed first; null where all passed. */
  failed: string | null;
  /** How many tests passed. */
  passed: number;
  /** What an instrumented library says it has reached. */
  reached: number[];
}

/** A process that runs the fast suite. */
export async function startFastSuite(): Promise<ChildProcess> {
  const worker = fork(join(import.meta.dirname, 'fast-suite-worker.ts'), {
    execArgv: ['--import', 'tsx'],
    // A broken library breaks connections and servers, which is noise here.
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const [ready] = await Promise.race([once(worker, 'message'), once(worker, 'exit')]);
  if (ready !== 'ready') throw new Error('The tests could not be loaded; npm test shows why.');
  return worker;
}

/** Runs it on a library, up to the first test that fails. The files that are named run first. */
export async function runFastSuite(worker: ChildProcess, source: string, first: readonly string[] = []): Promise<Run> {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), LIMIT_MS);
  const hung = { failed: HUNG, passed: 0, reached: [] };
  worker.send({ source, first });
  try {
    const exit = once(worker, 'exit', { signal: over.signal }).then(() => [hung]);
    const [run] = await Promise.race([once(worker, 'message', { signal: over.signal }), exit]);
    return run;
  } catch {
    return hung;
  } finally {
    clearTimeout(timer);
    over.abort();
  }
}
