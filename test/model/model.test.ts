import { suite } from 'uvu';
import { seed } from '../support/random.ts';
import { withRedis } from '../support/redis.ts';
import { modelRun } from './model-run.ts';

const test = suite('model');
const redis = withRedis(test);

test('any sequence of calls does and replies what the model says, and the keys of a conversation stay a pair', async () => {
  console.log(await modelRun(await redis.url(), seed, 200));
});

test.run();
