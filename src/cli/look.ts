import { CONVERSATION } from '../conversation.gen.ts';
import { isConversationError } from '../errors.ts';
import { conversationKeys } from '../iterators.ts';
import { parse } from '../json.ts';
import {
  channelOf,
  furtherKeys,
  jobIndexKey,
  type ReferenceKeys,
  referenceKeys,
  watchedIn,
  watchedJob,
  watchKey,
  watchMember,
} from '../keys/conversation-keys.ts';
import { prefixesOf } from '../keys/prefix.ts';
import type { ChannelReference, JobReference, StoredConversationState } from '../state.ts';
import type { Store } from './connect.ts';

// What runs now, looked at without a change to anything.

/** A conversation as it stands. */
export interface Conversation {
  /** Its key. */
  key: string;
  /** What stands before `conversation:` in it. */
  prefix: string;
  channel: ChannelReference;
  /** Undefined where what is stored cannot be read. */
  state: StoredConversationState | undefined;
  /** Entries in its inbox. */
  unread: number;
  /** For how long its job has counted as silent, in milliseconds; undefined where it does not. */
  silentMs: number | undefined;
  /** When it ends, in milliseconds from now; undefined where it has no deadline. */
  leftMs: number | undefined;
}

const ENTRIES_AT_ONCE = 500;
const PARTITIONS_AT_ONCE = 64;

/** The server's clock, by which the functions write their times; in milliseconds since 1970. */
export async function serverTime({ client }: Store): Promise<number> {
  const [seconds, microseconds] = await client.time();
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}

/**
 * The JSON of a state, or null. Unlike the store's own way it never takes the right to write, which the store uses on a
 * cluster to have a master answer.
 */
export async function readState(
  { connection }: Store,
  { prefix, conversation, job }: ReferenceKeys,
): Promise<string | null> {
  const leads = conversation ?? (await connection.read('get', job ?? ''));
  if (leads === null) return null;
  const isKey = typeof leads === 'string' && leads.startsWith(`${prefix}${CONVERSATION}`);
  // By one key: where a slot is half moved, a call that names two of its keys waits for both to be on one node.
  const text = await connection.read('fcall_ro', 'conv_get', '1', isKey ? leads : (job ?? ''));
  if (typeof text !== 'string') return null;
  return job === undefined || job === jobIndexKey(prefix, parse<JobReference>(text).jobId) ? text : null;
}

/** Every conversation, in batches, in no order. */
export async function* lookAtAll(store: Store, platform: string | undefined): AsyncGenerator<Conversation[]> {
  for await (const keys of conversationKeys(store.connection, store.space, platform)) {
    const now = await serverTime(store);
    const found = await Promise.all(keys.map((key) => lookAt(store, key, now)));
    yield found.filter((conversation) => conversation !== undefined);
  }
}

/** The conversation of a key; undefined where there is none, or the key is another program's. */
export async function lookAt(store: Store, key: string, now: number): Promise<Conversation | undefined> {
  // A prefix never holds the name.
  const prefix = key.slice(0, key.indexOf(CONVERSATION));
  const channel = channelOf(prefix, key);
  if (!channel) return undefined;
  let state: StoredConversationState | undefined;
  try {
    const text = await readState(store, { prefix, conversation: key });
    if (text === null) return undefined;
    state = parse<StoredConversationState>(text);
  } catch (error) {
    // A pattern finds keys of other programs too.
    if (isConversationError(error, 'CONVKEY', 'WRONGTYPE')) return undefined;
    if (!isConversationError(error, 'CONVCORRUPT')) throw error;
  }
  const { connection } = store;
  const { inbox, watch } = furtherKeys(prefix, key);
  const [left, unread, from] = await Promise.all([
    connection.read('pttl', key),
    connection.read('xlen', inbox),
    state && connection.read('zscore', watch, watchMember(state.jobId, key)),
  ]);
  // It ended since it was read.
  if (Number(left) === -2) return undefined;
  // As conv_due has it, which this must not call: it would put the job off.
  const isSilent = typeof from === 'string' && Number(from) <= now;
  return {
    key,
    prefix,
    channel: state ? { platform: state.platform, channelId: state.channelId } : channel,
    state,
    unread: Number(unread),
    silentMs: isSilent ? now - Number(from) : undefined,
    leftMs: Number(left) < 0 ? undefined : Number(left),
  };
}

/** A job that counts as silent. */
export interface SilentJob extends ChannelReference, JobReference {
  /** For how long, in milliseconds. */
  silentMs: number;
  /** Whether it still holds its channel; null where what is stored there cannot be read. */
  holds: boolean | null;
}

/** Every job that counts as silent, the longest silent first on each partition. Unlike conv_due it puts nothing off. */
export async function* silentJobs(store: Store): AsyncGenerator<SilentJob[]> {
  const now = await serverTime(store);
  const prefixes = [...prefixesOf(store.space)];
  while (prefixes.length > 0) {
    const some = prefixes.splice(0, PARTITIONS_AT_ONCE);
    const found = await Promise.all(some.map((prefix) => silentIn(store, prefix, now)));
    yield found.flat();
  }
}

async function silentIn(store: Store, prefix: string, now: number): Promise<SilentJob[]> {
  const jobs: SilentJob[] = [];
  const holds = async (job: ChannelReference & JobReference) => {
    try {
      return (await readState(store, referenceKeys(store.space, job))) !== null;
    } catch (error) {
      if (isConversationError(error, 'CONVCORRUPT', 'WRONGTYPE')) return null;
      throw error;
    }
  };
  for (let from = 0; ; from += ENTRIES_AT_ONCE) {
    const limit = ['LIMIT', String(from), String(ENTRIES_AT_ONCE)];
    const range = ['-inf', String(now), 'BYSCORE', ...limit, 'WITHSCORES'];
    const reply = (await store.connection.read('zrange', watchKey(prefix), ...range)) as string[];
    const found = reply.flatMap((member, at) => {
      const job = at % 2 === 0 ? watchedJob(store.space, '', prefix, watchedIn(member)) : undefined;
      return job ? [{ ...job, silentMs: now - Number(reply[at + 1]) }] : [];
    });
    jobs.push(...(await Promise.all(found.map(async (job) => ({ ...job, holds: await holds(job) })))));
    if (reply.length < 2 * ENTRIES_AT_ONCE) return jobs;
  }
}
