import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { closeLines, type FaultyProxy, type Line, openLines } from '../faults/proxy.ts';
import { STATE, sourceUnderTest } from '../support/library.ts';
import { random } from '../support/random.ts';
import { SOON } from './arbitrary.ts';
import { documentOf } from './document.ts';
import { type Happened, isLinearizable } from './linearizable.ts';
import { type Call, EMPTY, step, type World } from './model.ts';
import { byFcall, byStore, FOR_EVER, type Performer, withEntry } from './perform.ts';

const LINES = 8;
const JOBS = ['j1', 'j2', 'j3'];
/** Calls name one job more than the others, so that they meet the job that holds the channel. */
const NAMED = ['j1', 'j1', ...JOBS];
const DELIVERIES = ['d1', 'd2', 'd3'];
const CHANNELS = ['slack:C1', 'slack:C2'];
const [channel = ''] = CHANNELS;
const STREAM = 'heard';

type Below = (limit: number) => number;

/** Calls that were made at once: what there was before, and what the stream has heard in the end. */
interface History {
  before: World;
  calls: Happened[];
  heard: string[];
}

/**
 * Lets 8 connections make calls on one conversation at once, so many times, and gives the figures. Over bad networks
 * replies are lost and commands are late: then clients send again, and the server may execute a call more than once.
 */
export async function histories(url: string, seed: number, count: number, isBadNetwork = false): Promise<string> {
  const lines: (Line | { client: Redis })[] = isBadNetwork
    ? await openLines(url, LINES)
    : [...Array(LINES).keys()].map((line) => ({ client: new Redis(url, { protocol: line % 2 === 0 ? 2 : 3 }) }));
  const direct = new Redis(url);
  const below = random(seed);
  const figures: Record<string, number> = { calls: 0, overlaps: 0, published: 0, 'executed again': 0 };
  const add = (name: string, more = 1) => {
    figures[name] = (figures[name] ?? 0) + more;
  };
  try {
    await direct.flushall();
    await direct.function('LOAD', 'REPLACE', sourceUnderTest());
    for (let index = 0; index < count; index++) {
      const { before, calls, heard } = await happen(direct, lines, `h${index}:`, below);
      add('calls', calls.length);
      add('overlaps', overlaps(calls));
      add('published', heard.length);
      add('executed again', calls.filter(({ found }) => !found).length);
      for (const { call, found } of calls)
        if (found?.[0]) add(call.name === 'due' ? 'due' : `${call.name} ${found[0]}`);
      if (!isLinearizable(calls, before, heard)) {
        throw new Error(
          `SEED=${seed} repeats it: no order explains history ${index}, in which the stream heard ${JSON.stringify(heard)}` +
            ` after ${JSON.stringify([...before.watch])}\n${calls.map(describe).join('\n')}`,
        );
      }
      if (index % 500 === 499) await direct.flushall();
    }
    // What so few histories meet for certain.
    const wanted = isBadNetwork
      ? ['hand_over claimed', 'executed again']
      : ['hand_over claimed', 'remove lapsed', 'answer accepted', 'due', 'published'];
    const missed = wanted.filter((name) => !figures[name]);
    if (missed.length > 0) throw new Error(`seed ${seed}: no ${missed.join(', ')}`);
    return `seed ${seed}: ${count} histories, ${JSON.stringify(figures)}`;
  } finally {
    direct.disconnect();
    for (const { client } of lines) client.disconnect();
    if (isBadNetwork) await closeLines(lines as Line[]);
  }
}

async function happen(
  direct: Redis,
  lines: (Line | { client: Redis })[],
  prefix: string,
  below: Below,
): Promise<History> {
  const first = byFcall(direct, prefix);
  const before = await prepared(first, below);
  const performers = await Promise.all(
    lines.map(({ client }, line) => (line % 4 < 2 ? byFcall(client, prefix) : byStore(client, prefix))),
  );
  const made: Happened[] = [];
  let clock = 0;
  const make = async (perform: Performer, given: Call, proxy?: FaultyProxy): Promise<void> => {
    const call = await withEntry(direct, prefix, given);
    const command = `fcall conv_${call.name}`;
    const from = clock++;
    // A read changes nothing, and a store sends it by another name.
    if (proxy && call.name !== 'get') {
      proxy.exchanges.length = 0;
      misfortune(proxy, command, below);
    }
    const found = await perform(call);
    made.push({ call, found, from, to: clock++ });
    if (!proxy || call.name === 'get') return;
    await proxy.settled();
    const executions = proxy.exchanges.filter(({ name }) => name === command).length;
    for (let more = 1; more < executions; more++) made.push({ call, found: undefined, from, to: clock });
    clock++;
  };
  const scripts: Call[][] = lines.map(() => []);
  const calls = 2 + below(LINES - 1);
  for (let n = 0; n < calls; n++) scripts[below(LINES)]?.push(anyCall(below, n));
  if (before.conversations.size === 0 && before.watch.size > 0) {
    // A job has lapsed: several find out, and several follow it.
    for (let n = 0; n < 2; n++) scripts[below(LINES)]?.push({ name: 'remove', channel, job: 'j1' });
    scripts[below(LINES)]?.push(anyBeginning('hand_over', below));
  } else if ([...before.watch.values()].some((from) => from < FOR_EVER)) {
    // The time of a question is over: several sweeps ask what is due, and several answer.
    for (const answerId of ['a1', 'a2']) {
      scripts[below(LINES)]?.push({ name: 'due', leaseMs: FOR_EVER });
      scripts[below(LINES)]?.push({ name: 'answer', channel, job: 'j1', questionId: 'q1', answerId, stream: STREAM });
    }
  }
  await Promise.all(
    performers.map(async (perform, line) => {
      const at = lines[line];
      for (const call of scripts[line] ?? []) await make(perform, call, at && 'proxy' in at ? at.proxy : undefined);
    }),
  );
  // What is there in the end, by every key.
  for (const channel of CHANNELS) await make(first, { name: 'get', channel });
  for (const job of JOBS) await make(first, { name: 'get', job });
  const entries = await direct.xrange(prefix + STREAM, '-', '+');
  return { before, calls: made, heard: entries.map(([, [, text]]) => String(text)) };
}

/**
 * What the calls meet: nothing; a job, often `starting` or with a question whose time is over; or a job that has lapsed.
 * Often a message waits.
 */
async function prepared(perform: Performer, below: Below): Promise<World> {
  let world = EMPTY;
  const make = async (call: Call) => {
    await perform(call);
    ({ world } = step(world, call, 0));
  };
  const kind = below(4);
  if (kind === 0) return world;
  const isLapsing = kind === 1;
  const own = below(2) > 0 ? { deliveryId: pick(DELIVERIES, below) } : {};
  const state = documentOf({ ...STATE, ...own, silentAfterMs: FOR_EVER, starting: below(2) > 0 });
  await make({ name: 'set', channel, job: 'j1', state });
  if (below(2) > 0) await make({ name: 'claim', channel, job: 'j3', state: message('d4'), queue: 'd4' });
  if (below(4) > 0)
    await make({ name: 'set_pending', channel, questionId: 'q1', ...(below(3) > 0 && { withinMs: SOON }) });
  if (isLapsing) await make({ name: 'set', channel, job: 'j1', state, ttlMs: SOON });
  await sleep(SOON + 4);
  return isLapsing ? { ...world, conversations: new Map() } : world;
}

/** What happens to a command on its way; one time out of five nothing. No command is shorter than 40 bytes, no reply than 3, of which clients need 2. */
function misfortune(proxy: FaultyProxy, command: string, below: Below): void {
  const kind = below(5);
  if (kind === 1) proxy.arm(command, { kind: 'cut request', bytes: below(40) });
  if (kind === 2) proxy.arm(command, { kind: 'cut reply', bytes: below(2) }, 1 + below(2));
  if (kind === 3) proxy.arm(command, { kind: 'late' });
  if (kind === 4) proxy.arm(command, { kind: 'slow', ms: below(20) });
}

function anyCall(below: Below, n: number): Call {
  const kind = below(22);
  if (kind < 4) return anyBeginning('claim', below);
  if (kind < 5) return anyBeginning('set', below);
  if (kind < 8)
    return { ...anyBeginning('hand_over', below), ...(below(2) > 0 && { stream: STREAM, text: `next ${n}` }) };
  const job = pick(NAMED, below);
  const ref = [{ channel }, { job }, { channel, job }][below(3)] ?? { channel };
  const stream = 'job' in ref && below(4) > 0 ? { stream: STREAM } : {};
  if (kind < 9) return { name: 'get', ...ref };
  if (kind < 11) return { name: 'get_by_job', job, ...(below(2) > 0 && { lastSeen: { id: '', text: 'd4' } }) };
  if (kind < 12) return { name: 'due', leaseMs: FOR_EVER };
  if (kind < 14) return { name: 'remove', ...ref, ...pick([{}, { how: 'retry' }, { how: 'all' }] as const, below) };
  if (kind < 16) {
    const delivery = 'stream' in stream || below(2) > 0 ? { deliveryId: pick(DELIVERIES, below) } : {};
    return { name: 'update', ...ref, patch: [['note', below(3)]], text: `note ${n}`, ...delivery, ...stream };
  }
  const questionId = pick(['q1', 'q1', 'q2'], below);
  if (kind < 18) {
    const limit = below(2) > 0 ? { withinMs: FOR_EVER } : {};
    return below(4) > 0
      ? { name: 'set_pending', ...ref, questionId, ...limit }
      : { name: 'set_pending', ...ref, questionId: '' };
  }
  return { name: 'answer', ...ref, questionId, answerId: pick(['a1', 'a2', 'd1', ''], below), ...stream };
}

function anyBeginning(name: 'claim' | 'set' | 'hand_over', below: Below): Call {
  const place = below(5) > 0 ? channel : (CHANNELS[1] ?? '');
  const job = pick(NAMED, below);
  const deliveryId = pick([...DELIVERIES, undefined], below);
  const ids = { jobId: job, claimId: pick(['c1', 'c2', 'c3'], below), ...(deliveryId && { deliveryId }) };
  const life = { silentAfterMs: FOR_EVER, ...(below(2) > 0 && { starting: true }) };
  const state = documentOf({ ...STATE, channelId: place.slice(6), userId: pick(['U1', 'U2'], below), ...ids, ...life });
  if (name === 'hand_over') {
    const successor = job === 'j1' ? 'j2' : job;
    const named = state.map((member) => (member.name === 'jobId' ? { ...member, value: `"${successor}"` } : member));
    return { name, channel: place, job: 'j1', successor, state: named };
  }
  const queue = name === 'claim' && deliveryId && below(2) > 0 ? { queue: deliveryId } : {};
  return { name, channel: place, job, state, ...queue };
}

/** The claim of a message that is to wait. */
function message(deliveryId: string) {
  return documentOf({ ...STATE, jobId: 'j3', claimId: `c ${deliveryId}`, deliveryId, silentAfterMs: FOR_EVER });
}

function pick<T>(items: readonly T[], below: Below): T {
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
  const shown =
    'state' in rest ? { ...rest, state: Object.fromEntries(rest.state.map(({ name, value }) => [name, value])) } : rest;
  return `${from}–${to} ${name} ${JSON.stringify(shown)} → ${JSON.stringify(found)}`;
}
