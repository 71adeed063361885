import { Redis, type RedisOptions } from 'ioredis';
import type { Conversation, Operation } from './conversations.ts';

/** One way to keep conversations, as a program would. */
export interface Contender {
  name: string;
  /** What it is, for a reader of the tables. */
  what: string;
  open(url: string, callers: number): Promise<Session>;
}

/** A contender connected to a server. */
export interface Session {
  /** Empties the database and puts every conversation where the operation starts from. */
  prepare(operation: Operation, all: readonly Conversation[]): Promise<void>;
  /** One call each; an operation that the contender has nothing for is left out. Throws where the outcome is wrong. */
  calls: Partial<Record<Operation, (entry: Conversation, caller: number) => Promise<void>>>;
  close(): Promise<void>;
}

/** What the benchmark sets of a connection. */
export type ConnectOptions = Pick<RedisOptions, 'enableAutoPipelining'> & { maxRetriesPerRequest?: null };

export async function connect(url: string, options: ConnectOptions = {}): Promise<Redis> {
  const client = new Redis(url, { ...options, lazyConnect: true });
  await client.connect();
  return client;
}

/** A benchmark of calls that did something else than they were meant to would be worth nothing. */
export function expect(holds: boolean, contender: string, operation: Operation): void {
  if (!holds) throw new Error(`${contender}: ${operation} had another outcome than it was prepared for`);
}
