import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { parse, type Suite } from 'uvu/parse';

/** How a guarded run went. It went well only if `failed` is 0. */
export interface Verdict {
  passed: number;
  /** Tests that failed or never ended, and one for each further problem. */
  failed: number;
  /** What is wrong besides the failures that uvu itself has shown, a sentence each. */
  problems: string[];
}

/** What to run, and for how long. */
export interface GuardOptions {
  /** The folder with the tests. */
  directory: string;
  /** A regular expression for uvu: which files in there. */
  pattern: string;
  /** How long the whole run may take, in milliseconds. */
  limitMs: number;
  /** How long one test may take: for so long nothing may be printed. */
  silenceMs: number;
  /** How long the process may go on once the last test has ended. */
  lingerMs: number;
  /** Takes what the run prints. */
  write(text: string): void;
}

const SUMMARY = /\n {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)\n {2}Duration: /g;
const KILL_AFTER_MS = 2_000;

/**
 * Runs a folder of uvu tests as a process of its own and judges what it printed. uvu exits with 0 when a hook throws,
 * when a test throws something that is no Error, when a file never calls run(), when no file matches, and it waits for
 * ever for a test that hangs; none of these passes here.
 */
export async function guard(options: GuardOptions): Promise<Verdict> {
  const { suites } = await parse(options.directory, options.pattern);
  if (suites.length === 0) {
    return { passed: 0, failed: 1, problems: [`No test file in ${options.directory} matches ${options.pattern}.`] };
  }
  const { output, exit, killed } = await run(options);
  const summary = lastSummary(output);
  // Tests that uvu counts but never ended are failures already; whatever else is wrong counts as one more.
  const incomplete = summary ? suites.flatMap((suite) => unfinished(suite, output, suites)) : [];
  const problems = suites.flatMap(neverRun);
  if (killed) problems.push(`${killed} ${summary ? '' : place(output, suites)}`.trim());
  else if (!summary) problems.push(`The run ended with ${exit} before its summary. ${place(output, suites)}`);
  if (!summary) return { passed: marks(output, '•'), failed: marks(output, '✘') + problems.length, problems };

  const { total, passed, skipped } = summary;
  if (skipped > 0) problems.push(`Skipped tests: ${skipped}, by a skip() or by an only() elsewhere in their suite.`);
  if (exit !== 'exit code 0' && !killed && passed === total) problems.push(`The process ended with ${exit}.`);
  for (const name of suites.map((suite) => suite.name)) {
    const text = section(name, output, suites);
    if (text === undefined) problems.push(`${name} never ran.`);
    else if (testsIn(text) === 0) problems.push(`${name} ran no test: it has none, or its run() is missing.`);
  }
  return { passed, failed: total - passed + problems.length, problems: [...problems, ...incomplete] };
}

interface Outcome {
  /** stdout without colours. */
  output: string;
  /** How the process ended, in words. */
  exit: string;
  /** Why it had to be killed, if it had. */
  killed?: string;
}

function lastSummary(output: string): { total: number; passed: number; skipped: number } | undefined {
  const match = [...output.matchAll(SUMMARY)].at(-1);
  return match && { total: Number(match[1]), passed: Number(match[2]), skipped: Number(match[3]) };
}

function run({ directory, pattern, limitMs, silenceMs, lingerMs, write }: GuardOptions): Promise<Outcome> {
  const { NO_COLOR } = process.env;
  const colour = process.stdout.isTTY && !NO_COLOR ? [] : ['--no-color'];
  const uvu = join(import.meta.dirname, '..', '..', 'node_modules', 'uvu', 'bin.js');
  const child = spawn(process.execPath, ['--import', 'tsx', uvu, directory, pattern, ...colour], {
    // A process group of its own, so that servers and whatever else the tests started end with it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let killed: string | undefined;
  const signalGroup = (signal: NodeJS.Signals) => {
    try {
      if (child.pid) process.kill(-child.pid, signal);
    } catch {
      // Nobody of the group is left.
    }
  };
  const kill = (why: string) => {
    killed ??= why;
    // A test may itself run this guard: SIGTERM lets it take its own group along.
    signalGroup('SIGTERM');
    setTimeout(() => signalGroup('SIGKILL'), KILL_AFTER_MS).unref();
  };
  let interrupted: NodeJS.Signals | undefined;
  const passOn = (signal: NodeJS.Signals) => {
    interrupted = signal;
    kill(`The run was ended by ${signal}.`);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, passOn);

  const seconds = (ms: number) => `${ms / 1000} s`;
  const limit = setTimeout(() => kill(`The run did not end within ${seconds(limitMs)}.`), limitMs);
  const awaitOutput = () => {
    const silent = () => kill(`Nothing happened for ${seconds(silenceMs)}.`);
    const lingering = () => kill('All tests ended, but something keeps the process alive: a client, server or timer.');
    return lastSummary(stripVTControlCharacters(output))
      ? setTimeout(lingering, lingerMs)
      : setTimeout(silent, silenceMs);
  };
  let patience = awaitOutput();
  const hear = (text: string, isOutput: boolean) => {
    write(text);
    if (isOutput) output += text;
    clearTimeout(patience);
    patience = awaitOutput();
  };
  child.stdout.setEncoding('utf8').on('data', (text) => hear(text, true));
  child.stderr.setEncoding('utf8').on('data', (text) => hear(text, false));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    // Whoever of the group outlives the run would hold its output open.
    child.on('exit', () => signalGroup('SIGKILL'));
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      clearTimeout(patience);
      for (const name of signals) process.off(name, passOn);
      if (interrupted) process.kill(process.pid, interrupted);
      resolve({
        output: stripVTControlCharacters(output),
        exit: signal ?? `exit code ${code}`,
        ...(killed ? { killed } : {}),
      });
    });
  });
}

/** What a file printed: uvu writes its name on a line, then a mark for each test and `(passed / total)` for each suite. */
function section(name: string, output: string, suites: Suite[]): string | undefined {
  const lines = output.split('\n');
  const start = lines.indexOf(name);
  if (start < 0) return undefined;
  const names = new Set(suites.map((suite) => suite.name));
  const length = lines.slice(start + 1).findIndex((line) => names.has(line));
  return lines.slice(start + 1, length < 0 ? undefined : start + 1 + length).join('\n');
}

const COUNT = /\((\d+) \/ (\d+)\)$/gm;

function testsIn(section: string): number {
  return [...section.matchAll(COUNT)].reduce((sum, count) => sum + Number(count[2]), 0);
}

function marks(text: string, mark: '•' | '✘'): number {
  return text.split(`${mark} `).length - 1;
}

/** A sentence about a file of which uvu counts more tests than it ended. */
function unfinished(suite: Suite, output: string, suites: Suite[]): string[] {
  const text = section(suite.name, output, suites) ?? '';
  const [total, ended] = [testsIn(text), marks(text, '•') + marks(text, '✘')];
  if (ended >= total) return [];
  return [
    `${suite.name}: only ${ended} of ${total} tests ended; a hook threw, or a test threw something that is no Error.`,
  ];
}

/** Where a run stood when it ended too early. */
function place(output: string, suites: Suite[]): string {
  const lines = output.split('\n');
  const last = suites.findLast((suite) => lines.includes(suite.name));
  if (!last) return 'No test file had begun; one of them may hang or exit while it is loaded.';
  const text = section(last.name, output, suites) ?? '';
  const ended = marks(text, '•') + marks(text, '✘');
  return `It was in ${last.name}, where ${ended === 1 ? '1 test' : `${ended} tests`} had ended.`;
}

/** uvu does not know of a suite without run() beside one that has it, nor of a test that stands after run(). */
function neverRun({ name, file }: Suite): string[] {
  const source = readFileSync(file, 'utf8');
  const suites = [...source.matchAll(/^const (\w+) = suite\b/gm)].flatMap((match) => match[1] ?? []);
  return ['test', ...suites].flatMap((suite) => {
    const lastTest = [...source.matchAll(new RegExp(`^ *${suite}\\(`, 'gm'))].at(-1);
    const run = [...source.matchAll(new RegExp(`^ *${suite}\\.run\\(\\)`, 'gm'))].at(-1)?.index ?? -1;
    if (!lastTest || run > lastTest.index) return [];
    return `${name}: ${run < 0 ? `${suite}.run() is missing` : `tests that stand after ${suite}.run() never run`}.`;
  });
}
