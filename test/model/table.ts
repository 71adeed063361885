import { isDeepStrictEqual } from 'node:util';
import { textOf } from './document.ts';
import { type Call, EMPTY, type Step, step, type World } from './model.ts';
import { agrees, conversationKey, type Found, jobKey } from './perform.ts';

/** A span of time within which something happened or ends, in milliseconds since 1970. */
export interface Span {
  from: number;
  to: number;
}

/** One key as it was found: a stream's value is the entries as XRANGE gives them, a sorted set's its members. */
export type SeenKey = [key: string, type: string, value: unknown, deadline: number];

/** Keys that stand and end together. */
interface Bundle {
  values: ReadonlyMap<string, unknown>;
  deadline: Span;
}

const DEFAULT_TTL = 7_200_000;
const DAY = 86_400_000;
const NEVER: Span = { from: -1, to: -1 };

/** What must be on the server after each call: the model's world with its deadlines, and what the streams heard. */
export class Table {
  readonly #prefix: string;
  #world: World = EMPTY;
  #ends = new Map<string, Span>();
  #streams = new Map<string, Bundle>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /**
   * Goes on to the world behind a call that ran within `during`, by what was on the server at `now`. Throws where
   * nothing that can have expired meanwhile explains both the reply and the keys.
   */
  judge(call: Call, found: Found, during: Span, now: number, keys: SeenKey[]): void {
    const problems: string[] = [];
    for (const world of this.#possible(during)) {
      const problem = this.#proceed(world, call, found, during, now, keys);
      if (problem === null) return;
      problems.push(problem);
    }
    throw new Error(`${call.name} ${JSON.stringify(call)}: ${problems[0]}`);
  }

  /** The worlds that a call may have met: what ends while it runs may have been there or not. */
  #possible({ from, to }: Span): World[] {
    let worlds: World['conversations'][] = [new Map()];
    for (const [channel, conversation] of this.#world.conversations) {
      const end = this.#end(channel);
      const there = worlds.map((world) => new Map([...world, [channel, conversation]]));
      worlds = end.from > to ? there : end.to < from ? worlds : [...there, ...worlds];
    }
    return worlds.map((conversations) => ({ ...this.#world, conversations }));
  }

  #proceed(met: World, call: Call, found: Found, during: Span, now: number, keys: SeenKey[]): string | null {
    const did = step(met, call);
    const { reply, world } = did;
    if (!agrees(found, reply)) {
      return `the reply is ${JSON.stringify(found)}, not ${JSON.stringify([reply[0], reply[1] && textOf(reply[1])])}`;
    }
    const seen = new Map(keys.map((key) => [key[0], key]));
    const [ends, streams] = this.#expected(did, met, call, during, seen);
    const left = new Map(world.conversations);
    for (const [channel, { job, state }] of world.conversations) {
      const key = conversationKey(this.#prefix, channel);
      const values = new Map([[key, textOf(state)]]).set(jobKey(this.#prefix, job), key);
      const result = check({ values, deadline: ends.get(channel) ?? NEVER }, seen, now);
      if (typeof result === 'string') return result;
      if (result) ends.set(channel, result);
      else left.delete(channel);
    }
    for (const [name, bundle] of streams) {
      const result = check(bundle, seen, now);
      if (typeof result === 'string') return result;
      if (result) streams.set(name, { ...bundle, deadline: result });
      else streams.delete(name);
    }
    if (seen.size > 0) return `nothing else may be there, but ${[...seen.keys()].join(', ')} is`;
    [this.#world, this.#ends, this.#streams] = [{ ...world, conversations: left }, ends, streams];
    return null;
  }

  /** When the conversations end after a call, and what else there must be. */
  #expected(
    { world, renewed, keeps, published }: Step,
    met: World,
    call: Call,
    during: Span,
    seen: Map<string, SeenKey>,
  ): [Map<string, Span>, Map<string, Bundle>] {
    const [ends, streams] = [new Map(this.#ends), new Map(this.#streams)];
    const ttl = call.ttlMs ?? DEFAULT_TTL;
    const end = { from: during.from + ttl, to: during.to + ttl };
    const deadline = renewed !== undefined && keeps ? later(this.#end(renewed), end) : end;
    if (renewed !== undefined) ends.set(renewed, deadline);
    if ('stream' in call && call.stream !== undefined && published) {
      const text = call.name === 'answer' ? call.answerId : call.text;
      streams.set(
        this.#prefix + call.stream,
        this.#published(this.#prefix + call.stream, text, during, deadline, seen),
      );
    }
    const inADay = { from: during.from + DAY, to: during.to + DAY };
    const put = (key: string, value: unknown, changed: boolean, deadline = inADay) =>
      streams.set(key, {
        values: new Map([[key, value]]),
        deadline: changed ? deadline : (streams.get(key)?.deadline ?? deadline),
      });
    for (const [channel, texts] of world.inboxes) {
      const key = `${this.#prefix}conversation-inbox:${channel}`;
      put(key, texts, met.inboxes.get(channel) !== texts);
    }
    for (const [channel] of met.inboxes) {
      if (!world.inboxes.has(channel)) streams.delete(`${this.#prefix}conversation-inbox:${channel}`);
    }
    for (const [channel, deliveries] of world.handled) {
      const members = [...deliveries].flatMap(([delivery, claims]) => [
        delivery,
        ...claims.map((claim) => `${delivery}\n${claim}`),
      ]);
      const key = `${this.#prefix}conversation-handled:${channel}`;
      put(key, members.sort(), met.handled.get(channel) !== deliveries);
    }
    const watch = `${this.#prefix}conversation-watch`;
    const entries = [...world.watch.keys()].map((entry) => entry.replace('\n', `\n${this.#prefix}conversation:`));
    if (entries.length > 0) put(watch, entries.sort(), true, NEVER);
    else streams.delete(watch);
    return [ends, streams];
  }

  #end(channel: string): Span {
    return this.#ends.get(channel) ?? { from: 0, to: 0 };
  }

  /** A stream with one entry more. One that ends while the call runs has begun anew, or not. */
  #published(key: string, text: string, { from, to }: Span, end: Span, seen: Map<string, SeenKey>): Bundle {
    const before = this.#streams.get(key);
    const entries = ((before && [...before.values.values()][0]) ?? []) as string[];
    const mayBeNew = !before || before.deadline.from <= to;
    const isNew = !before || before.deadline.to < from || (mayBeNew && (seen.get(key)?.[2] as unknown[])?.length === 1);
    const values = new Map([[key, isNew ? [text] : [...entries, text]]]);
    return { values, deadline: isNew ? end : later(before.deadline, end) };
  }
}

function later(a: Span, b: Span): Span {
  return { from: Math.max(a.from, b.from), to: Math.max(a.to, b.to) };
}

/** When a bundle ends, taking it out of what was seen; undefined where it has ended; or what is wrong with it. */
function check({ values, deadline }: Bundle, seen: Map<string, SeenKey>, now: number): Span | undefined | string {
  const found = [...values.keys()].map((key) => seen.get(key)).find((key) => key !== undefined);
  if (!found && deadline !== NEVER && deadline.from <= now) return undefined;
  const end = found?.[3] ?? 0;
  for (const [key, wanted] of values) {
    const [, type, value, keyEnd] = seen.get(key) ?? [];
    if (type === undefined) return `${key} is missing`;
    const held = heldIn(type, value);
    if (!isDeepStrictEqual(held, wanted)) return `${key} holds ${JSON.stringify(held)}, not ${JSON.stringify(wanted)}`;
    if (keyEnd !== end) return `${key} ends at ${keyEnd}, its other half at ${end}`;
    seen.delete(key);
  }
  if (end < deadline.from || end > deadline.to) return `the end is ${end}, not from ${deadline.from} to ${deadline.to}`;
  return { from: end, to: end };
}

function heldIn(type: string, value: unknown): unknown {
  if (type === 'stream') return (value as [id: string, fields: string[]][]).map(([, fields]) => fields[1]);
  return type === 'zset' ? (value as string[]).toSorted() : value;
}
