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
const FULL_WIDTH = Object.values(WIDTH).reduce((sum, width) => sum + width + 2, -2);

const STYLES: Record<string, Style> = {
  claimed: 'green',
  replaced: 'magenta',
  accepted: 'green',
  asked: 'cyan',
  renewed: 'blue',
  removed: 'cyan',
  lapsed: 'magenta',
  duplicate: 'yellow',
  held: 'yellow',
  answered: 'yellow',
  stale: 'yellow',
  gone: 'yellow',
  unknown: 'yellow',
  skipped: 'red',
};

const startedAt = performance.now();

export function printHeadings(): void {
  console.log(style('dim', cells(Object.keys(WIDTH)).join('  ').trimEnd()));
}

export function printScene(title: string): void {
  console.log(`\n${style('bold', printable(title))}`);
}

export function printRow({ line, from, event, outcome, stored }: Row): void {
  const left = stored ? duration(stored.leftMs) : '';
  const content = stored === undefined ? '' : stored === null ? 'nothing' : summary(stored);
  const row = cells([elapsed(), String(line ?? ''), from, event, outcome, content, left]);
  const styles = ['dim', 'dim', undefined, undefined, STYLES[outcome] ?? 'dim', stored ? undefined : 'dim'] as const;
  console.log(
    row
      .map((cell, at) => style(styles[at], cell))
      .join('  ')
      .trimEnd(),
  );
}

/** A row that is all text: time that passes, a line that could not be used. */
export function printNote(note: string, { line, styled = 'dim' }: { line?: number; styled?: Style } = {}): void {
  const [time, number] = cells([elapsed(), String(line ?? '')]);
  console.log(`${style('dim', `${time}  ${number}`)}  ${style(styled, printable(note))}`);
}

/** Where an event comes from, and what it says. */
export function describe(event: DispatcherEvent): { from: string; event: string } {
  switch (event.kind) {
    case 'message':
      return { from: channel(event), event: `${user(event.userId)}: ${event.text}` };
    case 'click':
      return { from: channel(event), event: `${user(event.userId)} clicks ${event.answer} on ${event.questionId}` };
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

function cells(texts: string[]): string[] {
  const missing = Math.max(0, FULL_WIDTH - (process.stdout.columns ?? FULL_WIDTH));
  const widths = Object.values({ ...WIDTH, event: Math.max(12, WIDTH.event - missing) });
  const right = new Set([0, 1, 6]);
  return texts.map((text, at) => {
    const width = widths[at] ?? 0;
    const cell = cut(printable(text), width);
    return right.has(at) ? cell.padStart(width) : cell.padEnd(width);
  });
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
