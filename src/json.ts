import { randomUUID } from 'node:crypto';
import { checkObject } from './arguments.ts';
import { ConversationError, invalidArgument } from './errors.ts';
import type { JobReference } from './state.ts';

/** Members that the store adds to a state, by what the state has itself. */
type Added = (own: Record<string, unknown>) => Record<string, unknown>;

/** Writes an object as JSON, with members added to what it would be without them. @throws ConversationError INVALID_ARGUMENT */
export function serialize(what: string, value: object, added: Added = () => ({})): string {
  const given: { toJSON?: unknown } = checkObject(what, value);
  let text: string | undefined;
  try {
    const own: unknown = typeof given.toJSON === 'function' ? given.toJSON('') : given;
    // It was called already; a second call could leave out what was added.
    const called = isRecord(own) && typeof own['toJSON'] === 'function' && { toJSON: undefined };
    // What is no object is sent as it is: the server says what is wrong with it.
    text = JSON.stringify(isRecord(own) ? { ...own, ...added(own), ...called } : own);
  } catch (error) {
    throw invalidArgument(
      `${what} cannot be written as JSON: ${String((error as Error | null)?.message ?? error).split('\n')[0]}`,
    );
  }
  if (text === undefined) throw invalidArgument(`${what} cannot be written as JSON`);
  // A server cannot keep half a surrogate pair, which is the only thing that JSON.stringify escapes so.
  return text.replace(/\\(?:ud[89a-f][0-9a-f]{2}|.)/g, (found) => (found.startsWith('\\ud') ? '\uFFFD' : found));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The ids of a state, and a fresh UUID for each of them that it does not have. */
export function idsOf(own: Record<string, unknown>, names: string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, own[name] ?? randomUUID()]));
}

/** A stored state. @throws ConversationError CONVCORRUPT, also if it is missing from a reply */
export function parse<State>(text: string | null): State {
  if (text === null) throw new ConversationError('CONVCORRUPT', 'the reply has an outcome without the state of it');
  try {
    return JSON.parse(text) as State;
  } catch {
    // The parser's own error quotes the text.
    throw new ConversationError('CONVCORRUPT', 'what is stored for this conversation is not JSON');
  }
}

/** A stored state, or null. @throws ConversationError CONVCORRUPT */
export function parseOrNull<State>(text: string | null): State | null {
  return text === null ? null : parse(text);
}

/** A state that is gone now, whether it can be read or not: then it is null. */
export function parseEnded<State extends JobReference>(text: string): State | null {
  try {
    const found: Partial<State> | null = JSON.parse(text);
    return typeof found?.jobId === 'string' ? (found as State) : null;
  } catch {
    return null;
  }
}

/** What a server's list of names and values says, as an object; some clients make one of it themselves. */
export function recordOf<Value>(list: unknown): Record<string, Value> {
  if (!Array.isArray(list)) return { ...(list as Record<string, Value>) };
  return Object.fromEntries(list.flatMap((name, at) => (at % 2 === 0 ? [[name, list[at + 1]]] : [])));
}
