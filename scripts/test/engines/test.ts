// npm run test:engines: the tests on every engine that is at hand or can be fetched, and what each of them answers to the
// same calls. Fails only for an engine that ran and differed.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { isDeepStrictEqual, stripVTControlCharacters } from 'node:util';
import { parse } from 'uvu/parse';
import { type Engine, fetchEngines } from './fetch.ts';
import type { Installed } from './prove.ts';
import type { Entry } from './transcript.ts';

/** How an engine did. */
interface Run {
  engine: Installed;
  passed: number;
  failed: number;
  /** What it answered to the calls of the transcript. */
  entries: Entry[];
  seconds: number;
}

const ROOT = join(import.meta.dirname, '..', '..', '..');
/** How many calls that differ are shown for an engine. */
const SHOWN_CALLS = 5;

/**
 * The test files that make calls on a server, by the words that `npm test` takes. The others don't see an engine, or are
 * about finding one on the PATH.
 */
async function testsOnServers(): Promise<string[]> {
  const { suites } = await parse(join(ROOT, 'test'), '\\.test\\.ts$');
  const calls = (file: string) => /with(Redis|Library)\(|startRedis\(/.test(readFileSync(file, 'utf8'));
  return suites.filter(({ name, file }) => calls(file) && name !== 'redis.test.ts').map(({ name }) => name);
}

async function runOn(engine: Installed, tests: string[]): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'conversation-state-engine-'));
  // Whatever product it is: this name is looked for first.
  symlinkSync(engine.server, join(folder, 'redis-server'));
  symlinkSync(engine.cli, join(folder, 'redis-cli'));
  const { PATH = '', REDIS_URL: _, ...others } = process.env;
  const env = { ...others, PATH: `${folder}${delimiter}${PATH}`, NO_COLOR: '1' };
  const begin = Date.now();
  try {
    const heard = await output(['scripts/test.ts', ...tests], env, (text) => tick(engine.name, text));
    const [, passed = '0', failed = '1'] = /(\d+) passed, (\d+) failed\s*$/.exec(heard) ?? [];
    if (failed !== '0') console.error(`\n${failures(heard)}`);
    // A server that the tests did not run on would prove nothing.
    if (!heard.includes(`redis-server ${serverVersion(engine)} from the PATH`))
      throw new Error(`${engine.name} was not used`);
    const entries: Entry[] = JSON.parse(await output(['scripts/test/engines/transcript.ts'], env));
    const seconds = Math.round((Date.now() - begin) / 1000);
    return { engine, passed: Number(passed), failed: Number(failed), entries, seconds };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What uvu says about each test that failed, and what the guard says of the whole at the end. */
function failures(heard: string): string {
  const blocks = heard.match(/^ {3}FAIL {2}[\s\S]*?\n\n\n/gm) ?? [];
  return [...blocks.map((block) => block.trimEnd()), heard.slice(heard.lastIndexOf('Duration: ')).trimEnd()].join(
    '\n\n',
  );
}

function serverVersion({ version }: Installed): string {
  return /^\d+\.\d+\.\d+/.exec(version)?.[0] ?? version;
}

/** What a script of this repository prints, tests that fail included. */
function output(script: string[], env: NodeJS.ProcessEnv, heard: (text: string) => void = () => {}): Promise<string> {
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const child = spawn(process.execPath, ['--import', 'tsx', ...script], { cwd: ROOT, env, stdio: [...stdio] });
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    heard(chunk);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve(stripVTControlCharacters(text)));
  });
}

/** One dot for each test file that begins, so that a person sees it move. */
function tick(name: string, text: string): void {
  for (const [file] of text.matchAll(/^\S+\.test\.ts$/gm)) {
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${name}: ${file}` : '.');
  }
}

function differing(entries: Entry[], reference: Entry[]): Entry[] {
  const length = Math.max(entries.length, reference.length);
  const places = Array.from({ length }, (_, index) => index);
  return places.flatMap((index) => {
    const [one, other] = [entries[index], reference[index]];
    if (isDeepStrictEqual(one, other)) return [];
    return [one ?? { call: `${other?.call}: not answered`, reply: null, keys: null }];
  });
}

function table(engines: Engine[], runs: Run[], reference: Run | undefined): string {
  const head = ['engine', 'version', 'passed', 'failed', 'calls', 'differ', 'time'];
  const rows = engines.map((engine) => {
    const run = runs.find((one) => one.engine === engine);
    if (!run) return [engine.name, `not run: ${'missing' in engine ? engine.missing : 'it did not start'}`];
    const { passed, failed, entries, seconds } = run;
    const differ = differing(entries, reference?.entries ?? []).length;
    return [engine.name, run.engine.version, ...[passed, failed, entries.length, differ].map(String), `${seconds} s`];
  });
  const full = [head, ...rows.filter((row) => row.length === head.length)];
  const width = (column: number) => Math.max(...full.map((row) => row[column]?.length ?? 0), column === 0 ? 10 : 0);
  const cell = (text: string, column: number) =>
    column < 2 ? text.padEnd(width(column)) : text.padStart(width(column));
  return [head, ...rows].map((row) => row.map(cell).join('  ').trimEnd()).join('\n');
}

const engines = await fetchEngines();
const tests = await testsOnServers();
const runs: Run[] = [];
for (const engine of engines) {
  if ('missing' in engine) continue;
  process.stderr.write(`${engine.name} ${engine.version}: running ${tests.length} test files `);
  runs.push(await runOn(engine, tests));
  process.stderr.write('\n');
}
const [reference] = runs;
console.log(`\n${table(engines, runs, reference)}`);
let wrong = 0;
for (const run of runs) {
  const different = differing(run.entries, reference?.entries ?? []);
  if (run.failed > 0 || run.passed !== reference?.passed || different.length > 0) wrong++;
  for (const { call, reply, keys } of different.slice(0, SHOWN_CALLS)) {
    const before = reference?.entries.find((entry) => entry.call === call);
    console.log(`\n${run.engine.name} differs from ${reference?.engine.name}: ${call}`);
    console.log(`  ${JSON.stringify({ reply, keys }).slice(0, 600)}`);
    console.log(`  ${JSON.stringify({ reply: before?.reply, keys: before?.keys }).slice(0, 600)}`);
  }
}
console.log(`\n${runs.length - wrong} engines agree, ${wrong} differ, ${engines.length - runs.length} not run`);
// As every suite ends: an engine counts as one.
console.log(`\n${runs.length - wrong} passed, ${wrong} failed`);
process.exit(wrong > 0 ? 1 : 0);
