import type { Redis } from 'ioredis';
import { FUNCTIONS, LIBRARY_NAME, LIBRARY_SOURCE } from '../conversation.gen.ts';
import { rethrow } from '../errors.ts';
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
