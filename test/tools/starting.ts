// Starts a Redis, prints as JSON which, and then ends in the way that the first argument names.
import { startRedis } from '../../scripts/redis/start.ts';

const [way = 'stop'] = process.argv.slice(2);
const redis = await startRedis().catch((error: Error) => {
  console.error(error.message);
  return process.exit(1);
});
console.log(JSON.stringify(redis));
if (way === 'stop') await redis.stop();
if (way === 'unref') redis.unref();
if (way === 'exit') process.exit(0);
if (way === 'throw') setImmediate(() => JSON.parse('not JSON'));
