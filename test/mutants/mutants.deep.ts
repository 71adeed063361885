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
const KILLED = 0.9;

/** A mutant that the fast suite does not notice, and why it need not. */
interface Survivor {
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

test('the fast suite notices nine mistakes out of ten, and every other one has a reason', async () => {
  const tried = mutants(SOURCE).filter(isChosen);
  assert.ok(tried.length >= FEWEST, `${tried.length} mutants are too few`);
  const { survivors, killers } = await hunt(tried, (done) => {
    if (done % 50 === 0) console.log(`${done} of ${tried.length} mutants`);
  });
  const killed = tried.length - survivors.length;
  const by = [...killers].sort(([, a], [, b]) => b - a).map(([name, count]) => `${count} by ${name}`);
  console.log(
    `${killed} of ${tried.length} mutants killed, ${((100 * killed) / tried.length).toFixed(1)} %: ${by.join(', ')}`,
  );
  const known: Survivor[] = JSON.parse(readFileSync(new URL('surviving-mutants.json', import.meta.url), 'utf8'));
  const isKnown = (mutant: Mutant) => known.some((survivor) => isSame(survivor, mutant));
  const unknown = survivors.filter((mutant) => !isKnown(mutant)).map(({ source: _, ...shown }) => shown);
  assert.equal(unknown, [], 'test these, or add them to surviving-mutants.json with a reason');
  const late = known.filter((survivor) => !survivors.some((mutant) => isSame(survivor, mutant)));
  const gone = late.filter((survivor) => !tried.some((mutant) => isSame(survivor, mutant)));
  for (const { from, to } of late)
    if (!gone.some((one) => one.to === to)) console.log(`killed after all: ${from} → ${to}`);
  assert.equal(gone, [], 'these are not there any more: take them out of surviving-mutants.json');
  assert.ok(killed >= KILLED * tried.length, 'too many survive');
});

function isChosen({ function: name, from, to }: Mutant): boolean {
  return createHash('sha256').update(`${name}\n${from}\n${to}`).digest().readUInt32BE() % ONE_IN === 0;
}

function isSame(a: Omit<Survivor, 'reason'>, b: Omit<Survivor, 'reason'>): boolean {
  return a.function === b.function && a.from === b.from && a.to === b.to;
}

test.run();
