import { LIBRARY_NAME, LIBRARY_VERSION } from '../conversation.gen.ts';
import { ConversationError } from '../errors.ts';
import type { LibraryReport } from './report.ts';

/** How the library may be loaded. */
export interface LoadRules {
  /** `never` leaves it to the deploy step. */
  load: 'auto' | 'never';
  /** Whether a newer version, another major version and another program's library of this name are replaced too. */
  force: boolean;
}

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
  const [what, advice] =
    foreign === LIBRARY_NAME
      ? [`another program's library ${LIBRARY_NAME}`, 'load with force to replace it']
      : [
          `a library ${foreign} with a function name of ${LIBRARY_NAME}`,
          `if nobody needs it, FUNCTION DELETE ${foreign} makes room`,
        ];
  return new ConversationError(
    'LIBRARY_FOREIGN',
    `${server} has ${what}; nothing was changed. Find out whose it is; ${advice}`,
  );
}

/** LIBRARY_MISSING or LIBRARY_OUTDATED, with the command that loads this version. */
export function isAbsent(found: string | null, server: string): ConversationError {
  return new ConversationError(
    found === null ? 'LIBRARY_MISSING' : 'LIBRARY_OUTDATED',
    `${server} has ${found === null ? 'no' : `an older (${found})`} library ${LIBRARY_NAME}, this client needs ` +
      `${LIBRARY_VERSION}; load it with: npx --no conversation-state load --url redis://…`,
  );
}

/** Below zero where `a` is the older version, above where it is the newer one. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number)) as [number[], number[]];
  for (let part = 0; part < 3; part++) {
    const difference = (left[part] ?? 0) - (right[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** How a library of version `found` fits this client: a server serves a client of its major version that is not newer. */
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
