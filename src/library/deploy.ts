import type { Cluster, Redis } from 'ioredis';
import { isCluster } from '../cluster/cluster.ts';
import { type NodeFailure, onMasters } from '../cluster/masters.ts';
import { LIBRARY_NAME } from '../conversation.gen.ts';
import { checkOn, type LibraryReport, type LoadOptions, loadOn, refuseForeign, refuseNewer } from './library.ts';

/** What was found on one master of a cluster, and what was done about it. */
export interface NodeReport extends LibraryReport {
  /** `host:port` */
  address: string;
}

/**
 * Brings the library to this version: on a server, or on every master of a cluster, those without slots too; replicas
 * get it from their masters. Takes the rights `+function|load +function|list`, on a cluster `+cluster|nodes` too, and
 * no keys.
 * @throws ConversationError LIBRARY_TOO_NEW or LIBRARY_FOREIGN, and nothing was changed, where there is a newer major
 *   version or another library of this name anywhere and `force` is not set; of a cluster an AggregateError that names each master that could not be brought to this version.
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
 * @throws of a cluster an AggregateError that names each master that could not be asked
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
