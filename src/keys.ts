import { invalidArgument } from './errors.ts';
import type { ConversationReference } from './state.ts';

const PLATFORM = /^[a-z0-9][a-z0-9._-]*$/i;
/** No control character, and no half of a surrogate pair, which UTF-8 cannot write. */
const ID = /^[^\p{Cc}\p{Cs}]+$/u;
const MAX_ID_BYTES = 512;

/** The keys that a reference declares. */
export interface ReferenceKeys {
  conversation?: string;
  job?: string;
}

/** `{prefix}conversation:{platform, lower case}:`, where the conversation keys of a platform begin. */
export function platformPrefix(prefix: string, platform: string): string {
  if (typeof platform !== 'string' || !PLATFORM.test(platform)) {
    throw invalidArgument('platform must be letters, digits, ".", "_" and "-", beginning with a letter or digit');
  }
  return `${prefix}conversation:${platform.toLowerCase()}:`;
}

/** `{prefix}conversation:{platform, lower case}:{channelId}` */
export function conversationKey(prefix: string, platform: string, channelId: string): string {
  return platformPrefix(prefix, platform) + id('channelId', channelId);
}

/** `{prefix}job-index:{jobId}` */
export function jobIndexKey(prefix: string, jobId: string): string {
  return `${prefix}job-index:${id('jobId', jobId)}`;
}

/**
 * The keys of a reference: one for each of channel and job that it names. A member that is there but undefined is an
 * error, because leaving out the job would lift the fence.
 */
export function referenceKeys(prefix: string, ref: ConversationReference): ReferenceKeys {
  if (typeof ref !== 'object' || ref === null) throw invalidArgument(WANTED);
  const keys: ReferenceKeys = {};
  if ('platform' in ref || 'channelId' in ref) {
    const { platform, channelId } = ref as { platform: string; channelId: string };
    keys.conversation = conversationKey(prefix, platform, channelId);
  }
  if ('jobId' in ref) keys.job = jobIndexKey(prefix, ref.jobId);
  if (keys.conversation === undefined && keys.job === undefined) throw invalidArgument(WANTED);
  return keys;
}

const WANTED = 'a reference is { platform, channelId }, { jobId }, or all three';

/** A prefix that leaves the two kinds of keys to be told apart. */
export function checkPrefix(prefix: string): string {
  if (typeof prefix !== 'string' || prefix.includes('conversation:') || prefix.includes('job-index:')) {
    throw invalidArgument('prefix must be a string that holds neither "conversation:" nor "job-index:"');
  }
  return prefix;
}

function id(name: string, value: string): string {
  if (typeof value !== 'string' || !ID.test(value) || Buffer.byteLength(value) > MAX_ID_BYTES) {
    throw invalidArgument(
      `${name} must be a non-empty string of at most ${MAX_ID_BYTES} bytes without control characters`,
    );
  }
  return value;
}
