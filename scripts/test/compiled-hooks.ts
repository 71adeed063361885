// Has Node take the compiled file where one of the project's TypeScript files is wanted. It keeps its own address, so that
// it finds what lies beside it. https://nodejs.org/docs/latest-v20.x/api/module.html#customization-hooks
import { readFile } from 'node:fs/promises';
import type { LoadHook, ResolveHook } from 'node:module';

/** This file lies among the compiled ones: .cache/compiled/scripts/test. */
const COMPILED = new URL('../../', import.meta.url).href;
const ROOT = new URL('../../', COMPILED).href;

const isOurs = (url = '') => url.startsWith(ROOT) && url.endsWith('.ts') && !url.includes('/node_modules/');

/** Once compiled, a file calls its neighbours .js. */
export const resolve: ResolveHook = (specifier, context, next) =>
  next(specifier.startsWith('.') && isOurs(context.parentURL) ? specifier.replace(/\.js$/, '.ts') : specifier, context);

export const load: LoadHook = async (url, context, next) => {
  if (!isOurs(url)) return next(url, context);
  const compiled = new URL(url.slice(ROOT.length).replace(/\.ts$/, '.js'), COMPILED);
  return { format: 'module', source: await readFile(compiled), shortCircuit: true };
};
