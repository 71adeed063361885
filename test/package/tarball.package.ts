import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore, LIBRARY_VERSION } from '../../src/index.ts';
import { linesOf, pageOf } from '../docs/pages.ts';
import { STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { attempt, install, pack, ROOT, run } from './packed.ts';

const test = suite('the packed package');
const redis = withRedis(test);
/** The consumers there have to be: the newest client and compiler, and the oldest client with an older compiler. */
const CONSUMERS = [
  { ioredis: await versionHere('ioredis'), typescript: await versionHere('typescript') },
  { ioredis: '5.11.0', typescript: '5.9' },
];

let folder: string;
let tarball: string;
let client: Redis;

test.before(async () => {
  ({ folder, tarball } = await pack());
  process.env['REDIS_URL'] = await redis.url();
});
test.before.each(async () => {
  client ??= await redis.connect();
  await client.function('FLUSH');
  await client.flushall();
});
test.after(async () => {
  if (folder) await rm(folder, { recursive: true });
});

async function versionHere(name: string): Promise<string> {
  return JSON.parse(await readFile(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')).version;
}

function tool(name: string): string {
  return join(ROOT, 'node_modules', '.bin', name);
}

/** An empty project with the package and whatever else is named. */
async function project(name: string, ...others: string[]): Promise<string> {
  const directory = join(folder, name);
  await mkdir(directory);
  await writeFile(join(directory, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  await install(directory, tarball, ...others);
  return directory;
}

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort();
}

test('holds the compiled source, the Lua, the pages, the examples and the licence, and nothing else', async () => {
  const compiled = (await filesIn(join(ROOT, 'src'))).flatMap((file) =>
    ['.js', '.d.ts'].map((extension) => `dist/${file.replace(/\.ts$/, extension)}`),
  );
  const pages = ['BENCHMARKS.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'README.md', 'SECURITY.md'];
  const others = [...pages, 'LICENSE', 'lua/conversation.lua', 'package.json'];
  for (const name of ['docs', 'examples']) {
    const files = (await filesIn(join(ROOT, name))).map((file) => `${name}/${file}`);
    others.push(...files.filter((file) => !/\/(node_modules|package-lock\.json)/.test(file)));
  }
  const packed = (await run(folder, 'tar', '-tzf', tarball)).trim().split('\n');
  assert.equal(packed.map((path) => path.replace(/^package\//, '')).sort(), [...compiled, ...others].sort());
});

test('has its client as a peer, and three dependencies that the command line alone loads', async () => {
  const bare = await project('bare', '--legacy-peer-deps');
  const installed = join(bare, 'node_modules', 'conversation-state');
  const metadata = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
  assert.equal(Object.keys(metadata.peerDependencies), ['ioredis']);
  assert.equal(Object.keys(metadata.dependencies).sort(), ['cli-truncate', 'commander', 'string-width']);
  assert.is(metadata.version, LIBRARY_VERSION);
  for (const file of (await filesIn(installed)).filter((file) => file.endsWith('.js'))) {
    const code = await readFile(join(installed, file), 'utf8');
    const others = file.startsWith('dist/cli/') ? '|commander$|string-width$|cli-truncate$' : '';
    for (const [, name = ''] of code.matchAll(/\b(?:from|import)\b[ (]*'([^'.][^']*)'/g)) {
      assert.match(name, new RegExp(`^(ioredis$|node:${others})`), file);
    }
  }

  const check = await attempt(bare, 'npx', '--no', '--', 'conversation-state', 'check');
  assert.is(
    check.stderr.replace(/^npm warn .*\n/gm, ''),
    'ioredis is not installed, and conversation-state needs it: npm install ioredis\n',
  );
  assert.is(check.code, 1);
});

test('passes publint and are-the-types-wrong', async () => {
  await run(folder, tool('publint'), 'run', tarball, '--strict');
  const entries = ['--exclude-entrypoints', './lua/conversation.lua'];
  await run(folder, tool('attw'), tarball, '--profile', 'esm-only', ...entries);
});

for (const { ioredis, typescript } of CONSUMERS) {
  const beside = `beside ioredis ${ioredis}`;
  const directory = () => join(folder, `ioredis-${ioredis}`);

  test(`compiles ${beside} with TypeScript ${typescript}, as nodenext and as bundler resolve it`, async () => {
    const types = `@types/node@${await versionHere('@types/node')}`;
    await project(`ioredis-${ioredis}`, `ioredis@${ioredis}`, `typescript@${typescript}`, types);
    await run(directory(), 'npm', 'ls', '--all');
    await copyFile(join(ROOT, 'test', 'package', 'consumer', 'consumer.ts'), join(directory(), 'consumer.ts'));
    await writeFile(join(directory(), 'readme.ts'), linesOf(pageOf('README.md'), 'ts').join('\n'));
    for (const [resolution, module] of [
      ['bundler', 'esnext'],
      ['nodenext', 'nodenext'],
    ]) {
      const strict = { strict: true, exactOptionalPropertyTypes: true, noPropertyAccessFromIndexSignature: true };
      const compilerOptions = {
        ...strict,
        ...{ target: 'es2022', lib: ['es2022'], types: ['node'], skipLibCheck: false, resolveJsonModule: true },
        ...{ module, moduleResolution: resolution, outDir: resolution, rootDir: '.' },
      };
      const file = `tsconfig.${resolution}.json`;
      await writeFile(join(directory(), file), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
      await run(directory(), join('node_modules', '.bin', 'tsc'), '-p', file);
    }
  });

  test(`runs ${beside}, and so does the example of the README`, async () => {
    const runs = (name: string) => run(directory(), process.execPath, join('nodenext', `${name}.js`));
    const said = JSON.parse((await runs('consumer')).trim().split('\n').at(-1) ?? '').join(', ');
    assert.is(said, 'true, Fix the login, INVALID_ARGUMENT, true, true, true');
    assert.equal((await runs('readme')).match(/^\w+$/gm), ['claimed', 'C0123', 'accepted', 'removed']);
  });

  test(`brings its command ${beside}: npx conversation-state`, async () => {
    const npx = (...args: string[]) => run(directory(), 'npx', '--no', '--', 'conversation-state', ...args);
    assert.match(await npx('load'), new RegExp(`^\\S+ {2}conversation ${LIBRARY_VERSION} loaded, there was none\n$`));
    await new ConversationStore(client).claim(STATE);
    assert.is(JSON.parse(await npx('list', '--json')).jobId, STATE.jobId);
    assert.match(await npx('show', '--job', STATE.jobId), /^slack C1, job j1\n/);
    assert.match(await npx('doctor'), /\n✓ keys {9}No problems in 1 conversation, /);
    const release = await npx('release', '--job', STATE.jobId, '--reason', 'hangs', '--by', 'ann', '--yes');
    assert.is(release, 'released slack C1 from job j1: hangs (ann)\n');
  });
}

test.run();
