import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from './compile.ts';
import { pageOf, ROOT } from './pages.ts';

// The tables of the page become types, which the compiler compares with those of the sources, in both directions.

const test = suite('docs/api.md');
const { text } = pageOf('docs/api.md');

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

/** A line that does not compile where the page has other names than the sources; the error says which. */
function comparison(name: string, names: readonly string[], declared: string): string {
  return `export const ${name}: Same<${names.map((one) => `'${one}'`).join(' | ')}, ${declared}> = true;`;
}

test('every row and every heading names something that is there, and nothing is left out', async () => {
  const program = [
    `import type { ${exported.join(', ')}, ConversationStore } from '../../../src/index.ts';`,
    'type KeysOf<T> = T extends unknown ? keyof T : never;',
    'type Rows<T> = T extends string ? T : T extends { outcome: infer Outcome extends string } ? Outcome : keyof T;',
    'type Missing<A, B> = [Exclude<A, B>] extends [never] ? true : Exclude<A, B>;',
    "type Same<A, B> = Missing<A, B> extends true ? Missing<B, A> : ['only on the page', Missing<A, B>];",
    comparison('methods', methods, 'keyof ConversationStore'),
    ...described.map(({ type, of, names }) =>
      comparison(`${of}_${type}`, names, `${of}<${/(Result|^DueJob)$/.test(type) ? `${type}<object>` : type}>`),
    ),
  ];
  const { errors, remove } = await compile({ page: program.join('\n') }, { noUnusedLocals: false });
  await remove();
  assert.is(errors, '');
});

test('every export has a row, and those with members, outcomes or codes have them described', async () => {
  const index = await readFile(join(ROOT, 'src', 'index.ts'), 'utf8');
  const known = new Set(described.map(({ type }) => type));
  let count = 0;
  for (const [, , list, path = ''] of index.matchAll(/^export (?:type )?(\*|\{(.*)\}) from '(.*)';$/gm)) {
    const text = await readFile(join(ROOT, 'src', path), 'utf8');
    const types = [...text.matchAll(/^export (?:interface|type) (\w+)/gm)].map(([, name = '']) => name);
    for (const name of list?.match(/\b(?!type\b)\w+/g) ?? types) {
      count++;
      const isStructured = new RegExp(`^export (interface ${name}|type ${name}(?<=Result|Code))\\b`, 'm').test(text);
      assert.ok(isStructured ? known.has(name) : [...exported, 'ConversationStore'].includes(name), name);
    }
  }
  assert.ok(count > 30);
});

test.run();
