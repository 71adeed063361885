import { setTimeout } from 'node:timers/promises';
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
    const usedAfter = async (work: (session: Session) => Promise<void>) => {
      const session = await contender.open(url, CALLERS);
      await work(session);
      await session.close();
      return usedMemory(admin);
    };
    const life = async () => ({
      empty: await usedAfter((session) => session.prepare('claim', all)),
      claimed: await usedAfter((session) => callAll(session, ['claim'], all)),
      answered: await usedAfter((session) => callAll(session, ['pending', 'answer'], all)),
    });
    // The first time, the server grows to a size that it then keeps.
    await life();
    const { empty, claimed, answered } = await life();
    const each = (used: number) => (used - empty) / total;
    figures.push({ contender: contender.name, json, claimed: each(claimed), answered: each(answered) });
  }
  await admin.flushdb();
  return figures;
}

async function callAll(
  session: Session,
  operations: readonly Operation[],
  all: readonly Conversation[],
): Promise<void> {
  for (const operation of operations) {
    const left = all.values();
    const work = async (caller: number) => {
      for (const entry of left) await session.calls[operation]?.(entry, caller);
    };
    await Promise.all(Array.from({ length: CALLERS }, (_, caller) => work(caller)));
  }
}

/** With nobody else connected, because what connections take comes and goes. */
async function usedMemory(admin: Redis): Promise<number> {
  const info = async (section: string, name: string) =>
    Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await admin.info(section))?.[1]);
  for (let waits = 0; waits < 500 && (await info('clients', 'connected_clients')) > 1; waits++) await setTimeout(10);
  return info('memory', 'used_memory');
}
