import { CONVERSATION, HANDLED, INBOX, JOB_INDEX, WATCH } from '../../conversation.gen.ts';
import { channelOf, keyPattern } from '../../keys.ts';
import type { Store } from '../connect.ts';
import { MISTYPED_INDEX, pairAt, readTyped, serverTime, stateAt } from '../look.ts';
import { counted, NPX, quoted, shown } from '../print.ts';
import { BEFORE_REMOVAL, redisCli, removal, rewriting } from '../redis-cli.ts';
import { type Finding, ok, warning, wrong } from './finding.ts';

/** How many keys of each kind are looked at, so that a large store is not read for hours. */
const MOST = 100_000;
const EXAMPLES = 3;
/** A job that has been due for this long was looked at by no sweep. */
const UNSWEPT_MS = 600_000;

/** What can be wrong with a key: what is said of those found, what that means, and what its command does. */
const PROBLEMS = {
  mistyped: [
    'Keys of another type than theirs',
    'Every call that needs such a key fails with WRONGTYPE. Another program wrote it. Look at it first. To delete it:',
  ],
  unreadable: [
    'Conversations that cannot be read',
    `Every call for such a channel fails with CONVCORRUPT. Look with show first. ${BEFORE_REMOVAL}`,
  ],
  unfit: [
    'Keys that do not fit the others of their conversation',
    'One of them is missing, leads to another channel, or expires at another time or never: show says more. Another ' +
      'program wrote or deleted one. To store the same state once more, which gives all of them new deadlines:',
  ],
  elsewhere: [
    'Conversations whose job holds another channel',
    'Such a job does not find this one. To remove it, which frees its channel:',
  ],
  stray: [
    'Indexes that lead to no conversation of their job',
    'A claim with the id of such a job fails with CONVJOB. Another program changed a conversation. To delete the index:',
  ],
  unread: [
    'Inboxes with messages whose channel no job has',
    'Nobody reads them before a job claims the channel. To look at them:',
  ],
  unswept: [
    'Watches with jobs that are due and that no sweep has looked at for ten minutes',
    'Run the sweep of the apps (store.due). To see those jobs:',
  ],
} as const;

type Problem = keyof typeof PROBLEMS;
const WORTH_A_LOOK: Problem[] = ['stray', 'unread', 'unswept'];

type Fault = [problem: Problem, command: string] | undefined;

/** Keys of one kind: what they are called, what their names begin with, and what is wrong with one. */
type Kind = [one: string, all: string, name: string, faultOf: (key: string) => Promise<Fault>];

export async function storedFindings(store: Store): Promise<Finding[]> {
  const found = new Map<Problem, { keys: string[]; command: string }>();
  const counts: string[] = [];
  for (const [one, all, name, faultOf] of kindsOf(store, await serverTime(store))) {
    let count = 0;
    for await (const batch of store.connection.scan(keyPattern(store.space, name))) {
      await Promise.all(
        batch.map(async (key) => {
          const first = await faultOf(key);
          // What was written between two reads looks wrong once.
          const [problem, command] = (first && (await faultOf(key))) ?? [];
          if (problem === undefined || command === undefined || problem !== first?.[0]) return;
          if (!found.has(problem)) found.set(problem, { keys: [], command });
          found.get(problem)?.keys.push(key);
        }),
      );
      count += batch.length;
      if (count >= MOST) break;
    }
    counts.push(`${count < MOST ? '' : 'the first '}${counted(count, one, all)}`);
  }
  const problems = [...found].map(([problem, { keys, command }]) => {
    const [what, advice] = PROBLEMS[problem];
    const level = WORTH_A_LOOK.includes(problem) ? warning : wrong;
    const some = `${keys.slice(0, EXAMPLES).sort().map(shown).join(', ')}${keys.length > EXAMPLES ? ', …' : ''}`;
    return { ...level('keys', `${what}: ${keys.length.toLocaleString('en')} (${some}).`, advice), command };
  });
  return [ok('keys', `${problems.length === 0 ? 'No problems in' : 'Looked at'} ${counts.join(', ')}.`), ...problems];
}

function kindsOf(store: Store, now: number): Kind[] {
  const mistyped = (key: string): Fault => ['mistyped', redisCli(store, 'DEL', quoted(key))];
  const { prefix, sharded } = store.space;
  const due = `${NPX} due${prefix && ` --prefix ${quoted(prefix)}`}${sharded ? ' --sharded' : ''}`;

  async function ofConversation(key: string): Promise<Fault> {
    const state = await stateAt(store, key);
    if (state === undefined) return undefined;
    if (state === 'mistyped') return mistyped(key);
    if (state === 'unreadable') return ['unreadable', removal(store, key)];
    const { index, leads, wrong } = await pairAt(store, key, state);
    const isOther = typeof leads === 'string' && leads !== key;
    const other = isOther ? await stateAt(store, leads) : undefined;
    if (typeof other === 'object' && other.jobId === state.jobId) return ['elsewhere', removal(store, key)];
    // An index of another type is found among the indexes.
    if (wrong.every((sentence) => sentence === MISTYPED_INDEX)) return undefined;
    // An index that leads nowhere refuses the new one.
    const before = isOther ? `${redisCli(store, 'DEL', quoted(index))} && ` : '';
    return ['unfit', before + rewriting(store, key, index)];
  }

  async function ofIndex(key: string): Promise<Fault> {
    const at = key.indexOf(JOB_INDEX);
    const leads = await readTyped(store, 'get', key);
    if (leads === undefined) return mistyped(key);
    const state =
      typeof leads === 'string' && channelOf(key.slice(0, at), leads) ? await stateAt(store, leads) : undefined;
    // What cannot be read was found above.
    const isRight = typeof state === 'string' || state?.jobId === key.slice(at + JOB_INDEX.length);
    return leads === null || isRight ? undefined : ['stray', redisCli(store, 'DEL', quoted(key))];
  }

  async function ofInbox(key: string): Promise<Fault> {
    const length = await readTyped(store, 'xlen', key);
    if (length === undefined) return mistyped(key);
    const state = await stateAt(store, key.replace(INBOX, CONVERSATION));
    const isUnread = state === undefined && Number(length) > 0;
    return isUnread ? ['unread', redisCli(store, 'XRANGE', quoted(key), '- +')] : undefined;
  }

  async function ofHandled(key: string): Promise<Fault> {
    return (await readTyped(store, 'zscore', key, 'x')) === undefined ? mistyped(key) : undefined;
  }

  async function ofWatch(key: string): Promise<Fault> {
    if (!key.endsWith(WATCH)) return undefined;
    const range = ['-inf', String(now - UNSWEPT_MS), 'BYSCORE', 'LIMIT', '0', '1'];
    const some = (await readTyped(store, 'zrange', key, ...range)) as string[] | undefined;
    return some === undefined ? mistyped(key) : some.length > 0 ? ['unswept', due] : undefined;
  }

  return [
    ['conversation', 'conversations', CONVERSATION, ofConversation],
    ['index', 'indexes', JOB_INDEX, ofIndex],
    ['inbox', 'inboxes', INBOX, ofInbox],
    ['list of deliveries', 'lists of deliveries', HANDLED, ofHandled],
    ['watch', 'watches', WATCH, ofWatch],
  ];
}
