// npm run test:cluster: what the store promises on a Redis Cluster, on one of three masters and three replicas.
// npm run test:cluster -- failover: only the files whose names hold one of these words.
import { join } from 'node:path';
import { findRedisBinary } from '../redis/binary.ts';
import { guard } from './guard.ts';

const words = process.argv.slice(2).map((word) => word.replace(/[^\w-]/g, '.'));
const { origin } = await findRedisBinary();
console.log(`Clusters run on ${origin}\n`);
const { passed, failed, problems } = await guard({
  directory: join(import.meta.dirname, '..', '..', 'test', 'cluster'),
  pattern: words.length > 0 ? `(${words.join('|')}).*\\.cluster\\.ts$` : '\\.cluster\\.ts$',
  limitMs: 9 * 60_000,
  silenceMs: 60_000,
  lingerMs: 10_000,
  write: (text) => process.stdout.write(text),
});
if (problems.length > 0) console.log(`\n${problems.join('\n')}`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
