import { existsSync } from 'node:fs';
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
  const pages = ['BENCHMARKS.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'README.md', 'SECURITY.md', 'benchmarks.svg'];
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

  test(`installs ${beside}, whose range allows it`, async () => {
    const types = `@types/node@${await versionHere('@types/node')}`;
    await project(`ioredis-${ioredis}`, `ioredis@${ioredis}`, `typescript@${typescript}`, types);
    await run(directory(), 'npm', 'ls', '--all');
  });

  test(`compiles ${beside} with TypeScript ${typescript}, as nodenext and as bundler resolve it`, async () => {
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

  test(`runs ${beside}`, async () => {
    assert.ok(existsSync(join(directory(), 'nodenext', 'consumer.js')));
    const printed = await run(directory(), process.execPath, join('nodenext', 'consumer.js'));
    const said = JSON.parse(printed.trim().split('\n').at(-1) ?? '').join(', ');
    assert.is(said, 'false, true, Fix the login, removed, C1, INVALID_ARGUMENT, true, true, true');
  });

  test(`runs the example of the readme ${beside}`, async () => {
    const printed = await run(directory(), process.execPath, join('nodenext', 'readme.js'));
    assert.equal(printed.match(/^\w+$/gm), ['claimed', 'C0123', 'accepted', 'removed']);
  });

  test(`brings its command ${beside}: npx conversation-state`, async () => {
    const npx = (...args: string[]) => attempt(directory(), 'npx', '--no', '--', 'conversation-state', ...args);
    const missing = await npx('check');
    assert.match(missing.stdout, /^\S+ {2}there is no library conversation\n$/);
    assert.is(missing.code, 1);
    const loaded = await npx('load');
    assert.match(loaded.stdout, new RegExp(`^\\S+ {2}conversation ${LIBRARY_VERSION} loaded, there was none\n$`));
    assert.is(loaded.code, 0);
    assert.is((await npx('check')).code, 0);
    assert.is((await npx('--version')).stdout.trim(), LIBRARY_VERSION);
  });
}

test('lists, shows and releases a conversation, and doctor finds nothing wrong with it', async () => {
  const program = join(folder, `ioredis-${CONSUMERS[0]?.ioredis}`, 'node_modules', '.bin', 'conversation-state');
  await new ConversationStore(client).claim(STATE);
  const [list, show, doctor, release] = [
    await run(folder, program, 'list', '--json'),
    await run(folder, program, 'show', '--job', STATE.jobId),
    await run(folder, program, 'doctor'),
    await run(folder, program, 'release', '--job', STATE.jobId, '--reason', 'hangs', '--by', 'ann', '--yes'),
  ];
  assert.is(JSON.parse(list).jobId, STATE.jobId);
  assert.match(show, /^slack C1, job j1\n/);
  assert.match(doctor, /\n✓ keys {9}No problems in 1 conversation, /);
  assert.is(release, 'released slack C1 from job j1: hangs (ann)\n');
});

test.run();
