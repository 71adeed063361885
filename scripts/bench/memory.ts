import type { Redis } from 'ioredis';
import type { Contender, Session } from './contender.ts';
import { type Conversation, conversations, type Operation } from './conversations.ts';
import type { Progress } from './progress.ts';

/** Bytes of the server's memory for one conversation, both keys, their deadlines and all that Redis adds. */
export interface Memory {
  contender: string;
  /** JSON of the state as it is claimed. */
  json: number;
  claimed: number;
  answered: number;
}

const CALLERS = 32;

/** What a conversation takes, from claim to answer, on a server that holds nothing else. */
export async function measureMemory(
  url: string,
  admin: Redis,
  contenders: readonly Contender[],
  { bytes = 0, total = 20_000 },
  progress: Progress,
): Promise<Memory[]> {
  const all = conversations(total, { bytes });
  const json = Buffer.byteLength(JSON.stringify(all[0]?.state));
  const figures: Memory[] = [];
  for (const contender of contenders) {
    progress.step(`${contender.name}, ${json} bytes of JSON`);
    const session = await contender.open(url, CALLERS);
    // The first time, connections and functions grow to the size that they then keep.
    await life(session, admin, all);
    const { empty, claimed, answered } = await life(session, admin, all);
    await session.close();
    const each = (used: number) => (used - empty) / total;
    figures.push({ contender: contender.name, json, claimed: each(claimed), answered: each(answered) });
  }
  await admin.flushdb();
  return figures;
}

async function life(session: Session, admin: Redis, all: readonly Conversation[]) {
  await session.prepare('claim', all);
  const empty = await usedMemory(admin);
  await callAll(session, 'claim', all);
  const claimed = await usedMemory(admin);
  await callAll(session, 'pending', all);
  await callAll(session, 'answer', all);
  return { empty, claimed, answered: await usedMemory(admin) };
}

async function callAll(session: Session, operation: Operation, all: readonly Conversation[]): Promise<void> {
  const left = all.values();
  const work = async (caller: number) => {
    for (const entry of left) await session.calls[operation]?.(entry, caller);
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, caller) => work(caller)));
}

async function usedMemory(admin: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await admin.info('memory'))?.[1]);
}
