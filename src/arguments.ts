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
import type {
  AnswerOptions,
  ClaimOptions,
  ConversationStoreOptions,
  DueOptions,
  Fields,
  GetByJobIdOptions,
  HandOverOptions,
  InboxOptions,
  ListOptions,
  Logger,
  PublishOptions,
  QuestionOptions,
  RemoveOptions,
  StartOptions,
  UpdateOptions,
  WriteOptions,
} from './options.ts';

// What can be seen to be wrong before anything is sent.

const IS_PLATFORM = new RegExp(`^${PLATFORM}$`);
/** No control character, and no half of a surrogate pair, which UTF-8 cannot write. */
const CLEAN = /^[^\p{Cc}\p{Cs}]*$/u;
/** What tells the kinds of keys apart, and so stands in no prefix. */
const KINDS = [CONVERSATION, JOB_INDEX, INBOX, HANDLED, WATCH];

type Names<Options> = { [Name in Options extends unknown ? keyof Options : never]: true };

const WRITE: Names<WriteOptions> = { ttlMs: true };
const START: Names<StartOptions> = { ...WRITE, startWithinMs: true, replicas: true, timeoutMs: true };
const STREAM: Names<PublishOptions> = { stream: true, fields: true };
const STORE: Names<ConversationStoreOptions> = {
  prefix: true,
  sharded: true,
  ttlMs: true,
  silentAfterMs: true,
  logger: true,
  load: true,
};

/** The options that there are, by who takes them. */
export const OPTIONS = {
  'new ConversationStore': STORE,
  claim: { ...START, queue: true } satisfies Names<ClaimOptions>,
  handOver: { ...START, ...STREAM } satisfies Names<HandOverOptions>,
  set: WRITE,
  get: {},
  getByJobId: { ...WRITE, lastSeen: true, renew: true } satisfies Names<GetByJobIdOptions>,
  update: { ...STREAM, deliveryId: true } satisfies Names<UpdateOptions & PublishOptions>,
  setPendingQuestion: { ...WRITE, answerWithinMs: true } satisfies Names<QuestionOptions>,
  clearPendingQuestion: WRITE,
  answerQuestion: { ...WRITE, ...STREAM, answerId: true } satisfies Names<AnswerOptions & PublishOptions>,
  remove: { retry: true, discardInbox: true } satisfies Names<RemoveOptions>,
  inbox: { after: true } satisfies Names<InboxOptions>,
  due: { leaseMs: true, limit: true } satisfies Names<DueOptions>,
  list: { platform: true } satisfies Names<ListOptions>,
  loadLibrary: { force: true },
} as const;

/** Whether this names a platform. */
export function isPlatform(platform: unknown): platform is string {
  return typeof platform === 'string' && IS_PLATFORM.test(platform);
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

/** @throws ConversationError INVALID_ARGUMENT where this is no id of a question, an answer or a delivery. */
export function checkMessageId(name: string, value: string): string {
  return id(name, value, MAX_MESSAGE_ID);
}

function id(name: string, value: string, most = MAX_ID): string {
  if (typeof value !== 'string' || value === '' || !CLEAN.test(value) || Buffer.byteLength(value) > most) {
    throw invalidArgument(`${name} must be a non-empty string of at most ${most} bytes without control characters`);
  }
  return value;
}

/** @throws ConversationError INVALID_ARGUMENT where this cannot be a prefix. */
export function checkPrefix(name: string, value: string): string {
  if (typeof value === 'string' && CLEAN.test(value) && KINDS.every((kind) => !value.includes(kind))) return value;
  const kinds = KINDS.map((kind) => `"${kind}"`).join(', ');
  throw invalidArgument(`${name} must be a string without control characters that holds none of ${kinds}`);
}

/** Returns a time in milliseconds, or undefined where none is given. @throws ConversationError INVALID_ARGUMENT */
export function checkMilliseconds(name: string, value: number | undefined): number | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= MAX_MILLISECONDS)) return value;
  throw invalidArgument(`${name} must be whole milliseconds from 1 to ${MAX_MILLISECONDS}`);
}

/** @throws ConversationError INVALID_ARGUMENT where this is no object. */
export function checkObject<T extends object>(name: string, value: T): T {
  if (typeof value === 'object' && value !== null) return value;
  throw invalidArgument(`${name} must be an object`);
}

/** Returns options, each of which is known by its name. @throws ConversationError INVALID_ARGUMENT */
export function checkOptions<T extends object>(method: keyof typeof OPTIONS, options: T): T {
  const names = Object.keys(OPTIONS[method]);
  const unknown = Object.keys(checkObject('the options', options)).find((name) => !names.includes(name));
  if (unknown === undefined) return options;
  const all = names.length === 0 ? 'it takes none' : `it takes ${names.join(', ')}`;
  throw invalidArgument(`${method} has no option ${JSON.stringify(unknown)}: ${all}`);
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

/** @throws ConversationError INVALID_ARGUMENT where this is no logger, so that no call fails over it later. */
export function checkLogger(logger: Logger | undefined): Logger | undefined {
  const names = ['debug', 'info', 'warn', 'error'] as const;
  if (logger === undefined || names.every((name) => typeof logger?.[name] === 'function')) return logger;
  throw invalidArgument(`logger must have the methods ${names.join(', ')}, as console has`);
}

/** Returns fields and values in turn, as the server takes them. @throws ConversationError INVALID_ARGUMENT */
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
