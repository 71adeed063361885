import { LIBRARY_NAME, LIBRARY_VERSION } from '../conversation.gen.ts';
import { ConversationError } from '../errors.ts';
import type { LibraryReport } from './report.ts';

/** How the library may be loaded: `force` also replaces a newer or another major version, and one of another program. */
export type LoadRules = { load: 'auto' | 'never'; force: boolean };

/**
 * Decides what is to be done on a server, by what was found there: to `keep` it, or to `load` this version.
 * @throws ConversationError LIBRARY_FOREIGN, LIBRARY_TOO_NEW, LIBRARY_OUTDATED; with `load: 'never'` LIBRARY_MISSING
 */
export function decide(
  { found, current, foreign }: Pick<LibraryReport, 'found' | 'current' | 'foreign'>,
  { load, force }: LoadRules,
  server: string,
  wanted: string = LIBRARY_VERSION,
): 'keep' | 'load' {
  if (foreign !== null && !(force && foreign === LIBRARY_NAME)) throw isForeign(foreign, server);
  if (current) return 'keep';
  if (force) return 'load';
  const fit = compatibility(found, wanted);
  if (fit === 'too new') {
    throw new ConversationError(
      'LIBRARY_TOO_NEW',
      `${server} has ${LIBRARY_NAME} ${found}, which is newer than this ${wanted}; nothing was changed`,
    );
  }
  // One of this very version, but of another source, lacks what this client was made for.
  if (fit === 'serving') return found === wanted && load === 'auto' ? 'load' : 'keep';
  if (load === 'never') throw isAbsent(found, server);
  if (fit === 'outdated' && majorOf(found) !== majorOf(wanted)) {
    throw new ConversationError(
      'LIBRARY_OUTDATED',
      `${server} has ${LIBRARY_NAME} ${found}, whose apps would stop if ${wanted} took its place; nothing was ` +
        'changed. When none of them runs any more, load with force',
    );
  }
  return 'load';
}

function isForeign(foreign: string, server: string): ConversationError {
  let what = `another program's library ${LIBRARY_NAME}`;
  let advice = 'load with force to replace it';
  if (foreign !== LIBRARY_NAME) {
    what = `a library ${foreign} with a function name of ${LIBRARY_NAME}`;
    advice = `if nobody needs it, FUNCTION DELETE ${foreign} makes room`;
  }
  const message = `${server} has ${what}; nothing was changed. Find out whose it is; ${advice}`;
  return new ConversationError('LIBRARY_FOREIGN', message);
}

/** LIBRARY_MISSING or LIBRARY_OUTDATED, with the command that loads this version. */
export function isAbsent(found: string | null, server: string): ConversationError {
  return new ConversationError(
    found === null ? 'LIBRARY_MISSING' : 'LIBRARY_OUTDATED',
    `${server} has ${found === null ? 'no' : `an older (${found})`} library ${LIBRARY_NAME}, this client needs ` +
      `${LIBRARY_VERSION}; load it with: npx --no conversation-state load --url redis://…`,
  );
}

/** Below zero if `a` is the older version, above if it is the newer one. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.'), b.split('.')];
  const differences = left.map((part, at) => Number(part) - Number(right[at]));
  return differences.find((difference) => difference !== 0) ?? 0;
}

/** How a library fits this client: a server works with apps of the same major version, up to that of its library. */
export function compatibility(
  found: string | null,
  wanted: string = LIBRARY_VERSION,
): 'missing' | 'outdated' | 'too new' | 'serving' {
  if (found === null) return 'missing';
  if (compareVersions(found, wanted) < 0) return 'outdated';
  return majorOf(found) === majorOf(wanted) ? 'serving' : 'too new';
}

function majorOf(version: string | null): string | undefined {
  return version?.split('.')[0];
}
