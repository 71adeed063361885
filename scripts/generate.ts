import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { writeTypeScript } from './generate/emit.ts';
import { readLibrary } from './generate/library.ts';
import { LUA, Mistake, TYPESCRIPT } from './generate/statements.ts';

const { check } = new Command('npm run generate --')
  .description(`Writes ${TYPESCRIPT}, the client of the library in ${LUA}.`)
  .option('--check', 'write nothing, and fail where they differ')
  .showHelpAfterError()
  .parse()
  .opts<{ check?: boolean }>();

try {
  const library = readLibrary(await readFile(LUA, 'utf8'));
  const wanted = format(writeTypeScript(library));
  const found = await readFile(TYPESCRIPT, 'utf8').catch(() => '');
  const { name, version, functions, errorCodes } = library;
  const content = `${name} ${version}, ${functions.length} functions, ${errorCodes.length} error codes`;
  if (found === wanted) {
    console.log(`${TYPESCRIPT} is up to date: ${content}.`);
  } else if (check) {
    console.error(`${difference(found, wanted)}\nRun \`npm run generate\` and commit what it writes.`);
    process.exitCode = 1;
  } else {
    await writeFile(TYPESCRIPT, wanted);
    console.log(`${TYPESCRIPT} written: ${content}.`);
  }
} catch (error) {
  // A person's mistake gets a sentence; anything else is a defect here and keeps its stack trace.
  if (!(error instanceof Mistake)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

function format(input: string): string {
  const cwd = join(import.meta.dirname, '..');
  const biome = join('node_modules', '.bin', 'biome');
  return execFileSync(biome, ['format', '--stdin-file-path=generated.ts'], { cwd, input, encoding: 'utf8' });
}

function difference(found: string, wanted: string): string {
  const [has, wants] = [found.split('\n'), wanted.split('\n')];
  let at = 0;
  while (has[at] === wants[at]) at++;
  const shown = (text: string | undefined) => (text === undefined ? 'nothing, the file ends' : JSON.stringify(text));
  return `${TYPESCRIPT}:${at + 1} is not what ${LUA} makes it:\n  it says  ${shown(has[at])}\n  wanted   ${shown(wants[at])}`;
}
