import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { typescript } from '../../scripts/test/typescript.ts';

export const CHANNEL = { platform: 'slack', channelId: 'C1' };

/** What a process is to do. */
export interface Task {
  kind: 'dispatch' | 'write' | 'work' | 'live' | 'sweep';
  url: string;
  /** Tells processes apart, and names the job of one that works. */
  name: string;
  silentAfterMs?: number;
  dispatchers?: number;
  times?: number;
  leaseMs?: number;
  untilMs?: number;
}

/** What a process saw: outcomes, and what it has read from the inbox. */
export interface Report {
  name?: string;
  seen: string[];
  read?: string[];
}

/** Another process, ready to be given a task. */
export interface Actor {
  process: ChildProcess;
  /** Gives the report; an empty one where the process was killed first. */
  perform(task: Task): Promise<Report>;
}

export async function actors(count: number): Promise<Actor[]> {
  return Promise.all(Array.from({ length: count }, actor));
}

async function actor(): Promise<Actor> {
  const child = fork(join(import.meta.dirname, 'actor.ts'), { execArgv: typescript() });
  await new Promise((resolve) => child.once('message', resolve));
  return {
    process: child,
    perform(task) {
      child.send(task);
      return new Promise((resolve) => {
        child.on('exit', () => resolve({ seen: [] }));
        child.on('message', (message) => {
          // A process may have several tasks at once.
          if (typeof message === 'object' && 'name' in message && message.name === task.name)
            resolve(message as Report);
        });
      });
    },
  };
}

export function dismiss(all: Actor[]): void {
  for (const { process } of all) if (process.connected) process.disconnect();
}
