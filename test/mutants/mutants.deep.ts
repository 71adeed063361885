import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SOURCE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { FILES, hunt, startFastSuite } from './hunt.ts';
import { mutants } from './mutate.ts';

const test = suite('mutants of the Lua');
const redis = withRedis(test);

/** How many are tried; `MUTANTS` of the environment may say more. All of them take more than an hour on two cores. */
const { MUTANTS = '220' } = process.env;
const FEWEST_TESTS = 400;
const KILLED = 0.95;
/** What became of each mutant, a line each, to be compared with another hunt. */
const LIST = join(import.meta.dirname, '..', '..', '.cache', 'mutants.txt');

const all = mutants(SOURCE);

test('every mutant has a name of its own and differs from the others, and Redis compiles it', async () => {
  const client = await redis.connect();
  for (const key of ['name', 'source'] as const) assert.is(new Set(all.map((mutant) => mutant[key])).size, all.length);
  for (const { name, source } of all) {
    const reply = await client.function('LOAD', 'REPLACE', source).catch((error: Error) => error.message);
    assert.not.match(String(reply), /compiling/, name);
  }
});

test('the fast suite passes on the library as it is', async () => {
  const fast = await startFastSuite();
  let tests = 0;
  for (const file of FILES) {
    assert.ok((await fast.run(SOURCE, file)).isGood, file);
    // The hunt runs it again and again.
    const { isGood, passed } = await fast.run(SOURCE, file);
    assert.ok(isGood, `${file} for the second time`);
    tests += passed;
  }
  await fast.end();
  assert.ok(tests >= FEWEST_TESTS, `only ${tests} tests ran`);
});

test('the fast suite notices 95 % of the mistakes that are not listed as none', async () => {
  const listed: Record<string, string> = JSON.parse(
    readFileSync(new URL('equivalent-mutants.json', import.meta.url), 'utf8'),
  );
  // In an order that has nothing to do with their places, and is always the same.
  const tried = all.toSorted((a, b) => (hash(a.name) < hash(b.name) ? -1 : 1)).slice(0, Number(MUTANTS));
  const survivors = await hunt(tried);
  const lines = tried.map((mutant) => `${survivors.has(mutant) ? 'SURVIVED' : 'KILLED'} ${mutant.name}`);
  writeFileSync(LIST, lines.sort().join('\n'));
  const alive = all.filter((mutant) => survivors.has(mutant) && !(mutant.name in listed));
  const killed = tried.length - survivors.size;
  const judged = killed + alive.length;
  console.log(`${killed} of ${judged} mutants killed, ${((100 * killed) / judged).toFixed(1)} %`);
  console.log(`${survivors.size - alive.length} that survived are listed`);
  const noticed = tried.filter((mutant) => mutant.name in listed && !survivors.has(mutant));
  for (const { name } of noticed) console.log(`listed as no mistake, but noticed: ${name}`);
  for (const name of Object.keys(listed))
    if (!all.some((mutant) => mutant.name === name)) console.log(`listed, but not there any more: ${name}`);
  if (alive.length > 0)
    console.log(
      'These survived. Where one makes no difference, put its line with the reason into equivalent-mutants.json:',
    );
  for (const { name } of alive) console.log(`  ${JSON.stringify(name)}: "",`);
  assert.ok(killed >= KILLED * judged, 'too many survive');
});

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

test.run();
