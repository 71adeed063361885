// npx tsx scripts/bench/compare-lua.ts OLD.lua [NEW.lua]: what each call costs the server in two versions of the library, for a
// change that is meant to be faster or must not be slower. NEW.lua is lua/conversation.lua unless it is named; the version of the
// last commit comes from `git show HEAD:lua/conversation.lua > old.lua`. Both are loaded into one server and take turns, some
// calls each. A line shows the mean of three such runs, and the least and the greatest ratio of the three: on a busy machine the
// means hold to within about 0.05. Both versions must understand the calls below.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startRedis } from '../redis/start.ts';
import { connect, type Entry, QUESTION } from './conversations.ts';
import { place } from './machine.ts';
import { json, measureServerTime, operationCalls, type ServerTime, timed } from './server-time.ts';

const [oldFile, newFile = join(import.meta.dirname, '..', '..', 'lua', 'conversation.lua')] = process.argv.slice(2);
if (oldFile === undefined) {
  console.error('npx tsx scripts/bench/compare-lua.ts OLD.lua [NEW.lua]');
  process.exit(2);
}
const [before, after] = [readFileSync(oldFile, 'utf8'), readFileSync(newFile, 'utf8')];

/** The calls of one version, whose functions begin with `prefix`. */
function callsOf(prefix: string) {
  const watched = (entry: Entry, ids = {}) => [json(entry, { ...ids, silentAfterMs: 300_000 }), ''];
  const idsOf = ({ state }: Entry) => ({ claimId: `claim-${state.jobId}`, deliveryId: `delivery-${state.jobId}` });
  const rival = (entry: Entry) => ({ ...idsOf(entry), jobId: `rival-${entry.state.jobId}` });
  const queued = (entry: Entry) => [...watched(entry, rival(entry)), 'text', 'And the tests?'];
  const ofRival = ({ conversation, job }: Entry) => [conversation, job.replace('job-index:', 'job-index:rival-')];
  return {
    ...operationCalls(prefix),
    'claim, on watch, with a delivery': timed('claim', `${prefix}claim`, (entry) => watched(entry, idsOf(entry))),
    'claim that finds another job': timed('set', `${prefix}claim`, (entry) => [json(entry, rival(entry))], ofRival),
    'claim that is queued': timed('set', `${prefix}claim`, queued, ofRival),
    'set, on watch': timed('set', `${prefix}set`, (entry) => watched(entry)),
    get: timed('set', `${prefix}get`),
    'lookup with both keys': timed('set', `${prefix}get_by_job`),
    update: timed('set', `${prefix}update`, () => ['{"title":"Fix the login page"}']),
    'pending question cleared': timed('answer', `${prefix}set_pending`, () => ['']),
    'late answer': timed('set', `${prefix}answer`, () => [QUESTION, 'a-late']),
  };
}

const runs: ServerTime<string>[][] = [];
for (let run = 0; run < 3; run++) {
  // A server of its own each time, because how the memory of one came to lie must not decide.
  const server = await startRedis({ args: [] });
  try {
    place('apart', server.pid);
    const admin = await connect(server.url);
    // Function names are global to a server, so the old ones get others.
    const renamed = before.replace('name=conversation', 'name=before').replaceAll("'conv_", "'before_");
    for (const source of [renamed, after]) await admin.function('LOAD', source);
    runs.push(await measureServerTime(admin, [callsOf('conv_'), callsOf('before_')], 30));
    admin.disconnect();
  } finally {
    await server.stop();
  }
}
console.log('µs on the server'.padEnd(34), 'before   after   after / before');
for (const [at, { operation }] of runs[0]?.entries() ?? []) {
  const all = (figure: 'first' | 'second' | 'ratio') => runs.map((run) => run[at]?.[figure] ?? Number.NaN);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [ratios, took] = [all('ratio'), [all('second'), all('first')].map((usec) => mean(usec).toFixed(2).padStart(7))];
  const spread = `${mean(ratios).toFixed(3)} (${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)})`;
  console.log(operation.padEnd(32), ...took, ' ', spread);
}
