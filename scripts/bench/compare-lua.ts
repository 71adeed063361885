// npx tsx scripts/bench/compare-lua.ts OLD.lua [NEW.lua]: what each call costs the server in two versions of the library, for a
// change that is meant to be faster or must not be slower. NEW.lua is lua/conversation.lua unless it is named; the old one of the
// last commit is there after `git show HEAD:lua/conversation.lua > /tmp/old.lua`. Both are loaded into one server and take
// turns, a hundred calls each; a line shows the mean of five such runs, and the least and the greatest ratio of the five. The ratios
// hold on a busy machine too, the microseconds only on an idle one. Compared are the calls that both versions have.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startRedis } from '../redis/start.ts';
import { connect, type Entry, QUESTION } from './conversations.ts';
import { keepTo } from './machine.ts';
import { measureServerTime, type ServerTime, type TimedCall } from './server-time.ts';

const RUNS = 5;
const ROUNDS = 40;
const SILENT_MS = '300000';

/** The calls of one version, whose functions begin with `prefix`. */
function callsOf(prefix: string, source: string): Record<string, TimedCall> {
  const both = ({ conversation, job }: Entry) => [conversation, job];
  const call = (
    start: TimedCall['start'],
    name: string,
    args: (entry: Entry) => string[] = () => [],
    keys = both,
  ): TimedCall => ({ start, call: (entry) => [prefix + name, keys(entry), args(entry)] });
  const json = ({ state }: Entry, more = {}) => JSON.stringify({ ...state, ...more });
  // Before it became a member of the state, the silence was the argument behind the TTL.
  const watched = (entry: Entry, ids = {}) =>
    source.includes('---@param silentMs')
      ? [json(entry, ids), '', SILENT_MS]
      : [json(entry, { ...ids, silentAfterMs: Number(SILENT_MS) }), ''];
  const idsOf = ({ state }: Entry) => ({ claimId: `claim-${state.jobId}`, deliveryId: `delivery-${state.jobId}` });
  const rival = (entry: Entry) => ({ ...idsOf(entry), jobId: `rival-${entry.state.jobId}` });
  const ofRival = ({ conversation, job }: Entry) => [conversation, job.replace('job-index:', 'job-index:rival-')];
  return {
    claim: call('claim', 'claim', (entry) => [json(entry)]),
    'claim, on watch, with its delivery': call('claim', 'claim', (entry) => watched(entry, idsOf(entry))),
    'claim that finds another job': call('set', 'claim', (entry) => [json(entry, rival(entry))], ofRival),
    'claim that is queued': call(
      'set',
      'claim',
      (entry) => [...watched(entry, rival(entry)), 'text', 'And the tests?'],
      ofRival,
    ),
    'set over a state': call('set', 'set', (entry) => [json(entry)]),
    'set, on watch': call('set', 'set', (entry) => watched(entry)),
    get: call('set', 'get'),
    get_by_job: call('set', 'get_by_job', undefined, ({ job }) => [job]),
    'get_by_job with both keys': call('set', 'get_by_job'),
    update: call('set', 'update', () => ['{"title":"Fix the login page"}']),
    set_pending: call('set', 'set_pending', () => [QUESTION]),
    'set_pending that clears': call('answer', 'set_pending', () => ['']),
    answer: call('answer', 'answer', (entry) => [QUESTION, `answer-${entry.state.jobId}`]),
    remove: call('set', 'remove'),
  };
}

const [oldFile, newFile = join(import.meta.dirname, '..', '..', 'lua', 'conversation.lua')] = process.argv.slice(2);
if (oldFile === undefined) {
  console.error('npx tsx scripts/bench/compare-lua.ts OLD.lua [NEW.lua]');
  process.exit(2);
}
const [before, after] = [readFileSync(oldFile, 'utf8'), readFileSync(newFile, 'utf8')];
const runs: ServerTime<string>[][] = [];
for (let run = 0; run < RUNS; run++) {
  // A server of its own each time: how the memory of one came to lie is not to decide.
  const server = await startRedis({ args: [] });
  try {
    keepTo('server', server.pid);
    const admin = await connect(server.url);
    // Function names are global to a server, so the old ones get others.
    const renamed = before.replace('name=conversation', 'name=before').replaceAll("'conv_", "'before_");
    for (const source of [renamed, after]) await admin.function('LOAD', source);
    runs.push(await measureServerTime(admin, [callsOf('conv_', after), callsOf('before_', before)], ROUNDS));
    admin.disconnect();
  } finally {
    await server.stop();
  }
}
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
console.log('µs on the server'.padEnd(36), 'before   after   after / before');
for (const [at, { operation }] of runs[0]?.entries() ?? []) {
  const of = (figure: 'first' | 'second' | 'ratio') => runs.map((run) => run[at]?.[figure] ?? Number.NaN);
  const [took, took2, ratios] = [of('second'), of('first'), of('ratio')];
  const spread = `${mean(ratios).toFixed(3)} (${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)})`;
  console.log(operation.padEnd(36), mean(took).toFixed(2).padStart(6), mean(took2).toFixed(2).padStart(7), ' ', spread);
}
