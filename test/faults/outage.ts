import { Redis } from 'ioredis';
import * as assert from 'uvu/assert';
import type { ConversationError, ConversationStoreOptions } from '../../src/index.ts';
import { type ClientOptions, type DumpedKey, dump } from '../support/redis.ts';
import { CALLS, type StoreCall, storeFor } from './calls.ts';

/** How a call ended. */
export interface Ending {
  call: StoreCall;
  reply?: unknown;
  error?: Error;
}

/** No client here is told to wait for longer than half a second, and no call takes more than four commands. */
const LIMIT_MS = 4_000;

const prefixOf = (call: StoreCall) => `${CALLS.indexOf(call)}:`;

/** Brings about what every call needs, each in a prefix of its own, in the client's database. Gives all that is there then. */
export async function prepare(direct: Redis): Promise<Record<string, DumpedKey>> {
  await direct.flushdb();
  for (const call of CALLS) await call.before(storeFor(direct, prefixOf(call)));
  return dump(direct);
}

/** A client that hears of lost connections without a word. */
export function quietClient(url: string, options: ClientOptions = {}): Redis {
  const client = new Redis(url, options);
  client.on('error', () => {});
  return client;
}

/** Makes every call at once by one client. Fails where one goes on for longer than the client was told to wait. */
export async function makeCalls(
  client: Redis,
  { limitMs = LIMIT_MS, ...options }: ConversationStoreOptions & { limitMs?: number } = {},
): Promise<Ending[]> {
  const begin = Date.now();
  const endings = await Promise.all(CALLS.map((call) => endingOf(call, client, options)));
  const took = Date.now() - begin;
  assert.ok(took < limitMs, `calls went on for ${took} ms`);
  return endings;
}

async function endingOf(call: StoreCall, client: Redis, options: ConversationStoreOptions): Promise<Ending> {
  try {
    return { call, reply: await call.call(storeFor(client, prefixOf(call), options)) };
  } catch (error) {
    assert.instance(error, Error);
    return { call, error: error as Error };
  }
}

/**
 * Every call has ended with the reply that it has to have, or with an error of this kind that holds no state. Gives how
 * many were refused.
 */
export function judge(endings: Ending[], right: Ending[], wanted: RegExp): number {
  let refused = 0;
  for (const { call, reply, error } of endings) {
    if (!error) {
      assert.equal(withoutFresh(reply), withoutFresh(right.find((one) => one.call === call)?.reply), call.name);
      continue;
    }
    refused++;
    assert.match(`${(error as Partial<ConversationError>).code ?? error.name}: ${error.message}`, wanted, call.name);
    assert.not.match(JSON.stringify(Object.values(error)), /größer/, `${call.name}: the error holds the state`);
    assert.not.match(JSON.stringify(Object.values((error.cause as object) ?? {})), /größer/, call.name);
  }
  return refused;
}

/** What the calls that failed found is still there, to the byte and the millisecond. */
export function assertUnchanged(
  endings: Ending[],
  before: Record<string, DumpedKey>,
  after: Record<string, DumpedKey>,
) {
  for (const { call, error } of endings) {
    if (error && !call.hasSteps)
      assert.equal(under(prefixOf(call), after), under(prefixOf(call), before), `${call.name}: data changed`);
  }
}

function under(prefix: string, keys: Record<string, DumpedKey>): [string, DumpedKey][] {
  return Object.entries(keys).filter(([key]) => key.startsWith(prefix));
}

/** Without the ids that the store makes up, and without times. */
export function withoutFresh(value: unknown): unknown {
  if (value === undefined) return value;
  const json = JSON.stringify(value).replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'fresh');
  return JSON.parse(json.replace(/(\\?"(?:answerBy|dueAt)\\?":)\d+/g, '$10'));
}
