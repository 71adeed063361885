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
const SECOND = /(?<=^---@field a string\n)---@field a string/m;
const PARAM = /^---@param state State.*/m;
const CONSTANT = /^local MAX_ID = .*/m;
const DOC = /^---.*(?=\n---@return string version)/m;
const RETURN = /^---@return string version/m;
const FUNCTION = /^local function version\(\)/m;
const FAIL = /\bfail\('CONV[A-Z]+'/;
const REGISTERED = /redis\.register_function\(\{(?=\s*function_name = '?\w+'?,\s*callback = \w+\(version\b)/;

const TYPES = "string, integer, literals such as 'a'|'b', or the name of an @alias above";
const NO_ALIAS = "can't read this @alias; wanted `---@alias Name type what it is`.";
const NO_CLASS = "can't read this @class; wanted `---@class Name: Parent what it is`.";
const NO_FIELD = "can't read this @field; wanted `---@field name? string what it is`.";
const NO_PARAM =
  "can't read this @param; wanted `---@param name? type what it is` or `---@param ... string what they are`.";
const NO_RETURN = "can't read this @return; wanted `---@return type? name what it is`.";
const NO_CONSTANT =
  "what this docstring is about is not understood; wanted `local NAME = 12` or `local NAME = 'text'` straight below it, or a comment of two dashes.";
const NO_VERSION = "the library has no version; wanted `local VERSION = '1.0.0'` in a line of its own.";
const NO_START = 'an annotation has `---@` at the very start of its line.';
const NO_FUNCTION = 'an annotation of nothing; put it straight above a top-level `local function`.';
const OTHER_PARAMS = 'the @param of `version(more, ...)` are for (); wanted one for each parameter, in their order.';
const NO_DOCSTRING = '`version()` lacks a docstring or @return; wanted `--- What it does.` first and @return last.';
const OTHER_NUMBER = 'conv_version takes 0 to 1 arguments here and 0 to 0 in its annotations.';
const NO_CODE = "can't see the code of this error; wanted `fail('CODE', …)` with the code written out.";
const NO_REGISTRATION =
  "can't read this registration; wanted `redis.register_function({ function_name = 'conv_…', callback = handler(body, …)[, flags = { '…' }] })` at the top level.";

/** What is changed in the real library, into what, the sentence about it, and what that points at if not at the change. */
const REFUSED: [what: RegExp, into: string, sentence: string, at?: RegExp][] = [
  [NAME, '#!lua', 'the library has no name; wanted `#!lua name=…`.'],
  [/^local VERSION = .*/m, "local VERSION = '1.0'", NO_VERSION, NAME],

  [RETURN, '---@async', '@async does not fit here; wanted @param or @return.'],
  [FIELD, '---@return string', '@return does not fit here; wanted @alias or @class or @field.'],
  [RETURN, 'local a ---@type string', NO_START],
  [FUNCTION, '', NO_FUNCTION],
  [FUNCTION, 'local version = function()', NO_FUNCTION],

  [CONSTANT, 'local MAX_ID = 2 * 256', NO_CONSTANT],
  [CONSTANT, "local MAX_ID = 'a\\n'", NO_CONSTANT],
  [CONSTANT, 'local max_id = 512', NO_CONSTANT],

  [ALIAS, '---@alias state string', NO_ALIAS],
  [ALIAS, '---@alias State string?', NO_ALIAS],
  [ALIAS, '---@alias State string|integer', NO_ALIAS],
  [ALIAS, '---@alias State number', `number can't be the type of this; wanted ${TYPES}.`],
  [CLASS, '---@class keys', NO_CLASS],
  [CLASS, '---@class Keys: Parent', 'Keys extends Parent, which no @class above it defines.'],
  [CLASS, '---@class State', 'State is defined twice.'],
  [CLASS, "---@alias Two 'a'|'b'", '@field without a @class above it; remove the empty line between them.', AFTER],
  [CLASS, '---@class Two\n---@field a string\n---@field a string', 'Two has the field a twice.', SECOND],
  [FIELD, '---@field conversation integer', NO_FIELD],

  [PARAM, '---@param state State?', NO_PARAM],
  [PARAM, '---@param ... integer', NO_PARAM],
  [PARAM, '---@param state string[]', `string[] can't be the type of this; wanted ${TYPES}.`],
  [PARAM, '---@param state Unknown', `Unknown can't be the type of this; wanted ${TYPES}.`],
  [RETURN, "---@return 'a'|'b", NO_RETURN],
  [RETURN, '---@return string\n$&', 'one of several @return has no name; wanted `@return type name`.'],
  [FUNCTION, 'local function version(more, ...)', OTHER_PARAMS],
  [
    /^---@return string version\nlocal function version\(\)/m,
    '---@param a? string\n---@param b string\n---@return string\nlocal function version(a, b)',
    'b follows one with a ?; put what is required first.',
    /^---@param b string/m,
  ],
  [DOC, '-- Its version.', NO_DOCSTRING, FUNCTION],

  [RETURN, '---', '`version` has no annotations; put them straight above its function.', REGISTERED],
  [REGISTERED, "$& description = 'x',", NO_REGISTRATION, /redis\.register_function\(\{(?= description)/],
  [REGISTERED, 'for _ = 1, 2 do $&', NO_REGISTRATION],
  [/'conv_version'/, "'conv_Version'", NO_REGISTRATION, REGISTERED],
  [/(?<='conv_version'.*)\{ 'no-writes' \}/, 'FLAGS', NO_REGISTRATION, REGISTERED],
  [/(?<='conv_version'.*), 0, 0/, ', 0, 1', OTHER_NUMBER, REGISTERED],

  [FAIL, 'fail(code', NO_CODE],
  [FAIL, "error('CONVARG'", NO_CODE],
  [FAIL, "redis.error_reply('CONVARG'", NO_CODE],
];

for (const [what, into, sentence, at] of REFUSED) {
  test(`refuses \`${into}\` for ${what}: ${sentence}`, () => {
    const changed = SOURCE.replace(what, into);
    assert.is.not(changed, SOURCE, 'the library holds what is changed');
    const before = at ? changed.slice(0, changed.search(at)) : SOURCE.slice(0, SOURCE.search(what));
    try {
      readLibrary(changed);
    } catch (error) {
      assert.instance(error, Mistake);
      const { message } = error as Mistake;
      assert.is(message, `lua/conversation.lua:${before.split('\n').length}: ${sentence}`);
      return;
    }
    assert.unreachable('it was taken');
  });
}

test.run();
