import { CONVERSATION, INBOX, JOB_INDEX } from '../../conversation.gen.ts';
import { isConversationError } from '../../errors.ts';
import { parse } from '../../json.ts';
import { channelOf, jobIndexKey, watchedIn, watchKey } from '../../keys/conversation-keys.ts';
import { keyPattern, prefixesOf } from '../../keys/prefix.ts';
import type { StoredConversationState } from '../../state.ts';
import type { Store } from '../connect.ts';
import { readState, serverTime } from '../look.ts';
import { BEFORE_REMOVAL, removal } from '../removal.ts';
import { shown } from '../text.ts';
import { type Finding, ok, warning, wrong } from './finding.ts';

/** How many keys of each kind are looked at, so that a large store is not read for hours. */
const MOST = 100_000;
const EXAMPLES = 3;
const PARTITIONS_AT_ONCE = 64;
const ENTRIES_AT_ONCE = 500;
/** MIGRATE writes deadlines anew, relative to now. */
const APART_MS = 100;
/** A job that has been due for this long was looked at by no sweep. */
const UNSWEPT_MS = 600_000;

/** What can be wrong with a key: what is said of those found, what that means, and what to do. */
const PROBLEMS = {
  unreadable: [
    'Conversations that cannot be read',
    `Every call for such a channel fails with CONVCORRUPT. Look with show first. ${BEFORE_REMOVAL}`,
  ],
  endless: [
    'Conversations without a deadline',
    'Nobody frees such a channel if its job dies. Another program wrote it; getByJobId gives it a deadline.',
  ],
  apart: [
    'Conversations whose index expires at another time',
    'Another program writes one of the two keys. Let it use the functions.',
  ],
  unindexed: [
    'Conversations without an index that leads to them',
    'Such a job does not find its channel. Another program wrote or deleted a key; set of the same state writes both.',
  ],
  stray: [
    'Indexes that lead to no conversation of their job',
    'They end by themselves. Another program took a channel over or removed a conversation; let it use the functions.',
  ],
  unread: [
    'Inboxes with messages whose channel no job has',
    'The next job of the channel reads them. A dispatcher whose removal is told `waiting` has it read on first.',
  ],
  jobless: [
    'Watched jobs that no longer hold their channel',
    'The next sweep gets them and takes them off the watch. Where they stay for longer, no sweep runs.',
  ],
  unswept: [
    'Watched jobs that are silent and that no sweep has looked at for ten minutes',
    'Run the sweep. npx conversation-state due shows those jobs.',
  ],
} as const satisfies Record<string, readonly [what: string, advice: string]>;

type Problem = keyof typeof PROBLEMS;

const IS_WRONG: readonly Problem[] = ['unreadable', 'endless', 'apart', 'unindexed'];

/** Looks for what is wrong with the store's keys. `hear` is told now and then how many were looked at. */
export async function keyFindings(store: Store, hear: (looked: number) => void): Promise<Finding[]> {
  const found = new Map<Problem, string[]>();
  let looked = 0;
  const now = await serverTime(store);
  const kinds = [
    {
      one: 'conversation',
      all: 'conversations',
      batches: keysOf(store, CONVERSATION, 'string'),
      problemOf: problemOfConversation,
    },
    { one: 'index', all: 'indexes', batches: keysOf(store, JOB_INDEX, 'string'), problemOf: problemOfIndex },
    { one: 'inbox', all: 'inboxes', batches: keysOf(store, INBOX, 'stream'), problemOf: problemOfInbox },
    {
      one: 'watched job',
      all: 'watched jobs',
      batches: watched(store),
      problemOf: (_: Store, member: string) => problemOfWatched(store, member, now),
    },
  ];
  const counts: string[] = [];
  for (const { one, all, batches, problemOf } of kinds) {
    let count = 0;
    let isWhole = true;
    for await (const keys of batches) {
      await Promise.all(
        keys.map(async (key) => {
          // What was written between two reads looks wrong once.
          const problem = (await problemOf(store, key)) && (await problemOf(store, key));
          if (!problem) return;
          if (!found.has(problem)) found.set(problem, []);
          // Of a watched job its id, of all others the key, which holds no line end.
          found.get(problem)?.push(key.split('\n', 1)[0] ?? key);
        }),
      );
      count += keys.length;
      looked += keys.length;
      hear(looked);
      isWhole = count < MOST;
      if (!isWhole) break;
    }
    counts.push(`${isWhole ? '' : 'the first '}${count.toLocaleString('en')} ${count === 1 ? one : all}`);
  }
  const problems = [...found].map(([problem, keys]) => told(store, problem, keys));
  return [
    problems.length === 0
      ? ok('keys', `No problems in ${counts.join(', ')}.`)
      : ok('keys', `Looked at ${counts.join(', ')}.`),
    ...problems,
  ];
}

function told(store: Store, problem: Problem, keys: readonly string[]): Finding {
  const [what, advice] = PROBLEMS[problem];
  const some = `${keys.slice(0, EXAMPLES).map(shown).join(', ')}${keys.length > EXAMPLES ? ', …' : ''}`;
  const found = `${what}: ${keys.length.toLocaleString('en')} (${some}).`;
  const finding = (IS_WRONG.includes(problem) ? wrong : warning)('keys', found, advice);
  return problem === 'unreadable' ? { ...finding, command: removal(store, keys[0] ?? '') } : finding;
}

async function* keysOf({ connection, space }: Store, name: string, type: 'string' | 'stream') {
  yield* connection.scan(keyPattern(space, name), type);
}

/** The members of the watch: each a job and, behind a line end, the key of its conversation. */
async function* watched({ connection, space }: Store): AsyncGenerator<string[]> {
  const prefixes = [...prefixesOf(space)];
  while (prefixes.length > 0) {
    const some = prefixes.splice(0, PARTITIONS_AT_ONCE);
    for (let from = 0; ; from += ENTRIES_AT_ONCE) {
      const range = [String(from), String(from + ENTRIES_AT_ONCE - 1)];
      const found = await Promise.all(some.map((prefix) => connection.read('zrange', watchKey(prefix), ...range)));
      const members = (found as string[][]).flat();
      if (members.length === 0) break;
      yield members;
    }
  }
}

/** The conversation of a key; undefined where there is none, null where it cannot be read. */
async function stateAt(store: Store, conversation: string): Promise<StoredConversationState | null | undefined> {
  try {
    const prefix = conversation.slice(0, conversation.indexOf(CONVERSATION));
    const text = await readState(store, { prefix, conversation });
    return text === null ? undefined : parse<StoredConversationState>(text);
  } catch (error) {
    if (isConversationError(error, 'CONVCORRUPT')) return null;
    // A pattern finds keys of other programs too.
    if (isConversationError(error, 'CONVKEY', 'WRONGTYPE')) return undefined;
    throw error;
  }
}

async function problemOfConversation(store: Store, key: string): Promise<Problem | undefined> {
  const { read } = store.connection;
  const state = await stateAt(store, key);
  if (state === undefined) return undefined;
  if (state === null) return 'unreadable';
  const index = jobIndexKey(key.slice(0, key.indexOf(CONVERSATION)), state.jobId);
  const [leads, ends, indexEnds] = await Promise.all([
    read('get', index),
    read('pexpiretime', key).then(Number),
    read('pexpiretime', index).then(Number),
  ]);
  if (ends === -1) return 'endless';
  if (leads !== key) return 'unindexed';
  return Math.abs(ends - indexEnds) > APART_MS ? 'apart' : undefined;
}

async function problemOfIndex(store: Store, key: string): Promise<Problem | undefined> {
  const at = key.indexOf(JOB_INDEX);
  const [prefix, jobId] = [key.slice(0, at), key.slice(at + JOB_INDEX.length)];
  const leads = await store.connection.read('get', key);
  if (leads === null) return undefined;
  if (typeof leads !== 'string' || !channelOf(prefix, leads)) return 'stray';
  const state = await stateAt(store, leads);
  // One that cannot be read was found above.
  return state === null || state?.jobId === jobId ? undefined : 'stray';
}

async function problemOfInbox(store: Store, key: string): Promise<Problem | undefined> {
  const conversation = key.replace(INBOX, CONVERSATION);
  const [length, state] = await Promise.all([store.connection.read('xlen', key), stateAt(store, conversation)]);
  return Number(length) > 0 && state === undefined ? 'unread' : undefined;
}

async function problemOfWatched(store: Store, member: string, now: number): Promise<Problem | undefined> {
  const { jobId, conversation } = watchedIn(member);
  const prefix = conversation.slice(0, conversation.indexOf(CONVERSATION));
  const [from, state] = await Promise.all([
    store.connection.read('zscore', watchKey(prefix), member),
    stateAt(store, conversation),
  ]);
  // It ended since it was read.
  if (from === null) return undefined;
  if (state !== null && state?.jobId !== jobId) return 'jobless';
  return Number(from) < now - UNSWEPT_MS ? 'unswept' : undefined;
}
