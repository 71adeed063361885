import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { closeLines, type FaultyProxy, type Line, openLine } from '../faults/proxy.ts';
import { effort } from '../support/effort.ts';
import { STATE, sourceUnderTest } from '../support/library.ts';
import { type Below, pick, random } from '../support/random.ts';
import { type Cast, calls, SOON } from './arbitrary.ts';
import { documentOf, shown, textOf } from './document.ts';
import { type Happened, isLinearizable } from './linearizable.ts';
import { type Call, EMPTY, step, type World } from './model.ts';
import { asStore, byFcall, byStore, FOR_EVER, type Performer, withEntry } from './perform.ts';

const LINES = 8;
const JOBS = ['j1', 'j2', 'j3'];
const CHANNELS = ['C1', 'C2'];
const answerIds = ['a1', 'a2', 'd1', 'd2'];
const CAST = { platform: 'slack', channelIds: CHANNELS, jobIds: JOBS, questionIds: ['q1', 'q2'], answerIds };
const channel = 'slack:C1';
const STREAM = 'heard';

/** Where calls are made, and by what chance. */
interface Network {
  direct: Redis;
  lines: Line[];
  any: Call[];
  below: Below;
  isBad: boolean;
}

/**
 * Lets 8 connections make calls on one conversation at once, so many times, and gives the figures. Over bad networks
 * replies are lost and commands are late: then clients send again, and the server may execute a call more than once.
 */
export async function histories(url: string, seed: number, count: number, isBadNetwork = false): Promise<string> {
  const protocols = [...Array(LINES).keys()].map((line) => (line % 2 === 0 ? 2 : 3));
  const lines = await Promise.all(protocols.map((protocol) => openLine(url, { protocol, retryStrategy: () => 1 })));
  const direct = new Redis(url);
  const network = { direct, lines, any: anyCalls(CAST, seed, 2_000), below: random(seed), isBad: isBadNetwork };
  const figures: Record<string, number> = { calls: 0, published: 0, 'executed again': 0 };
  const add = (name: string, more = 1) => {
    figures[name] = (figures[name] ?? 0) + more;
  };
  try {
    await direct.flushall();
    await direct.function('LOAD', 'REPLACE', sourceUnderTest());
    for (let index = 0; index < count; index++) {
      const { before, calls, heard } = await happen(network, `h${index}:`);
      add('calls', calls.length);
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
    // What many histories meet for certain.
    const all = ['hand_over claimed', 'remove lapsed', 'answer accepted', 'due', 'published'];
    const wanted = isBadNetwork ? [...all, 'executed again'] : all;
    const missed = wanted.filter((name) => effort(0, 1) > 0 && !figures[name]);
    if (missed.length > 0) throw new Error(`seed ${seed}: no ${missed.join(', ')}`);
    return `seed ${seed}: ${count} histories, ${JSON.stringify(figures)}`;
  } finally {
    direct.disconnect();
    await closeLines(lines);
  }
}

/** Has calls made at once: gives what there was before, the calls, and what the stream has heard in the end. */
async function happen({ direct, lines, any, below, isBad }: Network, prefix: string) {
  const before = await prepared(byFcall(direct, prefix), below);
  const performers = await Promise.all(
    lines.map(({ client }, line) => (line % 4 < 2 ? byFcall(client, prefix) : byStore(client, prefix))),
  );
  const made: Happened[] = [];
  let clock = 0;
  const make = async (line: number, given: Call): Promise<void> => {
    const [{ proxy }, perform] = [lines[line] as Line, performers[line] as Performer];
    const call = await withEntry(direct, prefix, given);
    const command = `fcall conv_${call.name}`;
    const from = clock++;
    proxy.exchanges.length = 0;
    // A read changes nothing, and a store sends it by another name.
    if (isBad && call.name !== 'get') misfortune(proxy, command, below);
    const found = await perform(call);
    made.push({ call, found, from, to: clock++ });
    await proxy.settled();
    const executions = proxy.exchanges.filter(({ name }) => name === command);
    for (const _ of executions.slice(1)) made.push({ call, found: undefined, from, to: clock });
    clock++;
  };
  const scripts: Call[][] = lines.map(() => []);
  const count = 2 + below(LINES - 1);
  for (let n = 0; n < count; n++) {
    const call = pick(any, below);
    // One stream, and in it a text for each call; an answer publishes its id.
    const published = call.stream === undefined ? {} : { stream: STREAM, text: `${n}` };
    scripts[below(LINES)]?.push({ ...call, ...published });
  }
  if (before.conversations.size === 0 && before.watch.size > 0) {
    // A job has lapsed: several find out, and several follow it.
    for (let n = 0; n < 2; n++) scripts[below(LINES)]?.push({ name: 'remove', channel, job: 'j1' });
    const next = { job: 'j1', successor: 'j3', state: message('d3') };
    scripts[below(LINES)]?.push({ name: 'hand_over', channel, ...next });
  } else if ([...before.watch.values()].some((from) => from < FOR_EVER)) {
    // The time of a question is over: several sweeps ask what is due, and several answer.
    for (const answerId of ['a1', 'a2']) {
      scripts[below(LINES)]?.push({ name: 'due', leaseMs: FOR_EVER });
      scripts[below(LINES)]?.push({ name: 'answer', channel, job: 'j1', questionId: 'q1', answerId, stream: STREAM });
    }
  }
  const run = async (calls: Call[], line: number) => {
    for (const call of calls) await make(line, call);
  };
  await Promise.all(scripts.map(run));
  // What is there in the end, by every key.
  for (const channelId of CHANNELS) await make(0, { name: 'get', channel: `slack:${channelId}` });
  for (const job of JOBS) await make(0, { name: 'get', job });
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
  const own = below(2) > 0 ? { deliveryId: pick(answerIds, below) } : {};
  const state = documentOf({ ...STATE, ...own, silentAfterMs: FOR_EVER, starting: below(2) > 0 });
  await make({ name: 'set', channel, job: 'j1', state });
  if (below(2) > 0) await make({ name: 'claim', channel, job: 'j3', state: message('k1'), queue: 'k1' });
  if (below(4) > 0)
    await make({ name: 'set_pending', channel, questionId: 'q1', ...(below(3) > 0 && { withinMs: SOON }) });
  if (isLapsing) await make({ name: 'set', channel, job: 'j1', state, ttlMs: SOON });
  await sleep(SOON + 4);
  return isLapsing ? { ...world, conversations: new Map() } : world;
}

/** What happens to a command on its way; one time out of five nothing. Of no reply a third of the bytes is enough. */
function misfortune(proxy: FaultyProxy, command: string, below: Below): void {
  const kind = below(5);
  if (kind === 1) proxy.arm(command, { kind: 'cut request', share: below(10) / 10 });
  if (kind === 2) proxy.arm(command, { kind: 'cut reply', share: below(4) / 10 }, 1 + below(2));
  if (kind === 3) proxy.arm(command, { kind: 'late' });
  if (kind === 4) proxy.arm(command, { kind: 'slow', ms: below(20) });
}

/** Calls as the model's runs have them, but that nothing ends soon, and that whoever makes them makes alike. */
export function anyCalls(cast: Cast, chance: number, count: number): Call[] {
  return fc.sample(calls(cast), { seed: chance, numRuns: count }).map((call) => {
    const { ttlMs: _, ...made } = asStore(call);
    if ('withinMs' in made) return { ...made, withinMs: FOR_EVER } as Call;
    if ('leaseMs' in made) return { ...made, leaseMs: FOR_EVER } as Call;
    if (!('state' in made)) return made as Call;
    const { answerBy, ...state } = JSON.parse(textOf(made.state));
    return { ...made, state: documentOf({ ...state, silentAfterMs: FOR_EVER }) };
  });
}

/** The state of j3, which nobody has claimed yet. */
function message(deliveryId: string) {
  return documentOf({ ...STATE, jobId: 'j3', claimId: `c ${deliveryId}`, deliveryId, silentAfterMs: FOR_EVER });
}

export function describe({ call, found, from, to }: Happened): string {
  return `${from}–${to} ${shown(call)} → ${JSON.stringify(found)}`;
}
