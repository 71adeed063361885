// npx tsx scripts/bench/compare-lua.ts OLD.lua NEW.lua: what a call of each costs the server, side by side in one run.
import { readFileSync } from 'node:fs';
import { startRedis } from '../redis/start.ts';
import { connect, OPERATION_NAMES } from './conversations.ts';
import { keepTo } from './machine.ts';
import { measureServerTime } from './server-time.ts';

const [before, after] = process.argv.slice(2).map((file) => readFileSync(file, 'utf8'));
if (before === undefined || after === undefined) {
  console.error('npx tsx scripts/bench/compare-lua.ts OLD.lua NEW.lua');
  process.exit(2);
}
const server = await startRedis({ args: [] });
keepTo('server', server.pid);
const admin = await connect(server.url);
// Function names are global to a server, so the old ones get others.
const renamed = before.replace('name=conversation', 'name=before').replaceAll("'conv_", "'before_");
for (const source of [renamed, after]) await admin.function('LOAD', source);
const times = await measureServerTime(admin, ['conv_', 'before_'], { rounds: 100, alike: false });
for (const { operation, first, second, ratio } of times) {
  const took = `${second.toFixed(2)} µs before  ${first.toFixed(2)} µs after  ratio ${ratio.toFixed(3)}`;
  console.log(OPERATION_NAMES[operation].padEnd(22), took);
}
admin.disconnect();
await server.stop();
