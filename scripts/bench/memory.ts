import type { Redis } from 'ioredis';
import { type Design, entryOf } from './conversations.ts';

/** Bytes of the server's memory for both keys of a conversation: as it is claimed, and once it is answered. */
export type Memory = [name: string, claimed: number, answered: number];

export async function measureMemory(url: string, admin: Redis, design: Design): Promise<Memory> {
  await admin.flushall();
  const [session, entry] = [await design.open(url, 1), entryOf(0)];
  const used = async () =>
    Number(await admin.memory('USAGE', entry.conversation)) + Number(await admin.memory('USAGE', entry.job));
  await session.claim(entry, 0);
  const claimed = await used();
  await session.pending(entry, 0);
  await session.answer(entry, 0);
  session.close();
  return [design.name, claimed, await used()];
}
