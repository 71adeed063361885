import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import { type NodeFailure, onMasters } from '../cluster/masters.ts';
import { LIBRARY_NAME, LIBRARY_VERSION } from '../conversation.gen.ts';
import { isConversationError } from '../errors.ts';
import { loadEverywhere, type NodeReport } from '../library/loading.ts';
import { checkOn, compareVersions, type LibraryReport, refusalOf } from '../library/report.ts';
import { Failure, misuse, type Values } from './command.ts';
import { withServer } from './connect.ts';
import { shownJson } from './print.ts';
import { mayPass, reasonOf } from './reason.ts';

const THIS = `${LIBRARY_NAME} ${LIBRARY_VERSION}`;
/** How long to wait before a server that could not be reached is tried again. */
const AGAIN_MS = 500;

export async function load(values: Values): Promise<void> {
  const { force = false } = values;
  const results = await onServers(values, (client) => loadEverywhere(client, { force }), loaded).catch((error) => {
    if (!isConversationError(error.cause, 'LIBRARY_TOO_NEW')) throw error;
    throw new Failure(`${error.message} To go back to ${LIBRARY_VERSION} all the same: --force`);
  });
  const failed = results.filter((result) => 'error' in result).length;
  if (failed > 0) throw new Failure(`${failed} of ${results.length} masters could not be brought to ${THIS}.`);
}

export async function check(values: Values): Promise<void> {
  const { exact = false } = values;
  const results = await onServers(values, (client) => onMasters(client, checkOn), found);
  const wrong = results.filter((result) => 'error' in result || !(exact ? result.current : isServing(result)));
  if (wrong.length === 0) return;
  const refusals = wrong.map((result) => ('error' in result ? null : refusalOf(result, result.address)));
  const why = refusals.find((refusal) => refusal !== null)?.message;
  const what = exact ? `not at ${THIS}` : `apps of ${THIS} are not served`;
  const where = wrong.map(({ address }) => address).join(', ');
  throw new Failure(`${where}: ${what}.${why ? ` ${why}.` : ''}`);
}

const isServing = (report: LibraryReport) => refusalOf(report, '') === null;

type Result = NodeReport | NodeFailure;

/** Does a task on every master, for as long as --wait says, and prints a line for each. */
async function onServers(
  values: Values,
  task: (client: Redis | Cluster) => Promise<Result[]>,
  say: (report: LibraryReport) => string,
): Promise<Result[]> {
  const { wait = '0' } = values;
  if (!/^\d{1,6}$/.test(wait)) throw misuse('--wait must be a whole number of seconds.');
  const until = Date.now() + Number(wait) * 1_000;
  for (let isFirst = true; ; isFirst = false) {
    const isLast = Date.now() >= until;
    try {
      return await withServer(values, async ({ client, name, tls }) => {
        const results = await task(client);
        const isOne = results.length === 1;
        for (const result of results) {
          // What a single server says against it is said as if there were no list.
          if ('error' in result && (isOne || (!isLast && mayPass(result.error)))) throw result.error;
          if (isOne) result.address = name;
        }
        const width = Math.max(...results.map(({ address }) => address.length));
        for (const { address, ...result } of results) {
          const error = 'error' in result ? reasonOf(result.error, tls) : undefined;
          const told = 'error' in result ? { error } : { ...result, serves: result.loaded || isServing(result) };
          const text = 'error' in result ? `failed: ${error}` : say(result);
          console.log(values.json ? shownJson({ address, ...told }) : `${address.padEnd(width)}  ${text}`);
        }
        return results;
      });
    } catch (error) {
      if (isLast || !(error instanceof Failure) || !mayPass(error.cause)) throw error;
      if (isFirst) console.error(`${error.message} Trying again for ${wait} s.`);
      await sleep(AGAIN_MS);
    }
  }
}

function loaded(report: LibraryReport): string {
  if (!report.loaded) return found(report);
  if (!report.present) return `${THIS} loaded, there was none`;
  const old = report.found ?? 'one without a version';
  return `${THIS} loaded, replacing ${old === LIBRARY_VERSION ? `a ${old} of another source` : old}`;
}

/** What is there, as the end of a sentence. */
export function found({ present, found, current, foreign }: LibraryReport): string {
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
