import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR_CODES } from '../../src/index.ts';
import { effort } from '../support/effort.ts';
import { sourceUnderTest } from '../support/library.ts';
import { random, seed } from '../support/random.ts';
import { withRedis } from '../support/redis.ts';
import { type BadCall, badCalls, PLANTED, SECRET } from './bad-calls.ts';
import { judge } from './strict.ts';

const test = suite('bad input');
const redis = withRedis(test);
const CALLS = effort(5_000, 120_000);
/** What a batch leaves on the server is looked at when all its calls are made. */
const BATCH = 250;

test('whatever a call holds, it has a reply or an error of the contract, and leaves whole pairs of valid states', async () => {
  const client = await redis.connect();
  await client.function('LOAD', 'REPLACE', sourceUnderTest());
  const next = badCalls(seed, random(seed));
  const figures: Record<string, number> = {};
  for (let made = 0; made < CALLS; made += BATCH) {
    const calls = Array.from({ length: BATCH }, next);
    await plant(client);
    const problem = (await make(client, calls, figures)) ?? (await inconsistency(client));
    assert.is(problem, undefined, `SEED=${seed} repeats it, calls ${made} to ${made + BATCH}`);
  }
  console.log(`seed ${seed}: ${CALLS} calls, ${JSON.stringify(figures)}`);
});

const SNAPSHOT = `local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  found[#found + 1] = { key, kind, kind == 'string' and redis.call('GET', key) or '', tostring(redis.call('PEXPIRETIME', key)) }
end
return found`;

const OUTCOMES: Record<string, string[]> = {
  claim: ['claimed', 'held', 'queued', 'full', 'starting', 'duplicate'],
  hand_over: ['claimed', 'held', 'starting', 'duplicate', 'gone'],
  update: ['updated', 'duplicate', 'starting', 'gone'],
  answer: ['accepted', 'answered', 'duplicate', 'stale', 'gone'],
  remove: ['removed', 'waiting', 'lapsed', 'held', 'gone'],
};
/** Redis's own refusals of a call that no function sees. */
const REFUSED = /^ERR Can not execute a script with write flag using \*_ro command\.$/;

/** An empty database but for what other programs may have left there. */
async function plant(client: Redis): Promise<void> {
  const [channel, other] = [`${PLANTED}conversation:slack:C1`, `${PLANTED}conversation:slack:C2`];
  await client.flushdb();
  await client.set(channel, '{"jobId":"j1"');
  await client.set(`${PLANTED}job-index:j1`, 'elsewhere');
  await client.set(`${PLANTED}job-index:j3`, other, 'PX', 120_000);
  await client.rpush(other, 'x');
  await client.sadd(`${PLANTED}job-index:j2`, 'x');
  await client.set(`${PLANTED}conversation:slack:a:b`, `{"jobId":"j4","channelId":"a:b","platform":"slack","x":1.}`);
  await client.set(`${PLANTED}conversation:teams:C1`, '[]');
  await client.set(`${PLANTED}heard`, 'no stream');
}

async function make(client: Redis, calls: BadCall[], figures: Record<string, number>): Promise<string | undefined> {
  const pipeline = client.pipeline();
  for (const { command, name, keys, args } of calls) {
    const bytes = [...keys, ...args].map((text) => Buffer.from(text, 'latin1'));
    pipeline.callBuffer(command, `conv_${name}`, String(keys.length), ...bytes);
  }
  const replies = (await pipeline.exec()) ?? [];
  for (const [index, call] of calls.entries()) {
    const [error, reply] = replies[index] ?? [new Error('no reply')];
    const problem = error ? wrongError(call, error.message) : wrongReply(call, reply);
    if (problem !== undefined) return `${problem}: ${shown(call)}`;
    const label = error ? (error.message.split(' ')[0] ?? '') : call.valid ? 'states taken' : 'other replies';
    figures[label] = (figures[label] ?? 0) + 1;
  }
  return undefined;
}

function wrongError(call: BadCall, message: string): string | undefined {
  const code = message.split(' ')[0] ?? '';
  if (REFUSED.test(message) && call.command === 'FCALL_RO') return undefined;
  if (![...ERROR_CODES, 'WRONGTYPE'].some((known) => known === code)) return `an error without a code: ${message}`;
  if (/user_function|script:|traceback|attempt to|\[string/.test(message)) return `a thrown error: ${message}`;
  if (message.includes(SECRET) || message.length > 300) return `an error that repeats the state: ${message}`;
  if (call.valid === true && code !== 'CONVJOB') return `a valid state was refused: ${message}`;
  if (code === 'CONVCORRUPT' && call.keys.every((key) => !key.startsWith(PLANTED)))
    return `nothing is damaged: ${message}`;
  return undefined;
}

function wrongReply(call: BadCall, reply: unknown): string | undefined {
  const wrong = `${Array.isArray(reply) ? reply.map(String) : reply} is no reply of conv_${call.name}`;
  if (call.valid === false) return `an invalid state (${judge(call.args[0] ?? '')}) was taken`;
  const outcomes = OUTCOMES[call.name];
  if (call.name === 'version') return String(reply) === '1.0.0' ? undefined : wrong;
  if (call.name === 'due') return Array.isArray(reply) && reply.length % 3 === 0 ? undefined : wrong;
  if (!outcomes) return reply === null || isText(call, reply) ? undefined : wrong;
  if (!Array.isArray(reply) || reply.length !== 2 || !outcomes.includes(String(reply[0]))) return wrong;
  const mayBeNone = ['duplicate', 'lapsed', 'waiting'].includes(String(reply[0])) && !reply[1];
  return (String(reply[0]) === 'gone' ? !reply[1] : mayBeNone || isText(call, reply[1])) ? undefined : wrong;
}

/** What is answered is a state; where something else was planted, any text. */
function isText(call: BadCall, reply: unknown): boolean {
  if (!Buffer.isBuffer(reply)) return false;
  return call.keys.some((key) => key.startsWith(PLANTED)) || typeof judge(reply.toString('latin1')) !== 'string';
}

/** Every conversation is a valid state and has its index, every index its conversation, both end at once. */
async function inconsistency(client: Redis): Promise<string | undefined> {
  const rows = ((await client.callBuffer('EVAL', SNAPSHOT, '0')) as Buffer[][]).map((row) =>
    row.map((part) => part.toString('latin1')),
  );
  const found = new Map(rows.map(([key = '', ...rest]) => [key, rest]));
  for (const [key, [type, value = '', deadline]] of found) {
    if (key.startsWith(PLANTED)) continue;
    // The watch alone stays.
    if (key.endsWith('conversation-watch') && type === 'zset') continue;
    if (deadline === '-1') return `${key} never ends`;
    if (type === 'stream' || type === 'zset') continue;
    const marker = /conversation:|job-index:/.exec(key);
    if (!marker) return `a key that belongs to nothing: ${key}`;
    const prefix = key.slice(0, marker.index);
    const channel = marker[0] === 'conversation:' ? key : value;
    const [, state = '', end] = found.get(channel) ?? [];
    const own = judge(state);
    if (typeof own === 'string') return `${channel} holds no valid state (${own}): ${state.slice(0, 2_000)}`;
    const [, index, indexEnd] = found.get(prefix + own.job) ?? [];
    if (prefix + own.conversation !== channel || index !== channel || end !== indexEnd)
      return `${key} is half of a pair`;
    if (marker[0] === 'job-index:' && prefix + own.job !== key) return `${key} leads to another job's state`;
  }
  return undefined;
}

function shown({ command, name, keys, args }: BadCall): string {
  const short = (text: string) => (text.length > 1_500 ? `${text.slice(0, 1_500)}… (${text.length} bytes)` : text);
  return `${command} conv_${name} ${JSON.stringify({ keys: keys.map(short), args: args.slice(0, 12).map(short) })}`;
}

test.run();
