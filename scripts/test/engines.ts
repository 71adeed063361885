// npm run test:engines: what the library and the store promise, on every engine that is at hand or can be fetched. Fails only
// for an engine that ran and on which a test failed.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type Engine, fetchEngines } from './engines/fetch.ts';
import type { Installed } from './engines/prove.ts';

/** How an engine did. */
interface Run {
  passed: number;
  failed: number;
  seconds: number;
}

const ROOT = join(import.meta.dirname, '..', '..');

/** The tests whose outcome is up to the server. The others are about programs of this repository. */
const FOLDERS = ['library/', 'deploy/', 'store/', 'model/', 'faults/', 'scenarios/', 'cluster/'];

async function runOn(engine: Installed): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'conversation-state-engine-'));
  // Whatever product it is: this name is looked for first.
  symlinkSync(engine.server, join(folder, 'redis-server'));
  symlinkSync(engine.cli, join(folder, 'redis-cli'));
  const { PATH = '', REDIS_URL: _, ...others } = process.env;
  const begin = Date.now();
  try {
    const heard = await npmTest({ ...others, PATH: `${folder}${delimiter}${PATH}`, NO_COLOR: '1' });
    const [, passed = '0', failed = '1'] = /(\d+) passed, (\d+) failed\s*$/.exec(heard) ?? [];
    if (failed !== '0') console.error(`\n${heard}`);
    // A server that the tests did not run on would prove nothing.
    if (!heard.includes(`redis-server ${serverVersion(engine)} from the PATH`))
      throw new Error(`${engine.name} was not used`);
    return { passed: Number(passed), failed: Number(failed), seconds: Math.round((Date.now() - begin) / 1000) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function serverVersion({ version }: Installed): string {
  return /^\d+\.\d+\.\d+/.exec(version)?.[0] ?? version;
}

/** What the tests print, with one dot on stderr for each file that has ended. */
function npmTest(env: NodeJS.ProcessEnv): Promise<string> {
  const args = ['--import', 'tsx', 'scripts/test.ts', ...FOLDERS];
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    process.stderr.write('.'.repeat(chunk.match(/^\S+\.test\.ts, /gm)?.length ?? 0));
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve(text));
  });
}

function table(engines: Engine[], runs: ReadonlyMap<Engine, Run>): string {
  const head = ['engine', 'version', 'passed', 'failed', 'time'];
  const rows = engines.map((engine) => {
    const run = runs.get(engine);
    if ('missing' in engine || !run) return [engine.name, `not run: ${'missing' in engine ? engine.missing : ''}`];
    return [engine.name, engine.version, String(run.passed), String(run.failed), `${run.seconds} s`];
  });
  const full = [head, ...rows.filter((row) => row.length === head.length)];
  const width = (column: number) => Math.max(...full.map((row) => row[column]?.length ?? 0), column === 0 ? 10 : 0);
  const cell = (text: string, column: number) =>
    column < 2 ? text.padEnd(width(column)) : text.padStart(width(column));
  return [head, ...rows].map((row) => row.map(cell).join('  ').trimEnd()).join('\n');
}

const engines = await fetchEngines();
const runs = new Map<Engine, Run>();
for (const engine of engines) {
  if ('missing' in engine) continue;
  process.stderr.write(`${engine.name} ${engine.version} `);
  runs.set(engine, await runOn(engine));
  process.stderr.write('\n');
}
console.log(`\n${table(engines, runs)}`);
const most = Math.max(...[...runs.values()].map(({ passed }) => passed));
const wrong = [...runs.values()].filter(({ passed, failed }) => failed > 0 || passed < most).length;
// As every suite ends: an engine counts as one.
console.log(`\n${runs.size - wrong} passed, ${wrong} failed`);
process.exit(wrong > 0 ? 1 : 0);
