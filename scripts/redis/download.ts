// Downloads and builds a Redis: node download.ts VERSION FOLDER. A process of its own, so that a download or a
// build that hangs can be given up. Progress goes to stdout; the last line on stderr says why there is no server.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RedisBinary } from 'redis-memory-server';

const STALL_LIMIT_S = 15;
const BUILD_LIMIT_S = 15 * 60;
const TELL_EVERY_S = 20;

const [version = '', downloadDir = ''] = process.argv.slice(2);
const archive = join(downloadDir, `redis-${version}.tar.gz`);

function giveUp(reason: string): never {
  process.stderr.write(`\n${reason}\n`);
  process.exit(1);
}

// redis-memory-server waits for ever for a host that accepts the connection and sends nothing.
let [arrived, still, building] = [0, 0, 0];
setInterval(() => {
  if (existsSync(archive)) {
    if (building === 0) process.stdout.write('Building it, which takes a minute or a few …\n');
    else if (building % TELL_EVERY_S === 0) process.stdout.write(`  ${building} s\n`);
    if (++building > BUILD_LIMIT_S) giveUp(`the build did not end within ${BUILD_LIMIT_S / 60} minutes`);
  } else if (building === 0) {
    const size = statSync(`${archive}.downloading`, { throwIfNoEntry: false })?.size ?? 0;
    still = size === arrived ? still + 1 : 0;
    arrived = size;
    if (still >= STALL_LIMIT_S) giveUp(`nothing arrived within ${STALL_LIMIT_S} s`);
  }
}, 1_000).unref();

try {
  await RedisBinary.getPath({ version, downloadDir, systemBinary: '', ignoreDownloadCache: false });
} catch (error) {
  giveUp(error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error));
}
