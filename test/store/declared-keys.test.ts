import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  convAnswer,
  convClaim,
  convDue,
  convGet,
  convGetByJob,
  convRemove,
  convSet,
  convSetPending,
  convUpdate,
} from '../../src/conversation.gen.ts';
import { CHANNEL, HANDLED, INBOX, JOB, json, SOURCE, WATCH } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';

const test = suite('the generated client with every key declared');
const server = withRedis(test);

const conversation = CHANNEL;
const job = JOB;
const further = { inbox: INBOX, handled: HANDLED, watch: WATCH };
const STREAM = 'job:j1:in';

test('with every key and every argument it does what it does with the fewest', async () => {
  const redis = await server.connect();
  await redis.function('LOAD', 'REPLACE', SOURCE);
  const state = json({ deliveryId: 'd1' });
  const rest = ['type', 'stop'];
  const times = { ttlMs: 60_000, silentMs: 1_000 };
  for (const full of [true, false]) {
    await redis.flushall();
    const pair = { conversation, job };
    const some = <T extends object>(more: T) => (full ? more : {});
    const claimed = await convClaim(redis, { ...pair, ...some(further) }, { state, ...some({ ...times, rest }) });
    assert.equal(claimed, { outcome: 'claimed', state });
    const again = json({ claimId: 'c2', deliveryId: 'd2' });
    const next = await convClaim(redis, { ...pair, ...some(further) }, { state: again, rest });
    assert.is(next.outcome, 'queued');
    assert.is(await convSet(redis, { ...pair, ...some({ watch: WATCH }) }, { state, ...some(times) }), state);
    for (const ref of [{ conversation }, { job }, pair]) assert.is(await convGet(redis, ref), state);
    for (const ref of [{ job }, pair]) {
      assert.is(await convGetByJob(redis, { ...ref, ...some({ watch: WATCH }) }, some(times)), state);
      assert.is(await convGetByJob(redis, { ...ref }, some({ silentMs: 1_000 })), state);
      assert.is(await convGetByJob(redis, { ...ref }), state);
    }
    for (const ref of [{ conversation }, { job }, pair]) {
      const asked = await convSetPending(redis, ref, { questionId: 'q1', ...some({ ttlMs: 60_000 }) });
      assert.is(JSON.parse(asked ?? '').pendingQuestionId, 'q1');
      const update = await convUpdate(redis, { ...ref, ...some({ handled: HANDLED }) }, { patch: '{}' });
      assert.is(update.outcome, 'updated');
    }
    const keys = { ...pair, stream: STREAM };
    const args = { patch: '{}', rest, ...some({ ttlMs: 60_000, deliveryId: 'd3' }) };
    assert.is((await convUpdate(redis, { ...keys, ...some({ handled: HANDLED }) }, args)).outcome, 'updated');
    assert.is((await convUpdate(redis, { job }, { patch: '{}', deliveryId: 'd4' })).outcome, 'updated');
    const answer = { questionId: 'q1', answerId: 'a1', rest, ...some({ ttlMs: 60_000 }) };
    assert.is((await convAnswer(redis, keys, answer)).outcome, 'accepted');
    assert.is((await convAnswer(redis, { conversation }, { questionId: 'q1', answerId: 'a2' })).outcome, 'answered');
    assert.is((await convAnswer(redis, { job }, { questionId: 'q9', answerId: 'a2', ttlMs: 1 })).outcome, 'stale');
    assert.equal(await convDue(redis, { watch: WATCH }, { leaseMs: 1, ...some({ limit: 1 }) }), []);
    assert.is((await convRemove(redis, { ...pair, ...some(further) }, { lastSeen: '0' })).outcome, 'waiting');
    const removed = await convRemove(
      redis,
      { job, ...some(further) },
      some({ lastSeen: '999999999999999', retry: '1' as const }),
    );
    assert.is(removed.outcome, 'removed');
    assert.is((await convRemove(redis, { conversation }, some({ retry: '1' as const }))).outcome, 'gone');
  }
});

test.run();
