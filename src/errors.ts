import { ERROR_CODES, type ErrorCode } from './conversation.gen.ts';

/**
 * What went wrong, for a program.
 * - `INVALID_ARGUMENT`: an argument or option is wrong; nothing was sent to the server.
 * - `CONVSTATE`: the state or the patch is not valid, or the state would be too large.
 * - `CONVCORRUPT`: what is stored cannot be read. Do not treat the channel as free.
 * - `CONVJOB`: the job is already bound to another conversation.
 * - `CONVARG`, `CONVKEY`: the library on the server refused an argument or a key.
 * - `WRONGTYPE`: a key of the conversation holds another Redis type.
 * - `LIBRARY_MISSING`, `LIBRARY_OUTDATED`: with `load: 'never'`, the server has no library or an older one.
 * - `LIBRARY_TOO_NEW`: the server's library has a newer major version.
 * - `LIBRARY_FOREIGN`: another program's library has this name or one of its function names.
 * - `CLUSTER_UNAVAILABLE`: the conversation's slot moved, or no node served it, for longer than the client waits.
 */
export type ConversationErrorCode =
  | ErrorCode
  | 'WRONGTYPE'
  | 'LIBRARY_MISSING'
  | 'LIBRARY_OUTDATED'
  | 'LIBRARY_TOO_NEW'
  | 'LIBRARY_FOREIGN'
  | 'CLUSTER_UNAVAILABLE'
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

/**
 * A client's error as this package throws it: a ConversationError where the server's reply begins with a known code,
 * otherwise the error itself. Either way without the command's arguments, because those hold the state.
 */
export function fromClient(error: unknown): unknown {
  if (!(error instanceof Error) || isConversationError(error)) return error;
  withoutArguments(error);
  const [code = '', message = error.message] = error.message.split(/ (.*)/s);
  return REPLY_CODES.has(code) ? new ConversationError(code as ConversationErrorCode, message, error) : error;
}

function withoutArguments(error: Error & { command?: { name?: string; args?: unknown } }): void {
  if (error.command) error.command = { name: error.command.name ?? '' };
}

/** Whether the server answered that it does not know a function of the library. */
export function isFunctionMissing(error: unknown): boolean {
  return error instanceof Error && /^ERR Function not found/i.test(error.message);
}
