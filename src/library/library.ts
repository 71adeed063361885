import type { Redis } from 'ioredis';
import { LIBRARY_NAME, LIBRARY_SOURCE, LIBRARY_VERSION } from '../conversation.gen.ts';
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
}

export interface LoadOptions {
  /** Load over a newer version too. */
  force?: boolean;
}

/**
 * Brings one server's library to this version.
 * @throws ConversationError LIBRARY_TOO_NEW where the server has a newer version and `force` is not set.
 */
export async function loadOn(client: Redis, { force = false }: LoadOptions = {}): Promise<LibraryReport> {
  const report = await checkOn(client);
  if (report.current) return report;
  refuseNewer(report, force);
  try {
    await client.function('LOAD', 'REPLACE', LIBRARY_SOURCE);
  } catch (error) {
    throw fromClient(error);
  }
  return { ...report, loaded: true };
}

/** @throws ConversationError LIBRARY_TOO_NEW */
export function refuseNewer({ found }: LibraryReport, force: boolean, server = 'the server'): void {
  if (force || found === null || compareVersions(found, LIBRARY_VERSION) <= 0) return;
  throw new ConversationError(
    'LIBRARY_TOO_NEW',
    `${server} has ${LIBRARY_NAME} ${found}, which is newer than this ${LIBRARY_VERSION}; nothing was changed`,
  );
}

/** Compares one server's library with this version and changes nothing. */
export async function checkOn(client: Redis): Promise<LibraryReport> {
  try {
    const source = sourceOf(await client.function('LIST', 'LIBRARYNAME', LIBRARY_NAME, 'WITHCODE'));
    return { present: source !== null, found: versionOf(source), current: source === LIBRARY_SOURCE, loaded: false };
  } catch (error) {
    throw fromClient(error);
  }
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

/** The `library_code` of the one library listed: a list of pairs in RESP2, of maps in RESP3. */
function sourceOf(list: unknown): string | null {
  const library: unknown = Array.isArray(list) ? list[0] : undefined;
  const members = Array.isArray(library)
    ? library
    : library instanceof Map
      ? [...library].flat()
      : Object.entries(library ?? {}).flat();
  const source: unknown = members[members.indexOf('library_code') + 1];
  return typeof source === 'string' && members.length > 0 ? source : null;
}

function versionOf(source: string | null): string | null {
  return source?.match(/^local VERSION = '(\d+\.\d+\.\d+)'$/m)?.[1] ?? null;
}
