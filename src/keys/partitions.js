import { createHash, randomUUID } from 'node:crypto';
/** As many partitions as a Redis Cluster has slots. */
export const PARTITIONS = 16384;
/** The names of all partitions, as a pattern of SCAN. */
export const PARTITION_PATTERN = '[0-3][0-7][0-7][0-7]-[0-7]';
/**
 * The name of the partition of a channel. Its number is that of the first two bytes of the SHA-256 of
 * `{platform, lower case}:{channelId}`, modulo 16384.
 */
export function partitionOf(platform, channelId) {
    const hash = createHash('sha256').update(`${platform.toLowerCase()}:${channelId}`).digest();
    return partitionName(hash.readUInt16BE(0) % PARTITIONS);
}
/**
 * The name of a partition by its number from 0 to 16383: five octal digits, written `0000-0` to `3777-7`. As hash tags
 * these names fall on the slots of a Redis Cluster one to one, which they don't without the hyphen.
 */
export function partitionName(number) {
    const digits = number.toString(8).padStart(5, '0');
    return `${digits.slice(0, 4)}-${digits.slice(4)}`;
}
/** A new job id that carries the partition: 47 lower-case letters, digits and hyphens. */
export function jobIdIn(partition) {
    return `job-${partition}-${randomUUID()}`;
}
/** The partition that a job id carries; nothing for one that is not of `jobIdIn`. */
export function partitionOfJob(jobId) {
    return JOB_ID.exec(jobId)?.[1];
}
const JOB_ID = /^job-([0-3][0-7]{3}-[0-7])-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
