import { suite } from 'uvu';
import { seed } from '../support/random.ts';
import { withRedis } from '../support/redis.ts';
import { contest } from './contest.ts';
import { sweep } from './lost-replies.ts';

const test = suite('lost replies, at every byte');
const redis = withRedis(test);

for (const protocol of [2, 3] as const) {
  test(`every call survives that any byte of command or reply is the last one, RESP${protocol}`, async () => {
    console.log(await sweep(await redis.url(), { protocol, step: 1 }));
  });
}

test('of simultaneous claims, answers and removals over bad networks one wins, and everyone knows who', async () => {
  console.log(await contest(await redis.url(), seed, 150));
});

test.run();
