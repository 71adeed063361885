import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readLibrary } from '../../scripts/generate/library.ts';
import { Mistake } from '../../scripts/generate/statements.ts';
import { SOURCE } from '../support/library.ts';

const NAME = /^#!lua name=conversation/;
const ALIAS = /^---@alias State .*/m;
const CLASS = /^---@class \w+ .*/m;
const FIELD = /^---@field conversation string .*/m;
const AFTER = /(?<=^---@alias Two .*\n(?:--- .*\n)*)---@field .*/m;
const PARAM = /^---@param state State.*/m;
const CONSTANT = /^local MAX_ID = .*/m;
const DOC = /^---.*(?=\n---@return string version)/m;
const RETURN = /^---@return string version/m;
const FUNCTION = /^local function version\(\)/m;
const FAIL = /\bfail\('CONV[A-Z]+'/;
const REGISTERED = /redis\.register_function\(\{(?=\s*function_name = '?\w+'?,\s*callback = \w+\(version\b)/;

/** What is changed in the real library, into what, how the sentence about it begins, and what that points at if not at the change. */
const REFUSED: [what: RegExp, into: string, sentence: string, at?: RegExp][] = [
  [NAME, '#!lua', 'the library has no name; wanted `#!lua name=…`.'],
  [/^local VERSION = .*/m, "local VERSION = '1.0'", 'the library has no version', NAME],

  [RETURN, '---@async', '@async does not fit here; wanted @param or @return.'],
  [FIELD, '---@return string', '@return does not fit here; wanted @alias or @class or @field.'],
  [RETURN, 'local a ---@type string', 'an annotation has `---@` at the very start of its line.'],
  [FUNCTION, '', 'an annotation of nothing'],
  [FUNCTION, 'local version = function()', 'an annotation of nothing'],

  [CONSTANT, 'local MAX_ID = 2 * 256', 'what this docstring is about is not understood'],
  [CONSTANT, "local MAX_ID = 'a\\n'", 'what this docstring is about is not understood'],
  [CONSTANT, 'local max_id = 512', 'what this docstring is about is not understood'],

  [ALIAS, '---@alias state string', "can't read this @alias"],
  [ALIAS, '---@alias State string?', "can't read this @alias"],
  [ALIAS, '---@alias State string|integer', "can't read this @alias"],
  [ALIAS, '---@alias State number', "number can't be the type of this"],
  [CLASS, '---@class keys', "can't read this @class"],
  [CLASS, '---@class Keys: Parent', 'Keys extends Parent, which no @class above it defines.'],
  [CLASS, '---@class State', 'State is defined twice.'],
  [CLASS, "---@alias Two 'a'|'b'", '@field without a @class above it; remove the empty line between them.', AFTER],
  [FIELD, '---@field conversation integer', "can't read this @field"],

  [PARAM, '---@param state State?', "can't read this @param"],
  [PARAM, '---@param ... integer', "can't read this @param"],
  [PARAM, '---@param state string[]', "string[] can't be the type of this"],
  [PARAM, '---@param state Unknown', "Unknown can't be the type of this"],
  [RETURN, "---@return 'a'|'b", "can't read this @return"],
  [RETURN, '---@return string\n$&', 'one of several @return has no name; wanted `@return type name`.'],
  [FUNCTION, 'local function version(more, ...)', 'the @param of `version(more, ...)` are for ()'],
  [
    /^---@return string version\nlocal function version\(\)/m,
    '---@param a? string\n---@param b string\n---@return string\nlocal function version(a, b)',
    'b follows one with a ?; put what is required first.',
    /^---@param b string/m,
  ],
  [DOC, '-- Its version.', '`version()` lacks a docstring or @return', FUNCTION],

  [RETURN, '---', '`version` has no annotations; put them straight above its function.', REGISTERED],
  [REGISTERED, "$& description = 'x',", "can't read this registration", /redis\.register_function\(\{(?= description)/],
  [REGISTERED, 'for _ = 1, 2 do $&', "can't read this registration"],
  [/'conv_version'/, "'conv_Version'", "can't read this registration", REGISTERED],
  [/(?<='conv_version'.*)\{ 'no-writes' \}/, 'FLAGS', "can't read this registration", REGISTERED],
  [/(?<='conv_version'.*), 0, 0/, ', 0, 1', 'conv_version takes 0 to 1 arguments here and 0 to 0 in', REGISTERED],

  [FAIL, 'fail(code', "can't see the code of this error"],
  [FAIL, "error('CONVARG'", "can't see the code of this error"],
  [FAIL, "redis.error_reply('CONVARG'", "can't see the code of this error"],
];

for (const [what, into, sentence, at] of REFUSED) {
  test(`refuses \`${into}\` for ${what}: ${sentence}`, () => {
    const changed = SOURCE.replace(what, into);
    assert.is.not(changed, SOURCE, 'the library holds what is changed');
    const before = at ? changed.slice(0, changed.search(at)) : SOURCE.slice(0, SOURCE.search(what));
    const line = before.split('\n').length;
    assert.throws(
      () => readLibrary(changed),
      (error: Error) => {
        assert.instance(error, Mistake);
        return error.message.startsWith(`lua/conversation.lua:${line}: ${sentence}`);
      },
    );
  });
}

test.run();
