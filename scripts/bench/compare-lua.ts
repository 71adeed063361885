// npx tsx scripts/bench/compare-lua.ts OLD.lua: what each call costs the server in that version of the library and in
// lua/conversation.lua, for a change that is meant to be faster or must not be slower. The version of the last commit comes from
// `git show HEAD:lua/conversation.lua > old.lua`. Both are loaded into one server and take turns, some calls each. On a busy
// machine a ratio holds to within about 0.05.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startRedis } from '../redis/start.ts';
import { connect, type Entry, QUESTION } from './designs.ts';
import { place } from './machine.ts';
import { json, measureServerTime, operationCalls, timed } from './server-time.ts';

/** The calls of one version, whose functions begin with `prefix`. */
function callsOf(prefix: string) {
  const watched = { silentAfterMs: 300_000 };
  const rival = ({ state: { jobId } }: Entry) => ({ jobId: `rival-${jobId}`, claimId: jobId, deliveryId: jobId });
  const queued = (entry: Entry) => [json(entry, { ...rival(entry), ...watched }), '', 'text', 'And the tests?'];
  const ofRival = ({ conversation, job }: Entry) => [conversation, job.replace('job-index:', 'job-index:rival-')];
  return {
    ...operationCalls(prefix),
    'claim that finds another job': timed('set', `${prefix}claim`, (entry) => [json(entry, rival(entry))], ofRival),
    'claim that is queued': timed('set', `${prefix}claim`, queued, ofRival),
    'set, on watch': timed('set', `${prefix}set`, (entry) => [json(entry, watched)]),
    get: timed('set', `${prefix}get`),
    update: timed('set', `${prefix}update`, () => ['{"title":"Fix the login page"}']),
    'late answer': timed('answer', `${prefix}answer`, () => [QUESTION, 'a-late']),
  };
}

const before = readFileSync(process.argv[2] ?? '', 'utf8');
const after = readFileSync(join(import.meta.dirname, '..', '..', 'lua', 'conversation.lua'), 'utf8');
const server = await startRedis({ args: [] });
try {
  place('apart', server.pid);
  const admin = await connect(server.url);
  // Function names are global to a server, so the old ones get others.
  const renamed = before.replace('name=conversation', 'name=before').replaceAll("'conv_", "'before_");
  for (const source of [renamed, after]) await admin.function('LOAD', source);
  console.log('µs on the server'.padEnd(34), 'before   after   after / before');
  const times = await measureServerTime(admin, [callsOf('conv_'), callsOf('before_')], 90);
  for (const { operation, first, second, ratio } of times) {
    console.log(operation.padEnd(32), ...[second, first, ratio].map((value) => value.toFixed(2).padStart(7)));
  }
  admin.disconnect();
} finally {
  await server.stop();
}
