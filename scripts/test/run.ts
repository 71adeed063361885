import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { onExit } from 'signal-exit';
import type { Standing } from './child.ts';
import { typescript } from './typescript.ts';

export interface Plan {
  directory: string;
  /** Its files to run, in the order in which they begin. */
  files: readonly string[];
  /** How many run side by side. */
  atOnce: number;
  /** Whether a process takes the next file after a good one. After a bad one it never does. */
  reuse?: boolean;
  /** For so long nothing may happen: no test begin or end, nothing be printed. */
  silenceMs: number;
}

export interface Verdict {
  file: string;
  passed: number;
  /** The tests that were registered and did not pass; at least 1 if anything else is wrong. */
  failed: number;
  /** What is wrong besides the failures that uvu shows, a sentence each. */
  problems: string[];
  output: string;
  ms: number;
}

/** Runs test files and compares the tests that were registered with those that passed. */
export async function runFiles(plan: Plan, report: (verdict: Verdict) => void): Promise<void> {
  const left = [...plan.files];
  // Of a single file a person wants to see what it prints at once.
  const hear = left.length === 1 ? (text: string) => process.stdout.write(text) : undefined;
  const lane = async () => {
    let run: ReturnType<typeof startProcess> | undefined;
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      run ??= startProcess(plan.silenceMs, hear);
      const isLast = !plan.reuse || left.length === 0;
      const verdict = await run(join(plan.directory, file), isLast);
      report({ file, ...verdict });
      if (isLast || verdict.failed > 0) run = undefined;
    }
  };
  await Promise.all(Array.from({ length: plan.atOnce }, lane));
}

const groups = new Set<number>();
// A test may itself run tests: SIGTERM lets it take its own groups along.
onExit(() => {
  for (const group of groups) signal(group, 'SIGTERM');
});

function signal(group: number, name: NodeJS.Signals): void {
  try {
    process.kill(-group, name);
  } catch {
    // Nobody of the group is left.
  }
}

/** Starts a process that runs one file after the other. It ends after the last one, and after a bad one. */
function startProcess(silenceMs: number, hear?: (text: string) => void) {
  // Stack traces name the lines of the sources.
  const args = ['--enable-source-maps', ...typescript(), join(import.meta.dirname, 'child.ts')];
  const child = spawn(process.execPath, args, {
    // A process group of its own, so that servers and whatever else the tests started end with it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: process.stdout.isTTY && !('NO_COLOR' in process.env) ? { ...process.env, FORCE_COLOR: '1' } : process.env,
  });
  const { pid: group = 0 } = child;
  groups.add(group);
  const closed = once(child, 'close');
  child.on('exit', () => {
    groups.delete(group);
    // Whoever of the group outlives the tests would hold their output open.
    signal(group, 'SIGKILL');
  });
  let standing: Standing;
  let [output, isSilent] = ['', false];
  const patience = setTimeout(() => {
    isSilent = true;
    signal(group, 'SIGTERM');
    setTimeout(() => signal(group, 'SIGKILL'), 2_000).unref();
  }, silenceMs);
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      patience.refresh();
      if (hear) hear(text);
      else output += text;
    });
  }
  child.on('message', (message: Standing) => {
    patience.refresh();
    standing = message;
    if (standing.isDone) child.emit('done');
  });
  return async (path: string, isLast: boolean): Promise<Omit<Verdict, 'file'>> => {
    const begin = Date.now();
    standing = { registered: 0, passed: 0, place: 'before the file', problems: [], isDone: false };
    output = '';
    patience.refresh();
    child.send(path);
    await Promise.race([once(child, 'done'), closed]);
    const { isDone, place, registered, passed, problems } = standing;
    if (isLast || !isDone || passed < registered || problems.length > 0) {
      if (child.connected) child.send('');
      const [code, by] = await closed;
      clearTimeout(patience);
      if (isSilent) problems.push(`Nothing happened for ${silenceMs / 1000} s ${place}.`);
      else if (!isDone || code !== 0) problems.push(`The process ended with ${by ?? `exit code ${code}`} ${place}.`);
    }
    const failed = Math.max(registered - passed, Math.min(problems.length, 1));
    return { passed, failed, problems, output, ms: Date.now() - begin };
  };
}
