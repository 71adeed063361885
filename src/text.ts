import { randomUUID } from 'node:crypto';
import { checkObject } from './arguments.ts';
import { ConversationError, invalidArgument } from './errors.ts';

/** Writes an object as JSON. @throws ConversationError INVALID_ARGUMENT */
export function serialize(what: string, value: object): string {
  checkObject(what, value);
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw invalidArgument(`${what} cannot be written as JSON: ${(error as Error).message.split('\n')[0]}`);
  }
  // That is what a toJSON of its own can make of it.
  if (text === undefined) throw invalidArgument(`${what} cannot be written as JSON`);
  return text;
}

/** The text of a state with a fresh UUID for each of these members that the state does not have. */
export function withIds(text: string, state: object, names: string[]): string {
  // What is no object, or an empty one, the server refuses.
  if (!/^\{.+\}$/s.test(text)) return text;
  const absent = names.filter((name) => (state as Record<string, unknown>)[name] === undefined);
  const members = absent.map((name) => `,"${name}":"${randomUUID()}"`);
  return `${text.slice(0, -1)}${members.join('')}}`;
}

/** A stored state. @throws ConversationError CONVCORRUPT */
export function parse<State>(text: string): State {
  try {
    return JSON.parse(text) as State;
  } catch {
    // The parser's own error quotes the text.
    throw new ConversationError('CONVCORRUPT', 'what is stored for this conversation is not JSON');
  }
}

/** A stored state, or null where there is none. @throws ConversationError CONVCORRUPT */
export function parseOrNull<State>(text: string | null): State | null {
  return text === null ? null : parse(text);
}
