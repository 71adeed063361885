// npm run test:engines: what the library and the store promise, on every engine that can be fetched. Fails only for an engine
// that ran and on which a test failed, or fewer passed than on another one.
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { startProgram } from '../../test/support/program.ts';
import { ENGINES, type Engine, engine } from '../redis/debian.ts';

/** The tests whose outcome is up to the server. The others are about programs of this repository. */
const FOLDERS = ['library/', 'deploy/', 'store/', 'model/', 'faults/', 'scenarios/', 'cluster/'];

async function testsOn({ name, version, server, cli }: Engine): Promise<{ passed: number; failed: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'conversation-state-engine-'));
  // Whatever product it is: this name is looked for first.
  symlinkSync(server, join(folder, 'redis-server'));
  symlinkSync(cli, join(folder, 'redis-cli'));
  const command = ['--import', 'tsx', 'scripts/test.ts', ...FOLDERS];
  const env = { PATH: `${folder}${delimiter}${process.env['PATH']}`, NO_COLOR: '1' };
  const { stdout: heard, stderr } = await startProgram(command, env).ended;
  rmSync(folder, { recursive: true });
  // A server that the tests did not run on would prove nothing.
  if (!heard.includes(`redis-server ${version} from the PATH`))
    throw new Error(`${name} was not used:\n${heard}${stderr}`);
  const [, passed, failed] = /(\d+) passed, (\d+) failed\s*$/.exec(heard) ?? [];
  if (failed !== '0') console.error(`${heard}${stderr}`);
  return { passed: Number(passed ?? 0), failed: Number(failed ?? 1) };
}

const runs: { passed: number; failed: number }[] = [];
for (const name of ENGINES) {
  const found = await engine(name).catch((error: Error) => error);
  if (found instanceof Error) {
    console.log(`${name} not run: ${found.message}`);
    continue;
  }
  const begin = Date.now();
  const run = await testsOn(found);
  runs.push(run);
  const seconds = Math.round((Date.now() - begin) / 1000);
  console.log(`${name.split(' ')[0]} ${found.version}: ${run.passed} passed, ${run.failed} failed, ${seconds} s`);
}
const most = Math.max(...runs.map(({ passed }) => passed));
const wrong = runs.filter(({ passed, failed }) => failed > 0 || passed < most).length;
// As every suite ends: an engine counts as one.
console.log(`\n${runs.length - wrong} passed, ${wrong} failed`);
process.exitCode = wrong > 0 ? 1 : 0;
