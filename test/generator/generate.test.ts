import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { writeTypeScript } from '../../scripts/generate/emit.ts';
import { readLibrary } from '../../scripts/generate/library.ts';
import { typescript } from '../../scripts/test/typescript.ts';
import { convClaim, convSet, convUpdate, convVersion, type FunctionClient } from '../../src/conversation.gen.ts';
import { CHANNEL, JOB, SOURCE } from '../support/library.ts';
import { startProgram } from '../support/program.ts';

// The command as a person runs it, on copies of the project's files. What the generated functions send is in
// store/store-wire.test.ts and cluster/one-node-cluster.test.ts, what they take for a reply in
// store/unexpected-replies.test.ts; deploy/library.test.ts compares names, flags and source with what a server lists.
const ROOT = join(import.meta.dirname, '..', '..');
const FOLDER = join(ROOT, '.cache', 'generate-test');
const LUA = join(FOLDER, 'lua', 'conversation.lua');
const TYPESCRIPT = join(FOLDER, 'src', 'conversation.gen.ts');

const generate = (...args: string[]) =>
  startProgram([...typescript(), join(ROOT, 'scripts', 'generate.ts'), ...args], {}, '.cache/generate-test').ended;

function typescriptOf(what: string, by: string): string {
  assert.ok(SOURCE.includes(what), `the library holds ${what}`);
  return writeTypeScript(readLibrary(SOURCE.replace(what, () => by)));
}

test.before(async () => {
  await rm(FOLDER, { recursive: true, force: true });
  for (const folder of ['lua', 'src']) {
    await mkdir(join(FOLDER, folder), { recursive: true });
    await cp(join(ROOT, folder), join(FOLDER, folder), { recursive: true });
  }
});

test.after(() => rm(FOLDER, { recursive: true, force: true }));

test("the project's TypeScript is what its Lua makes it", async () => {
  const { code, stdout, stderr } = await generate('--check');
  assert.equal([code, stderr], [0, '']);
  assert.match(
    stdout,
    /^src\/conversation\.gen\.ts is up to date: conversation [\d.]+, \d+ functions, \d+ error codes\.\n$/,
  );
});

test('--check names the first line that differs and writes nothing; without it the change is written', async () => {
  const old = await readFile(TYPESCRIPT, 'utf8');
  await writeFile(LUA, SOURCE.replace('MAX_ID = 512', 'MAX_ID = 513'));
  const line = old.slice(0, old.indexOf('MAX_ID = 512')).split('\n').length;
  assert.equal(await generate('--check'), {
    code: 1,
    stdout: '',
    stderr: `src/conversation.gen.ts:${line} is not what lua/conversation.lua makes it:
  it says  "export const MAX_ID = 512;"
  wanted   "export const MAX_ID = 513;"
Run \`npm run generate\` and commit what it writes.
`,
  });
  assert.is(await readFile(TYPESCRIPT, 'utf8'), old);
  assert.match((await generate()).stdout, /^src\/conversation\.gen\.ts written: /);
  const made = await readFile(TYPESCRIPT, 'utf8');
  assert.is(made, old.replaceAll('MAX_ID = 512', 'MAX_ID = 513'));
  await writeFile(TYPESCRIPT, made.trimEnd());
  assert.match((await generate('--check')).stderr, 'it says  nothing, the file ends');
});

test('a mistake in the Lua gets a sentence and no stack trace', async () => {
  await writeFile(LUA, SOURCE.replace('---@return string version', '---@returns string'));
  const { code, stdout, stderr } = await generate();
  assert.equal([code, stdout], [1, '']);
  assert.match(stderr, /^lua\/conversation\.lua:\d+: @returns does not fit here; wanted @param or @return\.\n$/);
});

test("an error's code is promised by the functions that can reach it, and by no other", () => {
  const made = typescriptOf('local function no_keys(keys)', "local function no_keys(keys)\n  fail('CONVODD', 'odd')");
  const functions = [...made.matchAll(/\/\*\*(?:(?!\*\/)[\s\S])*\*\/\nexport async function (\w+)/g)];
  assert.ok(functions.length > 9);
  const promised = functions.filter(([docs]) => docs.includes('CONVODD')).map(([, name]) => name);
  assert.equal(promised, ['convVersion']);
  assert.match(made, /ERROR_CODES = \[.*"CONVODD"/);
});

test('a constant is carried with its quotes and backslashes', () => {
  const made = typescriptOf('local MAX_ID = 512', `local MAX_ID = '^[\\\\w"\\'$]{2}$'`);
  assert.match(made, `export const MAX_ID = ${JSON.stringify(`^[\\w"'$]{2}$`)};\n`);
});

test.run();

/** The compiler reads this, and nobody calls it. */
export const refused = (client: FunctionClient, keys = { conversation: CHANNEL, job: JOB }, state = '{}') => [
  // @ts-expect-error No keys are taken.
  convVersion(client, keys),
  // @ts-expect-error The job is missing.
  convClaim(client, { conversation: CHANNEL }, { state }),
  // @ts-expect-error The state is missing.
  convSet(client, keys, {}),
  // @ts-expect-error There is no argument of this name.
  convSet(client, keys, { state, ttl: 1 }),
  // @ts-expect-error This outcome is another function's.
  convUpdate(client, keys, { patch: '{}' }).then(({ outcome }) => outcome === 'claimed'),
  // @ts-expect-error The state may be null.
  convUpdate(client, keys, { patch: '{}' }).then(({ state }) => state.length),
];
