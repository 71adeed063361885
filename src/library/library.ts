import type { Redis } from 'ioredis';
import { FUNCTIONS, LIBRARY_NAME, LIBRARY_SOURCE, LIBRARY_VERSION } from '../conversation.gen.ts';
import { ConversationError, fromClient } from '../errors.ts';

/** What was found on a server, and what was done about it. */
export interface LibraryReport {
  /** Whether a library of this name was there. */
  present: boolean;
  /** The version that was there; null where there was none, or one that does not say. */
  found: string | null;
  /** Whether what was there is this version, to the byte. */
  current: boolean;
  /** Whether this version was loaded now. */
  loaded: boolean;
  /** The name of another program's library that has this library's name or one of its function names; null if none. */
  foreign: string | null;
}

/** Options of `loadLibrary`. */
export interface LoadOptions {
  /** True also replaces a newer version, and another library of the same name; false by default. */
  force?: boolean;
}

/**
 * Brings one server's library to this version, and leaves a newer one of the same major version where it is.
 * @throws ConversationError LIBRARY_TOO_NEW where the server has a newer major version, LIBRARY_FOREIGN where it has another
 *   library of this name, and `force` is not set; LIBRARY_FOREIGN where another library has a function name of this one.
 */
export async function loadOn(client: Redis, { force = false }: LoadOptions = {}): Promise<LibraryReport> {
  const report = await checkOn(client);
  if (report.current) return report;
  refuseForeign(report, force);
  refuseNewer(report, force);
  // A newer one of the same major version serves this client too, so that a program that was rolled back starts.
  if (!force && report.found !== null && compareVersions(report.found, LIBRARY_VERSION) > 0) return report;
  try {
    // Where there was none, one that has come meanwhile is not replaced unseen.
    await (report.present
      ? client.function('LOAD', 'REPLACE', LIBRARY_SOURCE)
      : client.function('LOAD', LIBRARY_SOURCE));
  } catch (error) {
    if (!report.present && isTaken(error)) return loadOn(client, { force });
    throw fromClient(error);
  }
  return { ...report, loaded: true };
}

/** Whether the server answered that a library, or a function, of this name has come meanwhile. */
function isTaken(error: unknown): boolean {
  return /^ERR (Library|Function) .* already exists/i.test((error as Error).message);
}

/** @throws ConversationError LIBRARY_FOREIGN */
export function refuseForeign({ foreign }: LibraryReport, force: boolean, server = 'the server'): void {
  if (foreign === null || (force && foreign === LIBRARY_NAME)) return;
  const what =
    foreign === LIBRARY_NAME
      ? `has another program's library ${LIBRARY_NAME}`
      : `has a library ${foreign} with a function name of ${LIBRARY_NAME}`;
  const advice =
    foreign === LIBRARY_NAME
      ? 'load with force to replace it'
      : `if nobody needs it, FUNCTION DELETE ${foreign} makes room`;
  throw new ConversationError(
    'LIBRARY_FOREIGN',
    `${server} ${what}; nothing was changed. Find out whose it is; ${advice}`,
  );
}

/** @throws ConversationError LIBRARY_TOO_NEW */
export function refuseNewer({ found }: LibraryReport, force: boolean, server = 'the server'): void {
  if (force || standing(found) !== 'too new') return;
  throw new ConversationError(
    'LIBRARY_TOO_NEW',
    `${server} has ${LIBRARY_NAME} ${found}, which is newer than this ${LIBRARY_VERSION}; nothing was changed`,
  );
}

/** Compares one server's library with this version and changes nothing. */
export async function checkOn(client: Redis): Promise<LibraryReport> {
  try {
    const libraries = listed(await client.function('LIST', 'WITHCODE'));
    const own = libraries.find(({ name }) => name === LIBRARY_NAME);
    const foreign = libraries.find((library) =>
      library === own ? !isOurs(library) : library.functions.some((name) => OURS.has(name.toLowerCase())),
    );
    return {
      present: own !== undefined,
      found: versionOf(own?.source),
      current: own?.source === LIBRARY_SOURCE,
      loaded: false,
      foreign: foreign?.name ?? null,
    };
  } catch (error) {
    throw fromClient(error);
  }
}

/** Function names are one list for the whole server, and case does not count there. */
const OURS: ReadonlySet<string> = new Set(FUNCTIONS.map(({ name }) => name));

/**
 * What every version of this library has. An older or a newer one may have fewer or more of the other functions than
 * this client knows, and a stranger's of the same name may happen to have one of these, but not all.
 */
const CORE = ['conv_version', 'conv_claim', 'conv_get', 'conv_set', 'conv_remove'];

function isOurs({ functions }: Listed): boolean {
  const names = new Set(functions.map((name) => name.toLowerCase()));
  return CORE.every((name) => names.has(name));
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

/**
 * How a library of version `found` stands to a client of this version: a server serves a client when it has the same
 * major version and is not older.
 */
export function standing(found: string | null): 'missing' | 'outdated' | 'too new' | 'serving' {
  if (found === null) return 'missing';
  if (compareVersions(found, LIBRARY_VERSION) < 0) return 'outdated';
  return found.split('.')[0] === LIBRARY_VERSION.split('.')[0] ? 'serving' : 'too new';
}

interface Listed {
  name: string;
  source: string;
  functions: string[];
}

/** FUNCTION LIST, whose libraries and functions are lists of pairs in RESP2 and maps in RESP3. */
function listed(reply: unknown): Listed[] {
  return asList(reply).map((item) => {
    const { library_name: name, library_code: source, functions } = record(item);
    return {
      name: String(name),
      source: String(source),
      functions: asList(functions).map((each) => String(record(each)['name'])),
    };
  });
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function record(item: unknown): Record<string, unknown> {
  if (item instanceof Map) return Object.fromEntries(item);
  if (!Array.isArray(item)) return { ...(item as object) };
  return Object.fromEntries(item.flatMap((name, at) => (at % 2 === 0 ? [[name, item[at + 1]]] : [])));
}

function versionOf(source: string | undefined): string | null {
  return source?.match(/^local VERSION = '(\d+\.\d+\.\d+)'$/m)?.[1] ?? null;
}
