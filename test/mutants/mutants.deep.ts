import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SOURCE } from '../support/library.ts';
import { FEWEST_TESTS, runFastSuite, startFastSuite } from './fast-suite-process.ts';
import { type Mutant, mutants } from './lua/mutate.ts';
import { hunt } from './mutant-hunt.ts';

const test = suite('mutants of the Lua');

/** Of all mutants one in so many is tried, always the same ones as long as their lines do not change. */
const ONE_IN = 3;
const FEWEST = 200;
const KILLED = 0.95;

/** A mutant that does what the library does, and why. */
interface Equivalent {
  function: string;
  from: string;
  to: string;
  reason: string;
}

test('the fast suite passes on the library as it is', async () => {
  const worker = await startFastSuite();
  const { failed, passed } = await runFastSuite(worker, SOURCE);
  worker.disconnect();
  assert.is(failed, null);
  assert.ok(passed >= FEWEST_TESTS, `only ${passed} tests ran`);
});

test('the fast suite notices 95 % of the mistakes that are not listed as none', async () => {
  const known: Equivalent[] = JSON.parse(readFileSync(new URL('equivalent-mutants.json', import.meta.url), 'utf8'));
  const isKnown = (mutant: Mutant) => known.some((equivalent) => isSame(equivalent, mutant));
  const tried = mutants(SOURCE).filter((mutant) => isChosen(mutant) && !isKnown(mutant));
  assert.ok(tried.length >= FEWEST, `${tried.length} mutants are too few`);
  const { survivors, killers } = await hunt(tried, (done) => {
    if (done % 50 === 0) console.log(`${done} of ${tried.length} mutants`);
  });
  const killed = tried.length - survivors.length;
  const by = [...killers].sort(([, a], [, b]) => b - a).map(([name, count]) => `${count} by ${name}`);
  const share = ((100 * killed) / tried.length).toFixed(1);
  console.log(`${killed} of ${tried.length} mutants killed, ${share} %, ${known.length} listed: ${by.join(', ')}`);
  for (const { function: name, from, to } of survivors) console.log(`alive in ${name}: ${from} → ${to}`);
  assert.ok(killed >= KILLED * tried.length, 'too many survive');
});

function isChosen({ function: name, from, to }: Mutant): boolean {
  return createHash('sha256').update(`${name}\n${from}\n${to}`).digest().readUInt32BE() % ONE_IN === 0;
}

function isSame(a: Omit<Equivalent, 'reason'>, b: Omit<Equivalent, 'reason'>): boolean {
  return a.function === b.function && a.from === b.from && a.to === b.to;
}

test.run();
