// npm run bench:peers: installs what npm run bench compares with into an ignored folder, and tries it.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PEERS, PEERS_ENTRY, PEERS_FOLDER, tryPeers } from './bench/peers.ts';
import { startRedis } from './redis/start.ts';

mkdirSync(PEERS_FOLDER, { recursive: true });
const packages = Object.entries(PEERS).map(([name, version]) => `${name}@${version}`);
// Without its optional addon bullmq packs messages in JavaScript; nothing is compiled or downloaded beyond the packages.
const args = ['install', '--prefix', PEERS_FOLDER, '--ignore-scripts', '--no-audit', '--no-fund', ...packages];
const { error, status } = spawnSync('npm', args, { stdio: 'inherit', shell: process.platform === 'win32' });
if (error || status !== 0) {
  console.error(`npm could not install ${packages.join(', ')}${error ? `: ${error.message}` : ''}`);
  process.exit(1);
}
writeFileSync(join(PEERS_FOLDER, 'index.mjs'), PEERS_ENTRY);

const redis = await startRedis({ args: [] });
try {
  const versions = await tryPeers(redis.url);
  console.log(`npm run bench now compares with ${versions.join(', ')} too.`);
} finally {
  await redis.stop();
}
