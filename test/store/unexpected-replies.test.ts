import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  convAnswer,
  convClaim,
  convDue,
  convGet,
  convGetByJob,
  convHandOver,
  convRemove,
  convSet,
  convSetPending,
  convUpdate,
  convVersion,
} from '../../src/conversation.gen.ts';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, failure, JOB, json, STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { refusal } from './store.ts';

const test = suite('a library of the same name that is another one');
const server = withRedis(test);

const keys = { conversation: CHANNEL, job: JOB };
const CALLS: Record<string, (client: Redis) => Promise<unknown>> = {
  conv_claim: (client) => convClaim(client, keys, { state: json() }),
  conv_hand_over: (client) => convHandOver(client, { ...keys, successor: 'job-index:j2' }, { state: json() }),
  conv_set: (client) => convSet(client, keys, { state: json() }),
  conv_get: (client) => convGet(client, keys),
  conv_get_by_job: (client) => convGetByJob(client, { job: JOB }),
  conv_update: (client) => convUpdate(client, keys, { patch: '{}' }),
  conv_due: (client) => convDue(client, { watch: 'conversation-watch' }, { leaseMs: 1 }),
  conv_set_pending: (client) => convSetPending(client, keys, { questionId: 'q1' }),
  conv_answer: (client) => convAnswer(client, keys, { questionId: 'q1', answerId: 'a1' }),
  conv_remove: (client) => convRemove(client, keys),
  conv_version: (client) => convVersion(client),
};

/** What these functions answer instead, as Lua. None of it is a reply that any of them may give. */
const OTHERS = ['12', "{ ok = 'sesame', }", '{ 7 }', "{ 'sesame', 12 }", "{ 'claimed', 12 }", "{ 'gone', 12 }"];

for (const protocol of [2, 3] as const) {
  test(`its replies are refused and not repeated (RESP${protocol})`, async () => {
    const client = await server.connect({ protocol });
    for (const other of OTHERS) {
      const functions = Object.keys(CALLS).map(
        (name) =>
          `redis.register_function({ function_name = '${name}', flags = { 'no-writes' }, callback = function() return ${other} end })`,
      );
      await client.function('LOAD', 'REPLACE', `#!lua name=conversation\n${functions.join('\n')}`);
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
  const OUTCOMES = {
    claim: ['claimed', 'held', 'queued', 'full', 'starting'],
    hand_over: ['claimed', 'held', 'starting'],
    update: ['updated', 'starting'],
    answer: ['accepted', 'answered', 'stale'],
    remove: ['held'],
  };
  const store = new ConversationStore(client);
  const call = {
    claim: () => store.claim(STATE),
    update: () => store.update(STATE, {}),
    hand_over: () => store.handOver(STATE, { ...STATE, jobId: 'j2' }),
    answer: () => store.answerQuestion(STATE, 'q1'),
    remove: () => store.remove(STATE),
  };
  for (const outcome of Object.values(OUTCOMES).flat()) {
    const functions = Object.keys(OUTCOMES).map(
      (name) => `redis.register_function('conv_${name}', function() return { '${outcome}', false } end)`,
    );
    const version =
      "redis.register_function({ function_name = 'conv_version', flags = { 'no-writes' }, callback = function() return '1.0.0' end })";
    await client.function('LOAD', 'REPLACE', ['#!lua name=conversation', ...functions, version].join('\n'));
    for (const name of Object.keys(OUTCOMES) as (keyof typeof OUTCOMES)[]) {
      if (OUTCOMES[name].includes(outcome)) await refusal(call[name](), 'CONVCORRUPT');
    }
  }
});

test.run();
