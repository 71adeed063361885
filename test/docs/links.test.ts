import { existsSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PAGES, ROOT } from './pages.ts';

const test = suite('the links of the pages');
const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { files: string[] };
const SHIPPED = [...files, 'README.md', 'LICENSE', 'package.json'];

/** The anchor of a heading, as GitHub and npm make it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}

function anchorsOf(path: string): string[] {
  const text = readFileSync(join(ROOT, path), 'utf8');
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));
}

test('each leads to something that is there, and that ships in the package', () => {
  const broken: string[] = [];
  for (const { path, text } of PAGES) {
    for (const [, target = ''] of text.replace(/^```[\s\S]*?^```/gm, '').matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https:\/\//.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const place = file === '' ? path : normalize(join(path, '..', file));
      const ships = SHIPPED.some((shipped) => place === shipped || place.startsWith(`${shipped}/`));
      const isThere = existsSync(join(ROOT, place)) && (anchor === undefined || anchorsOf(place).includes(anchor));
      if (!ships || !isThere) broken.push(`${path}: ${target}`);
    }
  }
  assert.equal(broken, []);
});

test('the README is short, begins with code, has its two commands on lines of their own, and leads to every page', () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const lines = readme.trimEnd().split('\n');
  assert.ok(lines.length <= 130, 'at most 130 lines');
  assert.ok(lines.indexOf('```ts') < 40, 'code by line 40');
  for (const command of ['npm ci && npm start', 'npm test']) assert.ok(lines.includes(command), command);
  for (const { path } of PAGES) if (path.startsWith('docs/')) assert.ok(readme.includes(`](${path})`), path);
});

test.run();
