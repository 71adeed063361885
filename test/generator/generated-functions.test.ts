import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  convClaim,
  convDue,
  convGet,
  convGetByJob,
  convSet,
  convSetPending,
  convUpdate,
  convVersion,
  type FunctionClient,
} from '../../src/conversation.gen.ts';
import { CHANNEL, JOB, json, SOURCE, WATCH } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';

// cluster/one-node-cluster.test.ts declares every key, store/store-wire.test.ts and store/unexpected-replies.test.ts have
// the replies, and deploy/library.test.ts compares names, flags and source with what a server lists.

const test = suite('generated functions');
const server = withRedis(test);
const keys = { conversation: CHANNEL, job: JOB };
const state = json({ claimId: 'c1', deliveryId: 'd1' });

/** Hands calls on to a server and keeps what was sent. */
async function spied() {
  const redis = await server.connect();
  await redis.flushall();
  await redis.function('LOAD', 'REPLACE', SOURCE);
  const sent: unknown[][] = [];
  const spy = (command: keyof FunctionClient): FunctionClient['fcall'] => {
    return (...call) => {
      sent.push([command, ...call]);
      return redis[command](...call);
    };
  };
  const client = { fcall: spy('fcall'), fcall_ro: spy('fcall_ro') };
  return { client, sent };
}

test('keys are sent in the order of their class, without those that are left out', async () => {
  const { client, sent } = await spied();
  await convGet(client, { job: JOB });
  await convGet(client, { job: JOB, conversation: CHANNEL });
  await convGetByJob(client, { watch: WATCH, job: JOB, conversation: undefined });
  await convVersion(client);
  assert.equal(sent, [
    ['fcall_ro', 'conv_get', 1, JOB],
    ['fcall_ro', 'conv_get', 2, CHANNEL, JOB],
    ['fcall', 'conv_get_by_job', 2, JOB, WATCH],
    ['fcall_ro', 'conv_version', 0],
  ]);
});

test('arguments left out at the end are not sent, those before another one are sent empty', async () => {
  const { client, sent } = await spied();
  const rest = ['type', 'stop'];
  await convSet(client, keys, { state });
  await convSet(client, keys, { state, ttlMs: 5_000 });
  await convSetPending(client, keys, { questionId: 'q1', ttlMs: undefined, withinMs: 5_000 });
  await convClaim(client, keys, { state, rest: [] });
  await convClaim(client, keys, { state: json({ claimId: 'c2', deliveryId: 'd3' }), rest });
  await convDue(client, { watch: WATCH }, { leaseMs: 1, limit: undefined });
  assert.equal(
    sent.map((call) => call.slice(1)),
    [
      ['conv_set', 2, CHANNEL, JOB, state],
      ['conv_set', 2, CHANNEL, JOB, state, '5000'],
      ['conv_set_pending', 2, CHANNEL, JOB, 'q1', '', '5000'],
      ['conv_claim', 2, CHANNEL, JOB, state],
      ['conv_claim', 2, CHANNEL, JOB, json({ claimId: 'c2', deliveryId: 'd3' }), '', ...rest],
      ['conv_due', 1, WATCH, '1'],
    ],
  );
});

test.run();

/** The compiler reads this, and nobody calls it. */
export const refused = (client: FunctionClient) => [
  // @ts-expect-error No keys are taken.
  convVersion(client, keys),
  // @ts-expect-error The job is missing.
  convClaim(client, { conversation: CHANNEL }, { state }),
  // @ts-expect-error The state is missing.
  convSet(client, keys, {}),
  // @ts-expect-error There is no argument of this name.
  convSet(client, keys, { state, ttl: 1 }),
  // @ts-expect-error This outcome is another function's.
  convUpdate(client, keys, { patch: '{}' }).then(({ outcome }) => outcome === 'claimed'),
  // @ts-expect-error The state may be null.
  convUpdate(client, keys, { patch: '{}' }).then(({ state }) => state.length),
];
