import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { guard } from '../../scripts/test/guard.ts';

const directory = join(import.meta.dirname, 'guard');

async function run(fixtures: (string | string[])[], limits: { limitMs?: number; silenceMs?: number } = {}) {
  let printed = '';
  const verdict = await guard({
    directory,
    groups: fixtures.map((group) => [group].flat().map((fixture) => `${fixture}.fixture.ts`)),
    atOnce: 2,
    limitMs: 60_000,
    silenceMs: 30_000,
    lingerMs: 1_000,
    write: (text) => {
      printed += text;
    },
    ...limits,
  });
  return { ...verdict, printed };
}

/** The verdict on one file alone, as passed, failed and the reasons in one text. */
async function judge(fixture: string, limits?: { limitMs?: number; silenceMs?: number }): Promise<string> {
  const { passed, failed, problems } = await run([fixture], limits);
  return [
    `${passed} passed, ${failed} failed`,
    ...problems.map((text) => text.replace(`${fixture}.fixture.ts: `, '')),
  ].join('\n');
}

test('a good file passes, and what it prints is passed on', async () => {
  const { printed, ...verdict } = await run(['good']);
  assert.equal(verdict, { passed: 2, failed: 0, failedFiles: [], problems: [] });
  assert.match(printed, /^• • {3}\(2 \/ 2\)\ngood\.fixture\.ts, \d+\.\d s\n\n$/);
});

test('a test that fails counts as failed and needs no further reason', async () => {
  const { printed, ...verdict } = await run(['good', 'failing']);
  assert.equal(verdict, { passed: 3, failed: 1, failedFiles: ['failing.fixture.ts'], problems: [] });
  assert.match(printed, 'one is two');
});

test('files that run side by side do not mix what they print', async () => {
  const { printed } = await run(['talking', 'talking-too', 'good']);
  for (const file of ['talking', 'talking-too']) {
    const lines = Array.from({ length: 20 }, (_, index) => `${file} ${index}\n`).join('');
    assert.match(printed, new RegExp(`^${file}\\.fixture\\.ts, .*\n${lines}`, 'm'));
  }
});

test('a hook that throws before the tests fails all of them', async () => {
  assert.is(await judge('before-throws'), '0 passed, 1 failed\na hook before threw: before\nonly 0 of 1 test ended.');
  assert.is(await judge('before-each-throws'), '0 passed, 1 failed\nonly 0 of 1 test ended.');
});

test('a hook that throws after a test fails it and those that uvu drops', async () => {
  assert.is(
    await judge('after-each-throws'),
    '1 passed, 2 failed\na hook after.each threw: after each\nonly 2 of 3 tests ended.',
  );
});

test('a hook that throws after the tests fails the run', async () => {
  assert.is(await judge('after-throws'), '1 passed, 1 failed\na hook after threw: after');
});

test('a test that throws something that is no Error fails, and the others still run', async () => {
  const { passed, failed, printed } = await run(['no-error-thrown']);
  assert.equal([passed, failed], [1, 1]);
  assert.match(printed, "'a string' was thrown, which is no Error");
});

test('a file that never calls run() fails', async () => {
  assert.is(await judge('no-run'), '0 passed, 1 failed\nrun() is missing: 1 test never ran.');
});

test('a file without tests fails', async () => {
  assert.is(await judge('no-tests'), '0 passed, 1 failed\nno test is registered.');
});

test('a suite without run() beside one that has it fails', async () => {
  assert.is(
    await judge('one-suite-without-run'),
    '1 passed, 1 failed\nrun() of the suite "forgotten" is missing: 1 test never ran.',
  );
});

test('a test that stands after run() fails the run', async () => {
  assert.is(await judge('test-after-run'), '1 passed, 1 failed\n1 test never ran: registered after run().');
});

test('skipped tests fail the run, be it by skip() or by another one that runs alone', async () => {
  const reason = '1 test skipped, by skip() or by an only() elsewhere in the suite.';
  assert.is(await judge('skipped'), `1 passed, 1 failed\n${reason}`);
  assert.is(await judge('only'), `1 passed, 1 failed\n${reason}`);
});

test('a run of no file fails', async () => {
  const { passed, failed } = await run([]);
  assert.equal([passed, failed], [0, 1]);
});

test('a test that hangs is ended and named', async () => {
  assert.is(
    await judge('hanging', { silenceMs: 4_000 }),
    '1 passed, 1 failed\nNothing happened for 4 s. It was in the test "hangs".',
  );
});

test('a run that takes too long as a whole is ended, and what did not run any more has failed', async () => {
  const { failed, problems } = await run(['hanging', 'hanging', 'good'], { limitMs: 4_000 });
  assert.is(failed, 3);
  const late = 'hanging.fixture.ts: The run did not end within 4 s. It was in the test "hangs".';
  assert.equal(problems, [late, late, '1 of 3 files were not run.']);
});

test('something left open that keeps the process alive fails the run', async () => {
  assert.is(
    await judge('open-handle'),
    '1 passed, 1 failed\nAll tests ended, but something keeps the process alive: a client, server or timer.',
  );
});

test('a process that exits early fails the run', async () => {
  assert.is(await judge('exiting'), '1 passed, 1 failed\nthe process ended with exit code 0 in the test "exits".');
  assert.match(
    await judge('never-settling'),
    /^1 passed, 1 failed\nthe process ended with exit code \d+ in the test "waits for ever"\.$/,
  );
  assert.is(
    await judge('exiting-while-loaded'),
    '0 passed, 1 failed\nthe process ended with exit code 0 while the file was loaded.',
  );
});

test('a file that can not be loaded fails the run', async () => {
  assert.is(await judge('broken'), '0 passed, 1 failed\nthe process ended with exit code 1 while the file was loaded.');
});

test('a process that crashes after its last test fails the run', async () => {
  assert.is(await judge('late-crash'), '2 passed, 1 failed\nthe process ended with exit code 1 after its last test.');
});

test('files that share a process are judged each by itself', async () => {
  const { printed, ...verdict } = await run([['no-run', 'failing', 'good', 'skipped']]);
  assert.equal(verdict, {
    passed: 4,
    failed: 3,
    failedFiles: ['no-run.fixture.ts', 'failing.fixture.ts', 'skipped.fixture.ts'],
    problems: [
      'no-run.fixture.ts: run() is missing: 1 test never ran.',
      'skipped.fixture.ts: 1 test skipped, by skip() or by an only() elsewhere in the suite.',
    ],
  });
});

test('a file that ends its process fails, and so do those after it', async () => {
  const { passed, failed, problems } = await run([['good', 'exiting', 'good', 'failing']]);
  assert.equal([passed, failed], [3, 3]);
  assert.equal(problems, [
    'exiting.fixture.ts: the process ended with exit code 0 in the test "exits".',
    'good.fixture.ts: not run, because the process ended before it.',
    'failing.fixture.ts: not run, because the process ended before it.',
  ]);
});

test('what keeps a process of several files alive, or crashes it in the end, is no secret', async () => {
  const { problems } = await run([
    ['open-handle', 'good'],
    ['late-crash', 'good'],
  ]);
  const other = 'Another file of this process may be the cause.';
  assert.equal(problems.sort(), [
    `good.fixture.ts: All tests ended, but something keeps the process alive: a client, server or timer. ${other}`,
    `good.fixture.ts: the process ended with exit code 1 after its last test. ${other}`,
  ]);
});

test('a test that prints a summary of its own deceives nobody', async () => {
  assert.is(await judge('noisy'), '1 passed, 1 failed');
});

test.run();
