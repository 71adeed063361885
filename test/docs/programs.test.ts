import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startAlone, stopAll } from '../cluster/nodes.ts';
import { withRedis } from '../support/redis.ts';
import { PAGES, type Page, pageOf, ROOT } from './pages.ts';

const test = suite('the TypeScript of the pages');
const redis = withRedis(test);
test.after(stopAll);
const run = promisify(execFile);
/** This page quotes a file that the demo plays with. */
const QUOTING = pageOf('docs/dispatcher.md');
const programs = PAGES.filter((page) => page !== QUOTING && page.blocks.some(({ language }) => language === 'ts'));
let folder: string;

test.before(async () => {
  folder = await mkdtemp(join(import.meta.dirname, 'programs-'));
  for (const page of programs) await writeFile(fileOf(page), programOf(page));
});
test.after(() => rm(folder, { recursive: true, force: true }));

function fileOf({ path }: Page): string {
  return join(folder, `${path.replace(/\W/g, '-')}.ts`);
}

/** All blocks of a page, in their order, are one program. tsconfig.json says where the package is that they import. */
function programOf({ blocks }: Page): string {
  return blocks.flatMap(({ language, text }) => (language === 'ts' ? [text] : [])).join('\n');
}

/** What the page says that is printed, by the comments behind its console.log lines: the first word of each. */
function promised(page: Page): string[] {
  return [...programOf(page).matchAll(/console\.log\(.*\); \/\/ ([\w-]+)/g)].map(([, word]) => word ?? '');
}

test('each page is a program that compiles', async () => {
  const project = join(folder, 'tsconfig.json');
  await writeFile(project, JSON.stringify({ extends: '../../../tsconfig.json', include: ['*.ts'] }));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { stdout } = await run(process.execPath, [tsc, '-p', project]).catch((error) => error);
  assert.is(stdout, '');
  assert.ok(programs.length >= 5);
});

test('docs/dispatcher.md quotes examples/dispatcher/dispatcher.ts', async () => {
  const code = (await readFile(join(ROOT, 'examples/dispatcher/dispatcher.ts'), 'utf8')).replace(/^ {2}/gm, '');
  const quotes = QUOTING.blocks.filter(({ language }) => language === 'ts').flatMap(({ text }) => text.split('\n\n'));
  for (const quote of quotes) assert.ok(code.includes(quote.trim()), quote);
  assert.ok(quotes.length >= 10);
});

for (const page of programs) {
  test(`${page.path} prints what its comments say`, async () => {
    const env: NodeJS.ProcessEnv = { ...process.env, REDIS_URL: await serverFor(page) };
    const { stdout } = await run(process.execPath, ['--import', 'tsx', fileOf(page)], {
      cwd: ROOT,
      env,
      timeout: 60_000,
    });
    const printed = stdout.trim().split('\n');
    const words = promised(page);
    let at = 0;
    for (const word of words) {
      const found = printed.findIndex((line, n) => n >= at && line.split(' ')[0] === word);
      assert.ok(found >= 0, `${word} is not printed after line ${at}:\n${stdout}`);
      at = found + 1;
    }
  });
}

async function serverFor({ text }: Page): Promise<string> {
  if (!text.includes('new Cluster(')) {
    const client = await redis.connect();
    await client.flushall();
    return redis.url();
  }
  return `redis://127.0.0.1:${(await startAlone()).port}`;
}

test.run();
