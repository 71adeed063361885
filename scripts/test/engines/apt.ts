import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Something this machine or its network cannot give; the message is the reason, in a sentence for a person. */
export class Unavailable extends Error {
  /** All that the program which failed had to say. */
  readonly output: string;

  constructor(reason: string, output = '') {
    super(reason);
    this.output = output;
  }
}

/** Debian's archive as this machine's apt knows it. */
export interface Archive {
  /** Address of the mirror, the part before `/dists/`. It may hold a password. */
  mirror: string;
  /** The release this machine is set up for, `bookworm` or `stable`, say. */
  release: string;
  /** Debian's name for the processor: `amd64` or `arm64`. */
  arch: 'amd64' | 'arm64';
}

/** Package lists of some suites, read and verified. */
export interface Suites {
  names: string[];
  arch: Archive['arch'];
  /** The apt configuration that knows these suites and nothing else. */
  config: string;
  /** Where apt keeps what it reads and fetches. */
  folder: string;
}

/** Where the package debian-archive-keyring puts Debian's keys. */
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * Runs a program to its end and returns what it wrote to stdout.
 *
 * @throws {Unavailable} where it is not there, fails or takes longer than five minutes.
 */
export function run(program: string, args: string[], cwd?: string): Promise<string> {
  const options = { cwd, env: { ...process.env, LC_ALL: 'C' }, maxBuffer: 2 ** 26, timeout: 300_000 };
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      reject(new Unavailable(reasonOf(stderr) ?? `${program}: ${error.message.split('\n')[0]}`, stderr));
    });
  });
}

/** What apt says about a signature, else its first error, else the last line. It leaves passwords out itself. */
function reasonOf(stderr: string): string | undefined {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const line =
    lines.find((text) => text.includes('GPG error')) ?? lines.find((text) => text.startsWith('E: ')) ?? lines.at(-1);
  return line?.replace(/^[EW]: /, '');
}

/**
 * The mirrors of Debian in this machine's apt sources, in apt's order.
 *
 * apt itself is asked, so both forms of its sources and every folder they may stand in are understood.
 *
 * @throws {Unavailable} where there is none.
 */
export async function findArchives(): Promise<Archive[]> {
  if (process.platform !== 'linux') throw new Unavailable(`needs Debian's packages, and this is ${process.platform}`);
  if (!existsSync('/usr/bin/apt-get')) throw new Unavailable("needs Debian's packages, and there is no apt-get here");
  if (!existsSync(KEYRING)) throw new Unavailable(`needs Debian's keys to verify its packages: no ${KEYRING} here`);
  const arch = (await run('dpkg', ['--print-architecture'])).trim();
  if (arch !== 'amd64' && arch !== 'arm64')
    throw new Unavailable(`is fetched for amd64 and arm64, and this is ${arch}`);

  // `main` in a suite without a suffix is where the servers are. Others publish in such a place too: what they
  // have is not signed with Debian's keys, and reading it fails.
  const lists = new RegExp(`^'([^']+)/dists/([a-z]+)/main/binary-${arch}/Packages`, 'gm');
  const uris = await run('apt-get', ['update', '--print-uris']);
  const archives = [...uris.matchAll(lists)]
    .map(([, mirror = '', release = '']): Archive => ({ mirror, release, arch }))
    .filter(({ mirror }) => !mirror.startsWith('cdrom:'));
  if (archives.length === 0) throw new Unavailable("needs a mirror of Debian, and apt's sources here name none");
  return archives;
}

/**
 * Reads the package lists of the named suites from the first mirror that has them, verified with Debian's keys.
 *
 * @throws {Unavailable} where no mirror has them or can be reached, or a signature is wrong.
 */
export async function readSuites(archives: Archive[], names: string[], folder: string): Promise<Suites> {
  let failure: Unavailable | undefined;
  for (const [index, archive] of archives.entries()) {
    try {
      return await readVerified(archive, names, join(folder, String(index)));
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      failure ??= error;
    }
  }
  throw failure ?? new Unavailable('no mirror to read from');
}

/** With the installed keys; where those are too old, with those that the machine's own release has by now. */
async function readVerified(archive: Archive, names: string[], folder: string): Promise<Suites> {
  try {
    return await update(archive, names, KEYRING, join(folder, 'suites'));
  } catch (error) {
    const unknownKey = error instanceof Unavailable && /NO_PUBKEY|EXPKEYSIG|Missing key/.test(error.output);
    if (!unknownKey) throw error;
  }
  const own = await update(archive, [archive.release], KEYRING, join(folder, 'own'));
  await run('apt-get', ['-c', own.config, '-qq', 'download', 'debian-archive-keyring'], own.folder);
  await run('sh', ['-c', 'dpkg -x debian-archive-keyring_*.deb keyring'], own.folder);
  return await update(archive, names, join(own.folder, 'keyring', KEYRING), join(folder, 'suites-with-newer-keys'));
}

/** Writes an apt configuration of its own for some suites and reads their package lists with it. */
async function update(archive: Archive, names: string[], keyring: string, folder: string): Promise<Suites> {
  await mkdir(join(folder, 'state/lists/partial'), { recursive: true });
  await mkdir(join(folder, 'cache/archives/partial'), { recursive: true });
  const sources = {
    Types: 'deb',
    URIs: archive.mirror,
    Suites: names.join(' '),
    Components: 'main',
    Architectures: archive.arch,
    'Signed-By': keyring,
    Targets: 'Packages',
    Languages: 'none',
    PDiffs: 'no',
  };
  const options = {
    'Dir::State': join(folder, 'state'),
    // An empty file: nothing counts as installed, so every library is fetched. apt locks the folder it is in.
    'Dir::State::status': join(folder, 'state/status'),
    'Dir::Cache': join(folder, 'cache'),
    'Dir::Etc::sourcelist': join(folder, 'debian.sources'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'APT::Update::Error-Mode': 'any',
    'Acquire::Retries': '1',
    'Acquire::http::Timeout': '20',
    'Acquire::https::Timeout': '20',
    // What the machine is set to must not weaken the check of the signatures.
    'Acquire::AllowInsecureRepositories': 'false',
    'Acquire::AllowWeakRepositories': 'false',
    'Acquire::AllowDowngradeToInsecureRepositories': 'false',
    'APT::Get::AllowUnauthenticated': 'false',
  };
  const hooks = ['APT::Update::Pre-Invoke', 'APT::Update::Post-Invoke', 'APT::Update::Post-Invoke-Success'];
  const config = join(folder, 'apt.conf');
  await writeFile(join(folder, 'state/status'), '');
  await writeFile(
    join(folder, 'debian.sources'),
    lines(Object.entries(sources), ([field, value]) => `${field}: ${value}`),
  );
  await writeFile(
    config,
    lines(hooks, (hook) => `#clear ${hook};`) +
      lines(Object.entries(options), ([option, value]) => `${option} "${value}";`),
  );
  await run('apt-get', ['-c', config, '-q', 'update']);
  return { names, arch: archive.arch, config, folder };
}

function lines<T>(items: T[], line: (item: T) => string): string {
  return items.map((item) => `${line(item)}\n`).join('');
}

/**
 * Fetches a package of a series, `8.0` say, with all it depends on, and unpacks it all below one folder.
 *
 * @throws {Unavailable} where the suites have no such version, or fetching or unpacking fails.
 */
export async function unpack(suites: Suites, name: string, series: string, root: string): Promise<void> {
  const found = (await run('apt-cache', ['-c', suites.config, 'madison', name]))
    .split('\n')
    .map((line) => line.split('|')[1]?.trim() ?? '')
    .filter((version) => version !== '');
  const version = found.find((text) => text.replace(/^\d+:/, '').startsWith(`${series}.`));
  if (version === undefined) {
    const instead = found.length === 0 ? `no ${name}` : `${name} ${found.join(', ')}`;
    throw new Unavailable(`gone: ${suites.names.join(' and ')} of Debian has ${instead}`);
  }
  // What an earlier package needed would be unpacked here as well.
  await run('apt-get', ['-c', suites.config, 'clean']);
  const download = ['install', '-q', '-y', '--download-only', '--no-install-recommends', `${name}=${version}`];
  await run('apt-get', ['-c', suites.config, ...download]);
  await mkdir(root, { recursive: true });
  const archives = join(suites.folder, 'cache/archives');
  await run('sh', ['-c', 'for deb in *.deb; do dpkg -x "$deb" "$1" || exit; done', 'sh', root], archives);
}
