import { invalidArgument } from '../errors.ts';

const PLATFORM = /^[a-z0-9][a-z0-9._-]*$/i;
/** No control character, and no half of a surrogate pair, which UTF-8 cannot write. */
const ID = /^[^\p{Cc}\p{Cs}]+$/u;
const MAX_ID_BYTES = 512;

/** @throws ConversationError INVALID_ARGUMENT where this names no platform. */
export function checkPlatform(platform: string): void {
  if (typeof platform !== 'string' || !PLATFORM.test(platform)) {
    throw invalidArgument('platform must be letters, digits, ".", "_" and "-", beginning with a letter or digit');
  }
}

/** @throws ConversationError INVALID_ARGUMENT where these name no channel. */
export function checkChannel(platform: string, channelId: string): void {
  checkPlatform(platform);
  id('channelId', channelId);
}

/** @throws ConversationError INVALID_ARGUMENT where this names no job. */
export function checkJobId(jobId: string): string {
  return id('jobId', jobId);
}

function id(name: string, value: string): string {
  if (typeof value !== 'string' || !ID.test(value) || Buffer.byteLength(value) > MAX_ID_BYTES) {
    throw invalidArgument(
      `${name} must be a non-empty string of at most ${MAX_ID_BYTES} bytes without control characters`,
    );
  }
  return value;
}
