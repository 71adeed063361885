import { invalidArgument } from '../errors.ts';
import { checkChannel, checkJobId } from './ids.ts';
import { prefixOf } from './keyspace.ts';
/** `{prefix}conversation:{platform, lower case}:{channelId}` */
export function conversationKey(prefix, platform, channelId) {
    checkChannel(platform, channelId);
    return `${prefix}conversation:${platform.toLowerCase()}:${channelId}`;
}
/** `{prefix}job-index:{jobId}` */
export function jobIndexKey(prefix, jobId) {
    return `${prefix}job-index:${checkJobId(jobId)}`;
}
/** Both keys of a state. */
export function pairKeys(space, state) {
    if (typeof state !== 'object' || state === null)
        throw invalidArgument('the state must be an object');
    const { platform, channelId, jobId } = state;
    const prefix = prefixOf(space, { platform, channelId, jobId });
    return { prefix, conversation: conversationKey(prefix, platform, channelId), job: jobIndexKey(prefix, jobId) };
}
/**
 * The keys of a reference: one for each of channel and job that it names. A member that is there but undefined is an
 * error, because leaving out the job would lift the fence.
 */
export function referenceKeys(space, ref) {
    if (typeof ref !== 'object' || ref === null)
        throw invalidArgument(WANTED);
    const { platform, channelId, jobId } = ref;
    const byChannel = 'platform' in ref || 'channelId' in ref;
    const byJob = 'jobId' in ref;
    if (!byChannel && !byJob)
        throw invalidArgument(WANTED);
    const keys = { prefix: prefixOf(space, ref) };
    if (byChannel)
        keys.conversation = conversationKey(keys.prefix, platform, channelId);
    if (byJob)
        keys.job = jobIndexKey(keys.prefix, jobId);
    return keys;
}
const WANTED = 'a reference is { platform, channelId }, { jobId }, or all three';
