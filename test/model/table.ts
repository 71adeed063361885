import { isDeepStrictEqual } from 'node:util';
import { shown, textOf } from './document.ts';
import { type Call, EMPTY, type Reply, step, type World } from './model.ts';
import { agrees, conversationKey, type Found, jobKey, watchEntry } from './perform.ts';

/** A span of time within which something happened, in milliseconds since 1970. */
export interface Span {
  from: number;
  to: number;
}

/** One key as it was found: the texts in a stream, the members of a sorted set, with their scores only of the watch. */
export type SeenKey = [key: string, type: string, value: unknown, deadline: number];

/** Everything, or what begins with an argument, at one moment: its time, then each key. */
export const SNAPSHOT = `local now, found = redis.call('TIME'), {}
for _, key in ipairs(redis.call('KEYS', (ARGV[1] or '') .. '*')) do
  local kind, value = redis.call('TYPE', key).ok, nil
  if kind == 'string' then value = redis.call('GET', key)
  elseif kind == 'stream' then
    value = redis.call('XRANGE', key, '-', '+')
    for at, entry in ipairs(value) do value[at] = entry[2][2] end
  elseif key:find('conversation%-watch$') then value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  else value = redis.call('ZRANGE', key, 0, -1) end
  found[#found + 1] = { key, kind, value, redis.call('PEXPIRETIME', key) }
end
return { now[1] * 1000 + math.floor(now[2] / 1000), found }`;

/** How far the clocks of this process, of TIME and of what ends keys may be apart, in milliseconds. */
const SLACK = 2;

type Expected = Map<string, [type: string, value: unknown, deadline: number]>;

/** What must be on the server after each call: the model's world, to the byte and to the millisecond. */
export class Table {
  readonly #prefix: string;
  world: World = EMPTY;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /**
   * Goes on to the world behind a call that was executed once within each of these spans, by what was on the server at
   * `now`. The reply, where somebody got one, is that of the execution with the index `answered`. Throws where no
   * milliseconds of them, and nothing that can have expired by then, explain both the reply and the keys.
   */
  judge(
    call: Call,
    found: Found | undefined,
    executions: readonly Span[],
    now: number,
    keys: SeenKey[],
    answered = executions.length - 1,
  ): void {
    let problem = 'it was never executed';
    for (const { replies, world } of outcomes(this.world, call, executions)) {
      const [outcome, state] = replies[answered] ?? ['nothing', null];
      const isReply = !found || agrees(found, [outcome, state]);
      problem = `the reply is ${JSON.stringify(found)}, not ${JSON.stringify([outcome, state && textOf(state)])}`;
      const difference = isReply ? this.#compare(world, now, keys) : problem;
      if (difference === undefined) return;
      problem = difference;
    }
    throw new Error(`${shown(call)}: ${problem}`);
  }

  /** Whether a call took effect whose reply nobody got: the keys are those of the world behind it, not as it is. */
  tookEffect(call: Call | undefined, during: Span, now: number, keys: SeenKey[]): boolean {
    const problem = this.#compare(this.world, now, keys);
    if (problem === undefined) return false;
    if (!call) throw new Error(problem);
    this.judge(call, undefined, [during], now, keys);
    return true;
  }

  /** Says what is not as the world has it; otherwise goes on with the world, without what has expired. */
  #compare(world: World, now: number, keys: SeenKey[]): string | undefined {
    const seen: Expected = new Map(
      keys.map(([key, type, value, end]) => [
        key,
        [type, type === 'zset' && end > 0 ? (value as string[]).toSorted() : value, end],
      ]),
    );
    const conversations = new Map(world.conversations);
    const inboxes = new Map(world.inboxes);
    for (const [channel, { job, end }] of world.conversations) {
      const isThere = [conversationKey(this.#prefix, channel), jobKey(this.#prefix, job)].some((key) => seen.has(key));
      if (!isThere && end <= now + SLACK) conversations.delete(channel);
    }
    for (const [channel, { values }] of world.inboxes) {
      // A stream may stay when its last entry was read, and then remembers that entry's id.
      const key = `${this.#prefix}conversation-inbox:${channel}`;
      const [, entries, end = 0] = seen.get(key) ?? [];
      const isEmpty = values.length === 0;
      if (isEmpty && end > 0 && isDeepStrictEqual(entries, [])) inboxes.set(channel, { values, end });
      else if (isEmpty) inboxes.delete(channel);
    }
    const left = { ...world, conversations, inboxes };
    const wanted = keysOf(this.#prefix, left);
    for (const key of new Set([...wanted.keys(), ...seen.keys()])) {
      if (isDeepStrictEqual(wanted.get(key), seen.get(key))) continue;
      return `${key} is ${JSON.stringify(seen.get(key))}, not ${JSON.stringify(wanted.get(key))}`;
    }
    this.world = left;
    return undefined;
  }
}

/** What a call may reply each time, and the world behind it, where it is executed once within each of these spans. */
function* outcomes(
  world: World,
  call: Call,
  [span, ...later]: readonly Span[],
): Generator<{ replies: Reply[]; world: World }> {
  if (!span) return yield { replies: [], world };
  for (const met of possible(world, span)) {
    for (let at = span.from - SLACK; at <= span.to; at++) {
      const did = step(met, call, at);
      for (const { replies, world } of outcomes(did.world, call, later)) {
        yield { replies: [did.reply, ...replies], world };
      }
    }
  }
}

/** The worlds that a call may meet: what ends while it runs may be there or not. */
function possible(world: World, { from, to }: Span): World[] {
  let found: World['conversations'][] = [new Map()];
  for (const [channel, conversation] of world.conversations) {
    const there = found.map((conversations) => new Map([...conversations, [channel, conversation]]));
    if (conversation.end > to + SLACK) found = there;
    else if (conversation.end >= from - SLACK) found = [...there, ...found];
  }
  return found.map((conversations) => ({ ...world, conversations }));
}

function keysOf(prefix: string, { conversations, inboxes, handled, watch, streams }: World): Expected {
  const keys: Expected = new Map();
  for (const [channel, { job, state, end }] of conversations) {
    const key = conversationKey(prefix, channel);
    keys.set(key, ['string', textOf(state), end]);
    keys.set(jobKey(prefix, job), ['string', key, end]);
  }
  for (const [channel, { values, end }] of inboxes)
    keys.set(`${prefix}conversation-inbox:${channel}`, ['stream', values, end]);
  for (const [channel, { values, end }] of handled)
    keys.set(`${prefix}conversation-handled:${channel}`, ['zset', values, end]);
  for (const [key, { values, end }] of streams) keys.set(prefix + key, ['stream', values, end]);
  const entries = [...watch].map(([entry, from]): [string, number] => [watchEntry(prefix, entry), from]);
  entries.sort(([a, from], [b, later]) => from - later || Buffer.compare(Buffer.from(a), Buffer.from(b)));
  if (entries.length > 0) keys.set(`${prefix}conversation-watch`, ['zset', entries.flat().map(String), -1]);
  return keys;
}
