import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { SOURCE, STATE } from '../support/library.ts';
import { random } from '../support/random.ts';
import { documentOf } from './document.ts';
import { type Happened, isLinearizable } from './linearizable.ts';
import { type Call, EMPTY, SOON, type World, watched } from './model.ts';
import { byFcall, byStore, type Performer } from './perform.ts';

const LINES = 8;
const JOBS = ['j1', 'j2', 'j3'];
/** Calls name one job more than the others, so that they meet the job that holds the channel. */
const NAMED = ['j1', 'j1', ...JOBS];
const CHANNELS = ['slack:C1', 'slack:C2'];
const STREAM = 'heard';
/** A job that was watched and lapsed: nobody has settled its end yet. */
const LAPSED: World = { ...EMPTY, watch: new Map([[watched('j1', 'slack:C1'), true]]) };

/** Calls that were made at once: what there was before, and what the stream has heard in the end. */
interface History {
  before: World;
  calls: Happened[];
  heard: string[];
}

/** Lets 8 connections make calls on one conversation at once, so many times, and gives the figures. */
export async function histories(url: string, seed: number, count: number): Promise<string> {
  const clients = [...Array(LINES).keys()].map((line) => new Redis(url, { protocol: line % 2 === 0 ? 2 : 3 }));
  const below = random(seed);
  const figures = { calls: 0, overlaps: 0, heard: 0, lapsed: 0 };
  try {
    await clients[0]?.function('LOAD', 'REPLACE', SOURCE);
    for (let index = 0; index < count; index++) {
      const { before, calls, heard } = await happen(clients, `h${index}:`, below);
      figures.calls += calls.length;
      figures.overlaps += overlaps(calls);
      figures.heard += heard.length;
      figures.lapsed += calls.filter(({ found: [outcome] }) => outcome === 'lapsed').length;
      if (!isLinearizable(calls, before, heard)) {
        throw new Error(
          `SEED=${seed} repeats it: no order explains history ${index}, in which the stream heard ${JSON.stringify(heard)}` +
            `${before === LAPSED ? ' and j1 had lapsed' : ''}\n${calls.map(describe).join('\n')}`,
        );
      }
      if (index % 500 === 499) await clients[0]?.flushall();
    }
    if (figures.lapsed === 0 || figures.heard === 0) throw new Error(`seed ${seed}: ${JSON.stringify(figures)}`);
    return (
      `seed ${seed}: ${count} histories, ${figures.calls} calls, ${figures.overlaps} pairs of them at the same time; ` +
      `lapsed ${figures.lapsed}, published ${figures.heard}`
    );
  } finally {
    for (const client of clients) client.disconnect();
  }
}

async function happen(clients: Redis[], prefix: string, below: (limit: number) => number): Promise<History> {
  const lines = await Promise.all(
    clients.map((client, line) => (line % 4 < 2 ? byFcall(client, prefix) : byStore(client, prefix))),
  );
  const made: Happened[] = [];
  let clock = 0;
  const make = async (perform: Performer, call: Call): Promise<void> => {
    const from = clock++;
    const found = await perform(call);
    made.push({ call, found, from, to: clock++ });
  };
  const [first = byFcall(clients[0] as Redis, prefix)] = lines;
  const before = below(4) === 0 ? LAPSED : EMPTY;
  if (before === LAPSED) {
    const state = documentOf(STATE);
    await first({ name: 'set', channel: 'slack:C1', job: 'j1', state, ttlMs: 1, silentMs: SOON });
    await sleep(SOON + 4);
  }
  // The job that is there first is silent when the others begin.
  if (below(3) > 0) await make(first, { ...anyClaim('claim', below), silentMs: SOON } as Call);
  await sleep(SOON + 4);
  if (below(2) > 0) await make(first, { name: 'set_pending', channel: 'slack:C1', questionId: 'q1' });
  const scripts: Call[][] = lines.map(() => []);
  const calls = 2 + below(LINES - 1);
  for (let n = 0; n < calls; n++) scripts[below(LINES)]?.push(anyCall(below, n));
  for (let n = 0; before === LAPSED && n < 2; n++) {
    scripts[below(LINES)]?.push({ name: 'remove', channel: 'slack:C1', job: 'j1' });
  }
  await Promise.all(
    lines.map(async (perform, line) => {
      for (const call of scripts[line] ?? []) await make(perform, call);
    }),
  );
  // What is there in the end, by every key.
  for (const channel of CHANNELS) await make(first, { name: 'get', channel });
  for (const job of JOBS) await make(first, { name: 'get', job });
  const entries = await clients[0]?.xrange(prefix + STREAM, '-', '+');
  return { before, calls: made, heard: (entries ?? []).map(([, [, text]]) => String(text)) };
}

function anyCall(below: (limit: number) => number, n: number): Call {
  const kind = below(20);
  if (kind < 4) return anyClaim('claim', below);
  if (kind < 5) return anyClaim('set', below);
  const job = pick(NAMED, below);
  const channel = 'slack:C1';
  const ref = [{ channel }, { job }, { channel, job }][below(3)] ?? { channel };
  const stream = 'job' in ref && below(4) > 0 ? { stream: STREAM } : {};
  if (kind < 6) return { name: 'get', ...ref };
  if (kind < 7) return { name: 'get_by_job', job, ...(below(2) > 0 && { silentMs: 999_999_999_999 }) };
  if (kind < 8) return { name: 'due' };
  if (kind < 11) {
    const seen = pick([{}, { lastSeen: 'nothing' }, { lastSeen: 'everything' }] as const, below);
    return { name: 'remove', ...ref, ...seen, retry: below(3) === 0 };
  }
  if (kind < 13) {
    const delivery = below(2) > 0 ? { deliveryId: pick(['d1', 'd2', 'd3'], below) } : {};
    return { name: 'update', ...ref, patch: [['note', below(3)]], text: `note ${n}`, ...delivery, ...stream };
  }
  const questionId = pick(['q1', 'q1', 'q2'], below);
  if (kind < 15) return { name: 'set_pending', ...ref, questionId: below(4) > 0 ? questionId : '' };
  return { name: 'answer', ...ref, questionId, answerId: pick(['a1', 'a2', 'a3', ''], below), ...stream };
}

function anyClaim(name: 'claim' | 'set', below: (limit: number) => number): Call {
  const [channel, job] = [below(5) > 0 ? 'slack:C1' : 'slack:C2', pick(NAMED, below)];
  const deliveryId = pick(['d1', 'd2', 'd3', undefined], below);
  const ids = { claimId: pick(['c1', 'c2', 'c3'], below), ...(deliveryId && { deliveryId }) };
  const state = { ...STATE, jobId: job, channelId: channel.slice(6), userId: pick(['U1', 'U2'], below), ...ids };
  const queue = name === 'claim' && deliveryId && below(2) > 0 ? { queue: deliveryId } : {};
  return { name, channel, job, state: documentOf(state), ...queue } as Call;
}

function pick<T>(items: readonly T[], below: (limit: number) => number): T {
  return items[below(items.length)] as T;
}

function overlaps(history: readonly Happened[]): number {
  return history.reduce(
    (sum, one) => sum + history.filter((other) => other.from > one.from && other.from < one.to).length,
    0,
  );
}

function describe({ call, found, from, to }: Happened): string {
  const { name, ...rest } = call;
  const { state: _, ...shown } = 'state' in rest ? { ...rest } : { ...rest, state: undefined };
  return `${from}–${to} ${name} ${JSON.stringify(shown)} → ${JSON.stringify(found)}`;
}
