import { checkCount, checkEntryId, checkMilliseconds, checkOptions } from './arguments.ts';
import type { Connection } from './connection.ts';
import { convDue, MAX_DUE } from './conversation.gen.ts';
import { isConversationError } from './errors.ts';
import { parse, parseOrNull, recordOf } from './json.ts';
import {
  conversationKey,
  conversationPattern,
  inboxKey,
  type Keyspace,
  prefixesOf,
  prefixOf,
  referenceKeys,
  watchedJob,
  watchKey,
  watchMember,
} from './keys.ts';
import type { Log } from './log.ts';
import type { DueOptions, InboxOptions, ListOptions } from './options.ts';
import type {
  ChannelReference,
  ConversationReference,
  ConversationState,
  DueJob,
  InboxEntry,
  JobReference,
} from './state.ts';
import { traced } from './trace.ts';

// The store's iterators. Each page of them is one call of the tracing channel.

/** How many entries of an inbox are read at once. */
const INBOX_PAGE = 100;

type Entry = [id: string, fields: string[]];

/** What is in an inbox behind an entry, the oldest first. */
export async function* inboxEntries(
  connection: Connection,
  space: Keyspace,
  { reading }: Log,
  ref: ConversationReference,
  options: InboxOptions,
): AsyncGenerator<InboxEntry> {
  let key: string | undefined;
  for (let from: string | undefined; ; ) {
    const page = await traced('inbox', ref, async () => {
      const { after = '0' } = checkOptions('inbox', options);
      from ??= after === '0' ? after : checkEntryId('after', after);
      const keys = referenceKeys(space, ref);
      return reading(ref, async () => {
        key ??= await inboxOf(connection, space, ref);
        if (key === undefined) return [];
        const found = (await connection.read('xrange', key, `(${from}`, '+', 'COUNT', String(INBOX_PAGE))) as Entry[];
        // Asked after the read, so that no entry for the next holder of the channel is taken for one of this job.
        const isHeld = keys.job === undefined || found.length === 0 || (await connection.get(keys, 'master')) !== null;
        return isHeld ? found : [];
      });
    });
    for (const [id, fields] of page) yield { id, fields: recordOf<string>(fields) };
    const last = page.at(-1);
    if (!last || page.length < INBOX_PAGE) return;
    from = last[0];
  }
}

/** The key of an inbox, whose channel is read if only its job is named; undefined if there is no conversation. */
async function inboxOf({ get }: Connection, space: Keyspace, ref: ConversationReference): Promise<string | undefined> {
  const keys = referenceKeys(space, ref);
  if (keys.conversation !== undefined) return inboxKey(space, ref);
  const text = await get(keys, 'master');
  return text === null ? undefined : inboxKey(space, parse<ChannelReference>(text));
}

export async function* dueJobs<State extends QuestionState>(
  { functions, get, keyPrefix }: Connection,
  space: Keyspace,
  { oddEntry, unreadable }: Log,
  options: DueOptions,
): AsyncGenerator<DueJob<State>> {
  // What is thrown behind the jobs that can be returned: those are postponed already, so the sweep must get them now.
  const failures: unknown[] = [];
  const named = async (job: ChannelReference & JobReference, dueAt: number): Promise<DueJob<State>[]> => {
    try {
      const state = parseOrNull<State>(await get(referenceKeys(space, job), 'master'));
      return [{ ...job, ...reasonOf(state, dueAt), state }];
    } catch (error) {
      if (isConversationError(error, 'CONVCORRUPT', 'WRONGTYPE')) {
        unreadable(job);
        return [{ ...job, ...reasonOf(null, dueAt), state: null }];
      }
      failures.push(error);
      return [];
    }
  };
  const ask = async (prefix: string, leaseMs: number, limit: number | undefined) => {
    const reply = await convDue(functions, { watch: watchKey(prefix) }, { leaseMs, limit });
    const jobs: Promise<DueJob<State>[]>[] = [];
    for (let at = 0; at < reply.length; at += 3) {
      const [jobId, conversation, due] = reply.slice(at, at + 3) as [string, string, string];
      const job = watchedJob(space, keyPrefix, prefix, { jobId, conversation });
      if (job) jobs.push(named(job, Number(due)));
      else oddEntry(watchMember(jobId, conversation));
    }
    return (await Promise.all(jobs)).flat();
  };
  for (const prefixes of prefixesOf(space)) {
    yield* await traced('due', undefined, async () => {
      const { leaseMs = 60_000, limit } = checkOptions('due', options);
      checkMilliseconds('leaseMs', leaseMs);
      checkCount('limit', limit, MAX_DUE);
      const asked = await Promise.allSettled(prefixes.map((prefix) => ask(prefix, leaseMs, limit)));
      const failed = asked.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
      if (failed.length === asked.length) throw failed[0];
      failures.push(...failed);
      return asked.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
    });
  }
  if (failures.length > 0) await traced('due', undefined, () => Promise.reject(failures[0]));
}

type QuestionState = Pick<ConversationState, 'pendingQuestionId' | 'answerBy'>;

/** A job has one entry in the watch: that of its question's time limit, if it has one. */
export function reasonOf(state: QuestionState | null, dueAt: number): Pick<DueJob<unknown>, 'reason' | 'dueAt'> {
  const isOver = state?.pendingQuestionId && typeof state.answerBy === 'number' && state.answerBy <= dueAt;
  return { reason: isOver ? 'question' : 'silent', dueAt };
}

export async function* conversations<State extends ChannelReference>(
  connection: Connection,
  space: Keyspace,
  { unreadable }: Log,
  options: ListOptions,
): AsyncGenerator<State> {
  const look = async (conversation: string): Promise<State[]> => {
    try {
      const text = await connection.get({ prefix: '', conversation }, 'replica');
      if (text === null) return [];
      const state = parse<State>(text);
      // In the partition of another channel no call looks for it.
      const { platform, channelId } = state;
      const own = conversationKey(prefixOf(space, { platform, channelId }), platform, channelId);
      return own === conversation ? [state] : [];
    } catch (error) {
      // The pattern also finds keys of other programs.
      if (isConversationError(error, 'CONVKEY', 'WRONGTYPE')) return [];
      if (!isConversationError(error, 'CONVCORRUPT')) throw error;
      unreadable(conversation);
      return [];
    }
  };
  let batches: AsyncGenerator<string[], undefined> | undefined;
  try {
    for (let isDone = false; !isDone; ) {
      yield* await traced('list', options, async () => {
        batches ??= conversationKeys(connection, space, checkOptions('list', options).platform);
        const batch = await batches.next();
        isDone = batch.done === true;
        return (await Promise.all((batch.value ?? []).map(look))).flat();
      });
    }
  } finally {
    await batches?.return(undefined);
  }
}

/** What may be the keys of conversations, in batches. */
export async function* conversationKeys(
  { keyPrefix, ready, scan }: Connection,
  space: Keyspace,
  platform: string | undefined,
): AsyncGenerator<string[], undefined> {
  const pattern = conversationPattern({ ...space, prefix: keyPrefix + space.prefix }, platform);
  await ready();
  for await (const keys of scan(pattern)) yield keys.map((key) => key.slice(keyPrefix.length));
}
