import { createHash, randomUUID } from 'node:crypto';
import { checkChannel, checkId, checkObject, checkPlatform, checkPrefix } from '../arguments.ts';
import { CONVERSATION } from '../conversation.gen.ts';
import { invalidArgument } from '../errors.ts';
import type { ChannelReference, JobReference } from '../state.ts';

/** Where a store's keys are. */
export interface Keyspace {
  /** Before every key. */
  prefix: string;
  /** Whether the hash tag of the conversation's partition follows it. */
  sharded: boolean;
}

/** Checks that the kinds of keys can be told apart and that, on a cluster, the keys of a conversation are in one slot. */
export function checkKeyspace({ prefix, sharded }: Keyspace, cluster: boolean, clientKeyPrefix: string): Keyspace {
  checkPrefix('prefix', prefix);
  checkPrefix("the client's keyPrefix with the prefix behind it", clientKeyPrefix + prefix);
  if (typeof sharded !== 'boolean') throw invalidArgument('sharded must be true or false');
  if (sharded && (clientKeyPrefix + prefix).includes('{')) {
    throw invalidArgument(
      'prefix must not contain "{" if sharded is true: each conversation has a hash tag of its own',
    );
  }
  if (cluster && !sharded && !/^[^{]*\{[^}]+\}/.test(clientKeyPrefix + prefix)) {
    throw invalidArgument(
      'a cluster needs the keys of a conversation in one slot: give a prefix with a hash tag, such as "{agentsmith}:", ' +
        'to have everything under it in one slot, or sharded: true to spread the conversations over all slots',
    );
  }
  return { prefix, sharded };
}

/** What stands before the keys of a conversation. */
export function prefixOf({ prefix, sharded }: Keyspace, ref: Partial<ChannelReference & JobReference>): string {
  if (!sharded) return prefix;
  const byJob = ref.jobId === undefined ? undefined : JOB_ID.exec(checkId('jobId', ref.jobId))?.[1];
  if (ref.jobId !== undefined && byJob === undefined) throw invalidArgument(`jobId was not made by newJobId; ${MAKE}`);
  if (ref.platform === undefined || ref.channelId === undefined) return `${prefix}{${byJob}}:`;
  checkChannel(ref.platform, ref.channelId);
  const byChannel = partitionOf(ref.platform, ref.channelId);
  if (byJob !== undefined && byJob !== byChannel) throw invalidArgument(`jobId was made for another channel; ${MAKE}`);
  return `${prefix}{${byChannel}}:`;
}

const MAKE = 'with sharded: true, make job ids with newJobId({ platform, channelId }) of their channel';

/** A new job id for a channel, which carries its partition: 45 lower-case letters, digits and hyphens. */
export function newJobId(channel: ChannelReference): string {
  const { platform, channelId } = checkObject('the channel', channel);
  checkChannel(platform, channelId);
  return `job-${partitionOf(platform, channelId)}-${randomUUID()}`;
}

/** Every prefix that a conversation of a store can have, as many at a time as are asked at once. */
export function* prefixesOf({ prefix, sharded }: Keyspace): Generator<string[]> {
  if (!sharded) return yield [prefix];
  for (let first = 0; first < PARTITIONS; first += 64) {
    yield Array.from({ length: 64 }, (_, n) => `${prefix}{${partitionName(first + n)}}:`);
  }
}

/** What SCAN finds the conversations by, of one platform or all. */
export function conversationPattern(space: Keyspace, platform: string | undefined): string {
  if (platform === undefined) return keyPattern(space, CONVERSATION);
  checkPlatform(platform);
  return keyPattern(space, `${CONVERSATION}${platform.toLowerCase()}:`);
}

/** What SCAN finds the keys by that begin with a name behind the store's prefix. */
export function keyPattern({ prefix, sharded }: Keyspace, name: string): string {
  const before = prefix.replace(/[\\*?[\]^-]/g, '\\$&') + (sharded ? '{[0-1][0-7][0-7][0-7]}:' : '');
  return `${before}${name}*`;
}

/** How many partitions there are: one for every 16 slots of a Redis Cluster. */
export const PARTITIONS = 1024;

/** The first two bytes of the SHA-256 of `{platform, lower case}:{channelId}`, modulo 1024, name the partition. */
export function partitionOf(platform: string, channelId: string): string {
  const hash = createHash('sha256').update(`${platform.toLowerCase()}:${channelId}`).digest();
  return partitionName(hash.readUInt16BE(0) % PARTITIONS);
}

/**
 * The name of a partition by its number from 0 to 1023: four octal digits. As hash tags these names spread evenly, one
 * for every 16 slots: the CRC16 of a key is linear in its bits, and the ten in which they differ reach the ten upper bits.
 */
export function partitionName(number: number): string {
  return number.toString(8).padStart(4, '0');
}

const JOB_ID = /^job-([01][0-7]{3})-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
