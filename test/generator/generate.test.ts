import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { typescript } from '../../scripts/test/typescript.ts';
import { BOXES } from './boxes.ts';

// The command as a person runs it. Files go into a folder of the repository, where they find ioredis and its types.
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = '.cache/generate-test';
const lua = `${folder}/limiter.lua`;
const ts = `${folder}/limiter.gen.ts`;
const content = 'limiter 0.3.1, 7 functions, 2 error codes.\n';

interface Ended {
  code: unknown;
  stdout: string;
  stderr: string;
}

function node(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { ...process.env, NODE_NO_WARNINGS: '1' };
    execFile(process.execPath, args, { cwd: root, env }, (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, stdout, stderr });
    });
  });
}

function generate(...args: string[]): Promise<Ended> {
  return node(...typescript(), 'scripts/generate.ts', ...args);
}

/** The compiler over everything in the folder, as strict as it is here. */
function compile(): Promise<Ended> {
  return node('node_modules/typescript/bin/tsc', '-p', folder);
}

function read(path: string): Promise<string> {
  return readFile(`${root}/${path}`, 'utf8');
}

function write(path: string, text: string): Promise<void> {
  return writeFile(`${root}/${path}`, text);
}

test.before.each(async () => {
  await rm(`${root}/${folder}`, { recursive: true, force: true });
  await mkdir(`${root}/${folder}`, { recursive: true });
  await write(`${folder}/tsconfig.json`, JSON.stringify({ extends: '../../tsconfig.json', include: ['.'] }));
  await write(lua, await read('test/generator/limiter.lua'));
});

test.after(() => rm(`${root}/${folder}`, { recursive: true, force: true }));

test('writes the TypeScript and says what is in it, and says so when there is nothing to do', async () => {
  assert.equal(await generate(lua, ts), { code: 0, stdout: `${ts} written: ${content}`, stderr: '' });
  assert.fixture(await read(ts), await read('test/generator/limiter.gen.ts'));
  assert.equal(await generate(lua, ts), { code: 0, stdout: `${ts} is up to date: ${content}`, stderr: '' });
});

test('--check is content with what is up to date', async () => {
  await write(ts, await read('test/generator/limiter.gen.ts'));
  assert.equal(await generate(lua, ts, '--check'), { code: 0, stdout: `${ts} is up to date: ${content}`, stderr: '' });
});

test('--check names the first line that differs and the command that mends it, and writes nothing', async () => {
  const old = (await read('test/generator/limiter.gen.ts')).replace("'0.3.1'", "'0.3.0'").replace('reply', 'answer');
  await write(ts, old);
  assert.equal(await generate('--check', lua, ts), {
    code: 1,
    stdout: '',
    stderr: `${ts}:8 is not what ${lua} makes it:
  it says  "export const LIBRARY_VERSION = '0.3.0';"
  wanted   "export const LIBRARY_VERSION = '0.3.1';"
Run \`npm run generate -- ${lua} ${ts}\` and commit what it writes.
`,
  });
  assert.is(await read(ts), old);
});

test('--check tells a file that ends too early or too late, and one that is not there', async () => {
  const text = await read('test/generator/limiter.gen.ts');
  const lines = text.split('\n').length;
  await write(ts, text.trimEnd());
  const early = await generate(lua, ts, '--check');
  assert.is(early.code, 1);
  assert.match(early.stderr, `${ts}:${lines} is not what ${lua} makes it:\n  it says  nothing, the file ends\n`);
  await write(ts, `${text}\n`);
  const late = await generate(lua, ts, '--check');
  assert.is(late.code, 1);
  assert.match(
    late.stderr,
    `${ts}:${lines + 1} is not what ${lua} makes it:\n  it says  ""\n  wanted   nothing, the file ends`,
  );
  await rm(`${root}/${ts}`);
  const absent = await generate(lua, ts, '--check');
  assert.is(absent.code, 1);
  assert.match(absent.stderr, `${ts} is not there, or can't be read.\nRun \`npm run generate`);
});

test('a mistake in the Lua is told with file and line and without a stack trace, and nothing is written', async () => {
  await write(lua, (await read(lua)).replace('---@param amount Amount', '---@param amount Number'));
  const { code, stdout, stderr } = await generate(lua, ts);
  assert.equal([code, stdout], [1, '']);
  assert.match(stderr, /^\.cache\/generate-test\/limiter\.lua:74: unknown type Number; wanted .*\.\n$/);
  await read(ts).then(assert.unreachable, (error) => assert.match(error.message, 'ENOENT'));
});

test('what is wrong on the command line is told with the usage', async () => {
  for (const [args, message] of [
    [['--chek'], /^Unknown option '--chek'.*\n\nusage: npm run generate -- \[lua file\] \[ts file\] \[--check\]\n/],
    [[lua], /^Two files are wanted, or none\.\n\nusage: /],
    [[lua, ts, ts], /^Two files are wanted, or none\.\n\nusage: /],
    [['no.lua', ts], /^no\.lua can't be read: ENOENT.*\.\n$/],
    [[lua, 'no/such/folder.ts'], /^no\/such\/folder\.ts can't be written: ENOENT.*\.\n$/],
  ] as const) {
    const { code, stdout, stderr } = await generate(...args);
    assert.equal([code, stdout], [1, '']);
    assert.match(stderr, message);
  }
});

test('ioredis fits, and the compiler refuses keys and arguments that are not those of the function', async () => {
  await generate(lua, ts);
  await write(
    `${folder}/use.ts`,
    `import { Cluster, Redis } from 'ioredis';
import { type ErrorCode, type FunctionClient, limitLast, limitSpent, limitTake, limitVersion } from './limiter.gen.ts';

const clients: FunctionClient[] = [new Redis(), new Cluster([])];
const [client = new Redis()] = clients;
const keys = { counter: 'c' };
const args = { amount: 1, limit: 2, by: 'b' };
export const code: ErrorCode = 'LIMITARG';

export const version: string = await limitVersion(client);
export const last: string | null = await limitLast(client, {});
export const taken: { verdict: 'allowed' | 'refused'; left: number; before: string | null } =
  await limitTake(client, keys, { ...args, windowS: undefined, rest: ['a', 'b'] as const });
await limitTake(client, { ...keys, log: undefined }, args);

// @ts-expect-error No keys are taken.
await limitVersion(client, keys);
// @ts-expect-error The keys are missing.
await limitLast(client);
// @ts-expect-error counter is required here.
await limitTake(client, {}, args);
// @ts-expect-error The arguments are missing.
await limitTake(client, keys);
// @ts-expect-error by is missing.
await limitTake(client, keys, { amount: 1, limit: 2 });
// @ts-expect-error amount is a number.
await limitTake(client, keys, { ...args, amount: '1' });
// @ts-expect-error There is no argument of this name.
await limitTake(client, keys, { ...args, window: 1 });
// @ts-expect-error The literal is none of the two.
await limitSpent(client, keys, { unit: 'dozens' });
// @ts-expect-error The reply may be null.
export const surely: string = await limitLast(client, {});
// @ts-expect-error The library has no such code.
export const wrong: ErrorCode = 'LIMITOLD';
`,
  );
  assert.equal(await compile(), { code: 0, stdout: '', stderr: '' });
});

test('a hostile source compiles and is carried byte for byte', async () => {
  const hostile = BOXES.replace('integer Whole units.', 'integer Ends here */ and @goes `on` \u0024{x}, \\n.')
    .replace("'put'|'full'", `"it's"|'so "so"'|'a\\b'`)
    .replace('--- Puts something', '---  */ @param \u0024{y} `z` \\ \u2028 \u{1F600}\n--- Puts something')
    .replaceAll('\n', '\r\n');
  await write(lua, hostile);
  assert.equal((await generate(lua, ts)).stderr, '');
  assert.equal(await compile(), { code: 0, stdout: '', stderr: '' });
  assert.match(await read(ts), '/** Ends here *\\/ and \\@goes `on` ');
  const print = `import { LIBRARY_SOURCE } from '${root}/${ts}'; process.stdout.write(LIBRARY_SOURCE)`;
  assert.is((await node('--import', 'tsx', '--input-type=module', '--eval', print)).stdout, hostile);
});

test('a library that needs nothing shared by several functions compiles', async () => {
  await write(
    lua,
    `#!lua name=tiny
local VERSION = '1.2.3'

--- The version.
---@return string
local function version()
  return VERSION
end

redis.register_function('version', version)
`,
  );
  assert.match((await generate(lua, ts)).stdout, 'written: tiny 1.2.3, 1 function, 0 error codes.');
  assert.equal(await compile(), { code: 0, stdout: '', stderr: '' });
});

test.run();
