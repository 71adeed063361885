import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { count } from './events.ts';
import { type Course, type Limits, runFile } from './run-file.ts';

/** What to run, and how. */
export interface Plan extends Limits {
  /** The folder with the tests. */
  directory: string;
  /** Its files to run, in the order in which they begin. */
  files: readonly string[];
  /** How many files run side by side. */
  atOnce: number;
  /** How long the whole run may take, in milliseconds. */
  limitMs: number;
  /** Takes what a file printed, whole, when it has ended; of a single file piece by piece. */
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
 * Runs test files, each in a process of its own, and compares the tests that were registered with those that ran and
 * passed. uvu exits with 0 when a hook throws, when a test throws something that is no Error, when a file never calls
 * run(), and it waits for ever for a test that hangs; none of these passes here.
 */
export async function guard(plan: Plan): Promise<Verdict> {
  const { directory, files, limitMs, write, progress = () => {} } = plan;
  if (files.length === 0) return { passed: 0, failed: 1, failedFiles: [], problems: ['There is no such test file.'] };
  const ending = new AbortController();
  const limit = setTimeout(() => ending.abort(`The run did not end within ${limitMs / 1000} s.`), limitMs);
  let interrupted: NodeJS.Signals | undefined;
  const interrupt = (signal: NodeJS.Signals) => {
    interrupted = signal;
    ending.abort(`The run was ended by ${signal}.`);
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);

  const verdict: Verdict = { passed: 0, failed: 0, failedFiles: [], problems: [] };
  const waiting = [...files];
  const running = new Set<string>();
  let ended = 0;
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined && !ending.signal.aborted; file = waiting.shift()) {
      running.add(file);
      progress([...running], ended);
      const course = await runFile(join(directory, file), plan, ending.signal, files.length === 1 ? write : undefined);
      const { passed, failed, problems } = judge(course);
      const sentences = problems.map((problem) => `${file}: ${problem}`);
      verdict.passed += passed;
      verdict.failed += failed;
      verdict.problems.push(...sentences);
      if (failed > 0) verdict.failedFiles.push(file);
      const head = `${file}, ${(course.ms / 1000).toFixed(1)} s`;
      const output = files.length === 1 ? '' : shown(course.output);
      write(`${[head, output, ...sentences].filter(Boolean).join('\n')}\n\n`);
      running.delete(file);
      progress([...running], ++ended);
    }
  };
  try {
    await Promise.all(Array.from({ length: plan.atOnce }, work));
  } finally {
    clearTimeout(limit);
    for (const signal of SIGNALS) process.off(signal, interrupt);
    if (interrupted) process.kill(process.pid, interrupted);
  }
  if (ended < files.length) {
    verdict.failed++;
    verdict.problems.push(`${files.length - ended} of ${files.length} files were not run.`);
  }
  return verdict;
}

/** Judges one file: how many tests passed, how many of those registered did not, and what else is wrong. */
function judge({ events, exit, killed }: Course): { passed: number; failed: number; problems: string[] } {
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
  if (killed) problems.add(isDone ? killed : `${killed} It was ${place}.`);
  else if (!isDone) problems.add(`the process ended with ${exit} ${place}.`);
  else if (exit !== 'exit code 0') problems.add(`the process ended with ${exit} after its last test.`);
  return { passed, failed: registered - passed || problems.size, problems: [...problems] };
}

/** Without the empty lines around it. */
function shown(output: string): string {
  return stripVTControlCharacters(output).trim() === '' ? '' : output.replace(/^\n+|\s+$/g, '');
}
