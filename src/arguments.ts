import { MAX_ID, MAX_MILLISECONDS } from './conversation.gen.ts';
import { invalidArgument } from './errors.ts';

// What can be seen to be wrong before anything is sent.

const PLATFORM = /^[a-z0-9][a-z0-9._-]*$/i;
/** No control character, and no half of a surrogate pair, which UTF-8 cannot write. */
const ID = /^[^\p{Cc}\p{Cs}]+$/u;

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
  if (typeof value !== 'string' || !ID.test(value) || Buffer.byteLength(value) > MAX_ID) {
    throw invalidArgument(`${name} must be a non-empty string of at most ${MAX_ID} bytes without control characters`);
  }
  return value;
}

/** Returns a time in milliseconds, or undefined where none is given. @throws ConversationError INVALID_ARGUMENT */
export function checkMilliseconds(name: string, value: number | undefined): number | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= MAX_MILLISECONDS)) return value;
  throw invalidArgument(`${name} must be whole milliseconds from 1 to ${MAX_MILLISECONDS}`);
}

/** @throws ConversationError INVALID_ARGUMENT where this is no text. */
export function checkText(name: string, value: string): string {
  if (typeof value !== 'string') throw invalidArgument(`${name} must be a string`);
  return value;
}
