import type { Redis } from 'ioredis';
import { FUNCTIONS, LIBRARY_NAME, LIBRARY_SOURCE, LIBRARY_VERSION } from '../conversation.gen.ts';
import { ConversationError, type ConversationErrorCode, rethrow } from '../errors.ts';
import { recordOf } from '../json.ts';

/** What was found on a server, and what was done about it. */
export interface LibraryReport {
  /** Whether a library of this name was there. */
  present: boolean;
  /** The version that was there; null if there was none, or one that does not say. */
  found: string | null;
  /** Whether what was there is this version, to the byte. */
  current: boolean;
  /** Whether this version was loaded now. */
  loaded: boolean;
  /** The name of another program's library that has this library's name or one of its function names, or null. */
  foreign: string | null;
}

/** Compares one server's library with this version and changes nothing. */
export async function checkOn(client: Redis): Promise<LibraryReport> {
  const libraries = listed(await client.function('LIST', 'WITHCODE').catch(rethrow));
  const own = libraries.find(({ name }) => name === LIBRARY_NAME);
  const foreign = libraries.find(({ name, functions }) =>
    name === LIBRARY_NAME ? !CORE.every((one) => functions.includes(one)) : functions.some((one) => OURS.has(one)),
  );
  return {
    present: own !== undefined,
    found: /^local VERSION = '(\d+\.\d+\.\d+)'$/m.exec(own?.source ?? '')?.[1] ?? null,
    current: own?.source === LIBRARY_SOURCE,
    loaded: false,
    foreign: foreign?.name ?? null,
  };
}

/** Function names are unique on a server, in any case. */
const OURS: ReadonlySet<string> = new Set(FUNCTIONS.map(({ name }) => name));

/** What every version of this library has. Another program's of the same name may have some of these, but not all. */
const CORE = ['conv_version', 'conv_claim', 'conv_get', 'conv_set', 'conv_remove'];

/** FUNCTION LIST, whose libraries and functions are lists of names and values, or objects if the client makes those. */
function listed(reply: unknown): { name: string; source: string; functions: string[] }[] {
  return (reply as unknown[]).map((item) => {
    const { library_name: name, library_code: source, functions } = recordOf(item);
    const names = (functions as unknown[]).map((each) => String(recordOf(each)['name']).toLowerCase());
    return { name: String(name), source: String(source), functions: names };
  });
}

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
  return a.localeCompare(b, 'en', { numeric: true });
}

function majorOf(version: string): string | undefined {
  return version.split('.')[0];
}
