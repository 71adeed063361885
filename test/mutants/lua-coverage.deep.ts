import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SOURCE } from '../support/library.ts';
import { FEWEST_TESTS, runFastSuite, startFastSuite } from './fast-suite-process.ts';
import { instrument, type Point } from './lua/instrument.ts';

const test = suite('coverage of the Lua');

/** An outcome of a condition that no test has to reach, and why. */
interface Excused {
  function: string;
  branch: string;
  reason: string;
}

const { points, source } = instrument(SOURCE);
const reached = new Set<number>();
const missed = () => [...points].filter(([point]) => !reached.has(point)).map(([, point]) => point);

test('the fast suite passes on a library that counts what it reaches', async () => {
  const worker = await startFastSuite();
  const run = await runFastSuite(worker, source);
  worker.disconnect();
  assert.is(run.failed, null);
  assert.ok(run.passed >= FEWEST_TESTS, `only ${run.passed} tests ran`);
  for (const point of run.reached) reached.add(point);
});

test('every line with a statement is reached', () => {
  const lines = [...points.values()].filter(({ branch }) => branch === undefined);
  const left = missed().filter(({ branch }) => branch === undefined);
  console.log(share('lines', lines.length - left.length, lines.length));
  assert.equal(left.map(shown), []);
});

test('every outcome of every condition is reached, or excused', () => {
  const branches = [...points.values()].filter(({ branch }) => branch !== undefined);
  const left = missed().filter(({ branch }) => branch !== undefined);
  const file = new URL('uncovered-branches.json', import.meta.url);
  const excused: Excused[] = JSON.parse(readFileSync(file, 'utf8'));
  const isExcused = ({ around, branch }: Point) =>
    excused.some((excuse) => excuse.function === around && excuse.branch === branch);
  console.log(`${share('branches', branches.length - left.length, branches.length)}, ${excused.length} excused`);
  assert.equal(left.filter((point) => !isExcused(point)).map(shown), []);
  const idle = excused.filter(
    (excuse) => !left.some(({ around, branch }) => excuse.function === around && excuse.branch === branch),
  );
  assert.equal(idle, [], 'these are reached, or are not there any more: take them out of uncovered-branches.json');
});

function share(what: string, part: number, all: number): string {
  return `${part} of ${all} ${what}, ${((100 * part) / all).toFixed(1)} %`;
}

function shown({ line, around, branch }: Point): string {
  return `line ${line}, ${around}${branch === undefined ? '' : `: ${branch}`}`;
}

test.run();
