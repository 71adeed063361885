import type { ChildProcess } from 'node:child_process';
import { HUNG, runFastSuite, startFastSuite } from './fast-suite-process.ts';
import type { Mutant } from './lua/mutate.ts';

const WORKERS = 2;

/** What became of the mutants. */
export interface Hunt {
  survivors: Mutant[];
  /** How many each test file was the first to kill. */
  killers: Map<string, number>;
}

/** Runs the fast suite on every mutant. */
export async function hunt(mutants: readonly Mutant[], progress: (done: number) => void): Promise<Hunt> {
  const left = [...mutants.entries()];
  const survived = new Map<number, Mutant>();
  const killers = new Map<string, number>();
  let done = 0;
  const work = async () => {
    let worker: ChildProcess | undefined;
    for (let next = left.shift(); next; next = left.shift()) {
      const [index, mutant] = next;
      worker ??= await startFastSuite();
      const { failed } = await runFastSuite(worker, mutant.source);
      if (failed === HUNG) {
        worker.kill();
        worker = undefined;
      }
      if (failed === null) survived.set(index, mutant);
      else killers.set(failed, (killers.get(failed) ?? 0) + 1);
      progress(++done);
    }
    worker?.disconnect();
  };
  await Promise.all([...Array(WORKERS).keys()].map(work));
  return { survivors: [...survived].sort(([a], [b]) => a - b).map(([, mutant]) => mutant), killers };
}
