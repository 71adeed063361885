import { suite } from 'uvu';
import { sweep } from './support/lost-replies.ts';
import { withRedis } from './support/redis.ts';

const test = suite('lost replies');
const redis = withRedis(test);

for (const protocol of [2, 3] as const) {
  test(`every call survives every fault of the network, RESP${protocol}`, async () => {
    console.log(await sweep(await redis.url(), { protocol, step: 64 }));
  });
}

test.run();
