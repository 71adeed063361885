// Redis and Valkey out of Debian's packages, kept below .cache/engines: nothing is installed, and no rights are needed.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A server and its command line client, both to be started as they are. */
export interface Engine {
  name: string;
  version: string;
  server: string;
  cli: string;
}

/** What the tests run on: the newest that Debian has of each. */
export const ENGINES = ['redis 7.0', 'redis 8.0', 'valkey 8.0', 'valkey 8.1', 'valkey 9.1'];

const SUITES = 'bookworm bookworm-backports trixie sid';
const CACHE = join(import.meta.dirname, '..', '..', '.cache', 'engines');
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * Returns an engine of {@link ENGINES}, downloaded from the Debian mirror of this machine's apt unless it is there.
 * @throws Error that says why that was not possible
 */
export async function engine(name: string): Promise<Engine> {
  const [product = '', series = ''] = name.split(' ');
  const folder = join(CACHE, `${product}-${series}`);
  const [server, cli] = [join(folder, 'server'), join(folder, 'cli')];
  if (!existsSync(server)) await fetchInto(folder, product, series);
  const version = await versionOf(server);
  if (!version?.startsWith(`${series}.`)) throw new Error(`${server} is ${version ?? 'not a server that runs'}`);
  return { name, version, server, cli };
}

/** The version of a server program; undefined for one that does not run. */
export async function versionOf(server: string): Promise<string | undefined> {
  const { stdout } = await promisify(execFile)(server, ['--version'], { timeout: 10_000 }).catch(() => ({
    stdout: '',
  }));
  return /\bserver v=(\d+\.\d+\.\d+)/i.exec(stdout)?.[1];
}

// A program of a later Debian does not run on an earlier one's libraries, so both are started with their own ones. The
// server is the same program as check-rdb, which acts by the name it has; the package named for the server links to it.
const UNPACK = `
for package in cache/archives/*.deb; do dpkg -x "$package" root; done
mkdir next
cp -P root/usr/lib/*-linux-gnu/*.so* next
cp -P root/lib/*-linux-gnu/*.so* next || true
cp root/usr/bin/$1-check-rdb next/$1-server
cp root/usr/bin/$1-cli next
for program in server cli; do
  printf '#!/bin/sh\\nhere=$(dirname "$(readlink -f "$0")")\\nexec "$here"/ld-linux-*.so.* --inhibit-cache --library-path "$here" "$here/%s" "$@"\\n' "$1-$program" >next/$program
  chmod 755 next/$program
done`;

async function fetchInto(folder: string, product: string, series: string): Promise<void> {
  console.error(`Fetching ${product} ${series} from Debian …`);
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, '.work-'));
  try {
    lists ??= readLists();
    const config = await lists;
    const known = await run('apt-cache', ['-c', config, 'madison', `${product}-tools`]);
    const versions = known.split('\n').flatMap((line) => line.split('|')[1]?.trim() ?? []);
    const version = versions.find((text) => text.replace(/^\d+:/, '').startsWith(`${series}.`));
    if (!version) throw new Error(`Debian has no such version, but ${versions.join(', ') || 'none at all'}`);
    mkdirSync(join(work, 'cache', 'archives', 'partial'), { recursive: true });
    const install = ['install', '-qy', '--download-only', '--no-install-recommends', `${product}-tools=${version}`];
    await run('apt-get', ['-c', config, '-o', `Dir::Cache=${work}/cache`, ...install]);
    await run('sh', ['-ec', UNPACK, 'sh', product], work);
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(work, 'next'), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

let lists: Promise<string> | undefined;

/** Lets apt read the package lists of {@link SUITES}, and returns the configuration for that. */
async function readLists(): Promise<string> {
  if (!existsSync(KEYRING)) throw new Error("only a Debian has apt and the keys of Debian's packages");
  const uris = await run('apt-get', ['update', '--print-uris']);
  const [, mirror, arch] = /^'([^']+)\/dists\/[a-z]+\/main\/binary-(\w+)\/Packages/m.exec(uris) ?? [];
  if (!mirror) throw new Error("apt's sources name no mirror of Debian");
  const folder = mkdtempSync(join(tmpdir(), 'conversation-state-apt-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'lists', 'partial'), { recursive: true });
  // Nothing counts as installed, so every library is fetched.
  writeFileSync(join(folder, 'status'), '');
  writeFileSync(
    join(folder, 'debian.sources'),
    `Types: deb\nURIs: ${mirror}\nSuites: ${SUITES}\nComponents: main\nArchitectures: ${arch}\nSigned-By: ${KEYRING}\n`,
  );
  writeFileSync(
    join(folder, 'apt.conf'),
    `#clear APT::Update; Dir::State "${folder}"; Dir::State::status "${folder}/status"; Dir::Cache "${folder}";
     Dir::Etc::sourcelist "${folder}/debian.sources"; Dir::Etc::sourceparts "/dev/null";
     Dir::Etc::preferences "/dev/null"; Dir::Etc::preferencesparts "/dev/null";
     APT::Sandbox::User "root"; Acquire::Languages "none"; Acquire::Retries "1"; Acquire::http::Timeout "20";
     Acquire::AllowInsecureRepositories "false"; APT::Get::AllowUnauthenticated "false";`,
  );
  await run('apt-get', ['-c', join(folder, 'apt.conf'), '-q', 'update']);
  return join(folder, 'apt.conf');
}

/** Returns what a program prints; fails with the first error that it prints. */
async function run(program: string, args: string[], cwd?: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, args, { cwd, maxBuffer: 2 ** 26, timeout: 300_000 });
    return stdout;
  } catch (error) {
    const reason = String((error as { stderr?: string }).stderr).match(/^[EW]: (.*)$/m)?.[1];
    throw new Error(reason ?? (error as Error).message.split('\n')[0]);
  }
}
