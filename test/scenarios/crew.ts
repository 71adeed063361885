import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { typescript } from '../../scripts/test/typescript.ts';

export type ToActor =
  | { kind: 'deliver'; id: number; channel: number; text: string }
  | { kind: 'run'; jobId: string; channel: number }
  | { kind: 'alive'; id: number; isAlive: boolean };

export type FromActor =
  | { kind: 'ready' }
  | { kind: 'delivered'; id: number; isDone: boolean }
  | { kind: 'start'; jobId: string; channel: number }
  | { kind: 'is it alive'; jobId: string; id: number };

/** Processes that may die, each with another one in its place then, and what is known about the jobs that run in them. */
export class Crew {
  /** How many jobs were started. */
  started = 0;
  readonly #url: string;
  readonly #below: (limit: number) => number;
  readonly #processes = new Set<ChildProcess>();
  /** Those that are ready. */
  readonly #actors = new Set<ChildProcess>();
  /** The process of each job; none for a job that must not start any more. */
  readonly #hosts = new Map<string, ChildProcess | undefined>();
  readonly #deliveries = new Map<number, (isDone: boolean) => void>();
  #delivered = 0;
  #isDismissed = false;

  constructor(url: string, below: (limit: number) => number) {
    this.#url = url;
    this.#below = below;
  }

  /** Starts one more process. */
  async hire(): Promise<void> {
    const actor = fork(join(import.meta.dirname, 'actor.ts'), [this.#url], { execArgv: typescript() });
    actor.setMaxListeners(0);
    this.#processes.add(actor);
    actor.once('exit', () => {
      this.#processes.delete(actor);
      this.#actors.delete(actor);
      if (!this.#isDismissed) this.hire();
    });
    await new Promise<void>((resolve) => {
      actor.on('message', (message: FromActor) => {
        if (message.kind !== 'ready') return this.#hear(actor, message);
        this.#actors.add(actor);
        resolve();
      });
    });
  }

  dismiss(): void {
    this.#isDismissed = true;
    for (const actor of this.#processes) actor.kill('SIGKILL');
  }

  /** The jobs that were in a process that is not there any more. */
  killed(): Set<string> {
    const jobs = [...this.#hosts].filter(([, host]) => host && !isThere(host));
    return new Set(jobs.map(([jobId]) => jobId));
  }

  /** Gives a message to one dispatcher. Says whether it has its outcome: not where the dispatcher dies first. */
  deliver(channel: number, text: string): Promise<boolean> {
    const actor = this.#any();
    if (!actor) return sleep(20, false);
    const id = ++this.#delivered;
    return new Promise((resolve) => {
      this.#deliveries.set(id, resolve);
      actor.once('exit', () => resolve(false));
      tell(actor, { kind: 'deliver', id, channel, text });
    });
  }

  #any(): ChildProcess | undefined {
    const there = [...this.#actors].filter(isThere);
    return there[this.#below(there.length || 1)];
  }

  #hear(actor: ChildProcess, message: Exclude<FromActor, { kind: 'ready' }>): void {
    switch (message.kind) {
      case 'delivered':
        this.#deliveries.get(message.id)?.(message.isDone);
        this.#deliveries.delete(message.id);
        return;
      case 'start': {
        const { jobId, channel } = message;
        if (this.#hosts.has(jobId)) return;
        const host = this.#any();
        this.#hosts.set(jobId, host);
        this.started++;
        if (host) tell(host, { kind: 'run', jobId, channel });
        return;
      }
      case 'is it alive': {
        const { jobId, id } = message;
        if (!this.#hosts.has(jobId)) this.#hosts.set(jobId, undefined);
        const host = this.#hosts.get(jobId);
        tell(actor, { kind: 'alive', id, isAlive: host !== undefined && isThere(host) });
      }
    }
  }
}

function isThere(actor: ChildProcess): boolean {
  return actor.exitCode === null && actor.signalCode === null;
}

/** What a process that is being killed does not get is lost. */
function tell(actor: ChildProcess, message: ToActor): void {
  if (actor.connected) actor.send(message, () => {});
}
