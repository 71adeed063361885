// npm run test:package: packs the package and uses it as others would, from a project of their own.
import { join } from 'node:path';
import { guard } from './guard.ts';

const { passed, failed, problems } = await guard({
  directory: join(import.meta.dirname, '..', '..', 'test', 'package'),
  pattern: '^tarball\\.ts$',
  limitMs: 15 * 60_000,
  // One test installs from a registry.
  silenceMs: 5 * 60_000,
  lingerMs: 10_000,
  write: (text) => process.stdout.write(text),
});
if (problems.length > 0) console.log(`\n${problems.join('\n')}`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
