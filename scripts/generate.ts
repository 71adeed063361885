import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeTypeScript } from './generate/emit.ts';
import { readLibrary } from './generate/library.ts';
import { LUA, Mistake, TYPESCRIPT } from './generate/statements.ts';

const USAGE = `usage: npm run generate -- [--check]

Writes ${TYPESCRIPT}, the client of the library in ${LUA}. --check writes nothing and fails where they differ.`;

try {
  await generate();
} catch (error) {
  const { code = '', message } = error as NodeJS.ErrnoException;
  // A person's mistake gets a sentence; anything else is a defect here and keeps its stack trace.
  if (!(error instanceof Mistake) && !/^ENOENT|^ERR_PARSE_ARGS/.test(code)) throw error;
  console.error(error instanceof Mistake ? message : `${message}\n\n${USAGE}`);
  process.exitCode = 1;
}

async function generate(): Promise<void> {
  const { values } = parseArgs({ options: { check: { type: 'boolean' } } });
  const library = readLibrary(await readFile(LUA, 'utf8'));
  const wanted = format(writeTypeScript(library));
  const found = await readFile(TYPESCRIPT, 'utf8').catch(() => '');
  const { name, version, functions, errorCodes } = library;
  const content = `${name} ${version}, ${functions.length} functions, ${errorCodes.length} error codes`;
  if (found === wanted) {
    console.log(`${TYPESCRIPT} is up to date: ${content}.`);
  } else if (values.check) {
    console.error(`${difference(found, wanted)}\nRun \`npm run generate\` and commit what it writes.`);
    process.exitCode = 1;
  } else {
    await writeFile(TYPESCRIPT, wanted);
    console.log(`${TYPESCRIPT} written: ${content}.`);
  }
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
