import { setTimeout as sleep } from 'node:timers/promises';
import { conversationKeys } from '../iterators.ts';
import { Failure, misuse, type Values } from './command.ts';
import { type Store, withStore } from './connect.ts';
import { type Conversation, type DueEntry, dueEntries, lookAt, serverTime } from './look.ts';
import { counted, shown, shownJson, span, styled, terminalWidth } from './print.ts';
import { onScreen, withProgress } from './screen.ts';
import { type Column, tableOf } from './table.ts';

/** How many lines of a table are held until their widths are known. Longer lists get a head for each such part. */
const PART = 1_000;
const WATCH_MS = 2_000;

const COLUMNS: readonly Column<Conversation>[] = [
  { head: 'PLATFORM', cell: ({ channel }) => shown(channel.platform) },
  { head: 'CHANNEL', cell: ({ channel }) => shown(channel.channelId), isId: 'cut last' },
  { head: 'JOB', cell: ({ state }) => (state ? shown(state.jobId) : '(unreadable)'), isId: 'cut last' },
  { head: 'PROJECT', cell: ({ state }) => shown(state?.project ?? ''), spare: 1 },
  { head: 'TICKET', cell: ({ state }) => shown(String(state?.ticketId ?? '')), spare: 2 },
  {
    head: 'STARTED',
    cell: ({ state }) => (state ? span(Date.now() - Date.parse(state.startedAt)) : ''),
    spare: 3,
    align: 'right',
  },
  { head: 'QUESTION', cell: ({ state }) => shown(state?.pendingQuestionId ?? ''), isId: 'cut first' },
  { head: 'UNREAD', cell: ({ unread }) => (unread === 0 ? '' : String(unread)), align: 'right' },
  { head: 'STATUS', cell: (found) => statusOf(found) },
  { head: 'LEFT', cell: ({ leftMs: ms }) => (ms === undefined ? styled('red', 'for ever') : span(ms)), align: 'right' },
];

export async function list(values: Values): Promise<void> {
  const order = orderOf(values);
  await withStore(values, async (store) => {
    let seen = 0;
    let isCut = false;
    let held: Conversation[] = [];
    const print = (clear: () => void) => {
      clear();
      const lines = values.json ? held.map(asJson) : tableFor(values, held);
      for (const line of lines) console.log(line);
      isCut ||= process.stdout.isTTY && lines.some((line) => line.includes('…'));
      held = [];
    };
    await withProgress(
      () => `${counted(seen, 'conversation')} found, still scanning. Ctrl-C ends it.`,
      async (clear) => {
        for await (const batch of matching(store, values)) {
          seen += batch.length;
          held.push(...batch);
          if (!order && held.length >= PART) print(clear);
        }
        if (order) held.sort(order);
        if (held.length > 0) print(clear);
      },
    );
    if (isCut) console.error('Where an id is cut, --wide shows it whole.');
    const which = values.silent || values.waiting ? 'such ' : '';
    if (seen === 0 && !values.json) console.error(`There is no ${which}conversation.`);
  });
}

export async function watch(values: Values): Promise<void> {
  const order = orderOf(values);
  await onScreen(async (draw) => {
    let last: string[] | undefined;
    const show = async (line: string) => {
      draw([`${new Date().toISOString()}  ${line}`, ...(last ?? [])]);
      await sleep(WATCH_MS);
    };
    const drawAll = async (store: Store): Promise<never> => {
      for (;;) {
        const rows: Conversation[] = [];
        for await (const batch of matching(store, values)) rows.push(...batch);
        if (order) rows.sort(order);
        last = rows.length === 0 ? [] : tableFor(values, rows);
        await show(counted(rows.length, 'conversation'));
      }
    };
    for (;;) {
      try {
        await withStore(values, drawAll);
      } catch (error) {
        // What never worked is not waited for.
        if (last === undefined || !(error instanceof Failure)) throw error;
        await show(styled('red', `${error.message} Trying again; this is what was there before.`));
      }
    }
  });
}

function tableFor({ wide }: Values, rows: readonly Conversation[]): string[] {
  return tableOf(COLUMNS, rows, wide ? Number.POSITIVE_INFINITY : terminalWidth());
}

async function* matching(store: Store, { platform, silent, waiting }: Values): AsyncGenerator<Conversation[]> {
  for await (const keys of conversationKeys(store.connection, store.space, platform)) {
    const now = await serverTime(store);
    const found = (await Promise.all(keys.map((key) => lookAt(store, key, now)))).flatMap((each) => each ?? []);
    yield found.filter(
      ({ due, state }) => (!silent || due?.reason === 'silent') && (!waiting || Boolean(state?.pendingQuestionId)),
    );
  }
}

/** What --sort orders by, the lowest first. */
const ORDERS = new Map<string, (conversation: Conversation) => string | number>([
  ['platform', ({ channel }) => channel.platform.toLowerCase()],
  ['channel', ({ channel }) => channel.channelId],
  ['job', ({ state }) => state?.jobId ?? ''],
  // What cannot be read comes last.
  ['started', ({ state }) => Date.parse(state?.startedAt ?? '') || Number.MAX_VALUE],
  ['unread', ({ unread }) => -unread],
  ['due', ({ due }) => -(due?.dueMs ?? -1)],
  ['left', ({ leftMs }) => leftMs ?? Number.MAX_VALUE],
]);

function orderOf({ sort }: Values): ((a: Conversation, b: Conversation) => number) | undefined {
  if (sort === undefined) return undefined;
  const of = ORDERS.get(sort);
  if (!of) throw misuse(`--sort must be one of ${[...ORDERS.keys()].join(', ')}.`);
  return (a, b) => (of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : 0);
}

/** What is out of the ordinary about a job. */
function statusOf({ due, state }: Conversation): string {
  if (due) return styled('red', `${due.reason === 'silent' ? 'silent' : 'no answer'} ${span(due.dueMs)}`);
  return state?.starting ? 'starting' : '';
}

function asJson(found: Conversation): string {
  const { channel, state, unread, due, leftMs = null } = found;
  if (!state) return shownJson({ ...channel, unreadable: true, unread, leftMs });
  const { jobId, project, ticketId, startedAt, pendingQuestionId = null, answerBy = null } = state;
  const { starting = null, silentAfterMs = null } = state;
  const from = { ...channel, jobId, project, ticketId, startedAt, starting, silentAfterMs };
  const { reason = null, dueMs = null } = due ?? {};
  return shownJson({ ...from, pendingQuestionId, answerBy, unread, reason, dueMs, leftMs });
}

const DUE_COLUMNS: readonly Column<DueEntry>[] = [
  { head: 'PLATFORM', cell: ({ platform }) => shown(platform) },
  { head: 'CHANNEL', cell: ({ channelId }) => shown(channelId), isId: 'cut last' },
  { head: 'JOB', cell: ({ jobId }) => shown(jobId), isId: 'cut last' },
  { head: 'WHY', cell: ({ reason }) => (reason === 'silent' ? 'silent' : 'no answer') },
  { head: 'FOR', cell: ({ dueMs }) => span(dueMs), align: 'right' },
  { head: 'CHANNEL IS', cell: ({ holds }) => (holds === null ? 'unreadable' : holds ? 'held' : 'not held') },
];

export async function due(values: Values): Promise<void> {
  await withStore(values, async (store) => {
    await store.connection.ready();
    const jobs = (await dueEntries(store)).sort((a, b) => b.dueMs - a.dueMs);
    if (values.json) for (const job of jobs) console.log(shownJson(job));
    else if (jobs.length === 0) console.error('No job is silent, and no question has waited for too long.');
    else for (const line of tableOf(DUE_COLUMNS, jobs, terminalWidth())) console.log(line);
  });
}
