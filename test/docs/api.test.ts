import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from './compile.ts';
import { pageOf, ROOT } from './pages.ts';

// The tables of the page become types, which the compiler compares with those of the sources, in both directions.

const test = suite('docs/api.md');
const { text } = pageOf('docs/api.md');
const source = (path: string) => readFile(join(ROOT, 'src', path), 'utf8');

const namesIn = (cell = '') => [...cell.matchAll(/`([A-Za-z_]\w*)[^`]*`/g)].map(([, name = '']) => name);
const tables = [...text.matchAll(/(?:^\|.*\n)+/gm)].map(([table]) => {
  const [head = [], , ...rows] = table.split('\n').map((line) => line.split('|').slice(1, -1));
  return { head: head[0]?.trim(), type: namesIn(head[0])[0], rows: rows.filter(([cell]) => namesIn(cell).length > 0) };
});
/** The rows of the tables with one of these words at the head of the first column. */
const rowsUnder = (...heads: string[]) => tables.flatMap(({ head, rows }) => (heads.includes(head ?? '') ? rows : []));

/** Tables under the name of a type: a row for each of its members, outcomes or codes. */
const memberTables = tables.flatMap(({ type, rows }) =>
  type === undefined || rows.length === 0 ? [] : [{ type, of: 'Rows', names: rows.flatMap(([name]) => namesIn(name)) }],
);
/** A row for each export, or several, with its members in braces if they have no table. */
const exportRows = rowsUnder('export', 'type');
const memberLists = exportRows.flatMap(([name, is = '']) => {
  const [, members] = /^ `\{ (.*?) \}`/.exec(is) ?? [];
  return members === undefined ? [] : namesIn(name).map((type) => ({ type, of: 'KeysOf', names: members.split(', ') }));
});
const described = [...memberTables, ...memberLists];
const exported = [...new Set([...described.map(({ type }) => type), ...exportRows.flatMap(([name]) => namesIn(name))])];
/** Those with a heading of their own, and those with a row. */
const methods = [
  ...[...text.matchAll(/^### (\w+)\(/gm)].map(([, name = '']) => name),
  ...rowsUnder('method').flatMap(([name]) => namesIn(name)),
];

const union = (names: readonly string[]) => names.map((name) => `'${name}'`).join(' | ');

/** Does not compile where the page has other names than the sources, either way. */
function comparison(page: string, names: readonly string[], declared: string): string {
  return `
export type Page_${page} = ${union(names)};
export const onlyOnThePage_${page}: ${declared} = {} as Page_${page};
export const onlyInTheSources_${page}: Page_${page} = {} as ${declared};`;
}

test('every row and every heading names something that is there, and nothing is left out', async () => {
  const generic = new Set(
    [...(await source('state.ts')).matchAll(/^export (?:type|interface) (\w+)<State>/gm)].map(([, name]) => name),
  );
  const program = [
    `import type { ${exported.join(', ')}, ConversationStore } from '../../../src/index.ts';`,
    'type KeysOf<T> = T extends unknown ? keyof T : never;',
    'type Rows<T> = T extends string ? T : T extends { outcome: infer Outcome extends string } ? Outcome : keyof T;',
    comparison('methods', methods, 'keyof ConversationStore'),
    ...described.map(({ type, of, names }) =>
      comparison(`${of}_${type}`, names, `${of}<${generic.has(type) ? `${type}<object>` : type}>`),
    ),
  ];
  const { errors, remove } = await compile({ page: program.join('\n') }, { noUnusedLocals: false });
  await remove();
  assert.is(errors, '');
});

test('every export has a row, and those with members, outcomes or codes have them described', async () => {
  const index = await source('index.ts');
  const named = [...index.matchAll(/\{([^}]*)\}/g)].flatMap(([, list = '']) => list.match(/\b(?!type\b)\w+/g) ?? []);
  const whole = await Promise.all(
    [...index.matchAll(/type \* from '\.\/(.*?)'/g)].map(([, path = '']) => source(path)),
  );
  const types = [...whole.join('\n').matchAll(/^export (?:interface|type) (\w+)/gm)].map(([, name = '']) => name);
  const names = [...named, ...types];
  assert.ok(names.length > 30);
  assert.equal(
    names.filter((name) => !exported.includes(name) && name !== 'ConversationStore'),
    [],
  );
  const files = await Promise.all([...index.matchAll(/from '\.\/(.*?)'/g)].map(([, path = '']) => source(path)));
  const declared = [...files.join('\n').matchAll(/^export (?:interface (\w+)|type (\w+(?:Result|Code))\b)/gm)];
  const structured = declared.flatMap(([, one, other]) => one ?? other ?? []).filter((name) => names.includes(name));
  assert.ok(structured.length > 20);
  const known = new Set(described.map(({ type }) => type));
  assert.equal(
    structured.filter((name) => !known.has(name)),
    [],
  );
});

test.run();
