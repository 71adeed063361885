import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('coverage of the TypeScript');

const ROOT = join(import.meta.dirname, '..', '..');
const LINES = 98;
const BRANCHES = 95;

test(`the tests reach ${LINES} % of the lines and ${BRANCHES} % of the branches of src`, async () => {
  const names = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.test.ts') && /['"/]src\//.test(readFileSync(join(ROOT, 'test', name), 'utf8')),
  );
  const folder = mkdtempSync(join(tmpdir(), 'conversation-state-coverage-'));
  try {
    const c8 = spawn(
      process.execPath,
      [
        join(ROOT, 'node_modules/c8/bin/c8.js'),
        ...['--all', '--src', 'src', '--include', 'src/**', '--reporter', 'text', '--temp-directory', folder],
        // They hold types only.
        ...['--exclude', 'src/state.ts', '--exclude', 'src/options.ts'],
        ...['--check-coverage', '--lines', `${LINES}`, '--branches', `${BRANCHES}`],
        ...[process.execPath, '--import', 'tsx', join(ROOT, 'scripts/test.ts'), ...names],
      ],
      { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, EFFORT: '' } },
    );
    const [said, [code]] = await Promise.all([text(c8.stdout), once(c8, 'close')]);
    console.log(said.slice(said.lastIndexOf('\n', said.lastIndexOf(' passed, '))));
    assert.is(code, 0, said);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.run();
