import type { Cluster, Redis } from 'ioredis';
import {
  CONVERSATION,
  HANDLED,
  INBOX,
  JOB_INDEX,
  MAX_FIELDS,
  MAX_ID,
  MAX_MESSAGE_ID,
  MAX_MILLISECONDS,
  PLATFORM,
  WATCH,
} from './conversation.gen.ts';
import { invalidArgument } from './errors.ts';
import type { Fields, Logger } from './options.ts';

// What can be seen to be wrong before anything is sent. Each check throws ConversationError INVALID_ARGUMENT, and most of
// them return what they were given.

const IS_PLATFORM = new RegExp(`^${PLATFORM}$`);
/** No control character, and no half of a surrogate pair, which UTF-8 cannot write. */
const CLEAN = /^[^\p{Cc}\p{Cs}]*$/u;
/** What the kinds of keys are told apart by, so no prefix may contain it. */
const KINDS = [CONVERSATION, JOB_INDEX, INBOX, HANDLED, WATCH];

const START = ['ttlMs', 'startWithinMs', 'replicas', 'timeoutMs'];

/** The options that there are, by who takes them. */
export const OPTIONS = {
  'new ConversationStore': ['prefix', 'sharded', 'ttlMs', 'silentAfterMs', 'logger', 'load'],
  claim: [...START, 'queue'],
  handOver: [...START, 'stream', 'fields'],
  set: ['ttlMs'],
  get: [] as string[],
  getByJobId: ['ttlMs', 'lastSeen', 'renew'],
  update: ['stream', 'fields', 'deliveryId'],
  setPendingQuestion: ['ttlMs', 'answerWithinMs'],
  clearPendingQuestion: ['ttlMs'],
  answerQuestion: ['ttlMs', 'stream', 'fields', 'answerId'],
  remove: ['retry', 'discardInbox'],
  inbox: ['after'],
  due: ['leaseMs', 'limit'],
  list: ['platform'],
  loadLibrary: ['force'],
};

export function isPlatform(platform: unknown): platform is string {
  return typeof platform === 'string' && IS_PLATFORM.test(platform);
}

export function checkPlatform(platform: string): void {
  if (!isPlatform(platform)) {
    throw invalidArgument('platform must be letters, digits, ".", "_" and "-", beginning with a letter or digit');
  }
}

export function checkChannel(platform: string, channelId: string): void {
  checkPlatform(platform);
  checkId('channelId', channelId);
}

export function checkMessageId(name: string, value: string): string {
  return checkId(name, value, MAX_MESSAGE_ID);
}

/** The id of an entry, as the functions take it. */
export function checkEntryId(name: string, value: string): string {
  if (typeof value === 'string' && /^\d{1,15}-\d{1,15}$/.test(value)) return value;
  throw invalidArgument(`${name} must be the id of an inbox entry, such as 1700000000000-0`);
}

export function checkId(name: string, value: string, most = MAX_ID): string {
  if (typeof value !== 'string' || value === '' || !CLEAN.test(value) || Buffer.byteLength(value) > most) {
    throw invalidArgument(`${name} must be a non-empty string of at most ${most} bytes without control characters`);
  }
  return value;
}

export function checkPrefix(name: string, value: string): string {
  if (typeof value === 'string' && CLEAN.test(value) && KINDS.every((kind) => !value.includes(kind))) return value;
  const kinds = KINDS.map((kind) => `"${kind}"`).join(', ');
  throw invalidArgument(`${name} must be a string without control characters that holds none of ${kinds}`);
}

export function checkMilliseconds<T extends number | undefined>(name: string, value: T): T {
  if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= MAX_MILLISECONDS)) return value;
  throw invalidArgument(`${name} must be whole milliseconds from 1 to ${MAX_MILLISECONDS}`);
}

export function checkObject<T extends object>(name: string, value: T): T {
  if (typeof value === 'object' && value !== null) return value;
  throw invalidArgument(`${name} must be an object`);
}

export function checkOptions<T extends object>(method: keyof typeof OPTIONS, options: T): T {
  const names: string[] = OPTIONS[method];
  const unknown = Object.keys(checkObject('the options', options)).find((name) => !names.includes(name));
  if (unknown === undefined) return options;
  throw invalidArgument(`${method} has no option ${JSON.stringify(unknown)}: it takes ${names.join(', ')}`);
}

export function checkBoolean(name: string, value: boolean): boolean {
  if (typeof value !== 'boolean') throw invalidArgument(`${name} must be true or false`);
  return value;
}

export function checkCount<T extends number | undefined>(name: string, value: T, most?: number): T {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 1 && value <= (most ?? value))) return value;
  throw invalidArgument(`${name} must be a whole number from 1${most === undefined ? '' : ` to ${most}`}`);
}

export function checkLogger(logger: Logger | undefined): Logger | undefined {
  const names = ['debug', 'info', 'warn', 'error'] as const;
  if (logger === undefined || names.every((name) => typeof logger?.[name] === 'function')) return logger;
  throw invalidArgument(`logger must have the methods ${names.join(', ')}, as console has`);
}

/** Returns fields and values in turn, as the server takes them. */
export function flat(name: string, fields: Fields): string[] {
  if (Array.isArray(fields)) throw invalidArgument(`${name} must be an object of fields and values`);
  const entries = Object.entries(checkObject(name, fields));
  if (entries.length === 0 || entries.length > MAX_FIELDS) {
    throw invalidArgument(`${name} must have from 1 to ${MAX_FIELDS} fields`);
  }
  for (const [field, value] of entries) {
    if (typeof value === 'string' || Number.isFinite(value)) continue;
    throw invalidArgument(`${name}.${field} must be a string or a finite number`);
  }
  return entries.flat().map(String);
}

export function checkClient(client: Redis | Cluster): void {
  // A pipeline has the commands and the options of its client.
  const isPipeline = typeof client === 'object' && client !== null && 'isPipeline' in client;
  if (typeof client?.fcall === 'function' && typeof client.options === 'object' && !isPipeline) return;
  const isNodeRedis = typeof client === 'object' && client !== null && 'fCall' in client;
  const what = isNodeRedis
    ? 'this is a client of the package redis (node-redis)'
    : `this is ${isPipeline ? 'a pipeline' : 'not one'}`;
  throw invalidArgument(`client must be a Redis or Cluster of ioredis 5.11 or later, new Redis(url); ${what}`);
}
