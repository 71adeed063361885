import { isConversationError } from '../errors.ts';
import { parse } from '../json.ts';
import { conversationKey, furtherKeys, jobIndexKey, referenceKeys } from '../keys/conversation-keys.ts';
import { prefixOf } from '../keys/prefix.ts';
import type { ChannelReference, ConversationReference } from '../state.ts';
import { type Command, STORE } from './command.ts';
import { type Store, withStore } from './connect.ts';
import { Failure } from './failure.ts';
import { referenceIn } from './keys.ts';
import { type Conversation, lookAt, readState, serverTime } from './look.ts';
import { BEFORE_REMOVAL, removal } from './removal.ts';
import { shown, shownJson, span, styled } from './text.ts';

/** How many messages of the inbox are shown. */
const INBOX_SHOWN = 20;
/** MIGRATE writes deadlines anew, relative to now. */
const APART_MS = 100;

export const show: Command = {
  summary: 'shows one conversation: its state, both deadlines, its inbox, and what is wrong with it, if anything is',
  options: [...STORE, 'platform', 'channel', 'job', 'json'],
  examples: ['show --job j1', 'show --platform slack --channel C0123'],
  notes: ['Name the channel with --platform and --channel, or the job with --job, or all three. It changes nothing.'],
  async run(values) {
    const ref = referenceIn(values);
    await withStore(values, async (store) => {
      const found = await find(store, ref);
      if (!found) throw new Failure(`There is no conversation ${named(ref)}.`);
      const details = await detailsOf(store, found);
      console.log(values.json ? shownJson({ ...found, ...details }) : told(found, details));
    });
  },
};

/** What stands besides the state. */
interface Details {
  /** Whether the index of its job is there, wherever it leads. */
  isIndexed: boolean;
  /** When the job's index ends, in milliseconds from now; null where it has no deadline or is not there. */
  indexLeftMs: number | null;
  inbox: { id: string; fields: string[] }[];
  /** What is not as it must be, a sentence each. */
  wrong: string[];
}

async function find(store: Store, ref: ConversationReference): Promise<Conversation | undefined> {
  const { connection, space } = store;
  await connection.ready();
  const keys = referenceKeys(space, ref);
  const text = await readState(store, keys).catch((error: unknown) => {
    // By its channel what cannot be read is looked at all the same.
    if (isConversationError(error, 'CONVCORRUPT') && keys.conversation !== undefined) return '';
    throw error;
  });
  if (text === null) return undefined;
  const channel = text === '' ? (ref as ChannelReference) : parse<ChannelReference>(text);
  const { platform, channelId } = channel;
  const key = conversationKey(prefixOf(space, { platform, channelId }), platform, channelId);
  return lookAt(store, key, await serverTime(store));
}

async function detailsOf(store: Store, found: Conversation): Promise<Details> {
  const { connection } = store;
  const { key, prefix, state, leftMs } = found;
  const index = state && jobIndexKey(prefix, state.jobId);
  const [leads, indexLeft, entries] = await Promise.all([
    index && connection.read('get', index),
    index && connection.read('pttl', index),
    connection.read('xrange', furtherKeys(prefix, key).inbox, '-', '+', 'COUNT', String(INBOX_SHOWN)),
  ]);
  const indexLeftMs = Number(indexLeft) >= 0 ? Number(indexLeft) : null;
  const wrong: string[] = [];
  if (!state)
    wrong.push(
      `What is stored cannot be read as a state. Every claim is refused. ${BEFORE_REMOVAL} ${removal(store, key)}`,
    );
  if (state && leads === null) wrong.push('The index of its job is not there: the job does not find its channel.');
  if (state && typeof leads === 'string' && leads !== key) wrong.push('The index of its job leads to another channel.');
  if (leftMs === undefined) wrong.push('It has no deadline: it stays until it is removed.');
  if (leads === key && leftMs !== undefined && Math.abs(leftMs - (indexLeftMs ?? Number.MAX_VALUE)) > APART_MS) {
    wrong.push('Its two keys do not expire together.');
  }
  const inbox = (entries as [string, string[]][]).map(([id, fields]) => ({ id, fields }));
  return { isIndexed: typeof leads === 'string', indexLeftMs, inbox, wrong };
}

function told(found: Conversation, { isIndexed, indexLeftMs, inbox, wrong }: Details): string {
  const { channel, state, unread, silentMs, leftMs } = found;
  const lines = [
    `${styled('bold', `${shown(channel.platform)} ${shown(channel.channelId)}`)}${state ? `, job ${shown(state.jobId)}` : ''}`,
    `key            ${shown(found.key)}, ${leftMs === undefined ? 'no deadline' : `ends in ${span(leftMs)}`}`,
  ];
  if (state) {
    const index = shown(jobIndexKey(found.prefix, state.jobId));
    const ends = indexLeftMs === null ? 'no deadline' : `ends in ${span(indexLeftMs)}`;
    lines.push(`index          ${index}, ${isIndexed ? ends : 'not there'}`);
    lines.push(
      `question       ${state.pendingQuestionId ? `${shown(state.pendingQuestionId)} is pending` : 'none is pending'}`,
    );
    const { lastAnswer } = state;
    if (lastAnswer) lines.push(`last answer    ${shown(lastAnswer.answerId)}, to ${shown(lastAnswer.questionId)}`);
  }
  if (silentMs !== undefined)
    lines.push(`silent         ${styled('red', `for ${span(silentMs)} longer than it may be`)}`);
  lines.push(`inbox          ${unread === 0 ? 'empty' : `${unread} unread`}`);
  for (const { id, fields } of inbox) lines.push(`  ${id}  ${fieldsOf(fields)}`);
  if (unread > inbox.length) lines.push(`  and ${unread - inbox.length} more`);
  if (state)
    lines.push(
      'state',
      ...shownJson(state, 2)
        .split('\n')
        .map((line) => `  ${line}`),
    );
  if (wrong.length > 0) lines.push(...wrong.map((sentence) => styled('red', `wrong          ${sentence}`)));
  return lines.join('\n');
}

function fieldsOf(fields: string[]): string {
  return fields
    .flatMap((name, at) => (at % 2 === 0 ? [`${shown(name)}=${shown(fields[at + 1] ?? '')}`] : []))
    .join('  ');
}

/** A reference, as a part of a sentence. */
export function named(ref: ConversationReference): string {
  const { platform, channelId, jobId } = ref as Partial<ChannelReference & { jobId: string }>;
  const job = jobId === undefined ? undefined : `job ${shown(jobId)} holds`;
  if (platform === undefined || channelId === undefined) return `that ${job}`;
  const channel = `${shown(platform)} ${shown(channelId)}`;
  return job === undefined ? `in ${channel}` : `in ${channel} that ${job}`;
}
