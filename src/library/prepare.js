import { isCluster } from '../cluster/cluster.ts';
import { onMasters } from '../cluster/masters.ts';
import { convVersion, LIBRARY_NAME, LIBRARY_VERSION } from '../conversation.gen.ts';
import { ConversationError, isConversationError, isFunctionMissing } from '../errors.ts';
import { loadOn, standing } from './library.ts';
/**
 * Makes sure that the library can serve this client, on the server or on every master that answers.
 * @returns how many servers it was loaded on
 * @throws ConversationError LIBRARY_MISSING, LIBRARY_OUTDATED, LIBRARY_TOO_NEW
 */
export async function prepareLibrary(client, load) {
    if (!isCluster(client))
        return (await prepareOn(client, load, 'the server')) ? 1 : 0;
    const results = await onMasters(client, async (master, address) => ({
        loaded: await prepareOn(master, load, address),
    }));
    const failures = results.filter((result) => 'error' in result);
    // A master that is down has calls of its own that fail; those of the others shall not.
    const failure = failures.find(({ error }) => isConversationError(error)) ?? (failures.length === results.length && failures[0]);
    if (failure)
        throw failure.error;
    return results.filter((result) => 'loaded' in result && result.loaded).length;
}
async function prepareOn(server, load, name) {
    const found = await convVersion(server).catch((error) => {
        if (isFunctionMissing(error))
            return null;
        throw error;
    });
    const state = standing(found);
    if (state === 'too new') {
        throw new ConversationError('LIBRARY_TOO_NEW', `${name} has ${LIBRARY_NAME} ${found}, this client is of ${LIBRARY_VERSION}; update the client`);
    }
    if (state === 'serving')
        return false;
    if (load === 'never') {
        throw new ConversationError(state === 'missing' ? 'LIBRARY_MISSING' : 'LIBRARY_OUTDATED', `${name} has ${found === null ? 'no' : `an older (${found})`} library ${LIBRARY_NAME}, this client needs ` +
            `${LIBRARY_VERSION}; load it with: npx conversation-state load --url redis://…`);
    }
    await loadOn(server);
    return true;
}
