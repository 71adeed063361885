import type { Redis } from 'ioredis';
import { FUNCTIONS, LIBRARY_NAME, LIBRARY_SOURCE } from '../conversation.gen.ts';
import { fromClient } from '../errors.ts';

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
