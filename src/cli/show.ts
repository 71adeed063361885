import { furtherKeys, jobIndexKey, referenceKeys } from '../keys.ts';
import type { ConversationReference } from '../state.ts';
import { Failure, thingsWrong, type Values } from './command.ts';
import { type Store, withStore } from './connect.ts';
import { type Conversation, ENDLESS, lookAt, pairAt, readTyped, serverTime } from './look.ts';
import { counted, shown, shownJson, span, styled } from './print.ts';
import { BEFORE_REMOVAL, removal } from './redis-cli.ts';
import { described, referenceIn } from './reference.ts';

/** How many messages of the inbox are shown. */
const INBOX_SHOWN = 20;

export async function show(values: Values): Promise<void> {
  const ref = referenceIn(values);
  await withStore(values, async (store) => {
    const now = await serverTime(store);
    const found = await find(store, ref, now);
    if (!found) throw new Failure(`There is no conversation ${described(ref)}.`);
    const details = await detailsOf(store, found, now);
    console.log(values.json ? shownJson({ ...found, ...details }) : told(found, details));
    if (details.wrong.length > 0) throw thingsWrong(details.wrong.length);
  });
}

async function find(store: Store, ref: ConversationReference, now: number): Promise<Conversation | undefined> {
  await store.connection.ready();
  const { conversation, job } = referenceKeys(store.space, ref);
  const key = conversation ?? (await store.connection.read('get', job ?? ''));
  const found = typeof key === 'string' ? await lookAt(store, key, now) : undefined;
  const isOthers = job !== undefined && found?.state && jobIndexKey(found.prefix, found.state.jobId) !== job;
  return isOthers ? undefined : found;
}

/** What stands besides the state, and what is wrong with it, a sentence each. */
async function detailsOf(store: Store, found: Conversation, now: number) {
  const { key, prefix, state, leftMs } = found;
  const range = ['-', '+', 'COUNT', String(INBOX_SHOWN)];
  const entries = await readTyped(store, 'xrange', furtherKeys(prefix, key).inbox, ...range);
  const pair = state && (await pairAt(store, key, state));
  const wrong = pair ? [...pair.wrong] : [`${UNREADABLE} ${BEFORE_REMOVAL} ${removal(store, key)}`];
  if (!pair && leftMs === undefined) wrong.push(ENDLESS);
  if (!entries) wrong.push('Its inbox is a key of another type: no message can be queued.');
  return {
    /** Whether the index of its job is there, wherever it leads. */
    isIndexed: typeof pair?.leads === 'string',
    /** When that ends, in milliseconds from now; null where it has no deadline or is not there. */
    indexLeftMs: pair && pair.indexEnds >= 0 ? pair.indexEnds - now : null,
    inbox: ((entries ?? []) as [string, string[]][]).map(([id, fields]) => ({ id, fields })),
    wrong,
  };
}

const UNREADABLE = 'What is stored cannot be read as a state. Every claim is refused.';

type Details = Awaited<ReturnType<typeof detailsOf>>;

function told(found: Conversation, { isIndexed, indexLeftMs, inbox, wrong }: Details): string {
  const { channel, state, unread, due, leftMs } = found;
  const name = styled('bold', `${shown(channel.platform)} ${shown(channel.channelId)}`);
  const rows: [name: string, text: string][] = [['key', `${shown(found.key)}, ${ends(leftMs)}`]];
  if (state) {
    const index = shown(jobIndexKey(found.prefix, state.jobId));
    rows.push(['index', `${index}, ${isIndexed ? ends(indexLeftMs ?? undefined) : 'not there'}`]);
    const { pendingQuestionId: question, answerBy } = state;
    const limit = question && answerBy ? ` until ${new Date(answerBy).toISOString()}` : '';
    rows.push(['question', question ? `${shown(question)} is pending${limit}` : 'no question is pending']);
  }
  if (due) {
    const what = due.reason === 'silent' ? 'silent' : 'no answer';
    rows.push(['due', styled('red', `${what}, overdue by ${span(due.dueMs)}`)]);
  }
  rows.push(['inbox', unread === 0 ? 'empty' : counted(unread, 'unread message')]);
  return [
    state ? `${name}, job ${shown(state.jobId)}` : name,
    ...rows.map(([left, right]) => `${left.padEnd(13)}  ${right}`),
    ...inbox.map(({ id, fields }) => `  ${id}  ${shownJson(fields)}`),
    ...(unread > inbox.length ? [`  and ${unread - inbox.length} more`] : []),
    ...(state ? ['state', shownJson(state, 2).replace(/^/gm, '  ')] : []),
    ...wrong.map((sentence) => styled('red', `wrong          ${sentence}`)),
  ].join('\n');
}

function ends(leftMs: number | undefined): string {
  return leftMs === undefined ? 'no deadline' : `ends in ${span(leftMs)}`;
}
