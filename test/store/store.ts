import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { ConversationError, type ConversationErrorCode, ConversationStore } from '../../src/index.ts';
import { partitionOf } from '../../src/keys.ts';
import { STATE, STREAM } from '../support/library.ts';
import { rejection } from '../support/rejection.ts';

export const BY_CHANNEL = { platform: 'slack', channelId: 'C1' };
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Everything that is iterated. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** A logger that keeps what it hears, as `level: message`. */
export function listener() {
  const heard: string[] = [];
  const hear = (level: string) => (message: string) => heard.push(`${level}: ${message}`);
  return { heard, debug: hear('debug'), info: hear('info'), warn: hear('warn'), error: hear('error') };
}

/** The ConversationError of this code that a promise must end with. */
export async function refusal(call: Promise<unknown>, code: ConversationErrorCode): Promise<ConversationError> {
  const error = await rejection(() => call);
  if (error instanceof ConversationError && error.code === code) return error;
  throw new Error(`a ConversationError ${code} was wanted, it was ${error.name} ${error.message}`);
}

/** The commands that reach the server from outside, in the order it runs them. */
export interface Wire {
  /** The commands that a piece of work sends, each with its name in lower case first. */
  during(work: () => Promise<unknown>): Promise<string[][]>;
  /** Ends the connection that listens. */
  stop(): void;
}

/**
 * Listens by MONITOR on a connection of its own to the server of `marker`, which sends what ends a listening. Commands
 * inside functions have `lua` before them, and are left out if nobody asks for them.
 */
export async function wiretap(marker: Redis, isInside = false): Promise<Wire> {
  const heard = await marker.monitor();
  let commands: string[][] = [];
  let count = 0;
  /** Waits until everything that was sent so far has been heard. */
  const mark = () =>
    new Promise<void>((resolve, reject) => {
      const own = `mark ${++count}`;
      const hear = (_time: string, [, text]: string[]) => {
        if (text !== own) return;
        heard.off('monitor', hear);
        resolve();
      };
      heard.on('monitor', hear);
      marker.echo(own).catch(reject);
    });
  heard.on('monitor', (_time: string, [name = '', ...args]: string[], source: string) => {
    const command = [name.toLowerCase(), ...args];
    if (source !== 'lua') commands.push(command);
    else if (isInside) commands.push(['lua', ...command]);
  });
  return {
    async during(work) {
      await mark();
      commands = [];
      await work();
      await mark();
      return commands.slice(0, -1);
    },
    stop: () => heard.disconnect(),
  };
}

/** Stands in every state and message. */
export const SECRET = 'größer';

/** A job id that a sharded store takes for this channel, too. */
const idIn = (channelId: string, n: number) =>
  `job-${partitionOf('slack', channelId)}-00000000-0000-4000-8000-00000000000${n}`;

export const HOLDER = { ...STATE, jobId: idIn('C1', 1), notes: SECRET };
export const NEXT = { ...HOLDER, jobId: idIn('C1', 2), claimId: 'c2' };
const ELSEWHERE = { ...HOLDER, channelId: 'C2', jobId: idIn('C2', 1) };
const MESSAGE = { queue: { text: SECRET } };
const told = (store: ConversationStore) => ({ stream: store.key(HOLDER, STREAM), fields: { text: SECRET } });

/** Every call of the store. Those that only read come first, then those that need no further memory. */
export const CALLS: Record<string, (store: ConversationStore, ref: typeof HOLDER) => Promise<unknown>> = {
  ready: (store) => store.ready(),
  get: (store, ref) => store.get(ref),
  list: (store) => all(store.list()),
  inbox: async (store, ref) => (await all(store.inbox(ref))).map(({ fields }) => fields),
  'getByJobId without renewal': (store) => store.getByJobId(HOLDER.jobId, { renew: false }),
  remove: (store, ref) => store.remove(ref),
  'remove that discards the inbox': (store, ref) => store.remove(ref, { discardInbox: true }),
  getByJobId: (store) => store.getByJobId(HOLDER.jobId),
  due: async (store) => (await all(store.due())).map(({ dueAt: _, ...job }) => job),
  claim: (store) => store.claim(ELSEWHERE),
  'claim of a message that was queued': (store) => store.claim({ ...NEXT, claimId: 'c3', deliveryId: 'd1' }),
  'claim that queues': (store) => store.claim({ ...NEXT, deliveryId: 'd2' }, MESSAGE),
  handOver: (store, ref) => store.handOver(ref, NEXT, told(store)),
  set: (store) => store.set(NEXT),
  update: (store, ref) => store.update(ref, { userId: 'U2' }),
  'update that publishes': (store, ref) => store.update(ref, {}, told(store)),
  setPendingQuestion: (store, ref) => store.setPendingQuestion(ref, 'q2'),
  clearPendingQuestion: (store, ref) => store.clearPendingQuestion(ref),
  answerQuestion: (store, ref) => store.answerQuestion(ref, 'q1', { answerId: 'a1' }),
  'answerQuestion that publishes': (store, ref) => store.answerQuestion(ref, 'q1', { answerId: 'a1', ...told(store) }),
};
export const NAMES = Object.keys(CALLS);

/** A store whose jobs are soon silent, in a prefix of its own. */
export function storeFor(client: ConstructorParameters<typeof ConversationStore>[0], name: string, sharded = false) {
  return new ConversationStore(client, { prefix: sharded ? `${name}.` : `{${name}}:`, sharded, silentAfterMs: 1 });
}

/** Brings about what every call meets: a job holds the channel, has asked a question, and a message waits for it. */
export async function prepare(...stores: ConversationStore[]): Promise<void> {
  const prepared = stores.map(async (store) => {
    await store.set(HOLDER);
    await store.setPendingQuestion(HOLDER, 'q1');
    await store.claim({ ...NEXT, deliveryId: 'd1' }, MESSAGE);
  });
  await Promise.all(prepared);
  await sleep(5); // so that the jobs have been silent for longer than a millisecond
}
