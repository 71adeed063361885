import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BOXES, readBoxes, refuses } from './boxes.ts';

function readWith(what: string, by: string) {
  assert.ok(BOXES.includes(what), `the library holds ${what}`);
  return readBoxes(BOXES.replace(what, () => by));
}

test('text above the first tag is the docstring, without empty lines around it', () => {
  const doc = '---\n--- Puts something in.\n---\n---   Indented – 漢.\n---\n---@param keys Box\n---@param size';
  const { functions } = readWith('--- Puts something into a box.\n---@param keys Box\n---@param size', doc);
  assert.equal(functions[0]?.doc, ['Puts something in.', '', '  Indented – 漢.']);
});

test('text below a tag goes on with that tag', () => {
  const { functions } = readWith('---@param size Size\n', '---@param size Size How much\n---   it needs.\n---\n');
  assert.is(functions[0]?.args[0]?.text, 'How much it needs.');
});

test('text above a type, behind it and below it is about the type', () => {
  const { classes } = readWith('---@class Box Where it lies.', '--- A place.\n---@class Box Where it lies.\n--- Dry.');
  assert.is(classes[0]?.text, 'A place. Where it lies. Dry.');
});

test('a line of dashes says nothing and ends what stands above it', () => {
  const { functions } = readWith('--- What lies', '--- Looking.\n----------\n--- What lies');
  assert.equal(functions[1]?.doc, ['What lies in a box.']);
});

test('a comment without tags belongs to whatever it stands above', () => {
  const { functions } = readWith('local function fail', '--- Stops the call.\nlocal function fail');
  assert.is(functions.length, 2);
});

test('a class takes the fields of its parent first, and is used by being one', () => {
  const parent = '---@class Place\n---@field place string\n\n---@class Box: Place Where it lies.';
  const { classes } = readWith('---@class Box Where it lies.', parent);
  assert.equal(
    classes.map(({ name, fields }) => [name, fields.map((field) => field.name)]),
    [
      ['Place', ['place']],
      ['Box', ['place', 'box', 'lid']],
    ],
  );
});

test('literals may have spaces between them and either kind of quotes', () => {
  const { functions } = readWith("'put'|'full' outcome", `'put' | "full"? outcome How it went.`);
  const [outcome] = functions[0]?.replies ?? [];
  assert.equal(outcome?.type.value, { kind: 'literals', literals: ['put', 'full'] });
  assert.equal([outcome?.optional, outcome?.name, outcome?.text], [true, 'outcome', 'How it went.']);
});

test('a single reply may have any name, or none and words behind #', () => {
  const named = readWith('---@return string?\n', '---@return string? reply What is there.\n');
  assert.equal(named.functions[1]?.replies[0]?.text, 'What is there.');
  const nameless = readWith('---@return string?\n', '---@return string? # What is there.\n');
  assert.equal(nameless.functions[1]?.replies[0]?.text, 'What is there.');
});

// Comments

refuses(
  'an unknown tag',
  ['---@return string?\n', '---@return string?\n---@deprecated\n'],
  '31: unknown tag @deprecated; wanted @alias, @class, @field, @param or @return.',
);

refuses(
  'an annotation behind code',
  ['local function look(keys, ...)', 'local function look(keys, ...) ---@async'],
  '31: an annotation behind code; put it on a line of its own.',
);

refuses(
  'an annotation of nothing',
  ['---@return string?\nlocal', '---@return string?\n\nlocal'],
  '27: an annotation of no function; put it straight above a top-level `local function`.',
);

refuses(
  'an annotation of a function inside another',
  ['  return function(keys, args)', '  ---@return string\n  return function(keys, args)'],
  '36: an annotation of no function; put it straight above a top-level `local function`.',
);

refuses(
  'a type and a function annotated in one comment',
  ['integer Whole units.\n', 'integer Whole units.\n---@return string\n'],
  '4: a type and a function are annotated in one comment; put an empty line between them.',
);

// Types

refuses(
  'an alias without a type',
  ['@alias Size integer Whole units.', '@alias Size'],
  "4: can't read this @alias; wanted `---@alias Name type what it is`, Name in CamelCase.",
);

refuses(
  'an alias in lower case',
  ['@alias Size', '@alias size'],
  "4: can't read this @alias; wanted `---@alias Name type what it is`, Name in CamelCase.",
);

refuses(
  'an alias that may be nil',
  ['@alias Size integer', '@alias Size integer?'],
  "4: can't read this @alias; wanted `---@alias Name type what it is`, Name in CamelCase.",
);

refuses(
  'an alias of an unknown type',
  ['@alias Size integer', '@alias Size number'],
  "4: unknown type number; wanted string, integer, literals such as 'a'|'b', or a name that an @alias gives to one of these.",
);

refuses(
  'an alias of another alias',
  ['integer Whole units.\n', 'integer Whole units.\n---@alias Depth Size\n'],
  "5: unknown type Size; wanted string, integer, literals such as 'a'|'b', or a name that an @alias gives to one of these.",
);

refuses(
  'a union of types',
  ['---@param size Size', '---@param size string|integer'],
  "16: unknown type string|integer; wanted string, integer, literals such as 'a'|'b', or a name that an @alias gives to one of these.",
);

refuses(
  'a literal that does not end',
  ["'put'|'full'", "'put'|'full"],
  "18: unknown type 'put'|'full; wanted string, integer, literals such as 'a'|'b', or a name that an @alias gives to one of these.",
);

refuses(
  'a list',
  ['---@param label? string', '---@param label? string[]'],
  "17: unknown type string[]; wanted string, integer, literals such as 'a'|'b', or a name that an @alias gives to one of these.",
);

refuses(
  'a literal that stands twice',
  ["'put'|'full'", "'put'|'put'"],
  "18: the literal 'put' stands twice in one type; once is enough.",
);

refuses(
  'an alias that is defined twice',
  ['integer Whole units.\n', 'integer Whole units.\n---@alias Size string\n'],
  '5: Size is defined twice, first in line 4; rename one.',
);

refuses(
  'a class with the name of an alias',
  ['@class Box Where', '@class Size Where'],
  '6: Size is defined twice, first in line 4; rename one.',
);

refuses(
  'an alias that is used nowhere',
  ['---@param size Size', '---@param size integer'],
  '4: Size is used nowhere; use it or remove it.',
);

refuses(
  'a class that is used nowhere',
  ['---@class Box', '---@class Other\n---@field other string\n\n---@class Box'],
  '6: Other is used nowhere; use it or remove it.',
);

refuses(
  'a class without a field',
  ['---@class Box', '---@class Other\n\n---@class Box'],
  '6: Other has no @field; wanted one for each key.',
);

refuses(
  "a class that can't be read",
  ['@class Box Where', '@class box-1 Where'],
  "6: can't read this @class; wanted `---@class Name what it is` or `---@class Name: Parent what it is`, Name in CamelCase.",
);

refuses(
  'a class with an unknown parent',
  ['@class Box Where', '@class Box: Crate Where'],
  '6: Box extends Crate, which no @class above it defines.',
);

refuses('a field that is there twice', ['@field lid?', '@field box?'], '6: Box has the field box twice; rename one.');

refuses(
  'a field of its parent once more',
  ['---@field lid? string\n', '---@field lid? string\n---@class Big: Box\n---@field lid string\n'],
  '9: Big has the field lid twice; rename one.',
);

refuses(
  'a field that is no string',
  ['@field box string', '@field box Size'],
  '7: the field box is Size, but a key is a string; wanted string.',
);

refuses(
  'a field without a type',
  ['@field box string', '@field box'],
  "7: can't read this @field; wanted `---@field name string what it is`.",
);

refuses('a field apart from its class', ['---@field lid?', '\n---@field lid?'], '9: @field without a @class above it.');

refuses(
  'a field without a name',
  ['@field lid? string', '@field ... string'],
  "8: can't read this @field; wanted `---@field name string what it is`.",
);

refuses('a field without a class', ['---@class Box Where it lies.\n', ''], '6: @field without a @class above it.');

// Functions

refuses(
  'a function without annotations',
  ['---@param ... string Labels.\n---@return string?\nlocal', '\nlocal'],
  '27: an annotation of no function; put it straight above a top-level `local function`.',
);

refuses(
  'a registered function without any comment',
  ['--- What lies in a box.\n---@param keys Box\n---@param ... string Labels.\n---@return string?\n', ''],
  '27: `look`, registered as box_look, is not annotated; wanted a docstring, @param for each parameter and @return straight above it.',
);

refuses(
  'a function without a docstring',
  ['--- What lies in a box.\n', ''],
  '27: `look` has no docstring; wanted `--- What it does.` above its first tag.',
);

refuses(
  'a function without @return',
  ['---@return string?\n', ''],
  '27: `look` has no @return; wanted one for each part of its reply.',
);

refuses(
  'a @param of another name',
  ['---@param size Size', '---@param amount Size'],
  '16: @param amount does not fit `put(keys, size, label)`; wanted @param size here.',
);

refuses(
  'a @param too many',
  ['---@param ... string Labels.\n', '---@param ... string Labels.\n---@param more string\n'],
  '30: @param more does not fit `look(keys, ...)`; wanted no further @param.',
);

refuses(
  '@params in another order',
  ['---@param size Size\n---@param label? string\n', '---@param label string\n---@param size Size\n'],
  '16: @param label does not fit `put(keys, size, label)`; wanted @param size here.',
);

refuses(
  'a parameter without @param',
  ['---@param label? string\n', ''],
  '19: `put` has no @param for label; annotate every parameter, in their order.',
);

refuses(
  'a function of which only the reply is annotated',
  ['---@param keys Box\n---@param ... string Labels.\n', ''],
  '29: `look` has no @param for keys; annotate every parameter, in their order.',
);

refuses(
  'a variadic function without @param ...',
  ['---@param ... string Labels.\n', ''],
  '30: `look` has no @param for ...; annotate every parameter, in their order.',
);

refuses(
  'a @param ... of a function that is not variadic',
  ['---@param label? string\n', '---@param label? string\n---@param ... string\n'],
  '18: @param ... does not fit `put(keys, size, label)`; wanted no further @param.',
);

refuses(
  'a @param without a type',
  ['---@param size Size', '---@param size'],
  "16: can't read this @param; wanted `---@param name type what it is`.",
);

refuses(
  'a ? behind the type of a @param',
  ['---@param label? string', '---@param label string?'],
  '17: `label` has its ? behind the type; wanted `---@param label? string`.',
);

refuses(
  'a @param of an unknown type',
  ['---@param size Size', '---@param size Amount'],
  "16: unknown type Amount; wanted string, integer, literals such as 'a'|'b', or a name that an @alias gives to one of these.",
);

refuses(
  'a class behind the first parameter',
  ['---@param size Size', '---@param size Box'],
  '16: the class Box is no value; only the first parameter of a function can be one, its keys.',
);

refuses(
  'keys that can be left out',
  ['---@param keys Box\n---@param size', '---@param keys? Box\n---@param size'],
  "15: the keys of box_put can't be left out; put the ? behind the fields of Box.",
);

refuses(
  'a required argument behind an optional one',
  ['---@param size Size\n---@param label? string\n', '---@param size? Size\n---@param label string\n'],
  '17: label is required but follows size?; put what is required first.',
);

refuses(
  'an optional ...',
  ['---@param ... string', '---@param ...? string'],
  '29: `...` may be empty anyway; remove the ?.',
);

refuses(
  'a ... of integers',
  ['---@param ... string', '---@param ... integer'],
  '29: `...` can only be of strings; wanted string.',
);

refuses(
  'an argument called rest next to ...',
  [
    '---@param ... string Labels.\n---@return string?\nlocal function look(keys, ...)',
    '---@param rest string\n---@param ... string Labels.\n---@return string?\nlocal function look(keys, rest, ...)',
  ],
  '27: two arguments are called rest; rename one.',
);

refuses(
  'one of several @return without a name',
  ['---@return string? before', '---@return string?'],
  '19: one of several @return has no name; wanted `---@return type name`.',
);

refuses(
  'two @return of one name',
  ['---@return string? before', '---@return string? outcome'],
  '19: two @return are called outcome; rename one.',
);

refuses(
  'a @return without a type',
  ['---@return string?\n', '---@return\n'],
  "30: can't read this @return; wanted `---@return type name what it is`.",
);

refuses(
  'a @return with a name that is none',
  ['---@return string? before', '---@return string? the-one'],
  "19: can't read this @return; wanted `---@return type name what it is`.",
);

refuses(
  'a class as @return',
  ['---@return string?\n', '---@return Box\n'],
  '30: the class Box is no value; only the first parameter of a function can be one, its keys.',
);

test.run();
