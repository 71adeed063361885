import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readLibrary } from '../../scripts/generate/library.ts';
import { BOXES, readBoxes, refuses } from './boxes.ts';

function codesWith(what: string, by: string): string[] {
  assert.ok(BOXES.includes(what), `the library holds ${what}`);
  return readBoxes(BOXES.replace(what, () => by)).errorCodes;
}

test('takes the library that the other tests change', () => {
  const { name, version, functions, errorCodes } = readBoxes(BOXES);
  assert.equal([name, version, errorCodes], ['boxes', '1.0.0', ['BOXKEY', 'BOXSIZE']]);
  assert.equal(
    functions.map((fn) => [fn.name, fn.flags, fn.errorCodes]),
    [
      ['box_put', [], ['BOXKEY', 'BOXSIZE']],
      ['box_look', ['no-writes'], []],
    ],
  );
});

test('refuses a file that is not UTF-8', () => {
  const source = Buffer.from([0x2d, 0x2d, 0xff]);
  assert.throws(() => readLibrary(source, 'x.lua'), /^x\.lua:1: the file is not UTF-8; save it/);
});

test('finds the codes that a helper of a helper is given', () => {
  const helper = "local function refuse(code, box)\n  fail(code, box .. ' is shut')\nend\n\n--- Puts";
  const source = BOXES.replace('--- Puts', () => helper);
  assert.equal(readBoxes(source.replace("fail('BOXKEY'", "refuse('BOXSHUT'")).errorCodes, ['BOXSHUT', 'BOXSIZE']);
});

test('finds each code that and and or can come to', () => {
  assert.equal(codesWith("'BOXKEY'", "label == '' and 'BOXLABEL' or 'BOXKEY'"), ['BOXKEY', 'BOXLABEL', 'BOXSIZE']);
});

test('finds the code of an error table and of a message of several literals', () => {
  const reply = "redis.error_reply('BOXSIZE ' .. size .. label)";
  assert.equal(codesWith(reply, "{ err = 'BOXFULL ' .. size }"), ['BOXFULL', 'BOXKEY']);
  assert.equal(codesWith(reply, "redis.error_reply('BOX' .. 'FULL' .. ' it is')"), ['BOXFULL', 'BOXKEY']);
  assert.equal(codesWith(reply, 'redis.error_reply("BOXFULL")'), ['BOXFULL', 'BOXKEY']);
});

test('takes no word of a comment, of another string or of a member that is only named like a helper for a code', () => {
  const others =
    "local names = { fail = print, put = print, text = 'BOXTEXT is no error' }\n  names.fail(names.put, 'BOXNAME') -- fail('BOXOLD')";
  const { errorCodes, functions } = readBoxes(
    BOXES.replace("return redis.call('HMGET'", (call) => `${others}\n  ${call}`),
  );
  assert.equal(errorCodes, ['BOXKEY', 'BOXSIZE']);
  assert.equal(functions[1]?.errorCodes, []);
});

test('lets what a pcall caught pass, also through a function that is handed it', () => {
  const codes = ['BOXKEY', 'BOXSIZE'];
  assert.equal(codesWith('redis.error_reply(reply)', 'redis.error_reply(reply.err or reply)'), codes);
  const helper = 'local function answer_of(ok, first)\n  return ok and first or redis.error_reply(first)\nend\n\n';
  const source = BOXES.replace('local function served', (start) => helper + start);
  assert.equal(
    readBoxes(
      source
        .replace('local ok, reply = pcall(', 'local ok, reply = true, answer_of(pcall(')
        .replace('(args))', '(args)))'),
    ).errorCodes,
    codes,
  );
});

test('reads a library without error codes', () => {
  const source = BOXES.replace("redis.error_reply('BOXSIZE ' .. size .. label)", 'nil').replace(
    "fail('BOXKEY', ",
    'print(',
  );
  assert.equal(readBoxes(source).errorCodes, []);
});

// The library

refuses(
  'what is not Lua',
  ['local function put(', 'local function = put('],
  "20: this is not Lua 5.1: <name> expected near '='.",
);

refuses(
  'a library without a name',
  ['#!lua name=boxes', '#!lua'],
  '1: the library has no name; wanted `#!lua name=…` as the first line.',
);

refuses(
  'a library without a version',
  ['local VERSION', 'local Version'],
  "1: the library has no version; wanted `local VERSION = '1.0.0'` at the top level.",
);

refuses(
  'a version that is no literal',
  ["local VERSION = '1.0.0'", 'local VERSION = tostring(1)'],
  "2: VERSION is not a version; wanted a literal such as '1.0.0'.",
);

refuses(
  'a version that is not of three numbers',
  ["'1.0.0'", "'1.0'"],
  "2: VERSION is not a version; wanted a literal such as '1.0.0'.",
);

// Registrations

refuses(
  'a library that registers nothing',
  [
    "redis.register_function({ function_name = 'box_put', callback = served(put, 1, 2) })\nredis.register_function({ function_name = 'box_look', callback = served(look, 0), flags = { 'no-writes' } })\n",
    '',
  ],
  '1: nothing is registered; wanted at least one redis.register_function.',
);

refuses(
  'a registration inside a function',
  [
    "redis.register_function({ function_name = 'box_look', callback = served(look, 0), flags = { 'no-writes' } })",
    "local function later()\n  redis.register_function('box_look', look)\nend\nlater()",
  ],
  '44: redis.register_function is not called at the top level; register each function there by its name.',
);

refuses(
  'a registration through another name',
  [
    "redis.register_function({ function_name = 'box_look'",
    "local register = redis.register_function\nregister({ function_name = 'box_look'",
  ],
  '43: redis.register_function is not called at the top level; register each function there by its name.',
);

refuses(
  'a registration without a callback',
  ['callback = served(look, 0), ', ''],
  '43: a registration without a name or without a callback; wanted both.',
);

refuses(
  'a registration without a name',
  ["function_name = 'box_look', ", ''],
  '43: a registration without a name or without a callback; wanted both.',
);

refuses(
  'a registration with more than a name and a callback',
  [
    "redis.register_function({ function_name = 'box_look', callback = served(look, 0), flags = { 'no-writes' } })",
    "redis.register_function('box_look', served(look, 0), { 'no-writes' })",
  ],
  '43: a registration without a name or without a callback; wanted both.',
);

refuses(
  'a registration with more than a table',
  ["flags = { 'no-writes' } })", "flags = { 'no-writes' } }, true)"],
  '43: the name of a function is not a string literal; write it out here.',
);

refuses(
  'an unknown field of a registration',
  ['flags = {', 'flag = {'],
  '43: this field of a registration is not understood; wanted function_name, callback, flags and description.',
);

refuses(
  'a name that is no literal',
  ["'box_look'", "'box_' .. 'look'"],
  '43: the name of a function is not a string literal; write it out here.',
);

refuses(
  'a name that Redis does not take',
  ["'box_look'", "'box-look'"],
  "43: 'box-look' is no name for a function; wanted letters, digits and _, a letter first.",
);

refuses('flags that are no table', ["{ 'no-writes' }", 'READ'], '43: flags are not a table of literals.');

refuses(
  'a flag that is no literal',
  ["{ 'no-writes' }", '{ READ }'],
  '43: a flag is not a string literal; write it out here.',
);

refuses(
  'a flag with a key',
  ["{ 'no-writes' }", "{ flag = 'no-writes' }"],
  "43: a flag has no key; wanted flags = { 'no-writes' }.",
);

refuses(
  'an unknown flag',
  ["'no-writes'", "'no_writes'"],
  "43: unknown flag 'no_writes'; wanted one of no-writes, allow-oom, allow-stale, no-cluster, allow-cross-slot-keys.",
);

refuses(
  'a callback that is written in place',
  ['served(look, 0)', 'function() end'],
  "43: can't see which function box_look calls; wanted the name of a top-level `local function`, or a call with such a name as its first argument.",
);

refuses(
  'a callback of a global function',
  ['local function look', 'function look'],
  "43: can't see which function box_look calls; wanted the name of a top-level `local function`, or a call with such a name as its first argument.",
);

refuses(
  'a call that does not begin with the function',
  ['served(look, 0)', 'served(0, look)'],
  "43: can't see which function box_look calls; wanted the name of a top-level `local function`, or a call with such a name as its first argument.",
);

refuses(
  'a function that is declared twice',
  ['local function served', 'local function look()\nend\n\nlocal function served'],
  '35: `look` is declared twice and box_look is registered with it; rename one.',
);

refuses(
  'a name that is registered twice',
  ["'box_look'", "'box_put'"],
  '43: box_put is registered twice, first in line 42.',
);

refuses(
  'two names that differ only by case',
  ["'box_look'", "'Box_Put'"],
  '43: Box_Put and box_put of line 42 differ only by case; Redis tells no case apart, rename one.',
);

refuses(
  'two names that are one in TypeScript',
  ["'box_look'", "'box__put'"],
  '43: box__put is boxPut in TypeScript, and that is taken; rename it.',
);

refuses(
  'a name that TypeScript keeps for itself',
  ["'box_look'", "'delete'"],
  '43: delete is delete in TypeScript, and that is taken; rename it.',
);

refuses(
  'a type with a name of the generated file',
  ['---@field lid? string\n', '---@field lid? Promise\n\n---@alias Promise string\n'],
  '10: Promise is Promise in TypeScript, and that is taken; rename it.',
);

refuses(
  'a part of a reply with a name of the generated code',
  ['string? before', 'string? keys'],
  '42: a part of the reply of box_put is called keys, which is taken; rename it.',
);

refuses(
  'fewer arguments than annotated',
  ['served(put, 1, 2)', 'served(put, 0, 2)'],
  '42: box_put is registered with 0 to 2 arguments, but its annotations say 1 to 2; make them agree.',
);

refuses(
  'more arguments than annotated',
  ['served(put, 1, 2)', 'served(put, 1, 3)'],
  '42: box_put is registered with 1 to 3 arguments, but its annotations say 1 to 2; make them agree.',
);

refuses(
  'no limit for a function that is not variadic',
  ['served(put, 1, 2)', 'served(put, 1)'],
  '42: box_put is registered with 1 to any number of arguments, but its annotations say 1 to 2; make them agree.',
);

refuses(
  'a limit for a variadic function',
  ['served(look, 0)', 'served(look, 0, 9)'],
  '43: box_look is registered with 0 to 9 arguments, but its annotations say 0 to any number of; make them agree.',
);

refuses(
  'three numbers behind a function',
  ['served(put, 1, 2)', 'served(put, 1, 2, 3)'],
  '42: more than two numbers end this call; wanted the fewest and the most arguments.',
);

refuses(
  'a function with arguments that Redis calls itself',
  ['served(put, 1, 2)', 'put'],
  '42: Redis calls box_put itself, with a table of keys and one of arguments; wanted a callback that takes them apart, such as `served(fn, …)`.',
);

// Error codes

refuses(
  'an error without a code',
  ["'BOXSIZE '", "'no size '"],
  "24: an error without a code; wanted its first word in capitals, as in 'CODE what is wrong'.",
);

refuses(
  'a code that is put together',
  ["'BOXSIZE ' .. size", "'BOX' .. size"],
  "24: an error without a code; wanted its first word in capitals, as in 'CODE what is wrong'.",
);

refuses(
  'a code in a variable',
  ["redis.error_reply('BOXSIZE ' .. size .. label)", 'redis.error_reply(label)'],
  "24: can't see the code of this error; wanted a string literal, the first parameter of a top-level function, or what a pcall caught.",
);

refuses(
  'a helper that is given a variable',
  ["fail('BOXKEY',", 'fail(label,'],
  "22: can't see the code of this error; wanted a string literal, the first parameter of a top-level function, or what a pcall caught.",
);

refuses(
  'a helper that is given one of two codes, one of them unknown',
  ["fail('BOXKEY',", "fail(size and 'BOXKEY' or label,"],
  "22: can't see the code of this error; wanted a string literal, the first parameter of a top-level function, or what a pcall caught.",
);

refuses(
  'an error table without a code',
  ["redis.error_reply('BOXSIZE ' .. size .. label)", "{ err = 'oh ' .. size }"],
  "24: an error without a code; wanted its first word in capitals, as in 'CODE what is wrong'.",
);

refuses(
  'an error that nobody caught passed on',
  ['redis.error_reply(reply)', 'redis.error_reply(args)'],
  "38: can't see the code of this error; wanted a string literal, the first parameter of a top-level function, or what a pcall caught.",
);

test.run();
