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
  const lane = async () => {
    let child: ReturnType<typeof startProcess> | undefined;
    let output = '';
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      const begin = Date.now();
      child ??= startProcess(plan.silenceMs, process.env, (text) => {
        // Of a single file a person wants to see what it prints at once.
        if (plan.files.length === 1) process.stdout.write(text);
        else output += text;
      });
      const standing = await child.run(join(plan.directory, file));
      const { passed, registered, problems } = standing;
      const isOver = !isGood(standing) || !plan.reuse || left.length === 0;
      if (isOver) problems.push(...(await child.end()));
      const failed = Math.max(registered - passed, Math.min(problems.length, 1));
      report({ file, passed, failed, problems, output, ms: Date.now() - begin });
      output = '';
      if (isOver) child = undefined;
    }
  };
  await Promise.all(Array.from({ length: plan.atOnce }, lane));
}

export function isGood({ isDone, registered, passed, problems }: Standing): boolean {
  return isDone && passed === registered && problems.length === 0;
}

/** The processes with test files. Each leads a group, so that servers and whatever else the tests started end with it. */
const groups = new Set<number>();
onExit(() => groups.forEach(kill));

function kill(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // Nobody of the group is left.
  }
}

const NOTHING_YET = { registered: 0, passed: 0, place: 'before the file' };

/** Starts a process that runs one file after the other. */
export function startProcess(silenceMs: number, env: NodeJS.ProcessEnv, hear = (_: string) => {}) {
  // Stack traces name the lines of the sources.
  const args = ['--enable-source-maps', ...typescript(), join(import.meta.dirname, 'child.ts')];
  const stdio = ['ignore', 'pipe', 'pipe', 'ipc'] as const;
  const child = spawn(process.execPath, args, { detached: true, stdio: [...stdio], env });
  const { pid: group = 0 } = child;
  groups.add(group);
  let standing: Standing = { ...NOTHING_YET, problems: [], isDone: true };
  let isSilent = false;
  const patience = setTimeout(() => {
    isSilent = true;
    kill(group);
  }, silenceMs);
  const closed = once(child, 'close');
  child.on('exit', () => {
    clearTimeout(patience);
    groups.delete(group);
    // Whoever of the group outlives the tests would hold their output open.
    kill(group);
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      patience.refresh();
      hear(text);
    });
  }
  child.on('message', (message: Standing) => {
    patience.refresh();
    standing = message;
    if (standing.isDone) child.emit('done');
  });
  return {
    kill: () => kill(group),
    /** Runs a file: how it stands when it is done, or when the process has ended. */
    async run(path: string): Promise<Standing> {
      standing = { ...NOTHING_YET, problems: [], isDone: false };
      patience.refresh();
      child.send(path);
      await Promise.race([once(child, 'done'), closed]);
      return standing;
    },
    /** Ends the process: a sentence if it was not to end so. */
    async end(): Promise<string[]> {
      if (child.connected) child.send('');
      const [code, by] = await closed;
      if (isSilent) return [`Nothing happened for ${silenceMs / 1000} s ${standing.place}.`];
      if (standing.isDone && code === 0) return [];
      return [`The process ended with ${by ?? `exit code ${code}`} ${standing.place}.`];
    },
  };
}
