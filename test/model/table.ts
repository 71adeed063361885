import { isDeepStrictEqual } from 'node:util';
import { textOf } from './document.ts';
import { type Call, step, type World } from './model.ts';
import { agrees, conversationKey, type Found, jobKey } from './perform.ts';

/** A span of time within which something happened or ends, in milliseconds since 1970. */
export interface Span {
  from: number;
  to: number;
}

/** One key as it was found: a stream's value is the entries as XRANGE gives them. */
export type SeenKey = [key: string, type: string, value: unknown, deadline: number];

/** Keys that stand and end together. */
interface Bundle {
  values: ReadonlyMap<string, unknown>;
  deadline: Span;
}

const DEFAULT_TTL = 7_200_000;

/** What must be on the server after each call: the model's world with its deadlines, and what the streams heard. */
export class Table {
  readonly #prefix: string;
  #world: World = new Map();
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
    let worlds: World[] = [new Map()];
    for (const [channel, conversation] of this.#world) {
      const end = this.#end(channel);
      const there = worlds.map((world) => new Map([...world, [channel, conversation]]));
      worlds = end.from > to ? there : end.to < from ? worlds : [...there, ...worlds];
    }
    return worlds;
  }

  #proceed(met: World, call: Call, found: Found, during: Span, now: number, keys: SeenKey[]): string | null {
    const { reply, world, renewed, published } = step(met, call);
    if (!agrees(found, reply)) {
      return `the reply is ${JSON.stringify(found)}, not ${JSON.stringify([reply[0], reply[1] && textOf(reply[1])])}`;
    }
    const ttl = call.ttlMs ?? DEFAULT_TTL;
    const end = { from: during.from + ttl, to: during.to + ttl };
    const seen = new Map(keys.map((key) => [key[0], key]));
    const [left, ends, streams] = [new Map(world), new Map(this.#ends), new Map(this.#streams)];
    if (renewed !== undefined) ends.set(renewed, end);
    if (call.name === 'answer' && call.stream !== undefined && published) {
      streams.set(call.stream, this.#published(call.stream, call.answerId, during, end, seen));
    }
    for (const [channel, { job, state }] of world) {
      const key = conversationKey(this.#prefix, channel);
      const values = new Map([[key, textOf(state)]]).set(jobKey(this.#prefix, job), key);
      const result = check({ values, deadline: ends.get(channel) ?? end }, seen, now);
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
    [this.#world, this.#ends, this.#streams] = [left, ends, streams];
    return null;
  }

  #end(channel: string): Span {
    return this.#ends.get(channel) ?? { from: 0, to: 0 };
  }

  /** A stream with one entry more. One that ends while the call runs has begun anew, or not. */
  #published(name: string, answerId: string, { from, to }: Span, deadline: Span, seen: Map<string, SeenKey>): Bundle {
    const key = this.#prefix + name;
    const before = this.#streams.get(name);
    const entries = ((before && [...before.values.values()][0]) ?? []) as string[];
    const isNew = !before || before.deadline.to < from;
    const mayBeNew = isNew || before.deadline.from <= to;
    const began = mayBeNew && (seen.get(key)?.[2] as unknown[] | undefined)?.length === 1;
    return { values: new Map([[key, isNew || began ? [answerId] : [...entries, answerId]]]), deadline };
  }
}

/** When a bundle ends, taking it out of what was seen; undefined where it has ended; or what is wrong with it. */
function check({ values, deadline }: Bundle, seen: Map<string, SeenKey>, now: number): Span | undefined | string {
  const found = [...values.keys()].map((key) => seen.get(key)).find((key) => key !== undefined);
  if (!found && deadline.from <= now) return undefined;
  const end = found?.[3] ?? 0;
  for (const [key, wanted] of values) {
    const [, type, value, keyEnd] = seen.get(key) ?? [];
    if (type === undefined) return `${key} is missing`;
    const held = type === 'stream' ? (value as [id: string, fields: string[]][]).map(([, fields]) => fields[1]) : value;
    if (!isDeepStrictEqual(held, wanted)) return `${key} holds ${JSON.stringify(held)}, not ${JSON.stringify(wanted)}`;
    if (keyEnd !== end) return `${key} ends at ${keyEnd}, its other half at ${end}`;
    seen.delete(key);
  }
  if (end < deadline.from || end > deadline.to) return `the end is ${end}, not from ${deadline.from} to ${deadline.to}`;
  return { from: end, to: end };
}
