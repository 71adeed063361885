import { isCluster } from '../cluster/cluster.ts';
import { onMasters } from '../cluster/masters.ts';
import { LIBRARY_NAME } from '../conversation.gen.ts';
import { checkOn, loadOn, refuseNewer } from './library.ts';
export async function loadLibrary(client, options = {}) {
    return isCluster(client) ? succeeded(await loadEverywhere(client, options)) : loadOn(client, options);
}
export async function checkLibrary(client) {
    return isCluster(client) ? succeeded(await checkEverywhere(client)) : checkOn(client);
}
/** Loads on every master that a client leads to, and looks whether it is there. A newer version anywhere stops it all. */
export async function loadEverywhere(client, { force = false }) {
    const found = await checkEverywhere(client);
    for (const report of found) {
        if (!('error' in report))
            refuseNewer(report, force, found.length === 1 ? undefined : report.address);
    }
    return onMasters(client, async (master) => {
        const report = await loadOn(master, { force });
        if (report.loaded && !(await checkOn(master)).current)
            throw new Error('it took the library and does not have it');
        return report;
    });
}
/** Compares on every master that a client leads to. */
export function checkEverywhere(client) {
    return onMasters(client, checkOn);
}
function succeeded(reports) {
    const failures = reports.filter((report) => 'error' in report);
    if (failures.length === 0)
        return reports;
    throw new AggregateError(failures.map(({ error }) => error), `library ${LIBRARY_NAME}: ${failures.length} of ${reports.length} masters failed; ` +
        failures.map(({ address, error }) => `${address}: ${error instanceof Error ? error.message : error}`).join('; '));
}
