import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runFiles, type Verdict } from '../../scripts/test/run.ts';

const test = suite('the test runner');

/** Test files by what is wrong with them, each with one test that passes where it can. */
const FIXTURES: [wrong: string, code: string, verdict: RegExp][] = [
  ['nothing', '', /^1 passed, 0 failed\n$/],
  ['a failing test', "test('fails', () => assert.is(1, 2));", /^1 passed, 1 failed\n$/],
  ['a thrown string', "test('throws', () => { throw 'text'; });", /^1 passed, 1 failed\n$/],
  ['a hook that throws', 'test.before(() => { throw new Error(); });', /^0 passed, 1 failed\nA hook before /],
  ['no run()', '', /^0 passed, 1 failed\nNever run: "holds"\./],
  ['a test after run()', "test.run(); test('late', () => {});", /^1 passed, 1 failed\nNever run: "late"\./],
  ['skip', "test.skip('left out', () => {});", /^1 passed, 1 failed\nNever run: "left out"\./],
  ['only', "test.only('alone', () => {});", /^1 passed, 1 failed\nNever run: "holds"\./],
  ['an exit', "test('exits', () => process.exit());", /^1 passed, 1 failed\n.* exit code 0 in the test "exits"/],
  ['an error when loaded', 'throw new Error();', /^0 passed, 1 failed\n.* exit code 1 while the file was loaded\.$/],
  ['a late error', 'setTimeout(() => Promise.reject(1), 500);', /^1 passed, 1 failed\n.* exit code 1 after /],
  ['a hang', "test('hangs', () => new Promise((done) => setTimeout(done, 9e6)));", /Nothing .* in the test "hangs"/],
  ['a vain wait', "test('waits', () => new Promise(() => {}));", /^1 passed, 1 failed\n.* in the test "waits"/],
  ['a timer left open', 'setTimeout(() => {}, 9e6);', /^1 passed, 1 failed\n.* keeps the process alive: Timeout/],
];
const HEAD = `import { test } from 'uvu';
import * as assert from 'uvu/assert';
test('holds', () => assert.ok(1));
`;

const verdicts = new Map<string, Verdict>();

test.before(async () => {
  // Where uvu is found, and where no other run of the tests looks.
  const cache = join(import.meta.dirname, '..', '..', '.cache');
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, 'fixtures-'));
  const files = FIXTURES.map((_, at) => `${at}.mjs`);
  for (const [at, [wrong, code]] of FIXTURES.entries()) {
    const run = wrong === 'no run()' || wrong === 'a test after run()' ? '' : 'test.run();';
    writeFileSync(join(directory, `${at}.mjs`), `${HEAD}${code}\n${run}`);
  }
  try {
    await runFiles({ directory, files, atOnce: 3, reuse: true, silenceMs: 20_000 }, (verdict) => {
      verdicts.set(verdict.file, verdict);
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

for (const [at, [wrong, , expected]] of FIXTURES.entries()) {
  test(`a file with ${wrong} is judged rightly`, () => {
    const { passed, failed, problems } = verdicts.get(`${at}.mjs`) as Verdict;
    assert.match(`${passed} passed, ${failed} failed\n${problems.join('\n')}`, expected);
  });
}

test('what a file prints is passed on', () => {
  assert.match(verdicts.get('1.mjs')?.output ?? '', /FAIL .*"fails"/);
});

test.run();
