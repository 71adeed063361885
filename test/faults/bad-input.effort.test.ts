import { suite } from 'uvu';
import { effort } from '../support/effort.ts';
import { seed } from '../support/random.ts';
import { withRedis } from '../support/redis.ts';
import { badInput } from './bad-input.ts';

const test = suite('bad input');
const redis = withRedis(test);

test('whatever a call holds, it has a reply or an error of the contract, and leaves whole pairs of valid states', async () => {
  console.log(await badInput(await redis.url(), seed, effort(5_000, 120_000)));
});

test.run();
