import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { count } from './events.ts';
import { type Course, type Limits, runFiles } from './run-files.ts';

/** What to run, and how. */
export interface Plan extends Limits {
  /** The folder with the tests. */
  directory: string;
  /** Its files to run, in the order in which they begin. Those of one group share a process. */
  groups: readonly (readonly string[])[];
  /** How many groups run side by side. */
  atOnce: number;
  /** How long the whole run may take, in milliseconds. */
  limitMs: number;
  /** Takes what a group printed, whole, when it has ended; of a single group piece by piece. */
  write(text: string): void;
  /** Hears which files run now and how many have ended. */
  progress?(running: string[], ended: number): void;
}

/** How a guarded run went. It went well only if `failed` is 0. */
export interface Verdict {
  passed: number;
  /** Tests that were registered and did not pass; a file with another problem has at least one. */
  failed: number;
  /** The files with failures. */
  failedFiles: string[];
  /** What is wrong besides the failures that uvu itself has shown, a sentence each. */
  problems: string[];
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs test files, each group in a process of its own, and compares the tests that were registered with those that ran and
 * passed. uvu exits with 0 when a hook throws, when a test throws something that is no Error, when a file never calls
 * run(), and it waits for ever for a test that hangs; none of these passes here.
 */
export async function guard(plan: Plan): Promise<Verdict> {
  const { directory, groups, limitMs, write, progress = () => {} } = plan;
  if (groups.length === 0) return { passed: 0, failed: 1, failedFiles: [], problems: ['There is no such test file.'] };
  const ending = new AbortController();
  const limit = setTimeout(() => ending.abort(`The run did not end within ${limitMs / 1000} s.`), limitMs);
  let interrupted: NodeJS.Signals | undefined;
  const interrupt = (signal: NodeJS.Signals) => {
    interrupted = signal;
    ending.abort(`The run was ended by ${signal}.`);
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);

  const verdict: Verdict = { passed: 0, failed: 0, failedFiles: [], problems: [] };
  const waiting = [...groups];
  const running = new Set<string>();
  let ended = 0;
  const work = async () => {
    for (let files = waiting.shift(); files !== undefined && !ending.signal.aborted; files = waiting.shift()) {
      for (const file of files) running.add(file);
      progress([...running], ended);
      const paths = files.map((file) => join(directory, file));
      const course = await runFiles(paths, plan, ending.signal, groups.length === 1 ? write : undefined);
      const sentences: string[] = [];
      for (const [at, file] of files.entries()) {
        const { passed, failed, problems } = judge(course, at, files.length);
        verdict.passed += passed;
        verdict.failed += failed;
        if (failed > 0) verdict.failedFiles.push(file);
        sentences.push(...problems.map((problem) => `${file}: ${problem}`));
        running.delete(file);
      }
      verdict.problems.push(...sentences);
      const head = `${files.join(', ')}, ${(course.ms / 1000).toFixed(1)} s`;
      const output = groups.length === 1 ? '' : shown(course.output);
      write(`${[head, output, ...sentences].filter(Boolean).join('\n')}\n\n`);
      ended += files.length;
      progress([...running], ended);
    }
  };
  try {
    await Promise.all(Array.from({ length: plan.atOnce }, work));
  } finally {
    clearTimeout(limit);
    for (const signal of SIGNALS) process.off(signal, interrupt);
    if (interrupted) process.kill(process.pid, interrupted);
  }
  const all = groups.flat().length;
  if (ended < all) {
    verdict.failed++;
    verdict.problems.push(`${all - ended} of ${all} files were not run.`);
  }
  return verdict;
}

/**
 * Judges the file at this place of its process: how many tests passed, how many of those registered did not, and what else
 * is wrong.
 */
function judge({ events: all, exit, killed }: Course, at: number, files: number) {
  const begins = all.flatMap(({ kind }, index) => (kind === 'file' ? [index] : []));
  const events = all.slice(begins[at] ?? all.length, begins[at + 1]);
  const problems = new Set<string>();
  let [registered, passed, skipped] = [0, 0, 0];
  // Of the suite that is running.
  let [good, bad] = [0, 0];
  let place = 'while the file was loaded';
  for (const event of events) {
    if (event.kind === 'registered') registered++;
    else if (event.kind === 'loaded') place = 'before the first test';
    else if (event.kind === 'began') place = `in the test "${event.test}"`;
    else if (event.kind === 'passed') good++;
    else if (event.kind === 'failed') bad++;
    else if (event.kind === 'problem') problems.add(event.text);
    else if (event.kind === 'suite') {
      if (good + bad < event.total) problems.add(`only ${good + bad} of ${count(event.total)} ended.`);
      passed += event.passed;
      skipped += event.skipped;
      [good, bad] = [0, 0];
    }
    if (event.kind === 'passed' || event.kind === 'failed') place = `after ${count(passed + good + bad)}`;
  }
  passed += good;
  const isDone = events.at(-1)?.kind === 'done';
  if (skipped > 0) problems.add(`${count(skipped)} skipped, by skip() or by an only() elsewhere in the suite.`);
  if (isDone && registered === 0) problems.add('no test is registered.');
  const isLast = at === files - 1;
  if (at > 0 && events.length === 0) problems.add('not run, because the process ended before it.');
  else if (!isDone) problems.add(killed ? `${killed} It was ${place}.` : `the process ended with ${exit} ${place}.`);
  else if (isLast && (killed || exit !== 'exit code 0')) {
    const others = files > 1 ? ' Another file of this process may be the cause.' : '';
    problems.add(`${killed ?? `the process ended with ${exit} after its last test.`}${others}`);
  }
  return { passed, failed: registered - passed || problems.size, problems: [...problems] };
}

/** Without the empty lines around it. */
function shown(output: string): string {
  return stripVTControlCharacters(output).trim() === '' ? '' : output.replace(/^\n+|\s+$/g, '');
}
