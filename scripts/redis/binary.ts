import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';
import { engine, versionOf } from './debian.ts';

/** A server program of version 7 or later. */
export interface RedisBinary {
  path: string;
  /** In words for a person: `redis-server 7.0.15 from the PATH`. */
  origin: string;
}

/** The version that is downloaded and built where there is no other way. */
const DOWNLOAD_VERSION = '7.2.11';

let search: Promise<RedisBinary> | undefined;

/**
 * Finds a server program: on the PATH, else from Debian's package, else downloaded and built, for this folder alone. A
 * process searches once.
 * @throws Error that says what was tried and how to install Redis
 */
export function findRedisBinary(): Promise<RedisBinary> {
  search ??= findAnew();
  return search;
}

async function findAnew(): Promise<RedisBinary> {
  const reasons: string[] = [];
  const ways = { 'On the PATH': fromPath, Debian: fromDebian, Download: fromDownload };
  for (const [name, way] of Object.entries(ways)) {
    try {
      return await way();
    } catch (error) {
      reasons.push(`  ${`${name}:`.padEnd(13)}${error instanceof Error ? error.message.split('\n')[0] : error}`);
    }
  }
  throw new Error(
    [
      'No Redis or Valkey of version 7 or later could be found or fetched.',
      ...reasons,
      'To install one: apt-get install redis-server, dnf install valkey, apk add redis, pacman -S valkey or brew install redis.',
      'Or name a running server in REDIS_URL, such as redis://localhost:6379.',
    ].join('\n'),
  );
}

async function fromPath(): Promise<RedisBinary> {
  const { PATH = '' } = process.env;
  const tooOld: string[] = [];
  for (const name of ['redis-server', 'valkey-server']) {
    for (const folder of PATH.split(delimiter).filter(Boolean)) {
      const path = join(folder, name);
      const version = await versionOf(path);
      if (Number.parseInt(version ?? '', 10) >= 7) return { path, origin: `${name} ${version} from the PATH` };
      if (version) tooOld.push(`${path} is version ${version}; wanted is 7 or later`);
    }
  }
  throw new Error(tooOld.join(', ') || 'no redis-server and no valkey-server');
}

async function fromDebian(): Promise<RedisBinary> {
  const { server, version } = await engine('redis 7.0');
  return { path: server, origin: `redis-server ${version} from Debian, in this folder` };
}

async function fromDownload(): Promise<RedisBinary> {
  const downloadDir = join(import.meta.dirname, '..', '..', '.cache', 'redis');
  console.error(`Downloading and building redis-server ${DOWNLOAD_VERSION}, once, which takes a few minutes …`);
  // Left alone, redis-memory-server doesn't check the certificate of the download's host.
  Object.assign(process.env, { npm_config_strict_ssl: 'true', MAKEFLAGS: `-j${availableParallelism()}` });
  const { RedisBinary: Download } = await import('redis-memory-server');
  try {
    const path = await Download.getPath({ version: DOWNLOAD_VERSION, downloadDir, systemBinary: '' });
    return { path, origin: `redis-server ${DOWNLOAD_VERSION}, downloaded and built here` };
  } catch (error) {
    // An archive that didn't build would be used again the next time.
    rmSync(join(downloadDir, `redis-${DOWNLOAD_VERSION}.tar.gz`), { force: true });
    throw error;
  }
}
