import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = join(import.meta.dirname, '..', '..');
/** Where the compiled files are, for this process and those that it starts. */
const VARIABLE = 'COMPILED';

/**
 * Compiles every file of the project, in half a second; what starts from then on takes these files. tsx compiles in each
 * process anew, which costs each of the two hundred of `npm test` 0.2 s of a core.
 */
export function compile(): void {
  if (compiledFolder()) return;
  const tsc = join('node_modules', '.bin', 'tsc');
  // Stack traces name the sources, which are not where the compiled files are.
  const args = ['-p', join(import.meta.dirname, 'tsconfig.json'), '--sourceRoot', pathToFileURL(`${ROOT}/`).href];
  const { status } = spawnSync(tsc, args, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) throw new Error('The project does not compile: see above.');
  process.env[VARIABLE] = join(ROOT, '.cache', 'compiled');
}

export function compiledFolder(): string | undefined {
  return process.env[VARIABLE];
}

/** What Node takes before the name of one of the project's TypeScript files. */
export function typescript(): string[] {
  const folder = compiledFolder();
  if (!folder) return ['--import', 'tsx'];
  const hooks = pathToFileURL(join(folder, 'scripts', 'test', 'compiled-hooks.js'));
  const loader = `import { register } from 'node:module'; register(${JSON.stringify(hooks)});`;
  return ['--import', `data:text/javascript,${encodeURIComponent(loader)}`];
}
