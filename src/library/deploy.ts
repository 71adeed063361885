import type { Cluster, Redis } from 'ioredis';
import { isCluster } from '../cluster/cluster.ts';
import { type NodeFailure, onMasters } from '../cluster/masters.ts';
import { convVersion, LIBRARY_NAME, LIBRARY_VERSION } from '../conversation.gen.ts';
import { ConversationError, isConversationError, isFunctionMissing } from '../errors.ts';
import {
  checkOn,
  type LibraryReport,
  type LoadOptions,
  loadOn,
  refuseForeign,
  refuseNewer,
  standing,
} from './library.ts';

/** What was found on one master of a cluster, and what was done about it. */
export interface NodeReport extends LibraryReport {
  /** The master, as `host:port`. */
  address: string;
}

/**
 * Brings the library to this version: on a server, or on every master of a cluster, those without slots too; replicas
 * get it from their masters. Takes the rights `+function|load +function|list`, on a cluster `+cluster|nodes` too, and
 * no keys.
 * @throws ConversationError LIBRARY_TOO_NEW: a server has a newer major version, or LIBRARY_FOREIGN: it has another
 *   library of this name, and `force` is not set, or one with a function name of this library. Nothing was changed then,
 *   on any master. Otherwise the client's own error; for a cluster an AggregateError that names each master that failed.
 */
export function loadLibrary(client: Redis, options?: LoadOptions): Promise<LibraryReport>;
export function loadLibrary(cluster: Cluster, options?: LoadOptions): Promise<NodeReport[]>;
export async function loadLibrary(
  client: Redis | Cluster,
  options: LoadOptions = {},
): Promise<LibraryReport | NodeReport[]> {
  return isCluster(client) ? succeeded(await loadEverywhere(client, options)) : loadOn(client, options);
}

/**
 * Compares the library of a server, or of every master of a cluster, with this version and changes nothing.
 * @throws The client's own error; for a cluster an AggregateError that names each master that could not be asked.
 */
export function checkLibrary(client: Redis): Promise<LibraryReport>;
export function checkLibrary(cluster: Cluster): Promise<NodeReport[]>;
export async function checkLibrary(client: Redis | Cluster): Promise<LibraryReport | NodeReport[]> {
  return isCluster(client) ? succeeded(await checkEverywhere(client)) : checkOn(client);
}

/** Loads on every master that a client leads to, and looks whether it is there. A newer version anywhere stops it all. */
export async function loadEverywhere(
  client: Redis | Cluster,
  { force = false }: LoadOptions,
): Promise<(NodeReport | NodeFailure)[]> {
  const found = await checkEverywhere(client);
  for (const report of found) {
    if ('error' in report) continue;
    const server = found.length === 1 ? undefined : report.address;
    refuseForeign(report, force, server);
    refuseNewer(report, force, server);
  }
  return onMasters(client, async (master) => {
    const report = await loadOn(master, { force });
    if (report.loaded && !(await checkOn(master)).current) throw new Error('it took the library and does not have it');
    return report;
  });
}

/** Compares on every master that a client leads to. */
export function checkEverywhere(client: Redis | Cluster): Promise<(NodeReport | NodeFailure)[]> {
  return onMasters(client, checkOn);
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

/** How a store prepares the library. */
export interface Preparation {
  load: 'auto' | 'never';
  /** Whether a call found a function missing, so that a server that names a version may still not have this library. */
  missed: boolean;
}

/**
 * Makes sure that the library can serve this client, on the server or on every master that answers.
 * @returns how many servers it was loaded on
 * @throws ConversationError LIBRARY_MISSING, LIBRARY_OUTDATED, LIBRARY_TOO_NEW, LIBRARY_FOREIGN
 */
export async function prepareLibrary(client: Redis | Cluster, how: Preparation): Promise<number> {
  if (!isCluster(client)) return (await prepareOn(client, how, 'the server')) ? 1 : 0;
  const results = await onMasters(client, async (master, address) => ({
    loaded: await prepareOn(master, how, address),
  }));
  const failures = results.filter((result) => 'error' in result);
  // A master that is down has calls of its own that fail; those of the others shall not.
  const failure =
    failures.find(({ error }) => isConversationError(error)) ?? (failures.length === results.length && failures[0]);
  if (failure) throw failure.error;
  return results.filter((result) => 'loaded' in result && result.loaded).length;
}

async function prepareOn(server: Redis, { load, missed }: Preparation, name: string): Promise<boolean> {
  let failure: unknown;
  const found = await convVersion(server).catch((error: unknown) => {
    if (!isOdd(error)) throw error;
    failure = error;
    return null;
  });
  const state = standing(found);
  // One call tells a good server. Only where something is odd are the names of its functions looked at.
  if (state === 'serving' && !missed) return false;
  await refuseStranger(server, name);
  if (failure !== undefined && !isFunctionMissing(failure)) throw failure;
  if (state === 'too new') {
    throw new ConversationError(
      'LIBRARY_TOO_NEW',
      `${name} has ${LIBRARY_NAME} ${found}, this client is of ${LIBRARY_VERSION}; update the client`,
    );
  }
  if (state === 'serving') return false;
  if (load === 'never') {
    throw new ConversationError(
      state === 'missing' ? 'LIBRARY_MISSING' : 'LIBRARY_OUTDATED',
      `${name} has ${found === null ? 'no' : `an older (${found})`} library ${LIBRARY_NAME}, this client needs ` +
        `${LIBRARY_VERSION}; load it with: npx conversation-state load --url redis://…`,
    );
  }
  await loadOn(server);
  return true;
}

/** Whether conv_version may be a stranger's: it is not there, the server refuses to run it, or it answers no text. */
function isOdd(error: unknown): boolean {
  return error instanceof TypeError || (error as Error).message.startsWith('ERR ');
}

/** @throws ConversationError LIBRARY_FOREIGN */
async function refuseStranger(server: Redis, name: string): Promise<void> {
  // An app that does not load needs no right to list libraries. Without it, what conv_version answered has to do.
  const report = await checkOn(server).catch(() => undefined);
  if (report) refuseForeign(report, false, name);
}
