import { LIBRARY_NAME, LIBRARY_VERSION } from '../conversation.gen.ts';
import { ConversationError, type ConversationErrorCode } from '../errors.ts';
import type { LibraryReport } from './report.ts';

/** How the library may be loaded: `force` also replaces a newer or another major version, and one of another program. */
export type LoadRules = { load: 'auto' | 'never'; force: boolean };

const LOAD = 'npx --no conversation-state load';

/**
 * Decides what is to be done on a server, by what was found there: to `keep` it, or to `load` this version.
 * @throws ConversationError what `refusalOf` returns
 */
export function decide(
  report: Pick<LibraryReport, 'found' | 'current' | 'foreign'>,
  { load, force }: LoadRules,
  server: string,
  wanted: string = LIBRARY_VERSION,
): 'keep' | 'load' {
  const { found, current, foreign } = report;
  const refusal = refusalOf(report, server, wanted);
  if (refusal && foreign !== null && !(force && foreign === LIBRARY_NAME)) throw refusal;
  if (current) return 'keep';
  if (force) return 'load';
  // One of this very version, but of another source, lacks what this client was made for.
  if (!refusal) return found === wanted && load === 'auto' ? 'load' : 'keep';
  if (load === 'auto' && (found === null || majorOf(found) === majorOf(wanted))) return 'load';
  throw refusal;
}

/**
 * Why a library does not serve this client, and what to do; null if it does: a server works with apps of the same major
 * version, up to that of its library.
 */
export function refusalOf(
  { found, foreign }: Pick<LibraryReport, 'found' | 'foreign'>,
  server: string,
  wanted: string = LIBRARY_VERSION,
): ConversationError | null {
  const error = (code: ConversationErrorCode, has: string) => new ConversationError(code, `${server} has ${has}`);
  const find = 'nothing was changed. Find out whose it is';
  if (foreign === LIBRARY_NAME) {
    return error('LIBRARY_FOREIGN', `another program's library ${foreign}; ${find}; ${LOAD} --force replaces it`);
  }
  if (foreign !== null) {
    const what = `a library ${foreign} with a function name of ${LIBRARY_NAME}`;
    return error('LIBRARY_FOREIGN', `${what}; ${find}; if nobody needs it, FUNCTION DELETE ${foreign} makes room`);
  }
  const needs = `this client needs ${wanted}; load it with: ${LOAD} --url redis://…`;
  if (found === null) return error('LIBRARY_MISSING', `no library ${LIBRARY_NAME}, ${needs}`);
  const isOlder = compareVersions(found, wanted) < 0;
  if (majorOf(found) === majorOf(wanted)) {
    return isOlder ? error('LIBRARY_OUTDATED', `an older (${found}) library ${LIBRARY_NAME}, ${needs}`) : null;
  }
  if (isOlder) {
    const until = `whose apps would stop if ${wanted} took its place; nothing was changed. When none of them runs any more`;
    return error('LIBRARY_OUTDATED', `${LIBRARY_NAME} ${found}, ${until}: ${LOAD} --force`);
  }
  const newer = `${LIBRARY_NAME} ${found}, which is newer than this ${wanted}; nothing was changed`;
  return error('LIBRARY_TOO_NEW', `${newer}. Apps of ${wanted} do not work on it: update them`);
}

/** Below zero if `a` is the older version, above if it is the newer one. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.'), b.split('.')];
  const differences = left.map((part, at) => Number(part) - Number(right[at]));
  return differences.find((difference) => difference !== 0) ?? 0;
}

function majorOf(version: string): string | undefined {
  return version.split('.')[0];
}
