import { styleText } from 'node:util';
import type { DispatcherEvent } from './events.ts';

type Style = Parameters<typeof styleText>[0];

/** What is stored for a channel at one moment. */
export interface Stored {
  jobId: string;
  pendingQuestionId?: string | null;
  lastAnswer?: { questionId: string } | null;
  /** Milliseconds it has still to live. */
  leftMs: number;
}

/** One row of the timeline. */
export interface Row {
  /** Of the file; none where the row tells of no event. */
  line?: number;
  from: string;
  event: string;
  outcome: string;
  /** Null where nothing is stored; none where the event belongs to no channel. */
  stored?: Stored | null;
}

const WIDTH = { time: 6, line: 4, from: 20, event: 33, outcome: 9, stored: 29, left: 7 };
/** Without those that say the least, where a terminal has no room for all. */
const NARROW: readonly string[] = ['time', 'from', 'event', 'outcome'];

const STYLES: Record<string, Style> = {
  claimed: 'green',
  accepted: 'green',
  updated: 'green',
  queued: 'cyan',
  inbox: 'cyan',
  waiting: 'cyan',
  state: 'blue',
  alive: 'blue',
  removed: 'magenta',
  lapsed: 'magenta',
  duplicate: 'yellow',
  held: 'yellow',
  full: 'yellow',
  answered: 'yellow',
  stale: 'yellow',
  gone: 'yellow',
  null: 'yellow',
  skipped: 'red',
};

const startedAt = performance.now();

export function printHeadings(): void {
  printCells(
    Object.keys(WIDTH),
    Object.keys(WIDTH).map(() => 'dim'),
  );
}

export function printScene(title: string): void {
  console.log(`\n${style('bold', cut(printable(title), process.stdout.columns ?? title.length))}`);
}

export function printRow({ line, from, event, outcome, stored }: Row): void {
  const left = stored ? duration(stored.leftMs) : '';
  const content = stored === undefined ? '' : stored === null ? 'nothing' : summary(stored);
  const styles = ['dim', 'dim', undefined, undefined, STYLES[outcome] ?? 'dim', stored ? undefined : 'dim'] as const;
  printCells([elapsed(), String(line ?? ''), from, event, outcome, content, left], styles);
}

/** One line, whatever the width of the terminal. */
function printCells(texts: string[], styles: readonly (Style | undefined)[]): void {
  const columns = process.stdout.columns ?? Number.POSITIVE_INFINITY;
  const full = columns >= widthOf(Object.keys(WIDTH));
  const names = Object.keys(WIDTH).filter((name) => full || NARROW.includes(name));
  const spare = full ? 0 : columns - widthOf(names);
  const cells = names.map((name) => {
    const at = Object.keys(WIDTH).indexOf(name);
    const width = WIDTH[name as keyof typeof WIDTH] + (name === 'event' ? Math.max(spare, -20) : 0);
    const cell = cut(printable(texts[at] ?? ''), width);
    return style(styles[at], RIGHT.has(name) ? cell.padStart(width) : cell.padEnd(width));
  });
  console.log(cells.join('  ').trimEnd());
}

const RIGHT = new Set(['time', 'line', 'left']);

function widthOf(names: string[]): number {
  return names.reduce((sum, name) => sum + WIDTH[name as keyof typeof WIDTH] + 2, -2);
}

/** A row that is all text: time that passes, a line that could not be used. */
export function printNote(note: string, { line, styled = 'dim' }: { line?: number; styled?: Style } = {}): void {
  const before = `${elapsed().padStart(WIDTH.time)}  ${line === undefined ? '' : `${String(line).padStart(WIDTH.line)}  `}`;
  const room = (process.stdout.columns ?? Number.POSITIVE_INFINITY) - before.length;
  console.log(`${style('dim', before)}${style(styled, cut(printable(note), room))}`);
}

/** Where an event comes from, and what it says. */
export function describe(event: DispatcherEvent): { from: string; event: string } {
  switch (event.kind) {
    case 'message':
      return { from: channel(event), event: `${user(event.userId)}: ${event.text}` };
    case 'click':
      return { from: channel(event), event: `${user(event.userId)} clicks ${event.answer} on ${event.questionId}` };
    case 'stop':
      return { from: channel(event), event: `${user(event.userId)} stops ${event.jobId}` };
    case 'job':
      return {
        from: event.jobId,
        event: `${event.type}${event.type === 'Question' ? ` ${event.questionId}` : ''}: ${event.text}`,
      };
    case 'noise':
      return { from: event.platform, event: event.what };
  }
}

export function channel({ platform, channelId }: { platform: string; channelId: string }): string {
  return `${platform} ${shortened(channelId, WIDTH.from - platform.length - 1)}`;
}

/** Coloured where the reader can see colours, plain in a pipe; NO_COLOR and FORCE_COLOR have the last word. */
export function style(format: Style | undefined, text: string): string {
  return format === undefined ? text : styleText(format, text, { stream: process.stdout });
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function user(id: string): string {
  return shortened(id, 7);
}

function summary({ jobId, pendingQuestionId, lastAnswer }: Stored): string {
  if (pendingQuestionId) return `${jobId}, asks ${pendingQuestionId}`;
  return lastAnswer ? `${jobId}, heard ${lastAnswer.questionId}` : jobId;
}

function elapsed(): string {
  return seconds(performance.now() - startedAt);
}

function duration(ms: number): string {
  if (ms < 60_000) return seconds(ms);
  const [minutes, rest] = [Math.floor(ms / 60_000), Math.ceil((ms % 60_000) / 1000)];
  const two = (value: number) => String(value).padStart(2, '0');
  return rest === 60
    ? duration((minutes + 1) * 60_000)
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(rest)}`;
}

/** What comes from outside may hold what moves a terminal's cursor. */
function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}

function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}

/** Without its middle: ids differ at both ends. */
function shortened(id: string, width: number): string {
  if (id.length <= width) return id;
  const end = Math.floor((width - 1) / 2);
  return `${id.slice(0, width - 1 - end)}…${id.slice(-end)}`;
}
