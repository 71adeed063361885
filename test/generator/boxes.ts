import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Library, readLibrary } from '../../scripts/generate/library.ts';
import { Mistake } from '../../scripts/generate/lua.ts';

/** A small library that the generator takes. The tests change it in one place each. */
export const BOXES = `#!lua name=boxes
local VERSION = '1.0.0'

---@alias Size integer Whole units.

---@class Box Where it lies.
---@field box string
---@field lid? string

local function fail(code, what)
  error(code .. ' ' .. what, 0)
end

--- Puts something into a box.
---@param keys Box
---@param size Size
---@param label? string
---@return 'put'|'full' outcome
---@return string? before
local function put(keys, size, label)
  if not keys[1] then
    fail('BOXKEY', 'a box is wanted')
  end
  return redis.error_reply('BOXSIZE ' .. size .. label)
end

--- What lies in a box.
---@param keys Box
---@param ... string Labels.
---@return string?
local function look(keys, ...)
  return redis.call('HMGET', keys[1], ...)[1]
end

local function served(answer, fewest, most)
  return function(keys, args)
    local ok, reply = pcall(answer, keys, unpack(args))
    return ok and reply or redis.error_reply(reply)
  end
end

redis.register_function({ function_name = 'box_put', callback = served(put, 1, 2) })
redis.register_function({ function_name = 'box_look', callback = served(look, 0), flags = { 'no-writes' } })
`;

export function readBoxes(source: string): Library {
  return readLibrary(Buffer.from(source), 'boxes.lua');
}

/** One test: with `what` replaced by `by`, the library is refused with exactly this message. */
export function refuses(name: string, [what, by]: [what: string, by: string], message: string): void {
  test(`refuses ${name}`, () => {
    assert.ok(BOXES.includes(what), `the library holds ${what}`);
    let found: unknown;
    try {
      readBoxes(BOXES.replace(what, () => by));
    } catch (error) {
      found = error;
    }
    assert.instance(found, Mistake);
    assert.is(found instanceof Mistake && found.message, `boxes.lua:${message}`);
  });
}
