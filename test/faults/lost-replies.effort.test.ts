import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore, LIBRARY_SOURCE } from '../../src/index.ts';
import { effort } from '../support/effort.ts';
import { type DumpedKey, dump, withRedis } from '../support/redis.ts';
import { CALLS, LIMIT_MS, SHORT_MS, STATE, type StoreCall, storeFor, withoutFresh } from './calls.ts';
import { closeLines, type Exchange, type Fault, type Line, openLine, openLines } from './proxy.ts';

const test = suite('lost replies');
const redis = withRedis(test);
let line: Line;

test.before(async () => {
  line = await openLine(await redis.url());
});
test.after(() => closeLines([line]));

/** A call and what happens to one of its commands. */
interface Case {
  call: StoreCall;
  command: string;
  fault: Fault;
  times: number;
  prefix: string;
}

/** How many bytes lie between two points at which a command or a reply is cut off; 1 is every byte. */
const STEP = effort(256, 1);
const LINES = 96;
const BATCH = 960;
const TTL_MS = 7_200_000;
const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
/** How long what a call writes may live. */
const LIVES_MS = [SHORT_MS, TTL_MS, LIMIT_MS + TTL_MS].concat(DAY_MS);

for (const protocol of [2, 3] as const) {
  test(`every call survives lost replies, cut, slow and late commands over RESP${protocol}`, async () => {
    console.log(await sweep(await redis.url(), protocol));
  });
}

test('the library gets loaded, whichever step of it is cut off', async () => {
  const { client, proxy } = line;
  const cut = [0, 3].map((bytes): Fault => ({ kind: 'cut reply', bytes }));
  const faults: Fault[] = [{ kind: 'cut request', bytes: 20 }, ...cut, { kind: 'late' }];
  for (const command of ['fcall_ro conv_version', 'function list', 'function load']) {
    for (const fault of faults) {
      await client.function('FLUSH');
      proxy.arm(command, fault);
      await new ConversationStore(client).ready();
      await proxy.settled();
      const [, , , , , , , source] = ((await client.function('LIST', 'WITHCODE')) as unknown[]).flat();
      assert.is(source, LIBRARY_SOURCE);
    }
  }
});

test('calls that were under way together on one connection are all answered when it breaks', async () => {
  const { client, proxy } = line;
  const direct = await redis.connect();
  await direct.flushall();
  const store = new ConversationStore(client);
  await store.ready();
  const states = Array.from({ length: 50 }, (_, index) => ({ ...STATE, jobId: `j${index}`, channelId: `C${index}` }));
  proxy.arm('fcall conv_claim', { kind: 'slow', ms: 20 }, 10);
  proxy.arm('fcall conv_claim', { kind: 'cut reply', bytes: 10 });
  const claims = await Promise.all(states.map((state) => store.claim(state)));
  await proxy.settled();
  assert.equal(
    claims,
    states.map((state) => ({ outcome: 'claimed', state })),
  );
  // Two keys each, and the watch.
  assert.is(Object.keys(await dump(direct)).length, 101);
});

/**
 * Has every call of the store meet every fault, with a client of default options that sends again what was not
 * answered, and compares reply and data with those of one undisturbed execution. Gives the figures.
 */
async function sweep(url: string, protocol: 2 | 3): Promise<string> {
  const direct = new Redis(url);
  const lines = await openLines(url, LINES, { protocol });
  try {
    await new ConversationStore(direct).ready();
    const [first] = lines;
    assert.ok(first);
    const cases: Case[] = [];
    for (const call of CALLS) {
      const exchanges = await measure(call, direct, first);
      cases.push(...exchanges.flatMap((exchange) => casesOf(call, exchange)));
    }
    for (const [index, one] of cases.entries()) one.prefix = prefixOf(index);
    for (let from = 0; from < cases.length; from += BATCH) await run(cases.slice(from, from + BATCH), direct, lines);
    return `RESP${protocol}: ${cases.length} cases of ${CALLS.length} calls`;
  } finally {
    direct.disconnect();
    await closeLines(lines);
  }
}

/** As long for every case, so that commands and replies are as long as they were when they were measured. */
function prefixOf(index: number): string {
  return `{${String(index).padStart(6, '0')}}:`;
}

/** The commands that a call sends when nothing goes wrong. */
async function measure(call: StoreCall, direct: Redis, { client, proxy }: Line): Promise<Exchange[]> {
  const prefix = prefixOf(0);
  await call.before(storeFor(direct, prefix));
  const store = storeFor(client, prefix);
  if (call.name !== 'ready') await store.ready();
  proxy.exchanges.length = 0;
  const reply = await call.call(store);
  // A call that does not meet what its name says would be tested for nothing.
  if (call.told !== undefined) assert.is((reply as { outcome?: string }).outcome, call.told, call.name);
  await direct.flushall();
  return [...proxy.exchanges];
}

function casesOf(call: StoreCall, { name: command, requestBytes, replyBytes }: Exchange): Case[] {
  const points = (bytes: number) => [...Array(bytes).keys()].filter((at) => at % STEP === 0 || at === bytes - 1);
  const one = (fault: Fault, times = 1): Case => ({ call, command, fault, times, prefix: '' });
  return [
    ...points(requestBytes).map((bytes) => one({ kind: 'cut request', bytes })),
    ...points(replyBytes + 1).map((bytes) => one({ kind: 'cut reply', bytes })),
    one({ kind: 'cut reply', bytes: 0 }, 3),
    one({ kind: 'late' }),
    one({ kind: 'slow', ms: 20 }),
  ];
}

type Keys = Record<string, DumpedKey>;

async function run(cases: Case[], direct: Redis, lines: Line[]): Promise<void> {
  await direct.flushall();
  // The undisturbed executions, one for each call of the batch, beside those with faults.
  const single = new Map([...new Set(cases.map(({ call }) => call))].map((call, index) => [call, `single${index}:`]));
  const prefixes: [StoreCall, string][] = [
    ...single,
    ...cases.map((one): [StoreCall, string] => [one.call, one.prefix]),
  ];
  await Promise.all(prefixes.map(([call, prefix]) => call.before(storeFor(direct, prefix))));
  const before = await byPrefix(direct);
  const begin = Date.now();
  const replies = new Map<StoreCall, unknown>();
  for (const [call, prefix] of single) replies.set(call, await call.call(storeFor(direct, prefix)));
  const got = new Map<Case, Suffered>();
  const open = [...cases];
  await Promise.all(
    lines.map(async (line) => {
      for (let one = open.pop(); one; one = open.pop()) got.set(one, await suffer(one, line));
    }),
  );
  const after = await byPrefix(direct);
  const window: [number, number] = [begin, Date.now()];
  const outcome = (prefix: string) => comparable(prefix, before[prefix] ?? {}, after[prefix] ?? {}, window);
  for (const one of cases) {
    const name = `${one.call.name}, ${one.command}: ${JSON.stringify(one.fault)} ${one.times} times`;
    const { again = (reply) => reply } = one.call;
    const [first, { reply, repeated }] = [replies.get(one.call), got.get(one) as Suffered];
    assert.equal(
      withoutFresh(reply),
      withoutFresh(repeated ? again(first, one.command) : first),
      `${name}: another reply`,
    );
    assert.equal(outcome(one.prefix), outcome(single.get(one.call) ?? ''), `${name}: other data`);
  }
}

interface Suffered {
  reply: unknown;
  /** Whether the reply is that of a later execution than the first. */
  repeated: boolean;
}

async function suffer({ call, command, fault, times, prefix }: Case, { client, proxy }: Line): Promise<Suffered> {
  const store = storeFor(client, prefix);
  if (call.name !== 'ready') await store.ready();
  proxy.exchanges.length = 0;
  proxy.arm(command, fault, times);
  const reply = await call.call(store);
  await proxy.settled();
  const executions = proxy.exchanges.filter(({ name }) => name === command).length;
  return { reply, repeated: executions > 1 && fault.kind === 'cut reply' };
}

async function byPrefix(client: Redis): Promise<Record<string, Keys>> {
  const sorted: Record<string, Keys> = {};
  for (const [key, found] of Object.entries(await dump(client))) {
    const [, prefix = '', rest = ''] = /^(single\d+:|\{\d+\}:)(.*)$/s.exec(key) ?? [];
    sorted[prefix] ??= {};
    sorted[prefix][rest] = found;
  }
  return sorted;
}

/** What is there after a call, without what differs from one execution to the next. */
function comparable(prefix: string, before: Keys, after: Keys, [from, to]: [number, number]): unknown {
  const pair = Object.entries(after).filter(([key]) => /^(conversation|job-index):/.test(key));
  const deadlines = new Set(pair.map(([, { deadline }]) => deadline));
  assert.ok(deadlines.size <= 1, `${prefix}: deadlines of one conversation differ`);
  return Object.entries(after).map(([key, { type, value, deadline }]) => {
    const kept = deadline === before[key]?.deadline && 'kept';
    const behind = deadlines.has(deadline - WEEK_MS) && 'a week behind the conversation';
    const left = type === 'zset' ? membersOf(value) : value;
    const life = LIVES_MS.find((life) => deadline >= from + life && deadline <= to + life);
    return { key, type, value: withoutChance(prefix, left), deadline: kept || behind || (life ?? deadline) };
  });
}

/** Without the prefix, the times in a stream and the answerIds that the store makes up. */
function withoutChance(prefix: string, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((entry) => withoutChance(prefix, Array.isArray(entry) ? entry[1] : entry));
  const text = String(withoutFresh(value));
  return text.replaceAll(prefix, '');
}

/** A sorted set without its scores, which are times. */
function membersOf(value: unknown): string[] {
  return (value as string[][]).flat().filter((item) => !/^[\d.]+$/.test(item));
}

test.run();
