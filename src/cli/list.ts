import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, STORE, type Values } from './command.ts';
import { type Store, withStore } from './connect.ts';
import { Failure, USAGE_ERROR } from './failure.ts';
import { type Conversation, lookAtAll } from './look.ts';
import { progress } from './progress.ts';
import { onScreen } from './screen.ts';
import { type Column, shown, shownJson, span, styled, tableOf } from './text.ts';

/** How many lines of a table are held until their widths are known. Longer lists get a head for each such part. */
const PART = 1_000;
const WATCH_MS = 2_000;

const COLUMNS: readonly Column[] = [
  { head: 'PLATFORM' },
  { head: 'CHANNEL', min: 12 },
  { head: 'JOB', min: 12 },
  { head: 'PROJECT', min: 8, spare: 4 },
  { head: 'TICKET', min: 8, spare: 3 },
  { head: 'STARTED', spare: 2, align: 'right' },
  { head: 'QUESTION', min: 10, spare: 1 },
  { head: 'UNREAD', align: 'right' },
  { head: 'SILENT', align: 'right' },
  { head: 'LEFT', align: 'right' },
];

const FILTERS = [...STORE, 'platform', 'silent', 'waiting', 'sort'] as const;
const NOTES = [
  'STARTED says how long ago that was. QUESTION is the pending one. UNREAD counts the messages in the inbox. SILENT says',
  'for how long a watched job has been silent for too long; one that a sweep has just looked at does not count until its',
  'lease ends. LEFT is the time to live. On a terminal, long ids are cut and columns left out; | less shows them whole.',
];

export const list: Command = {
  summary:
    'shows every conversation: its channel, its job, its pending question, unread messages, and whether the job is silent',
  options: [...FILTERS, 'json'],
  examples: ['list --silent', 'list --platform slack --sort started'],
  notes: [...NOTES, 'It scans all keys and changes nothing. With --sort the whole list is held in memory.'],
  async run(values) {
    const order = orderOf(values);
    await withStore(values, async (store) => {
      let seen = 0;
      let held: Conversation[] = [];
      const bar = progress(() => `${seen} conversations found, still scanning. Ctrl-C ends it.`);
      const print = () => {
        bar.clear();
        for (const line of values.json ? held.map(asJson) : tableOf(COLUMNS, held.map(cells))) console.log(line);
        held = [];
      };
      try {
        for await (const batch of matching(store, values)) {
          seen += batch.length;
          held.push(...batch);
          if (!order && held.length >= PART) print();
        }
      } finally {
        bar.end();
      }
      if (order) held.sort(order);
      if (seen === 0 && !values.json)
        console.error(`There is no ${values.silent || values.waiting ? 'such ' : ''}conversation.`);
      if (held.length > 0) print();
    });
  },
};

export const watch: Command = {
  summary: 'shows the list again every two seconds, in place; q ends it',
  options: FILTERS,
  examples: ['watch --sort silent'],
  notes: [...NOTES, 'In a pipe it prints one list after the other.'],
  async run(values) {
    const order = orderOf(values);
    await withStore(values, (store) =>
      onScreen(async ({ draw, isOver, ended }) => {
        while (!isOver()) {
          const rows: Conversation[] = [];
          for await (const batch of matching(store, values)) {
            rows.push(...batch);
            if (isOver()) return;
          }
          if (order) rows.sort(order);
          const count = `${rows.length} ${rows.length === 1 ? 'conversation' : 'conversations'}`;
          draw([
            `${new Date().toISOString()}  ${count}`,
            ...(rows.length > 0 ? tableOf(COLUMNS, rows.map(cells)) : []),
          ]);
          await Promise.race([sleep(WATCH_MS, undefined, { ref: true }), ended]);
        }
      }),
    );
  },
};

async function* matching(store: Store, { platform, silent, waiting }: Values): AsyncGenerator<Conversation[]> {
  for await (const batch of lookAtAll(store, platform)) {
    yield batch.filter(
      ({ silentMs, state }) => (!silent || silentMs !== undefined) && (!waiting || Boolean(state?.pendingQuestionId)),
    );
  }
}

type Order = (a: Conversation, b: Conversation) => number;

const byText =
  (of: (conversation: Conversation) => string): Order =>
  (a, b) =>
    of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : 0;

const ORDERS: Readonly<Record<string, Order>> = {
  platform: byText(({ channel }) => channel.platform.toLowerCase()),
  channel: byText(({ channel }) => channel.channelId),
  job: byText(({ state }) => state?.jobId ?? ''),
  started: (a, b) => startedMs(a) - startedMs(b),
  unread: (a, b) => b.unread - a.unread,
  silent: (a, b) => (b.silentMs ?? -1) - (a.silentMs ?? -1),
  left: (a, b) => (a.leftMs ?? Number.MAX_VALUE) - (b.leftMs ?? Number.MAX_VALUE),
};

function orderOf({ sort }: Values): Order | undefined {
  if (sort === undefined) return undefined;
  const order = Object.hasOwn(ORDERS, sort) ? ORDERS[sort] : undefined;
  if (order) return order;
  throw new Failure(`--sort must be one of ${Object.keys(ORDERS).join(', ')}.`, USAGE_ERROR);
}

/** What cannot be read comes last. */
function startedMs({ state }: Conversation): number {
  return Date.parse(state?.startedAt ?? '') || Number.MAX_VALUE;
}

function cells({ channel, state, unread, silentMs, leftMs }: Conversation): string[] {
  const started = Date.now() - Date.parse(state?.startedAt ?? '');
  return [
    shown(channel.platform),
    shown(channel.channelId),
    state ? shown(state.jobId) : '(unreadable)',
    shown(state?.project ?? ''),
    shown(String(state?.ticketId ?? '')),
    Number.isNaN(started) ? '' : span(started),
    shown(state?.pendingQuestionId ?? ''),
    unread === 0 ? '' : String(unread),
    silentMs === undefined ? '' : styled('red', span(silentMs)),
    leftMs === undefined ? styled('red', 'for ever') : span(leftMs),
  ];
}

function asJson({ channel, state, unread, ...times }: Conversation): string {
  const { platform, channelId } = channel;
  const [silentMs, leftMs] = [times.silentMs ?? null, times.leftMs ?? null];
  if (!state) return shownJson({ platform, channelId, unreadable: true, unread, leftMs });
  const { jobId, project, ticketId, startedAt, pendingQuestionId = null } = state;
  return shownJson({
    platform,
    channelId,
    jobId,
    project,
    ticketId,
    startedAt,
    pendingQuestionId,
    unread,
    silentMs,
    leftMs,
  });
}
