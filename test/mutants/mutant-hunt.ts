import type { ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { HUNG, runFastSuite, startFastSuite } from './fast-suite-process.ts';
import type { Mutant } from './lua/mutate.ts';

/** What became of the mutants. */
export interface Hunt {
  /** Those that no test noticed. */
  survivors: Set<Mutant>;
  /** Which test file was the first to notice each of the others. */
  killers: Map<Mutant, string>;
}

/** Runs the fast suite on one mutant after the other, as many at once as there are cores, and begins none after `limitMs`. */
export async function hunt(
  mutants: readonly Mutant[],
  limitMs: number,
  progress: (done: number) => void,
): Promise<Hunt> {
  const until = Date.now() + limitMs;
  const left = [...mutants];
  const survivors = new Set<Mutant>();
  const killers = new Map<Mutant, string>();
  let done = 0;
  const work = async () => {
    let worker: ChildProcess | undefined;
    for (let mutant = left.shift(); mutant && Date.now() < until; mutant = left.shift()) {
      worker ??= await startFastSuite();
      const { failed } = await runFastSuite(worker, mutant.source, likely(mutant, killers));
      if (failed === HUNG) {
        worker.kill();
        worker = undefined;
      }
      if (failed === null) survivors.add(mutant);
      else killers.set(mutant, failed);
      progress(++done);
    }
    worker?.disconnect();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return { survivors, killers };
}

/** The test files that have noticed mistakes, those in the same function before others, the most successful first. */
function likely(mutant: Mutant, killers: ReadonlyMap<Mutant, string>): string[] {
  const scores = new Map<string, number>();
  for (const [killed, file] of killers) {
    const score = killed.function === mutant.function ? 1_000 : 1;
    scores.set(file, (scores.get(file) ?? 0) + score);
  }
  return [...scores].sort(([, a], [, b]) => b - a).map(([file]) => file);
}
