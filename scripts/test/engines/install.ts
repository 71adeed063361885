import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { run, type Suites, Unavailable, unpack } from './apt.ts';

/** Where Debian keeps the libraries of a processor, and the program that loads them. */
const LIBRARIES = {
  amd64: { folder: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2' },
  arm64: { folder: 'aarch64-linux-gnu', loader: 'ld-linux-aarch64.so.1' },
};

/**
 * Fetches the server and the command line client of an engine, `redis 8.0` say, into its folder below `cache`.
 *
 * The folder holds both programs, the libraries they need and the loader that belongs to those, since a program of a
 * later Debian does not run on an earlier one's. `server` and `cli` start them that way.
 *
 * @param work an empty folder to unpack into
 * @throws {Unavailable} with the reason; the engine's folder is then as it was.
 */
export async function install(name: string, suites: Suites, work: string, cache: string): Promise<void> {
  const [product = '', series = ''] = name.split(' ');
  await unpack(suites, `${product}-tools`, series, work);

  const { folder, loader } = LIBRARIES[suites.arch];
  const paths = [join(work, 'usr/lib', folder), join(work, 'lib', folder)];
  const load = paths.map((path) => join(path, loader)).find((path) => existsSync(path));
  if (load === undefined) throw new Unavailable(`${product}-tools came without ${loader}`);

  await mkdir(cache, { recursive: true });
  const next = await mkdtemp(join(cache, '.next-'));
  try {
    await chmod(next, 0o755);
    await mkdir(join(next, 'bin'));
    await mkdir(join(next, 'lib'));
    await copyFile(load, join(next, 'lib', loader));
    // Server and checker are one program that acts by the name it has. Debian ships it with the tools; the package
    // named for the server only links to it.
    for (const [from, to] of [['check-rdb', 'server'] as const, ['cli', 'cli'] as const]) {
      const program = join(work, 'usr/bin', `${product}-${from}`);
      const list = await run(load, ['--inhibit-cache', '--library-path', paths.join(':'), '--list', program]);
      for (const [, path = ''] of list.matchAll(/=> (\/.+) \(0x/g)) {
        if (!path.startsWith(work)) throw new Unavailable(`${product}-tools came without ${basename(path)}`);
        await copyFile(path, join(next, 'lib', basename(path)));
      }
      await copyFile(program, join(next, 'bin', `${product}-${to}`));
      await writeFile(join(next, to), starter(loader, `${product}-${to}`), { mode: 0o755 });
    }
    await rm(folderOf(name, cache), { recursive: true, force: true });
    await rename(next, folderOf(name, cache));
  } finally {
    await rm(next, { recursive: true, force: true });
  }
}

/** The folder of an engine below `cache`: `redis 7.0` lives in `redis-7.0`. */
export function folderOf(name: string, cache: string): string {
  return join(cache, name.replace(' ', '-'));
}

function starter(loader: string, program: string): string {
  return `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/lib/${loader}" --inhibit-cache --library-path "$here/lib" "$here/bin/${program}" "$@"
`;
}
