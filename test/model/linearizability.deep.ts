import { suite } from 'uvu';
import { seed } from '../support/random.ts';
import { withRedis } from '../support/redis.ts';
import { histories } from './histories.ts';

const test = suite('linearizability, many histories');
const redis = withRedis(test);

test('calls of eight connections on one conversation reply as if they were made one after the other', async () => {
  console.log(await histories(await redis.url(), seed, 6_000));
});

test.run();
