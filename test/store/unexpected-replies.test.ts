import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convVersion, FUNCTIONS } from '../../src/conversation.gen.ts';
import { ConversationStore } from '../../src/index.ts';
import { failure, STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { CALLS, HOLDER, refusal, storeFor } from './store.ts';

const test = suite('a library of the same name that is another one');
const server = withRedis(test);

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
    const store = storeFor(client, 'a');
    await load(client, { conv_version: "'1.0.0'" });
    await store.ready();
    // These call no function.
    const { ready, list, inbox, ...calls } = CALLS;
    for (const other of OTHERS) {
      await load(client, Object.fromEntries(FUNCTIONS.map(({ name }) => [name, other])));
      for (const [name, call] of [...Object.entries(calls), ['version', () => convVersion(client)] as const]) {
        // A status is text for whoever reads it, as a state or a version is.
        if (other.includes('ok =') && /^(get|set|clear|version)/.test(name)) continue;
        const message = await failure(call(store, HOLDER));
        assert.match(message, /^conv_\w+ answered something else than .*; is conversation .* loaded/, name);
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
