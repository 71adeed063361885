// npm test: all tests, guarded. npm test -- claim pending: only the files whose names hold one of these words.
// npm run test:deep: the same for the tests in test/deep, which take minutes.
import { join } from 'node:path';
import { parse } from 'uvu/parse';
import { startTestRedis } from '../test/support/redis.ts';
import { guard } from './test/guard.ts';

const directory = join(import.meta.dirname, '..', 'test');
const [first, ...rest] = process.argv.slice(2);
const isDeep = first === '--deep';
const words = isDeep || first === undefined ? rest : [first, ...rest];
const ALL = isDeep ? '\\.deep\\.ts$' : '\\.test\\.ts$';
const LIMITS = isDeep
  ? { limitMs: 60 * 60_000, silenceMs: 15 * 60_000, lingerMs: 10_000 }
  : { limitMs: 10 * 60_000, silenceMs: 60_000, lingerMs: 10_000 };
const pattern = words.length > 0 ? `^(?=.*(?:${words.map(literally).join('|')})).*${ALL}` : ALL;

function literally(word: string): string {
  return word.replace(/^(\.\/)?test\//, '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** The last line is for whoever counts; what is wrong stands above it. */
function end(passed: number, failed: number, problems: string[]): never {
  if (problems.length > 0) console.log(`\n${problems.join('\n')}`);
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exit(failed > 0 || passed === 0 ? 1 : 0);
}

try {
  const files = (await parse(directory, pattern)).suites;
  if (files.length === 0) {
    const names = (await parse(directory, ALL)).suites.map((suite) => suite.name.replace(/\.(test|deep)\.ts$/, ''));
    throw new Error(`No test file's name holds ${words.join(' or ')}. There are: ${names.join(', ') || 'none'}.`);
  }
  // Whatever has to be downloaded or installed is so before the tests look for it under their time limits.
  const redis = await startTestRedis();
  await redis.stop();
  console.log(`Tests run on ${redis.origin}\n`);
  const { passed, failed, problems } = await guard({
    directory,
    pattern,
    ...LIMITS,
    write: (text) => process.stdout.write(text),
  });
  end(passed, failed, problems);
} catch (error) {
  end(0, 1, [error instanceof Error ? error.message : String(error)]);
}
