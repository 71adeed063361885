import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startAlone, stopAll } from '../cluster/nodes.ts';
import { withRedis } from '../support/redis.ts';
import { type Compiled, compile } from './compile.ts';
import { PAGES, type Page, pageOf, ROOT } from './pages.ts';

const test = suite('the TypeScript of the pages');
const redis = withRedis(test);
test.after(stopAll);
/** This page quotes a file that the demo plays with. */
const QUOTING = pageOf('docs/dispatcher.md');
const programs = PAGES.filter((page) => page !== QUOTING && page.blocks.some(({ language }) => language === 'ts'));
let compiled: Compiled;

test.before(async () => {
  compiled = await compile(Object.fromEntries(programs.map((page) => [nameOf(page), programOf(page)])));
});
test.after(() => compiled.remove());

function nameOf({ path }: Page): string {
  return path.replace(/\W/g, '-');
}

/** All blocks of a page, in their order, are one program. */
function programOf({ blocks }: Page): string {
  return blocks.flatMap(({ language, text }) => (language === 'ts' ? [text] : [])).join('\n');
}

/** What the page says that is printed, by the comments behind its console.log lines: the first word of each. */
function promised(page: Page): string[] {
  return [...programOf(page).matchAll(/console\.log\(.*\); \/\/ ([\w-]+)/g)].map(([, word]) => word ?? '');
}

test('each page is a program that compiles', () => {
  assert.is(compiled.errors, '');
  assert.ok(programs.length >= 5);
});

test('docs/dispatcher.md quotes examples/slack/dispatcher.ts', async () => {
  const code = (await readFile(join(ROOT, 'examples/slack/dispatcher.ts'), 'utf8')).replace(/^ {2}/gm, '');
  const quotes = QUOTING.blocks.filter(({ language }) => language === 'ts').flatMap(({ text }) => text.split('\n\n'));
  for (const quote of quotes) assert.ok(code.includes(quote.trim()), quote);
  assert.ok(quotes.length >= 2);
});

for (const page of programs) {
  test(`${page.path} prints what its comments say, and the same again the second time`, async () => {
    const env = { ...process.env, REDIS_URL: await serverFor(page) };
    const outputs = [await compiled.run(nameOf(page), env), await compiled.run(nameOf(page), env)];
    for (const { stdout } of outputs) {
      const printed = stdout.trim().split('\n');
      let at = 0;
      for (const word of promised(page)) {
        const found = printed.findIndex((line, n) => n >= at && line.split(' ')[0] === word);
        assert.ok(found >= 0, `${word} is not printed after line ${at}:\n${stdout}`);
        at = found + 1;
      }
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
