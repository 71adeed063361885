import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ChannelReference, ConversationError, ConversationStore } from '../../src/index.ts';
import { conversationKey } from '../../src/keys/keys.ts';
import { createDispatcher, type Dispatched } from './dispatcher.ts';
import { type DispatcherEvent, readEvent } from './events.ts';
import { BadEvent } from './members.ts';
import type { Server } from './server.ts';
import { channel, describe, printNote, printRow, printScene, type Stored, seconds } from './timeline.ts';

export const CLAIM_TTL_MS = 2_000;

/** How often each outcome came, in order of their first coming. */
export type Tally = Map<string, number>;

/**
 * Reads events line by line, gives each to a dispatcher and prints what became of it.
 * @param signal ends it before the next line
 */
export async function play(input: Readable, { client, prefix }: Server, signal: AbortSignal): Promise<Tally> {
  const store = new ConversationStore(client, { prefix });
  // Nothing runs here: what a job says stands in the file.
  const jobs = { start: async () => {}, stop: async () => {} };
  const dispatch = createDispatcher(store, jobs, { claimTtlMs: CLAIM_TTL_MS });
  const tally: Tally = new Map();
  const holders = new Map<string, { ref: ChannelReference; jobId: string }>();
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
      else await show(event, await dispatch(event));
    } catch (error) {
      if (!(error instanceof BadEvent || error instanceof ConversationError)) throw error;
      const reason = error instanceof BadEvent ? `is ${error.message}` : `was refused: ${error.code}, ${error.message}`;
      count('skipped');
      printNote(`skipped: line ${number} ${reason}`, { line: number, styled: 'red' });
    }
  }

  async function wait(ms: number): Promise<void> {
    printNote(`${seconds(ms)} pass …`, { line: number });
    // Where it is cut short, the loop ends too.
    await sleep(ms, undefined, { signal }).catch(() => {});
    for (const { ref, jobId } of [...holders.values()]) {
      const stored = await look(ref);
      if (!stored) printRow({ from: channel(ref), event: `no word from ${jobId}`, outcome: count('lapsed'), stored });
    }
  }

  async function show(event: DispatcherEvent, { outcome, state }: Dispatched): Promise<void> {
    const ref = channelOf(event) ?? state;
    const row = { line: number, ...describe(event), outcome: count(outcome) };
    printRow(ref ? { ...row, stored: await look(ref) } : row);
  }

  async function look({ platform, channelId }: ChannelReference): Promise<Stored | null> {
    const ref = { platform, channelId };
    const key = conversationKey(prefix, platform, channelId);
    const [state, leftMs] = await Promise.all([store.get(ref), client.pttl(key)]);
    if (!state) {
      holders.delete(key);
      return null;
    }
    holders.set(key, { ref, jobId: state.jobId });
    return { ...state, leftMs };
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
