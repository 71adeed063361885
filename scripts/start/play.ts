import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ChannelReference, ConversationError, ConversationStore } from '../../src/index.ts';
import { conversationKey } from '../../src/keys/conversation-keys.ts';
import { createDispatcher, type Dispatched, type Notes } from './dispatcher.ts';
import type { DispatcherEvent } from './events.ts';
import { BadEvent } from './members.ts';
import { readEvent } from './read-event.ts';
import type { Server } from './server.ts';
import { sweep } from './sweep.ts';
import { channel, describe, printNote, printRow, printScene, type Stored, seconds } from './timeline.ts';

export const CLAIM_TTL_MS = 2_000;
const SILENT_AFTER_MS = 2_000;

/** How often each outcome came, in order of their first coming. */
export type Tally = Map<string, number>;

/**
 * Reads events line by line, gives each to a dispatcher and prints what became of it.
 * @param signal ends it before the next line
 */
export async function play(input: Readable, { client, prefix }: Server, signal: AbortSignal): Promise<Tally> {
  const store = new ConversationStore<Notes>(client, { prefix, silentAfterMs: SILENT_AFTER_MS });
  // Nothing runs here: what a job says and does stands in the file.
  const running = new Map<string, { lastSeen: string }>();
  let canStart = true;
  const dispatch = createDispatcher(store, {
    claimTtlMs: CLAIM_TTL_MS,
    async start({ jobId }) {
      if (!canStart) throw new Error('no room for a job');
      running.set(jobId, { lastSeen: '0' });
    },
    async stop(jobId) {
      running.delete(jobId);
    },
    post: async ({ jobId }) => `message of ${jobId}`,
  });
  const tally: Tally = new Map();
  let problem: unknown;
  let number = 0;

  input.on('error', (error) => {
    problem = error;
    lines.close();
  });
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY, signal });
  for await (const line of lines) {
    number++;
    if (line.trim() !== '') await playLine(line.replace(/^\uFEFF/, ''));
    if (signal.aborted) break;
  }
  if (problem) throw problem;
  return tally;

  async function playLine(line: string): Promise<void> {
    try {
      const event = readEvent(line);
      if (event.kind === 'scene') printScene(event.title);
      else if (event.kind === 'wait') await wait(event.ms);
      else if (event.kind === 'read') await readInbox(event.jobId);
      else if (event.kind === 'death') die(event.jobId);
      else if (event.kind === 'no spawn') refuseNext();
      else await show(event, await dispatch(withLastSeen(event)));
    } catch (error) {
      if (!(error instanceof BadEvent || error instanceof ConversationError)) throw error;
      const reason = error instanceof BadEvent ? `is ${error.message}` : `was refused: ${error.code}, ${error.message}`;
      count('skipped');
      printNote(`skipped: line ${number} ${reason}`, { line: number, styled: 'red' });
    }
  }

  /** A job that ends says how far it has read. */
  function withLastSeen(event: DispatcherEvent): DispatcherEvent {
    if (event.kind !== 'job' || (event.type !== 'Done' && event.type !== 'Error')) return event;
    const job = running.get(event.jobId);
    return job ? { ...event, lastSeen: job.lastSeen } : event;
  }

  async function readInbox(jobId: string): Promise<void> {
    const job = running.get(jobId) ?? { lastSeen: '0' };
    for await (const { id, fields } of store.inbox({ jobId }, { after: job.lastSeen })) {
      job.lastSeen = id;
      printRow({ line: number, from: jobId, event: `reads: ${fields['text']}`, outcome: count('inbox') });
    }
  }

  function die(jobId: string): void {
    running.delete(jobId);
    printNote(`${jobId} dies without a word`, { line: number });
  }

  function refuseNext(): void {
    canStart = false;
    printNote('the next job cannot be started', { line: number });
  }

  async function wait(ms: number): Promise<void> {
    printNote(`${seconds(ms)} pass …`, { line: number });
    // Where it is cut short, the loop ends too.
    await sleep(ms, undefined, { signal }).catch(() => {});
    for await (const { job, outcome } of sweep(store, async (jobId) => running.has(jobId))) {
      const stored = await look(job);
      printRow({ from: channel(job), event: `sweep: ${job.jobId} is silent`, outcome: count(outcome), stored });
    }
  }

  async function show(event: DispatcherEvent, { outcome, state }: Dispatched): Promise<void> {
    canStart = true;
    const ref = channelOf(event) ?? state;
    const row = { line: number, ...describe(event), outcome: count(outcome) };
    printRow(ref ? { ...row, stored: await look(ref) } : row);
  }

  async function look({ platform, channelId }: ChannelReference): Promise<Stored | null> {
    const ref = { platform, channelId };
    const key = conversationKey(prefix, platform, channelId);
    const [state, leftMs] = await Promise.all([store.get(ref), client.pttl(key)]);
    return state && { ...state, leftMs };
  }

  function count(outcome: string): string {
    tally.set(outcome, (tally.get(outcome) ?? 0) + 1);
    return outcome;
  }
}

function channelOf(event: DispatcherEvent): ChannelReference | undefined {
  if (event.kind === 'noise') return undefined;
  return event.kind === 'job' ? event.channel : event;
}
