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
  const pair = { conversation, job };
  for (const full of [true, false]) {
    await redis.flushall();
    const some = <T extends object>(more: T) => (full ? more : {});
    const time = some({ ttlMs: 60_000 });
    const keys = { ...pair, ...some(further) };
    assert.equal(await convClaim(redis, keys, { state, ...time, ...some({ rest }) }), { outcome: 'claimed', state });
    const again = json({ claimId: 'c2', deliveryId: 'd2' });
    assert.is((await convClaim(redis, keys, { state: again, rest, ...time })).outcome, 'queued');
    for (const ref of [{ conversation }, { job }, pair]) assert.is(await convGet(redis, ref), state);
    for (const ref of [{ job }, pair]) {
      assert.is(await convGetByJob(redis, { ...ref, ...some(further) }, time), state);
      assert.is(
        await convGetByJob(redis, { ...ref, ...some(further) }, { ...time, ...some({ lastSeen: '1-0' }) }),
        state,
      );
    }
    for (const ref of [{ conversation }, { job }, pair]) {
      const all = { ...ref, ...some(further) };
      const asked = await convSetPending(redis, all, { questionId: 'q1', ...time, ...some({ withinMs: 5 }) });
      assert.is(JSON.parse(asked ?? '').pendingQuestionId, 'q1');
      assert.is((await convUpdate(redis, all, { patch: '{}' })).outcome, 'updated');
    }
    const streamed = { ...keys, stream: STREAM };
    const update = { patch: '{}', deliveryId: 'd3', rest };
    assert.is((await convUpdate(redis, streamed, update)).outcome, 'updated');
    const answer = { questionId: 'q1', answerId: 'a1', rest, ...time };
    assert.is((await convAnswer(redis, streamed, answer)).outcome, 'accepted');
    assert.is((await convAnswer(redis, { conversation }, { questionId: 'q1', answerId: 'a2' })).outcome, 'answered');
    assert.is((await convAnswer(redis, { job }, { questionId: 'q9', answerId: 'a2', ...time })).outcome, 'stale');
    const successor = json({ jobId: 'j2', claimId: 'c3' });
    const over = await convHandOver(
      redis,
      { ...keys, successor: 'job-index:j2', ...some({ stream: STREAM }) },
      { state: successor, ...time, ...some({ rest }) },
    );
    assert.equal(over, { outcome: 'claimed', state: successor });
    assert.is(await convSet(redis, keys, { state, ...time }), successor);
    assert.equal(await convDue(redis, { watch: WATCH }, { leaseMs: 1, ...some({ limit: 1 }) }), []);
    assert.is((await convRemove(redis, keys)).outcome, 'waiting');
    assert.is((await convRemove(redis, keys, { how: 'all' })).outcome, 'removed');
    assert.is(
      (await convRemove(redis, { conversation, ...some(further) }, some({ how: 'retry' as const }))).outcome,
      'gone',
    );
  }
});

test.run();
