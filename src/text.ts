import { randomUUID } from 'node:crypto';
import { checkText } from './arguments.ts';
import { ConversationError, invalidArgument } from './errors.ts';
import type { Fields } from './options.ts';
import type { ChannelReference, ConversationReference, JobReference } from './state.ts';

/** Writes an object as JSON. @throws ConversationError INVALID_ARGUMENT */
export function serialize(what: string, value: object): string {
  if (typeof value !== 'object' || value === null) throw invalidArgument(`${what} must be an object`);
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

/** Fields and values in turn, as the server takes them. @throws ConversationError INVALID_ARGUMENT */
export function flat(name: string, fields: Fields): string[] {
  if (typeof fields !== 'object' || fields === null) throw invalidArgument(`${name} must be an object of fields`);
  const entries = Object.entries(fields);
  if (entries.length === 0) throw invalidArgument(`${name} must have at least one field`);
  for (const [field, value] of entries) if (typeof value !== 'number') checkText(`${name}.${field}`, value);
  return entries.flat().map(String);
}

/** A conversation in a log line: platform, channel and job. */
export function describe(ref: ConversationReference): string {
  const { platform, channelId, jobId } = ref as Partial<ChannelReference & JobReference>;
  return [platform && `${platform} ${channelId}`, jobId && `job ${jobId}`].filter(Boolean).join(', ');
}

/** The platform of a reference that names a channel. */
export function platformOf(ref: ConversationReference): string | undefined {
  return 'platform' in ref ? ref.platform : undefined;
}
