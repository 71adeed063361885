// What people would install in place of this package. It is no dependency of the project: the benchmark installs it into a folder of
// its own. Each is used as its documentation recommends; `what` says how.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type BenchState, callsOf, type Design, decide, TTL_MS } from './designs.ts';

const VERSIONS = { chat: '4.41.0', '@chat-adapter/state-ioredis': '4.41.0', bullmq: '6.7.0', ioredis: '5.11.1' };
const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'conversation-state-bench');
const INDEX = ['chat', '@chat-adapter/state-ioredis', 'bullmq'].map((name) => `export * from '${name}';\n`).join('');
const LOCK_MS = 30_000;

// The little of each package that is used here.
type Message = { threadId: string; text: string };
type Handler = (thread: object, message: Message, context?: { skipped: Message[] }) => Promise<void>;
type Close = { close(): Promise<void> };
interface Packages {
  createIoRedisState(options: object): {
    connect(): Promise<void>;
    disconnect(): Promise<void>;
    acquireLock(thread: string, ttlMs: number): Promise<object | null>;
    releaseLock(lock: object): Promise<void>;
    get(key: string): Promise<unknown>;
    set(key: string, value: unknown, ttlMs: number): Promise<void>;
    delete(key: string): Promise<void>;
  };
  Message: new (data: object) => Message;
  Chat: new (
    options: object,
  ) => {
    initialize(): Promise<void>;
    onNewMessage(pattern: RegExp, handler: Handler): void;
    handleIncomingMessage(adapter: object, threadId: string, message: Message): Promise<void>;
  };
  Queue: new (
    name: string,
    options: object,
  ) => Close & {
    add(name: string, data: object, options: object): Promise<{ id: string }>;
    getDeduplicationJobId(id: string): Promise<string | null>;
  };
  Worker: new (name: string, work: (job: { data: Message }) => Promise<void>, options: object) => Close;
}

async function load(): Promise<Packages> {
  const folder = join(CACHE, Object.values(VERSIONS).join('_'));
  const index = join(folder, 'index.mjs');
  if (!existsSync(index)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: VERSIONS }));
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder, stdio: 'inherit' });
    writeFileSync(index, INDEX);
  }
  return import(index);
}

export const chatDesign: Design = {
  name: 'Chat SDK',
  what: `@chat-adapter/state-ioredis ${VERSIONS['@chat-adapter/state-ioredis']}: the state is written under the lock of its state adapter, which is asked for again after 1 ms; messages go through \`chat\` itself with \`concurrency: 'queue'\``,
  prefix: 'chat-sdk:cache:',
  async open(url) {
    const { Chat, Message, createIoRedisState } = await load();
    const state = createIoRedisState({ url });
    await state.connect();
    const stateOf = async (key: string) => (await state.get(key)) as BenchState | null;
    const calls = callsOf(async (operation, entry) => {
      const { conversation, job } = entry;
      if (operation === 'lookup') {
        const found = (await state.get(job)) === null ? null : await stateOf(conversation);
        return decide(operation, entry, found, true).told;
      }
      let lock = await state.acquireLock(conversation, LOCK_MS);
      for (; !lock; lock = await state.acquireLock(conversation, LOCK_MS)) await setTimeout(1);
      try {
        const { told, writes } = decide(operation, entry, await stateOf(conversation), true);
        for (const [command, ...keys] of writes) {
          const [key = '', value = ''] = keys.map(String);
          if (command === 'set') await state.set(key, key === conversation ? JSON.parse(value) : value, TTL_MS);
          else for (const gone of keys) await state.delete(String(gone));
        }
        return told;
      } finally {
        await state.releaseLock(lock);
      }
    });
    const readers = new Map<string, (message: string) => void>();
    const adapter = { name: 'bench', channelIdFromThreadId: (id: string) => id, initialize: async () => {} };
    const bot = new Chat({ userName: 'bot', adapters: { adapter }, state, concurrency: 'queue', logger: 'silent' });
    bot.onNewMessage(/(?:)/, async (_, message, context) => {
      for (const { threadId, text } of [...(context?.skipped ?? []), message]) readers.get(threadId)?.(text);
    });
    await bot.initialize();
    const author = { userId: 'U1', userName: 'ann', fullName: 'Ann', isBot: false, isMe: false };
    const about = { formatted: { type: 'root', children: [] }, raw: {}, author, attachments: [] };
    return {
      ...calls,
      async receive({ conversation: threadId }, text, read) {
        readers.set(threadId, read);
        const metadata = { dateSent: new Date(), edited: false };
        const message = new Message({ id: text, threadId, text, metadata, ...about });
        await bot.handleIncomingMessage(adapter, threadId, message);
      },
      close: () => state.disconnect(),
    };
  },
};

export const bullDesign: Design = {
  name: 'BullMQ',
  what: `bullmq ${VERSIONS.bullmq}: a job is added with its channel as the deduplication id, and messages with \`keepLastIfActive\`; it has no state to set, answer or look up`,
  async open(url) {
    const { Queue, Worker } = await load();
    const options = { connection: { url } };
    const [jobs, messages] = [new Queue('jobs', options), new Queue('messages', options)];
    const readers = new Map<string, (message: string) => void>();
    const work = async ({ data }: { data: Message }) => readers.get(data.threadId)?.(data.text);
    const worker = new Worker('messages', work, { ...options, concurrency: 64 });
    return {
      async claim({ conversation, state }) {
        const deduplication = { id: conversation };
        return (await jobs.add('job', state, { jobId: state.jobId, deduplication })).id === state.jobId;
      },
      async receive({ conversation: threadId }, text, read) {
        readers.set(threadId, read);
        const deduplication = { id: threadId, keepLastIfActive: true };
        await messages.add('message', { threadId, text }, { deduplication, removeOnComplete: true });
        // The key is there for as long as a worker has something left to do for the channel.
        while (await messages.getDeduplicationJobId(threadId)) await setTimeout(1);
      },
      close: () => Promise.all([worker, jobs, messages].map((one) => one.close())),
    };
  },
};
