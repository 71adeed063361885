import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');

/** A page for readers: the README, or one of `docs/`. */
export interface Page {
  /** Its path in the project. */
  path: string;
  text: string;
  blocks: { language: string; text: string }[];
}

function page(path: string): Page {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const blocks = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)].map(([, language = '', code = '']) => ({
    language,
    text: code,
  }));
  return { path, text, blocks };
}

const markdown = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));

/** Every page that ships. */
export const PAGES: readonly Page[] = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'BENCHMARKS.md', 'examples/slack/README.md'].map(
    page,
  ),
  ...markdown.map((name) => page(join('docs', name))),
];

export function pageOf(path: string): Page {
  const found = PAGES.find((candidate) => candidate.path === path);
  if (!found) throw new Error(`There is no page ${path}`);
  return found;
}

/** The lines of a page's blocks of one language. */
export function linesOf({ blocks }: Page, language: string): string[] {
  return blocks.filter((block) => block.language === language).flatMap(({ text }) => text.trim().split('\n'));
}

/** A line for a shell as the words that the shell would make of it, without the program. */
export function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '').slice(1);
}
