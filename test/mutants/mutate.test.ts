import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { withRedis } from '../support/redis.ts';
import { mutants } from './mutate.ts';

const test = suite('mutants of a library');
const redis = withRedis(test);

const SMALL = `#!lua name=small
local function sign(keys, args)
  local number = tonumber(args[1])
  if number > 0 and number < 100 then
    return 'small'
  elseif not number then
    return 'none'
  end
  while number < 0 do number = number + 1 end
  return "é"
end
redis.register_function('small_sign', sign)
`;

test('every mutant differs in one place, and is still Lua', async () => {
  const client = await redis.connect();
  const found = mutants(SMALL);
  assert.is(new Set(found.map(({ source }) => source)).size, found.length);
  for (const { source } of found) {
    const error = await client.function('LOAD', 'REPLACE', source).then(
      () => '',
      (reason: Error) => reason.message,
    );
    assert.not.match(error, /compiling/);
  }
  const places = found.map(({ name }) => name);
  for (const place of [
    'sign: number > 0 → number >= 0',
    'sign: number > 0 and number < 100 → number > 0 or number < 100',
    'sign: number < 100 → number < 101',
    'sign: not number → number',
    'sign: number = number + 1 →',
    'sign: return "é" → return nil',
    "top level: redis.register_function('small_sign', sign) →",
  ]) {
    assert.ok(places.includes(place), `${place} is missing from\n${places.join('\n')}`);
  }
});

test.run();
