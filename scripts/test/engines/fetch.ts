import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findArchives, readSuites, type Suites, Unavailable } from './apt.ts';
import { install } from './install.ts';
import { type Installed, prove } from './prove.ts';

/** A server to test on, or the reason why there is none. */
export type Engine = Installed | { name: string; missing: string };

/** Which suites of Debian have which engines. */
const SOURCES = [
  { suites: ['bookworm'], names: ['redis 7.0'] },
  { suites: ['bookworm', 'bookworm-backports'], names: ['valkey 8.0'] },
  { suites: ['trixie'], names: ['redis 8.0', 'valkey 8.1'] },
  { suites: ['sid'], names: ['valkey 9.1'] },
];

const CACHE = fileURLToPath(new URL('../../../.cache/engines', import.meta.url));

/**
 * Every engine the library is tested on, by name. Those at hand from an earlier call are used as they are; the others
 * are fetched from Debian's suites through the mirror that this machine's apt uses. Each one has just been started.
 *
 * What cannot be had is no error: it is in the result with the reason. Progress goes to stderr.
 *
 * @param cache the folder to keep the servers in
 */
export async function fetchEngines(cache: string = CACHE): Promise<Engine[]> {
  const engines = await Promise.all(SOURCES.map(({ suites, names }) => fetchFrom(suites, names, cache)));
  return engines.flat().sort((a, b) => a.name.localeCompare(b.name));
}

async function fetchFrom(suites: string[], names: string[], cache: string): Promise<Engine[]> {
  const work = await mkdtemp(join(tmpdir(), 'engines-'));
  // As root, apt gives up its rights before it reads from the network, and must still get in.
  await chmod(work, 0o755);
  let lists: Promise<Suites> | undefined;
  const readLists = async () => {
    say(names.join(' and '), `reading the package lists of ${suites.join(' and ')}`);
    return await readSuites(await findArchives(), suites, join(work, 'apt'));
  };
  const engines: Engine[] = [];
  try {
    for (const name of names) {
      const kept = await attempt(name, () => prove(name, cache));
      if (!('missing' in kept)) {
        engines.push(kept);
        continue;
      }
      const fetched = await attempt(name, async () => {
        // Read once: where that failed, it is the reason for every engine of these suites.
        lists ??= readLists();
        const read = await lists;
        say(name, 'fetching');
        await install(name, read, join(work, name), cache);
        return await prove(name, cache);
      });
      say(name, 'missing' in fetched ? `not fetched: ${fetched.missing}` : `${fetched.version} is here`);
      engines.push(fetched);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return engines;
}

async function attempt(name: string, get: () => Promise<Installed>): Promise<Engine> {
  try {
    return await get();
  } catch (error) {
    // A folder that can't be written, a full disk.
    const refused = error instanceof Error && 'syscall' in error;
    if (error instanceof Unavailable || refused) return { name, missing: error.message };
    throw error;
  }
}

function say(subject: string, what: string): void {
  process.stderr.write(`${subject}: ${what}\n`);
}

/** The engines as a table for a person. */
function table(engines: Engine[]): string {
  const rows = engines.map((engine): [string, string, string] =>
    'missing' in engine
      ? [engine.name, 'none', engine.missing]
      : [engine.name, engine.version, relative('.', engine.server)],
  );
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length));
  const line = ([name, version, rest]: [string, string, string]) =>
    `${name.padEnd(width(0))}  ${version.padEnd(width(1))}  ${rest}\n`;
  return rows.map(line).join('');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(table(await fetchEngines()));
