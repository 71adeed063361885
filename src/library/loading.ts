import type { Cluster, Redis } from 'ioredis';
import { checkBoolean, checkClient, checkOptions } from '../arguments.ts';
import { isCluster } from '../cluster/cluster.ts';
import { type NodeFailure, onMasters } from '../cluster/masters.ts';
import { convVersion, LIBRARY_NAME, LIBRARY_SOURCE } from '../conversation.gen.ts';
import { ConversationError, fromClient, isConversationError, isFunctionMissing } from '../errors.ts';
import { checkOn, decide, type LibraryReport, type LoadRules, refusalOf } from './report.ts';

/** Options of `loadLibrary`. */
export interface LoadOptions {
  /** True also replaces a newer version, another major version, and another library of this name; false by default. */
  force?: boolean | undefined;
}

/** What was found on one master of a cluster, and what was done about it. */
export interface NodeReport extends LibraryReport {
  /** The master, as `host:port`. */
  address: string;
}

/**
 * Brings the library to this version: on a server, or on every master of a cluster, those without slots too; replicas
 * get it from their masters. Takes the rights `+function|load +function|list`, on a cluster `+cluster|nodes` too, and
 * no keys.
 * @throws ConversationError LIBRARY_TOO_NEW, LIBRARY_OUTDATED: a server has a newer or older major version, or
 *   LIBRARY_FOREIGN: it has another library of this name, and `force` is not set, or one with a function name of this
 *   library. Nothing was changed then, on any master. Otherwise UNAVAILABLE or the client's own error; for a cluster an
 *   AggregateError that names each master that failed.
 */
export function loadLibrary(client: Redis, options?: LoadOptions): Promise<LibraryReport>;
export function loadLibrary(cluster: Cluster, options?: LoadOptions): Promise<NodeReport[]>;
export async function loadLibrary(
  client: Redis | Cluster,
  options: LoadOptions = {},
): Promise<LibraryReport | NodeReport[]> {
  checkClient(client);
  const { force = false } = checkOptions('loadLibrary', options);
  checkBoolean('force', force);
  return isCluster(client) ? succeeded(await loadEverywhere(client, options)) : loadOn(client, { load: 'auto', force });
}

/**
 * Compares the library of a server, or of every master of a cluster, with this version and changes nothing.
 * @throws The client's own error; for a cluster an AggregateError that names each master that could not be asked.
 */
export function checkLibrary(client: Redis): Promise<LibraryReport>;
export function checkLibrary(cluster: Cluster): Promise<NodeReport[]>;
export async function checkLibrary(client: Redis | Cluster): Promise<LibraryReport | NodeReport[]> {
  checkClient(client);
  return isCluster(client) ? succeeded(await onMasters(client, checkOn)) : checkOn(client);
}

/** Loads on every master that a client leads to, and looks whether it is there. A refusal on any master stops it all. */
export async function loadEverywhere(
  client: Redis | Cluster,
  { force = false }: LoadOptions,
): Promise<(NodeReport | NodeFailure)[]> {
  const rules = { load: 'auto', force } as const;
  const found = await onMasters(client, checkOn);
  for (const report of found) {
    if (!('error' in report)) decide(report, rules, found.length === 1 ? 'the server' : report.address);
  }
  return onMasters(client, async (master, address) => {
    const report = await loadOn(master, rules, address);
    if (report.loaded && !(await checkOn(master)).current) throw new Error('it took the library and does not have it');
    return report;
  });
}

function succeeded(reports: (NodeReport | NodeFailure)[]): NodeReport[] {
  const failures = reports.filter((report) => 'error' in report);
  if (failures.length === 0) return reports as NodeReport[];
  throw new AggregateError(
    failures.map(({ error }) => error),
    `library ${LIBRARY_NAME}: ${failures.length} of ${reports.length} masters failed; ` +
      failures.map(({ address, error }) => `${address}: ${error instanceof Error ? error.message : error}`).join('; '),
  );
}

/**
 * Makes sure that the library can serve this client, on the server or on every master that answers. `missed`: a call has
 * found a function missing, so a server that names a version may still not have this library.
 * @returns how many servers it was loaded on
 * @throws ConversationError LIBRARY_MISSING, LIBRARY_OUTDATED, LIBRARY_TOO_NEW, LIBRARY_FOREIGN
 */
export async function prepareLibrary(
  client: Redis | Cluster,
  load: LoadRules['load'],
  missed: boolean,
): Promise<number> {
  const prepare = async (server: Redis, name: string): Promise<boolean> => {
    const answer = await askVersion(server);
    // One call settles the usual case; the libraries are listed only if it fails.
    if (!missed && !refusalOf({ found: answer.version, foreign: null }, name)) return false;
    return (await loadOn(server, { load, force: false }, name, answer)).loaded;
  };
  if (!isCluster(client)) return (await prepare(client, 'the server')) ? 1 : 0;
  const results = await onMasters(client, async (...master) => ({ loaded: await prepare(...master) }));
  const failures = results.filter((result) => 'error' in result);
  // Only the calls to a master that is down may fail.
  const failure =
    failures.find(({ error }) => isConversationError(error) && error.code !== 'UNAVAILABLE') ??
    (failures.length === results.length && failures[0]);
  if (failure) throw failure.error;
  return results.filter((result) => 'loaded' in result && result.loaded).length;
}

/** What a server answered to conv_version; `failure` is an error other than that it has no such function. */
type Answer = { version: string | null; failure?: unknown };

async function askVersion(server: Redis): Promise<Answer> {
  try {
    return { version: await convVersion(server) };
  } catch (error) {
    // Another program's function of that name may be refused by the server, or return no text.
    if (!(error instanceof TypeError || (error as Error).message.startsWith('ERR '))) throw error;
    return { version: null, ...(!isFunctionMissing(error) && { failure: error }) };
  }
}

/**
 * Brings one server's library to this version, as the rules allow. `answer` is what conv_version answered, for a user
 * who may not list libraries.
 * @throws ConversationError what `decide` throws
 */
async function loadOn(server: Redis, rules: LoadRules, name = 'the server', answer?: Answer): Promise<LibraryReport> {
  let isBlind = false;
  const look = () =>
    checkOn(server).catch((error: unknown): LibraryReport => {
      if (!answer || answer.failure !== undefined || !isDenied(error)) throw answer?.failure ?? error;
      isBlind = true;
      const found = answer.version;
      return { present: found !== null, found, current: false, loaded: false, foreign: null };
    });
  const report = await look();
  const what = decide(report, rules, name);
  if (answer?.failure !== undefined) throw answer.failure;
  if (what === 'keep') return report;
  // Looked at again right before it is replaced: a deploy step may have loaded a newer one since.
  if (report.present && (await look()).found !== report.found) return loadOn(server, rules, name, answer);
  try {
    // One that was loaded since must not be replaced unseen.
    await (report.present
      ? server.function('LOAD', 'REPLACE', LIBRARY_SOURCE)
      : server.function('LOAD', LIBRARY_SOURCE));
  } catch (error) {
    // A library, or a function, of this name has come since it was looked at.
    const isTaken = /^ERR (Library|Function) .* already exists/i.test((error as Error).message);
    if (!report.present && isTaken) {
      const now = answer && (await askVersion(server));
      if (!isBlind || now?.version) return loadOn(server, rules, name, now);
      const found = 'a library of this name, or with a function of it, that this user may not list';
      throw new ConversationError('LIBRARY_FOREIGN', `${name} has ${found}; nothing was changed`, error);
    }
    // An app whose user may not load is one that leaves it to the deploy step.
    if (answer && isDenied(error)) throw refusalOf(report, name) ?? refusalOf({ ...report, found: null }, name);
    throw fromClient(error);
  }
  return { ...report, loaded: true };
}

function isDenied(error: unknown): boolean {
  return (error as Error).message.startsWith('NOPERM ');
}
