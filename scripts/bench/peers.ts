import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Redis } from 'ioredis';
import type { ConversationState } from '../../src/index.ts';
import { type Contender, connect, expect } from './contender.ts';
import {
  type Conversation,
  conversations,
  OPERATIONS,
  type Operation,
  prepareKeys,
  prepareWith,
  QUESTION,
  stateBefore,
  TTL_MS,
} from './conversations.ts';
import { plainCalls } from './plain.ts';

/** Where `npm run bench:peers` puts them; not in the repository and not among its dependencies. */
export const PEERS_FOLDER = join(import.meta.dirname, '..', '..', '.cache', 'bench-peers');
/** Fixed, so that two machines measure the same. */
export const PEERS = { '@chat-adapter/state-ioredis': '4.41.0', redlock: '4.2.0', bullmq: '6.7.0' };
/** The one file that the packages are reached through, from where they are installed. */
export const PEERS_ENTRY = `export { createIoRedisState } from '@chat-adapter/state-ioredis';
export { default as Redlock } from 'redlock';
export { Queue } from 'bullmq';
`;

/** What is used of the packages, in the words of their own types. */
interface Peers {
  createIoRedisState(options: { client: Redis; logger?: object }): ChatState;
  Redlock: new (clients: Redis[], options: { retryCount: number }) => { lock(key: string, ttl: number): Promise<Lock> };
  Queue: new (name: string, options: { connection: Redis }) => Queue;
}
interface ChatState {
  connect(): Promise<void>;
  get<T>(key: string): Promise<T | null>;
  set(key: string, value: unknown, ttlMs: number): Promise<void>;
  setIfNotExists(key: string, value: unknown, ttlMs: number): Promise<boolean>;
  delete(key: string): Promise<void>;
  acquireLock(id: string, ttlMs: number): Promise<object | null>;
  releaseLock(lock: object): Promise<void>;
}
interface Lock {
  unlock(): PromiseLike<void>;
}
interface Queue {
  add(name: string, data: object, options: { jobId: string; deduplication: { id: string } }): Promise<Job>;
  getJob(id: string): Promise<Job | undefined>;
  close(): Promise<void>;
}
interface Job {
  id?: string;
  data: ConversationState;
  updateData(data: object): Promise<void>;
  remove(): Promise<void>;
}

const LOCK_MS = 10_000;

/** The peers that are installed, or none. */
export async function peerContenders(): Promise<{ contenders: Contender[]; versions: string[] }> {
  const entry = join(PEERS_FOLDER, 'index.mjs');
  if (!existsSync(entry)) return { contenders: [], versions: [] };
  const peers = (await import(pathToFileURL(entry).href)) as Peers;
  return {
    contenders: [chat(peers, false), chat(peers, true), redlock(peers), bullmq(peers)],
    versions: Object.keys(PEERS).map((name) => `${name} ${versionOf(name)}`),
  };
}

function versionOf(name: string): string {
  return JSON.parse(readFileSync(join(PEERS_FOLDER, 'node_modules', name, 'package.json'), 'utf8')).version;
}

/** The plain design over the Chat SDK's state adapter, which has keys and values and locks, but no conversations. */
function chat({ createIoRedisState }: Peers, locked: boolean): Contender {
  const name = locked ? 'chat state + lock' : 'chat state';
  return {
    name,
    what: `the plain design over @chat-adapter/state-ioredis, ${locked ? 'under its lock' : 'without a lock'}`,
    async open(url) {
      const client = await connect(url);
      const silent = { debug() {}, info() {}, warn() {}, error() {} };
      const state = createIoRedisState({ client, logger: silent });
      await state.connect();
      const key = (text: string) => `chat-sdk:cache:${text}`;
      const under = locking(locked, async (id) => {
        const lock = await state.acquireLock(id, LOCK_MS);
        if (lock === null) throw new Error(`${name}: the lock was taken`);
        return () => state.releaseLock(lock);
      });
      const update = async (
        operation: Operation,
        { conversation }: Conversation,
        change: Partial<ConversationState>,
      ) => {
        const found = await state.get<ConversationState>(conversation);
        expect(found !== null, name, operation);
        await state.set(conversation, { ...found, ...change }, TTL_MS);
      };
      return {
        prepare: (operation, all) =>
          prepareWith(client, operation, all, (entry, value) => [
            [key(entry.conversation), JSON.stringify(value)],
            [key(entry.job), JSON.stringify(entry.conversation)],
          ]),
        calls: {
          claim: under(async (entry) => {
            expect(await state.setIfNotExists(entry.conversation, entry.state, TTL_MS), name, 'claim');
            await state.set(entry.job, entry.conversation, TTL_MS);
          }),
          set: under(async (entry) => {
            await state.set(entry.conversation, entry.state, TTL_MS);
            await state.set(entry.job, entry.conversation, TTL_MS);
          }),
          async lookup(entry) {
            const found = await state.get<ConversationState>((await state.get<string>(entry.job)) ?? '');
            expect(found?.jobId === entry.state.jobId, name, 'lookup');
          },
          pending: under((entry) => update('pending', entry, { pendingQuestionId: QUESTION })),
          answer: under((entry) => update('answer', entry, { pendingQuestionId: null })),
          remove: under(async (entry) => {
            expect((await state.get(entry.conversation)) !== null, name, 'remove');
            await state.delete(entry.conversation);
            await state.delete(entry.job);
          }),
        },
        close: async () => client.disconnect(),
      };
    },
  };
}

function redlock({ Redlock }: Peers): Contender {
  const name = 'plain + redlock';
  return {
    name,
    what: 'the plain design, every change under a lock of redlock on the same server',
    async open(url) {
      const client = await connect(url);
      const locks = new Redlock([client], { retryCount: 0 });
      const under = locking(true, async (id) => {
        const lock = await locks.lock(`lock:${id}`, LOCK_MS);
        return () => lock.unlock();
      });
      const { lookup, ...changes } = plainCalls(client, name);
      const locked = Object.entries(changes).map(([operation, call]) => [operation, under((entry) => call(entry, 0))]);
      return {
        prepare: (operation, all) => prepareKeys(client, operation, all),
        calls: { lookup, ...Object.fromEntries(locked) },
        close: async () => client.disconnect(),
      };
    },
  };
}

/** A job of BullMQ holds the state; its deduplication keeps a second one out of the channel. */
function bullmq({ Queue }: Peers): Contender {
  const name = 'bullmq';
  return {
    name,
    what: 'a job with jobId and deduplication (add, getJob, updateData, remove), and nothing that expires',
    async open(url) {
      const client = await connect(url, { maxRetriesPerRequest: null });
      const queue = new Queue('conversations', { connection: client });
      const add = ({ conversation, state }: Conversation, data: object) =>
        queue.add('conversation', data, {
          jobId: state.jobId,
          deduplication: { id: conversation.replaceAll(':', '-') },
        });
      const job = async (operation: Operation, { state }: Conversation): Promise<Job> => {
        const found = await queue.getJob(state.jobId);
        if (found?.data.jobId === state.jobId) return found;
        throw new Error(`${name}: ${operation} found no job`);
      };
      const update = async (operation: Operation, entry: Conversation, change: Partial<ConversationState>) => {
        const found = await job(operation, entry);
        await found.updateData({ ...found.data, ...change });
      };
      return {
        async prepare(operation, all) {
          await client.flushdb();
          if (operation === 'claim') return;
          await Promise.all(all.map((entry) => add(entry, stateBefore(operation, entry) ?? entry.state)));
        },
        calls: {
          claim: async (entry) => expect((await add(entry, entry.state)).id === entry.state.jobId, name, 'claim'),
          lookup: async (entry) => {
            await job('lookup', entry);
          },
          pending: (entry) => update('pending', entry, { pendingQuestionId: QUESTION }),
          answer: (entry) => update('answer', entry, { pendingQuestionId: null }),
          remove: async (entry) => (await job('remove', entry)).remove(),
        },
        close: async () => {
          await queue.close();
          client.disconnect();
        },
      };
    },
  };
}

type Call = (entry: Conversation) => Promise<void>;

/** Wraps a call in a lock on its channel. */
function locking(locked: boolean, acquire: (id: string) => Promise<() => PromiseLike<void>>): (call: Call) => Call {
  if (!locked) return (call) => call;
  return (call) => async (entry) => {
    const release = await acquire(entry.conversation);
    try {
      await call(entry);
    } finally {
      await release();
    }
  };
}

/** Calls every operation of every peer once, so that what was installed is known to work with this ioredis. */
export async function tryPeers(url: string): Promise<string[]> {
  const { contenders, versions } = await peerContenders();
  const [entry] = conversations(1);
  for (const contender of contenders) {
    const session = await contender.open(url, 1);
    for (const operation of OPERATIONS) {
      if (!entry) continue;
      await session.prepare(operation, [entry]);
      await session.calls[operation]?.(entry, 0);
    }
    await session.close();
  }
  return versions;
}
