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

/** Processes that are killed and replaced, and what is known about the jobs that were started in them. */
export class Crew {
  /** How many jobs were started. */
  started = 0;
  /** How often somebody asked whether a job is alive. */
  readonly looks = new Map<string, number>();
  /** Jobs that live, but in none of the processes. */
  readonly elsewhere = new Set<string>();
  readonly #url: string;
  readonly #below: (limit: number) => number;
  readonly #actors: ChildProcess[] = [];
  readonly #hiring: Promise<void>[] = [];
  /** The process of each job; none for a job that must not start any more. */
  readonly #hosts = new Map<string, ChildProcess | undefined>();
  readonly #deliveries = new Map<number, (isDone: boolean) => void>();
  #delivered = 0;

  constructor(url: string, below: (limit: number) => number) {
    this.#url = url;
    this.#below = below;
  }

  /** Starts so many processes; ends when all are ready. */
  async hire(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.#hire()));
  }

  async dismiss(): Promise<void> {
    await Promise.all(this.#hiring);
    for (const actor of this.#actors.splice(0)) actor.disconnect();
  }

  /** Kills one process; another one comes in its place. */
  kill(): void {
    const [victim] = this.#actors.splice(this.#below(this.#actors.length), 1);
    victim?.kill('SIGKILL');
    if (victim) this.#hiring.push(this.#hire());
  }

  /** The jobs that were in a process that is not there any more. */
  killed(): Set<string> {
    const jobs = [...this.#hosts].filter(([, host]) => host && !isThere(host));
    return new Set(jobs.map(([jobId]) => jobId));
  }

  hostOf(jobId: string): ChildProcess | undefined {
    return this.#hosts.get(jobId);
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
    const there = this.#actors.filter(isThere);
    return there[this.#below(there.length || 1)];
  }

  #hire(): Promise<void> {
    const actor = fork(join(import.meta.dirname, 'actor.ts'), [this.#url], { execArgv: typescript() });
    actor.setMaxListeners(0);
    return new Promise((resolve) => {
      actor.on('message', (message: FromActor) => {
        if (message.kind !== 'ready') return this.#hear(actor, message);
        this.#actors.push(actor);
        resolve();
      });
    });
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
        this.looks.set(jobId, (this.looks.get(jobId) ?? 0) + 1);
        const host = this.#hosts.get(jobId);
        const isAlive = this.elsewhere.has(jobId) || (host !== undefined && isThere(host));
        tell(actor, { kind: 'alive', id, isAlive });
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
