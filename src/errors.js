import { ERROR_CODES } from './conversation.gen.ts';
/** An error of the library or of its use. Its message holds no state; `cause` is the client's error, if there was one. */
export class ConversationError extends Error {
    name = 'ConversationError';
    code;
    constructor(code, message, cause) {
        super(message, cause === undefined ? undefined : { cause });
        this.code = code;
    }
}
export function invalidArgument(message) {
    return new ConversationError('INVALID_ARGUMENT', message);
}
/** Whether a value is a ConversationError, of one of these codes if any are named. */
export function isConversationError(error, ...codes) {
    return error instanceof ConversationError && (codes.length === 0 || codes.includes(error.code));
}
const REPLY_CODES = new Set([...ERROR_CODES, 'WRONGTYPE']);
/**
 * A client's error as this package throws it: a ConversationError where the server's reply begins with a known code,
 * otherwise the error itself. Either way without the command's arguments, because those hold the state.
 */
export function fromClient(error) {
    if (!(error instanceof Error) || isConversationError(error))
        return error;
    withoutArguments(error);
    const code = error.message.slice(0, error.message.indexOf(' '));
    return REPLY_CODES.has(code) ? new ConversationError(code, error.message, error) : error;
}
function withoutArguments(error) {
    if (error.command)
        error.command = { name: error.command.name ?? '' };
}
/** Whether the server answered that it does not know a function of the library. */
export function isFunctionMissing(error) {
    return error instanceof Error && /^ERR Function not found/i.test(error.message);
}
