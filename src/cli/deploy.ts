import type { NodeFailure } from '../cluster/masters.ts';
import { LIBRARY_NAME, LIBRARY_VERSION } from '../conversation.gen.ts';
import { isConversationError } from '../errors.ts';
import { compareVersions, compatibility } from '../library/decision.ts';
import { checkEverywhere, loadEverywhere, type NodeReport } from '../library/loading.ts';
import type { LibraryReport } from '../library/report.ts';
import { type Command, SERVER } from './command.ts';
import { LIMIT_MS, type Server, withServer } from './connect.ts';
import { Failure } from './failure.ts';
import { reasonOf } from './reason.ts';

const THIS = `${LIBRARY_NAME} ${LIBRARY_VERSION}`;

export const load: Command = {
  summary: `brings a server's or a cluster's library to ${THIS}`,
  options: [...SERVER, 'force'],
  examples: ['load --url redis://localhost:6379'],
  notes: [
    'It leaves a newer library that serves this version where it is, and does not replace one of a newer major version',
    "or another program's library of this name without --force. The user needs the rights +function|load +function|list,",
    'on a cluster +cluster|nodes too, and no keys. On a cluster it loads the library on every master.',
  ],
  async run(values) {
    const { force = false } = values;
    const reports = await withServer(values, async (server) => {
      const results = await loadEverywhere(server.client, { force }).catch((error: unknown) => {
        if (isConversationError(error, 'LIBRARY_FOREIGN')) throw new Failure(`${server.name}: ${error.message}.`);
        if (!isConversationError(error, 'LIBRARY_TOO_NEW')) throw error;
        throw new Failure(`${server.name}: ${error.message}. To go back to ${LIBRARY_VERSION} all the same: --force`);
      });
      return shown(server, unlessSingleFailure(results), done);
    });
    const failed = reports.filter((report) => 'error' in report).length;
    if (failed > 0) throw new Failure(`${failed} of ${reports.length} masters could not be brought to ${THIS}.`);
  },
};

export const check: Command = {
  summary: `says whether a server or cluster serves apps of ${THIS}, and changes nothing`,
  options: [...SERVER, 'exact'],
  examples: ['check --url redis://localhost:6379'],
  notes: ['The user needs the right +function|list, on a cluster +cluster|nodes too, and no keys.'],
  async run(values) {
    const { exact = false } = values;
    const { name, reports } = await withServer(values, async (server) => ({
      name: server.name,
      reports: shown(server, unlessSingleFailure(await checkEverywhere(server.client)), found),
    }));
    const wrong = reports.filter((report) => 'error' in report || !(exact ? report.current : serves(report)));
    if (wrong.length === 0) return;
    const first = wrong.find((report): report is NodeReport => !('error' in report));
    const one = reports.length === 1;
    const who = one ? name : `${wrong.length} of ${reports.length} masters`;
    const what = exact ? `${one ? 'is' : 'are'} not at ${THIS}` : `${one ? 'does' : 'do'} not serve apps of ${THIS}`;
    throw new Failure(`${who} ${what}.${first ? ` ${advice(first)}` : ''}`);
  },
};

function serves({ found, foreign }: LibraryReport): boolean {
  return foreign === null && compatibility(found) === 'serving';
}

/** What a single server says against it is said as if there were no list. */
function unlessSingleFailure(results: (NodeReport | NodeFailure)[]): (NodeReport | NodeFailure)[] {
  const [first] = results;
  if (results.length === 1 && first && 'error' in first) throw first.error;
  return results;
}

/** Prints a line for each server. */
function shown(
  { name, tls }: Server,
  reports: (NodeReport | NodeFailure)[],
  say: (report: LibraryReport) => string,
): (NodeReport | NodeFailure)[] {
  const rows = reports.map((report): [string, string] => [
    reports.length === 1 ? name : report.address,
    'error' in report ? `failed: ${reasonOf(report.error, { tls, limitMs: LIMIT_MS })}` : say(report),
  ]);
  const width = Math.max(...rows.map(([address]) => address.length));
  for (const [address, text] of rows.sort()) console.log(`${address.padEnd(width)}  ${text}`);
  return reports;
}

function done({ present, found, current, loaded }: LibraryReport): string {
  if (current) return `${THIS} is there already`;
  if (!loaded) return `${LIBRARY_NAME} ${found} is there, which is newer and serves apps of ${LIBRARY_VERSION}`;
  if (!present) return `${THIS} loaded, there was none`;
  return `${THIS} loaded, replacing ${found === LIBRARY_VERSION ? `a ${found} of another source` : (found ?? 'one without a version')}`;
}

function found({ present, found, current, foreign }: LibraryReport): string {
  if (foreign === LIBRARY_NAME) return `another program's library ${LIBRARY_NAME} is there`;
  if (foreign !== null) return `the library ${foreign} has a function name of ${LIBRARY_NAME}`;
  if (current) return `${THIS} is there`;
  if (!present) return `there is no library ${LIBRARY_NAME}`;
  if (found === null) return `a library ${LIBRARY_NAME} without a version is there`;
  const order = compareVersions(found, LIBRARY_VERSION);
  const difference =
    order === 0 ? 'of another source' : `${order < 0 ? 'older' : 'newer'} than this ${LIBRARY_VERSION}`;
  return `${LIBRARY_NAME} ${found} is there, ${difference}`;
}

function advice({ found }: LibraryReport): string {
  if (found !== null && compareVersions(found, LIBRARY_VERSION) > 0) {
    return compatibility(found) === 'serving'
      ? `Apps of ${LIBRARY_VERSION} work on it.`
      : `Apps of ${LIBRARY_VERSION} do not work on it: update them.`;
  }
  return 'To load it: npx conversation-state load --url redis://…';
}
