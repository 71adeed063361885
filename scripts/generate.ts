import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { readLibrary } from './generate/library.ts';
import { Mistake } from './generate/lua.ts';
import { writeTypeScript } from './generate/typescript.ts';

const USAGE = `usage: npm run generate -- [lua file] [ts file] [--check]

Writes the TypeScript for a Redis Functions library, by default src/conversation.gen.ts for lua/conversation.lua.
--check writes nothing and fails where the TypeScript is not what would be written.`;

try {
  await generate();
} catch (error) {
  // A mistake is the reader's to mend; anything else is a defect here and keeps its stack trace.
  if (!(error instanceof Mistake)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function generate(): Promise<void> {
  const { lua, ts, check } = commandLine();
  const library = readLibrary(await readFile(lua).catch(unusable(lua, 'read')), lua);
  const from = path.relative(path.dirname(ts), lua).replaceAll(path.sep, '/');
  const wanted = writeTypeScript(library, from);
  const found = await readFile(ts, 'utf8').catch(() => undefined);
  const { name, version, functions, errorCodes } = library;
  const content = `${name} ${version}, ${count(functions, 'function')}, ${count(errorCodes, 'error code')}`;

  if (found === wanted) {
    console.log(`${ts} is up to date: ${content}.`);
  } else if (check) {
    const mend = process.argv.slice(2).filter((argument) => argument !== '--check');
    const command = ['npm run generate', ...(mend.length > 0 ? ['--', ...mend] : [])].join(' ');
    throw new Mistake(`${difference(found, wanted, ts, lua)}\nRun \`${command}\` and commit what it writes.`);
  } else {
    await writeFile(ts, wanted).catch(unusable(ts, 'written'));
    console.log(`${ts} written: ${content}.`);
  }
}

function commandLine(): { lua: string; ts: string; check: boolean } {
  try {
    const { values, positionals } = parseArgs({ options: { check: { type: 'boolean' } }, allowPositionals: true });
    const [lua = 'lua/conversation.lua', ts = 'src/conversation.gen.ts', ...others] = positionals;
    if (others.length > 0 || positionals.length === 1) throw new Mistake(`Two files are wanted, or none.\n\n${USAGE}`);
    return { lua, ts, check: values.check === true };
  } catch (error) {
    if (error instanceof Mistake || !(error instanceof TypeError)) throw error;
    throw new Mistake(`${error.message}\n\n${USAGE}`);
  }
}

function count(things: unknown[], what: string): string {
  return `${things.length} ${what}${things.length === 1 ? '' : 's'}`;
}

function unusable(file: string, what: string): (error: Error) => never {
  return ({ message }) => {
    throw new Mistake(`${file} can't be ${what}: ${message}.`);
  };
}

function difference(found: string | undefined, wanted: string, ts: string, lua: string): string {
  if (found === undefined) return `${ts} is not there, or can't be read.`;
  const [has, wants] = [found.split('\n'), wanted.split('\n')];
  const line = wants.findIndex((text, at) => text !== has[at]);
  const at = line < 0 ? wants.length : line;
  const shown = (text: string | undefined) => (text === undefined ? 'nothing, the file ends' : JSON.stringify(text));
  return `${ts}:${at + 1} is not what ${lua} makes it:\n  it says  ${shown(has[at])}\n  wanted   ${shown(wants[at])}`;
}
