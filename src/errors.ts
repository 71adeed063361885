import { ERROR_CODES, type ErrorCode } from './conversation.gen.ts';

/**
 * What went wrong, for a program.
 * - `INVALID_ARGUMENT`: an argument or option is wrong; nothing was sent to the server.
 * - `CONVSTATE`: the state or the patch is not valid, or the state would be too large.
 * - `CONVCORRUPT`: what is stored cannot be read. Do not treat the channel as free.
 * - `CONVJOB`: the job is already bound to another conversation.
 * - `CONVARG`, `CONVKEY`: the library on the server refused an argument or a key.
 * - `WRONGTYPE`: a key of the conversation holds another Redis type.
 * - `LIBRARY_MISSING`, `LIBRARY_OUTDATED`: the server has no library or an older one, and this client may not load it.
 * - `LIBRARY_TOO_NEW`: the server's library has a newer major version.
 * - `LIBRARY_FOREIGN`: another program's library has this name or one of its function names.
 * - `UNAVAILABLE`: the server or cluster could not take the call, or nobody knows whether it did. The message says why.
 *   The same call, with the same ids, may be sent again.
 */
export type ConversationErrorCode =
  | ErrorCode
  | 'WRONGTYPE'
  | 'LIBRARY_MISSING'
  | 'LIBRARY_OUTDATED'
  | 'LIBRARY_TOO_NEW'
  | 'LIBRARY_FOREIGN'
  | 'UNAVAILABLE'
  | 'INVALID_ARGUMENT';

/**
 * An error of the library or of its use. Its message does not repeat the code and holds no stored data; `cause` is the
 * client's error, if there was one, without the command's arguments.
 * @example
 * if (error instanceof ConversationError && error.code === 'CONVCORRUPT') tellWhoeverIsOnCall(error.message);
 */
export class ConversationError extends Error {
  override readonly name = 'ConversationError';
  /** What went wrong, for a program; the message says it for a person. */
  readonly code: ConversationErrorCode;

  constructor(code: ConversationErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

export function invalidArgument(message: string): ConversationError {
  return new ConversationError('INVALID_ARGUMENT', message);
}

/** Whether a value is a ConversationError, of one of these codes if any are named. */
export function isConversationError(error: unknown, ...codes: ConversationErrorCode[]): error is ConversationError {
  return error instanceof ConversationError && (codes.length === 0 || codes.includes(error.code));
}

const REPLY_CODES: ReadonlySet<string> = new Set([...ERROR_CODES, 'WRONGTYPE']);

/** First words of replies by which a server says that it cannot take the call now. */
const REFUSALS = /^(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|MISCONF|OOM|BUSY|UNBLOCKED) /;
/** What ioredis says where it did not get a call through, or no reply. */
const NO_REPLY = [
  /^Connection is closed/,
  /^Command timed out/,
  /^Reached the max retries per request limit/,
  /^Too many Cluster redirections/,
  /^All keys in the pipeline should belong to the same slots/,
  /^None of startup nodes is available/,
  /^Failed to refresh slots cache/,
  /^Cluster is ended/,
  /isn't (ready|writeable) and enableOfflineQueue options is false/,
  /^All sentinels are unreachable/,
  /^Connection is aborted|connection close$/,
];
/** Codes of Node for a connection that is not there, or is lost. */
const LOST =
  /^(ECONN\w+|EPIPE|ETIMEDOUT|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|ENOTFOUND|EAI_AGAIN|ERR_STREAM_\w+)$/;

const ARGUMENTS = /, with args beginning with: .*/;

const NO_LUA =
  'the server has no Lua, in which the library is written. Valkey 9.1 and later have it as a module: install that and ' +
  'load it, or use another server';

const MAY_BE_REPEATED =
  'The server could not take the call, or nobody knows whether it did; the same call may be sent again with the same ids';

/**
 * A client's error as this package throws it: a ConversationError where the server's reply begins with a known code, or
 * the call could not be made; otherwise the error itself. Either way without the command's arguments, because those hold
 * the state.
 */
export function fromClient(error: unknown): unknown {
  if (!(error instanceof Error) || isConversationError(error)) return error;
  const failed: Error & { code?: unknown; command?: { name?: string; args?: unknown } } = error;
  if (failed.command) failed.command = { name: failed.command.name ?? '' };
  // A server repeats the arguments of a command that it does not know.
  error.message = error.message.replace(ARGUMENTS, '');
  if (error.stack) error.stack = error.stack.replace(ARGUMENTS, '');
  // Where each address of a host refused, Node leaves the message empty.
  const said = error.message || String(failed.code);
  const [code = '', message = said] = said.split(/ (.*)/s);
  if (REPLY_CODES.has(code)) return new ConversationError(code as ConversationErrorCode, message, error);
  if (/^ERR Engine 'LUA' not found/i.test(said)) return new ConversationError('LIBRARY_MISSING', NO_LUA, error);
  const isLost = LOST.test(String(failed.code)) || NO_REPLY.some((known) => known.test(said));
  if (!isLost && !REFUSALS.test(said)) return error;
  return new ConversationError('UNAVAILABLE', `${said.replace(/\.$/, '')}. ${MAY_BE_REPEATED}`, error);
}

/** @throws what `fromClient` returns */
export function rethrow(error: unknown): never {
  throw fromClient(error);
}

/** Whether the server answered that it does not know a function of the library. */
export function isFunctionMissing(error: unknown): boolean {
  return error instanceof Error && /^ERR Function not found/i.test(error.message);
}
