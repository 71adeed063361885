import { suite } from 'uvu';
import { effort } from '../support/effort.ts';
import { seed } from '../support/random.ts';
import { withRedis } from '../support/redis.ts';
import { modelRun } from './model-run.ts';

const test = suite('model');
const redis = withRedis(test);

test('any sequence of calls does and replies what the model says, and the keys of a conversation stay a pair', async () => {
  console.log(await modelRun(await redis.url(), seed, effort(200, 2_400), effort(40, 60)));
});

test.run();
