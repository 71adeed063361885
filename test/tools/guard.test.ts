import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { guard, type Verdict } from '../../scripts/test/guard.ts';

const directory = join(import.meta.dirname, 'guard');

async function run(fixture: string, limits: { limitMs?: number; silenceMs?: number } = {}) {
  let printed = '';
  const verdict = await guard({
    directory,
    pattern: `^(${fixture})\\.fixture\\.ts$`,
    limitMs: 20_000,
    silenceMs: 10_000,
    lingerMs: 1_000,
    write: (text) => {
      printed += text;
    },
    ...limits,
  });
  return { ...verdict, printed };
}

/** The verdict alone, as passed, failed and the reasons in one text. */
async function judge(...args: Parameters<typeof run>): Promise<string> {
  const { passed, failed, problems } = await run(...args);
  return [`${passed} passed, ${failed} failed`, ...problems].join('\n');
}

const good: Verdict = { passed: 2, failed: 0, problems: [] };

test('a good file passes, and what it prints is passed on', async () => {
  const { printed, ...verdict } = await run('good');
  assert.equal(verdict, good);
  assert.match(printed, 'good.fixture.ts');
  assert.match(printed, /Total: +2/);
});

test('a test that fails counts as failed and needs no further reason', async () => {
  const { printed, ...verdict } = await run('good|failing');
  assert.equal(verdict, { passed: 3, failed: 1, problems: [] });
  assert.match(printed, 'one is two');
});

test('a hook that throws before the tests fails all of them', async () => {
  assert.is(
    await judge('before-throws'),
    '0 passed, 1 failed\nbefore-throws.fixture.ts: only 0 of 1 tests ended; ' +
      'a hook threw, or a test threw something that is no Error.',
  );
  assert.is(await judge('before-each-throws'), '0 passed, 1 failed');
});

test('a hook that throws after a test fails it and those that uvu drops', async () => {
  assert.is(
    await judge('after-each-throws'),
    '1 passed, 2 failed\nafter-each-throws.fixture.ts: only 1 of 3 tests ended; ' +
      'a hook threw, or a test threw something that is no Error.',
  );
});

test('a hook that throws after the tests fails the run', async () => {
  assert.is(
    await judge('after-throws'),
    '1 passed, 1 failed\nThe run ended with exit code 1 before its summary. ' +
      'It was in after-throws.fixture.ts, where 1 test had ended.',
  );
});

test('a test that throws something that is no Error fails, with those that uvu drops', async () => {
  assert.is(
    await judge('no-error-thrown'),
    '0 passed, 2 failed\nno-error-thrown.fixture.ts: only 0 of 2 tests ended; ' +
      'a hook threw, or a test threw something that is no Error.',
  );
});

test('a file that never calls run() fails', async () => {
  assert.match(await judge('no-run'), /^0 passed, 2 failed\n/);
  assert.match(await judge('good|no-run'), 'no-run.fixture.ts: test.run() is missing.');
});

test('a file without tests fails', async () => {
  assert.is(
    await judge('good|no-tests'),
    '2 passed, 1 failed\nno-tests.fixture.ts ran no test: it has none, or its run() is missing.',
  );
});

test('a suite without run() beside one that has it fails', async () => {
  assert.is(
    await judge('one-suite-without-run'),
    '1 passed, 1 failed\none-suite-without-run.fixture.ts: forgotten.run() is missing.',
  );
});

test('a test that stands after run() fails the run', async () => {
  assert.is(
    await judge('test-after-run'),
    '1 passed, 1 failed\ntest-after-run.fixture.ts: tests that stand after test.run() never run.',
  );
});

test('skipped tests fail the run, be it by skip() or by another one that runs alone', async () => {
  const reason = 'Skipped tests: 1, by a skip() or by an only() elsewhere in their suite.';
  assert.is(await judge('skipped'), `1 passed, 1 failed\n${reason}`);
  assert.is(await judge('only'), `1 passed, 1 failed\n${reason}`);
});

test('a pattern that matches no file fails', async () => {
  assert.match(await judge('absent'), /^0 passed, 1 failed\nNo test file in .* matches .*absent/);
});

test('a test that hangs is ended and its file is named', async () => {
  assert.is(
    await judge('good|hanging', { silenceMs: 2_500 }),
    '3 passed, 1 failed\nNothing happened for 2.5 s. It was in hanging.fixture.ts, where 1 test had ended.',
  );
});

test('a run that takes too long as a whole is ended', async () => {
  assert.match(await judge('hanging', { limitMs: 2_500 }), 'The run did not end within 2.5 s. It was in hanging');
});

test('something left open that keeps the process alive fails the run', async () => {
  assert.is(
    await judge('open-handle'),
    '1 passed, 1 failed\nAll tests ended, but something keeps the process alive: a client, server or timer.',
  );
});

test('a process that exits early fails the run', async () => {
  const place = 'where 1 test had ended.';
  assert.match(await judge('exiting'), `before its summary. It was in exiting.fixture.ts, ${place}`);
  assert.match(await judge('never-settling'), `before its summary. It was in never-settling.fixture.ts, ${place}`);
  assert.match(await judge('exiting-while-loaded'), /^0 passed, 1 failed\nThe run ended with exit code 0 before/);
});

test('a file that can not be loaded fails the run', async () => {
  assert.match(await judge('good|broken'), 'The run ended with exit code 1 before its summary. No test file had begun');
});

test('a process that crashes after its last test fails the run', async () => {
  assert.match(await judge('late-crash'), /^2 passed, 1 failed\nThe process ended with exit code 1\.$/);
});

test('a test that prints a summary of its own deceives nobody', async () => {
  assert.is(await judge('noisy'), '1 passed, 1 failed');
});

test.run();
