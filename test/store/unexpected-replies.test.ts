import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as library from '../../src/conversation.gen.ts';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, failure, JOB, json, STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { refusal } from './store.ts';

const test = suite('a library of the same name that is another one');
const server = withRedis(test);

const keys = { conversation: CHANNEL, job: JOB };
const CALLS: Record<string, (client: Redis) => Promise<unknown>> = {
  conv_claim: (client) => library.convClaim(client, keys, { state: json() }),
  conv_hand_over: (client) => library.convHandOver(client, { ...keys, successor: 'job-index:j2' }, { state: json() }),
  conv_set: (client) => library.convSet(client, keys, { state: json() }),
  conv_get: (client) => library.convGet(client, keys),
  conv_get_by_job: (client) => library.convGetByJob(client, { job: JOB }),
  conv_update: (client) => library.convUpdate(client, keys, { patch: '{}' }),
  conv_due: (client) => library.convDue(client, { watch: 'conversation-watch' }, { leaseMs: 1 }),
  conv_set_pending: (client) => library.convSetPending(client, keys, { questionId: 'q1' }),
  conv_answer: (client) => library.convAnswer(client, keys, { questionId: 'q1', answerId: 'a1' }),
  conv_remove: (client) => library.convRemove(client, keys),
  conv_version: (client) => library.convVersion(client),
};

/** What these functions answer instead, as Lua. None of it is a reply that any of them may give. */
const OTHERS = ['12', "{ ok = 'sesame', }", '{ 7 }', "{ 'sesame', 12 }", "{ 'claimed', 12 }", "{ 'gone', 12 }"];

/** Has a server answer these functions so. */
async function load(client: Redis, answers: Record<string, string>): Promise<void> {
  const functions = Object.entries(answers).map(
    ([name, answer]) =>
      `redis.register_function{ function_name = '${name}', flags = { 'no-writes' }, callback = function() return ${answer} end }`,
  );
  await client.function('LOAD', 'REPLACE', ['#!lua name=conversation', ...functions].join('\n'));
}

for (const protocol of [2, 3] as const) {
  test(`its replies are refused and not repeated (RESP${protocol})`, async () => {
    const client = await server.connect({ protocol });
    for (const other of OTHERS) {
      await load(client, Object.fromEntries(Object.keys(CALLS).map((name) => [name, other])));
      for (const [name, call] of Object.entries(CALLS)) {
        // A status is text for whoever reads it, as a state is.
        if (other.includes('ok =') && !/claim|hand_over|answer|remove|update|due/.test(name)) continue;
        const message = await failure(call(client));
        assert.match(message, new RegExp(`^${name} answered something else than .*; is conversation .* loaded`));
        assert.not.match(message, /sesame/);
      }
    }
  });
}

test('an outcome without the state that belongs to it is one error everywhere', async () => {
  const client = await server.connect();
  const store = new ConversationStore(client);
  const calls: Record<string, [call: () => Promise<unknown>, ...outcomes: string[]]> = {
    conv_claim: [() => store.claim(STATE), 'claimed', 'held', 'queued', 'full', 'starting'],
    conv_hand_over: [() => store.handOver(STATE, { ...STATE, jobId: 'j2' }), 'claimed', 'held', 'starting'],
    conv_update: [() => store.update(STATE, {}), 'updated', 'starting'],
    conv_answer: [() => store.answerQuestion(STATE, 'q1'), 'accepted', 'answered', 'stale'],
    conv_remove: [() => store.remove(STATE), 'held'],
  };
  for (const [name, [call, ...outcomes]] of Object.entries(calls)) {
    for (const outcome of outcomes) {
      await load(client, { [name]: `{ '${outcome}', false }`, conv_version: "'1.0.0'" });
      await refusal(call(), 'CONVCORRUPT');
    }
  }
});

test.run();
