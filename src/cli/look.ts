import { CONVERSATION } from '../conversation.gen.ts';
import { isConversationError } from '../errors.ts';
import { reasonOf } from '../iterators.ts';
import { parse, recordOf } from '../json.ts';
import { channelOf, furtherKeys, jobIndexKey, prefixesOf, watchedJob, watchKey, watchMember } from '../keys.ts';
import type { ChannelReference, DueJob, JobReference, StoredConversationState } from '../state.ts';
import type { Store } from './connect.ts';

/** Why somebody has to look at a job, and for how many milliseconds already. */
type Due = Pick<DueJob<unknown>, 'reason'> & { dueMs: number };

export interface Conversation {
  key: string;
  /** What stands before `conversation:` in its key. */
  prefix: string;
  channel: ChannelReference;
  /** Undefined where what is stored cannot be read. */
  state: StoredConversationState | undefined;
  /** Entries in its inbox. */
  unread: number;
  /** Undefined where nobody has to look at its job. */
  due: Due | undefined;
  /** When it ends, in milliseconds from now; undefined where it has no deadline. */
  leftMs: number | undefined;
}

const ENTRIES_AT_ONCE = 500;

/** The server's clock, by which the functions write their times; in milliseconds since 1970. */
export async function serverTime({ client }: Pick<Store, 'client'>): Promise<number> {
  const [seconds, microseconds] = await client.time();
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}

/** What stands before the name of a key of a conversation; it never holds that name itself. */
export function prefixIn(conversation: string): string {
  return conversation.slice(0, conversation.indexOf(CONVERSATION));
}

/** A read of one key; undefined where the key is of another type. */
export async function readTyped({ connection }: Store, command: string, ...args: string[]): Promise<unknown> {
  try {
    return await connection.read(command, ...args);
  } catch (error) {
    if (isConversationError(error, 'WRONGTYPE')) return undefined;
    throw error;
  }
}

/**
 * The state at a conversation key; `unreadable` or `mistyped` where a call for it would fail; undefined where there is
 * none, or the key is another program's. The store's own way takes the right to write on a cluster.
 */
export async function stateAt({ connection }: Store, conversation: string) {
  try {
    const text = await connection.read('fcall_ro', 'conv_get', '1', conversation);
    return typeof text === 'string' ? parse<StoredConversationState>(text) : undefined;
  } catch (error) {
    if (isConversationError(error, 'CONVCORRUPT')) return 'unreadable';
    if (isConversationError(error, 'WRONGTYPE')) return 'mistyped';
    // A pattern finds keys of other programs too.
    if (isConversationError(error, 'CONVKEY')) return undefined;
    throw error;
  }
}

/** The conversation of a key; undefined where there is none, or the key is another program's. */
export async function lookAt(store: Store, key: string, now: number): Promise<Conversation | undefined> {
  const prefix = prefixIn(key);
  const channel = channelOf(prefix, key);
  const found = channel && (await stateAt(store, key));
  if (!found) return undefined;
  const state = typeof found === 'string' ? undefined : found;
  const { inbox, watch } = furtherKeys(prefix, key);
  const [left, unread = 0, from] = await Promise.all([
    readTyped(store, 'pttl', key),
    readTyped(store, 'xlen', inbox),
    state && readTyped(store, 'zscore', watch, watchMember(state.jobId, key)),
  ]);
  // It ended since it was read.
  if (Number(left) === -2) return undefined;
  // The time from which on conv_due names the job.
  const isDue = state !== undefined && typeof from === 'string' && Number(from) <= now;
  return {
    key,
    prefix,
    channel: state ? { platform: state.platform, channelId: state.channelId } : channel,
    state,
    unread: Number(unread),
    due: isDue ? { reason: reasonOf(state, Number(from)).reason, dueMs: now - Number(from) } : undefined,
    leftMs: Number(left) < 0 ? undefined : Number(left),
  };
}

export const MISTYPED_INDEX = 'The index of its job is a key of another type.';
export const ENDLESS = 'It has no deadline: it stays until it is removed.';
/** MIGRATE writes deadlines anew, relative to now. */
const APART_MS = 100;

/** The index of a conversation's job, where it leads, when it ends, and what is wrong with the two keys. */
export async function pairAt(store: Store, key: string, { jobId }: JobReference) {
  const index = jobIndexKey(prefixIn(key), jobId);
  // -1 without a deadline, -2 where the key is not there.
  const deadlines = await Promise.all([key, index].map((each) => store.connection.read('pexpiretime', each)));
  const [ends, indexEnds] = deadlines.map(Number) as [number, number];
  const leads = await readTyped(store, 'get', index);
  const wrong: string[] = [];
  if (leads === null) wrong.push('The index of its job is not there: the job does not find its channel.');
  else if (leads === undefined) wrong.push(MISTYPED_INDEX);
  else if (leads !== key) wrong.push('The index of its job leads to another channel.');
  else if (ends !== -1 && Math.abs(ends - indexEnds) > APART_MS) wrong.push('Its two keys do not expire together.');
  if (ends === -1) wrong.push(ENDLESS);
  return { index, leads, indexEnds, wrong };
}

/** A job that somebody has to look at. */
export interface DueEntry extends ChannelReference, JobReference, Due {
  /** Whether it still holds its channel; null where what is stored there cannot be read. */
  holds: boolean | null;
}

/** Every job that is due, in no order. Unlike conv_due it puts nothing off. */
export async function dueEntries(store: Store): Promise<DueEntry[]> {
  const now = await serverTime(store);
  const all: DueEntry[] = [];
  for (const prefixes of prefixesOf(store.space)) {
    all.push(...(await Promise.all(prefixes.map((prefix) => dueUnder(store, prefix, now)))).flat());
  }
  return all;
}

async function dueUnder(store: Store, prefix: string, now: number): Promise<DueEntry[]> {
  const all: DueEntry[] = [];
  for (let at = 0; ; at += ENTRIES_AT_ONCE) {
    const range = ['-inf', String(now), 'BYSCORE', 'LIMIT', String(at), String(ENTRIES_AT_ONCE), 'WITHSCORES'];
    const found = Object.entries(recordOf<string>(await readTyped(store, 'zrange', watchKey(prefix), ...range)));
    if (found.length === 0) return all;
    const jobs = found.map(async ([member, score]): Promise<DueEntry[]> => {
      const end = member.indexOf('\n');
      const conversation = member.slice(end + 1);
      const job = watchedJob(store.space, '', prefix, { jobId: member.slice(0, end), conversation });
      if (!job) return [];
      const stored = await stateAt(store, conversation);
      const state = typeof stored === 'object' && stored.jobId === job.jobId ? stored : null;
      const holds = typeof stored === 'string' ? null : state !== null;
      return [{ ...job, reason: reasonOf(state, Number(score)).reason, dueMs: now - Number(score), holds }];
    });
    all.push(...(await Promise.all(jobs)).flat());
  }
}
