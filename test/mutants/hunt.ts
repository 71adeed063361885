import { availableParallelism } from 'node:os';
import { type FastSuite, startFastSuite } from './fast-suite.ts';
import type { Mutant } from './mutate.ts';

/** What became of the mutants. */
export interface Hunt {
  /** Those that no test noticed. */
  survivors: Set<Mutant>;
  /** Which test file was the first to notice each of the others. */
  killers: Map<Mutant, string>;
}

/**
 * Runs the fast suite on one mutant after the other, as many at once as there are cores.
 *
 * @param files the files of the suite, the quickest first
 */
export async function hunt(mutants: readonly Mutant[], files: readonly string[]): Promise<Hunt> {
  const left = [...mutants];
  const survivors = new Set<Mutant>();
  const killers = new Map<Mutant, string>();
  const lane = async () => {
    let suite: FastSuite | undefined;
    for (let mutant = left.shift(); mutant; mutant = left.shift()) {
      suite ??= await startFastSuite();
      const killer = await killerOf(mutant, suite, [...likely(mutant, killers), ...files]);
      if (killer === undefined) survivors.add(mutant);
      else killers.set(mutant, killer);
      if ((survivors.size + killers.size) % 50 === 0)
        console.log(`${survivors.size + killers.size} of ${mutants.length}`);
      if (!suite.isOver()) continue;
      await suite.end();
      suite = undefined;
    }
    await suite?.end();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
  return { survivors, killers };
}

async function killerOf({ source }: Mutant, suite: FastSuite, files: readonly string[]): Promise<string | undefined> {
  for (const file of new Set(files)) if (!(await suite.run(source, file)).isGood) return file;
  return undefined;
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
