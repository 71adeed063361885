import { LIBRARY_SOURCE, LIBRARY_VERSION } from '../../src/index.ts';

/** The library as it would be with another version. */
export function libraryOf(version: string): string {
  const source = LIBRARY_SOURCE.replace(`local VERSION = '${LIBRARY_VERSION}'`, `local VERSION = '${version}'`);
  if (version !== LIBRARY_VERSION && source === LIBRARY_SOURCE) throw new Error('the library has no line to change');
  return source;
}

/** The library of this version with another text. */
export const LIBRARY_RETOUCHED = `${LIBRARY_SOURCE}-- retouched by hand\n`;
