import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { pageOf, ROOT } from './pages.ts';

const test = suite('docs/api.md');
const { text } = pageOf('docs/api.md');
const source = (path: string) => readFileSync(join(ROOT, 'src', path), 'utf8');

/** Names that the page has in code, alone or among others. */
function missing(names: Iterable<string>): string[] {
  const code = [...text.matchAll(/`([^`\n]+)`|^### (.*)$/gm)].map(([, inline, heading]) => inline ?? heading ?? '');
  const known = new Set(code.flatMap((piece) => piece.match(/\w+/g) ?? []));
  return [...names].filter((name) => !known.has(name));
}

function all(pattern: RegExp, from: string): Set<string> {
  return new Set([...from.matchAll(pattern)].map(([, name = '']) => name));
}

test('it has every exported name', () => {
  const names = [...source('index.ts').matchAll(/\{([^}]*)\}/g)].flatMap(([, list = '']) =>
    list.split(',').map((name) => name.replace(/\btype\b/, '').trim()),
  );
  assert.ok(names.length > 30);
  assert.equal(missing(names.filter((name) => name !== '')), []);
});

test('it has every method of the store', () => {
  const methods = all(/^ {2}(?:async )?([a-zA-Z]+)\(/gm, source('store.ts'));
  methods.delete('constructor');
  assert.ok(methods.size >= 14);
  assert.equal(missing(methods), []);
});

test('it has every option, outcome and error code', () => {
  const options = all(/^ {2}([a-zA-Z]+)\??: /gm, source('options.ts'));
  assert.ok(options.size > 15);
  assert.equal(missing(options), []);
  const outcomes = new Set([...source('state.ts').matchAll(/^ \* - `(\w+)`/gm)].map(([, name = '']) => name));
  assert.ok(outcomes.size >= 12);
  assert.equal(missing(outcomes), []);
  const codes = all(/'([A-Z]+(?:_[A-Z]+)*)'/g, source('errors.ts') + source('conversation.gen.ts').slice(0, 5_000));
  assert.ok(codes.size >= 10);
  assert.equal(missing([...codes].filter((code) => /^(CONV|LIBRARY_|INVALID|CLUSTER|WRONGTYPE)/.test(code))), []);
});

test.run();
