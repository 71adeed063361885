// Runs test files, one after the other: node --import tsx child.ts FILE … What happens goes to descriptor 3 as events, what
// is for a person to stdout and stderr.
import { register } from 'node:module';
import { pathToFileURL } from 'node:url';

type Run = () => Promise<[errors: string | true, passed: number, skipped: number, total: number]>;

declare global {
  var UVU_DEFER: number | undefined;
  var UVU_QUEUE: [name: string | null, ...suites: Run[]][] | undefined;
}

const WATCHED = new URL('watched-uvu.ts', import.meta.url).href;

// Whoever imports uvu gets the watched one, but for the watched one itself.
const resolver = `export function resolve(specifier, context, next) {
  const isWatched = context.parentURL?.startsWith(${JSON.stringify(WATCHED)});
  return next(specifier === 'uvu' && !isWatched ? ${JSON.stringify(WATCHED)} : specifier, context);
}`;
register(`data:text/javascript,${encodeURIComponent(resolver)}`);

// uvu then leaves it to this file to run the suites.
globalThis.UVU_DEFER = 1;
globalThis.UVU_QUEUE = [[null]];
const { forget, neverRun, tell } = await import('./watched-uvu.ts');

for (const file of process.argv.slice(2)) {
  forget();
  globalThis.UVU_QUEUE = [[null]];
  tell({ kind: 'file' });
  await import(pathToFileURL(file).href);
  tell({ kind: 'loaded' });
  const [, ...runs] = globalThis.UVU_QUEUE[0] ?? [null];
  for (const run of runs) {
    try {
      const [errors, passed, skipped, total] = await run();
      if (errors !== true) process.stdout.write(`\n${errors}\n`);
      tell({ kind: 'suite', passed, skipped, total });
    } catch {
      // A hook after the tests threw, which was told.
    }
  }
  for (const text of neverRun()) tell({ kind: 'problem', text });
  tell({ kind: 'done' });
}
