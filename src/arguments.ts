import { MAX_ID, MAX_MILLISECONDS } from './conversation.gen.ts';
import { invalidArgument } from './errors.ts';
import type { Fields, Logger } from './options.ts';

// What can be seen to be wrong before anything is sent.

const PLATFORM = /^[a-z0-9][a-z0-9._-]*$/i;
/** No control character, and no half of a surrogate pair, which UTF-8 cannot write. */
const ID = /^[^\p{Cc}\p{Cs}]+$/u;

/** Whether this names a platform. */
export function isPlatform(platform: unknown): platform is string {
  return typeof platform === 'string' && PLATFORM.test(platform);
}

/** @throws ConversationError INVALID_ARGUMENT where this names no platform. */
export function checkPlatform(platform: string): void {
  if (!isPlatform(platform)) {
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

/** @throws ConversationError INVALID_ARGUMENT where this is no object. */
export function checkObject<T extends object>(name: string, value: T): T {
  if (typeof value !== 'object' || value === null) throw invalidArgument(`${name} must be an object`);
  return value;
}

/** @throws ConversationError INVALID_ARGUMENT where this is neither true nor false. */
export function checkBoolean(name: string, value: boolean): boolean {
  if (typeof value !== 'boolean') throw invalidArgument(`${name} must be true or false`);
  return value;
}

/** Returns a number of things, or undefined where none is given. @throws ConversationError INVALID_ARGUMENT */
export function checkCount(name: string, value: number | undefined, most: number): number | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= most)) return value;
  throw invalidArgument(`${name} must be a whole number from 1 to ${most}`);
}

/** @throws ConversationError INVALID_ARGUMENT where this is neither the id of a stream's entry nor `0`. */
export function checkEntryId(name: string, value: string): string {
  if (typeof value === 'string' && /^\d{1,20}(-\d{1,20})?$/.test(value)) return value;
  throw invalidArgument(`${name} must be the id of an inbox entry, or 0`);
}

/** @throws ConversationError INVALID_ARGUMENT where this is no logger, before a call that it should hear of. */
export function checkLogger(logger: Logger | undefined): Logger | undefined {
  const names = ['debug', 'info', 'warn', 'error'] as const;
  if (logger === undefined || names.every((name) => typeof logger?.[name] === 'function')) return logger;
  throw invalidArgument(`logger must have the methods ${names.join(', ')}, as console has`);
}

/** Returns fields and values in turn, as the server takes them. @throws ConversationError INVALID_ARGUMENT */
export function flat(name: string, fields: Fields): string[] {
  if (typeof fields !== 'object' || fields === null) throw invalidArgument(`${name} must be an object of fields`);
  const entries = Object.entries(fields);
  if (entries.length === 0) throw invalidArgument(`${name} must have at least one field`);
  for (const [field, value] of entries) if (typeof value !== 'number') checkText(`${name}.${field}`, value);
  return entries.flat().map(String);
}
