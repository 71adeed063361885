import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationError, ConversationStore, loadLibrary } from '../../src/index.ts';
import { CHANNEL, INBOX, JOB, json, PAIR, STATE, WATCH } from '../support/library.ts';
import { dump, withRedis } from '../support/redis.ts';

// What goes wrong in a dispatcher around such a state. Each is played from both ends: raw FCALL and the store.

const test = suite('defects of a dispatcher that are impossible');
const server = withRedis(test);

const STREAM = 'job:j1:in';
const CHANNEL_OF_STATE = { platform: 'slack', channelId: 'C1' };
const DELIVERED = { ...STATE, deliveryId: 'd1' };
const SECOND = { ...STATE, jobId: 'j2' };
const SECOND_PAIR = [CHANNEL, 'job-index:j2'];
const THREE_DAYS = 259_200_000;

let redis: Redis;
let store: ConversationStore;
let connections: Redis[];

test.before(async () => {
  redis = await server.connect();
  store = new ConversationStore(redis);
  await store.ready();
  connections = await Promise.all(Array.from({ length: 10 }, () => server.connect()));
});

test.before.each(async () => {
  await redis.flushall();
});

type Arguments = (string | number)[];

function call(name: string, keys: readonly string[], ...args: Arguments): Promise<unknown> {
  return redis.fcall(`conv_${name}`, keys.length, ...keys, ...args);
}

/** A claim of j2 as FCALL, with a claim id and delivery id of its own. */
function rival(claimId: string, deliveryId: string, ...args: string[]): Promise<unknown> {
  return call('claim', SECOND_PAIR, json({ jobId: 'j2', claimId, deliveryId }), '', '', ...args);
}

/** The same call from every connection at once, as FCALL. */
function rawAtOnce(name: string, keys: readonly string[], args: (n: number) => Arguments): Promise<unknown[]> {
  return Promise.all(connections.map((one, n) => one.fcall(`conv_${name}`, keys.length, ...keys, ...args(n))));
}

/** The same many calls, spread over connections of their own, all at once. */
function atOnce<T>(calls: number, make: (store: ConversationStore, n: number) => Promise<T>): Promise<T[]> {
  const stores = connections.map((connection) => new ConversationStore(connection, { silentAfterMs: 1 }));
  return Promise.all(Array.from({ length: calls }, (_, n) => make(stores[n % stores.length] ?? store, n)));
}

function outcomeIn(reply: unknown): unknown {
  return Array.isArray(reply) ? reply[0] : (reply as { outcome: string }).outcome;
}

async function outcomeOf(reply: Promise<unknown>): Promise<unknown> {
  return outcomeIn(await reply);
}

/** How often each outcome was told. */
function counted(replies: unknown[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of replies.map((reply) => String(outcomeIn(reply))).sort()) {
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

async function deadlines(): Promise<number[]> {
  return [await redis.pexpiretime(CHANNEL), await redis.pexpiretime(JOB)];
}

async function codeOf(made: Promise<unknown>): Promise<string> {
  const error = await made.catch((error: unknown) => error);
  return error instanceof ConversationError ? error.code : `no ConversationError but ${JSON.stringify(error)}`;
}

/** The first word of the error that an FCALL ends with. */
async function rawCodeOf(reply: Promise<unknown>): Promise<string> {
  const error = await reply.catch((error: unknown) => error);
  return error instanceof Error ? (error.message.split(' ')[0] ?? '') : `no error but ${JSON.stringify(error)}`;
}

test('15: a message that is delivered again after its job has ended does not run a second time', async () => {
  await store.claim(DELIVERED);
  await store.remove(STATE);
  assert.equal(await store.claim({ ...SECOND, claimId: 'c2', deliveryId: 'd1' }), {
    outcome: 'duplicate',
    state: null,
  });
  assert.equal(await rival('c3', 'd1'), ['duplicate', null]);
  await rival('c4', 'd2');
  await call('remove', SECOND_PAIR);
  assert.equal(await rival('c5', 'd2'), ['duplicate', null]);
});

test('16: a message that is delivered again while its job runs is a duplicate, not held', async () => {
  await store.claim(DELIVERED);
  assert.is((await store.claim({ ...SECOND, claimId: 'c2', deliveryId: 'd1' })).outcome, 'duplicate');
  assert.is(await outcomeOf(rival('c3', 'd1', 'text', 'again')), 'duplicate');
  assert.is(await redis.exists(INBOX), 0);
});

test('17: a message whose dispatcher died, or whose job could not be spawned, is not lost', async () => {
  await store.claim(DELIVERED, { ttlMs: 1 });
  await sleep(10);
  assert.is((await store.claim({ ...SECOND, claimId: 'c2', deliveryId: 'd1' })).outcome, 'claimed');
  await store.remove({ jobId: 'j2' }, { retry: true });
  assert.is(await outcomeOf(rival('c3', 'd1')), 'claimed');
  await call('remove', ['job-index:j2'], '', '1');
  assert.is((await store.claim({ ...DELIVERED, claimId: 'c4' })).outcome, 'claimed');
});

test('18: of dispatchers with one message and one job id, one is told to spawn', async () => {
  const replies = await atOnce(20, (store, n) => store.claim({ ...DELIVERED, claimId: `c${n}` }));
  assert.equal(counted(replies), { claimed: 1, duplicate: 19 });
  const winner = replies.find(({ outcome }) => outcome === 'claimed')?.state ?? STATE;
  assert.is((await store.claim(winner)).outcome, 'claimed', 'a lost reply that is asked for again');
  await redis.flushall();
  const raw = await rawAtOnce('claim', PAIR, (n) => [json({ deliveryId: 'd1', claimId: `c${n}` })]);
  assert.equal(counted(raw), { claimed: 1, duplicate: 9 });
  const text = String(await redis.get(CHANNEL));
  for (const reply of raw) assert.is((reply as string[])[1], text, 'the others see the state of the one');
  assert.equal(await call('claim', PAIR, text), ['claimed', text], 'a lost reply that is asked for again');
});

test('18: nor are two told to spawn whose message has no id', async () => {
  const replies = await atOnce(20, (store, n) => store.claim({ ...STATE, claimId: `c${n}` }));
  assert.equal(counted(replies), { claimed: 1, held: 19 });
  await redis.flushall();
  const raw = await rawAtOnce('claim', PAIR, (n) => [json({ claimId: `c${n}` })]);
  assert.equal(counted(raw), { claimed: 1, held: 9 });
  await redis.flushall();
  const nameless = await rawAtOnce('claim', PAIR, () => [json({ claimId: undefined })]);
  assert.equal(counted(nameless), { claimed: 1, held: 9 });
});

test('19: a claim that does not win leaves the deadlines of the running job alone', async () => {
  await store.claim(DELIVERED);
  const before = await deadlines();
  await store.claim({ ...DELIVERED, claimId: 'c2', deliveryId: 'd2' }, { ttlMs: 1_000 });
  await store.claim({ ...DELIVERED, claimId: 'c3' }, { ttlMs: 1_000 });
  await store.claim(DELIVERED, { ttlMs: 1_000 });
  await call('claim', SECOND_PAIR, JSON.stringify(SECOND), '1000');
  await call('claim', PAIR, json({ claimId: 'c4', deliveryId: 'd1' }), '1000');
  await call('claim', PAIR, json({ deliveryId: 'd1' }), '1000');
  assert.equal(await deadlines(), before);
});

test('20: what is written while a job runs is queued, and not stranded at its end', async () => {
  await store.claim(DELIVERED);
  assert.is((await store.claim({ ...SECOND, deliveryId: 'd2' }, { queue: { text: 'one' } })).outcome, 'queued');
  assert.is((await store.remove(STATE, { lastSeen: '0' })).outcome, 'waiting');
  let lastSeen = '0';
  for await (const { id } of store.inbox(STATE)) lastSeen = id;
  assert.is(await outcomeOf(rival('c3', 'd3', 'text', 'two')), 'queued');
  assert.is(await outcomeOf(call('remove', PAIR, lastSeen)), 'waiting');
  for await (const { id } of store.inbox(STATE, { after: lastSeen })) lastSeen = id;
  assert.is((await store.remove(STATE, { lastSeen })).outcome, 'removed');
});

test('21: a job that dies in silence is named to one caller at a time, and its end is settled by one', async () => {
  const watching = new ConversationStore(redis, { silentAfterMs: 1 });
  await watching.claim(STATE, { ttlMs: 60_000 });
  await sleep(10);
  const heard = await atOnce(10, async (store) => {
    const jobs: string[] = [];
    for await (const { jobId } of store.due({ leaseMs: 60_000 })) jobs.push(jobId);
    return jobs;
  });
  assert.equal(heard.flat(), ['j1']);
  assert.equal(counted(await atOnce(10, (store) => store.remove(STATE))), { gone: 9, removed: 1 });

  await call('claim', PAIR, json(), '60000', '1');
  await sleep(10);
  const named = await rawAtOnce('due', [WATCH], () => [60_000]);
  assert.equal(named.flat(), ['j1', CHANNEL]);
  assert.equal(counted(await rawAtOnce('remove', PAIR, () => [])), { gone: 9, removed: 1 });
});

test('21: a job whose caller died looking into it is named again when the lease is over', async () => {
  await call('claim', PAIR, json(), '60000', '1');
  await sleep(10);
  assert.equal(await call('due', [WATCH], 1), ['j1', CHANNEL]);
  await sleep(10);
  const again: string[] = [];
  for await (const { jobId } of store.due({ leaseMs: 1 })) again.push(jobId);
  assert.equal(again, ['j1']);
  await sleep(10);
  assert.equal(await call('due', [WATCH], 60_000), ['j1', CHANNEL]);
  assert.equal(await call('due', [WATCH], 60_000), []);
});

test('21: of removals of a job that lapsed in silence, one is told so and tells the channel', async () => {
  const lapse = async () => {
    await call('claim', PAIR, json(), '1', '1');
    await sleep(10);
    assert.equal(await call('due', [WATCH], 60_000), ['j1', CHANNEL], 'it is named although its state is gone');
  };
  await lapse();
  assert.equal(counted(await atOnce(2, (store) => store.remove(STATE))), { gone: 1, lapsed: 1 });
  await lapse();
  assert.equal(counted(await rawAtOnce('remove', PAIR, () => [])), { gone: 9, lapsed: 1 });
  await lapse();
  await store.claim(SECOND);
  assert.equal(counted(await rawAtOnce('remove', PAIR, () => [])), { held: 9, lapsed: 1 });
  assert.equal(await store.get({ jobId: 'j2' }), SECOND, 'the next job stays');
});

test('21: a job whose host slept past its silence is found alive, and no second one runs', async () => {
  const store = new ConversationStore(redis, { silentAfterMs: 1 });
  await store.claim(STATE, { ttlMs: 60_000 });
  await sleep(10);
  for await (const { jobId } of store.due({ leaseMs: 1 })) assert.is((await store.getByJobId(jobId))?.jobId, 'j1');
  assert.is((await store.claim({ ...SECOND, claimId: 'c2' })).outcome, 'held');
  await sleep(10);
  assert.equal(await call('due', [WATCH], 1), ['j1', CHANNEL]);
  assert.is(await call('get_by_job', [JOB], '60000', '60000'), json());
  await sleep(10);
  assert.equal(await call('due', [WATCH], 1), [], 'a message from the job ends its silence');
  assert.equal(await call('claim', SECOND_PAIR, json({ jobId: 'j2' })), ['held', json()]);
});

test('22: what the application notes for itself overwrites nothing that came in between', async () => {
  await store.set({ ...STATE, pendingQuestionId: 'q1' });
  await atOnce<unknown>(20, async (store, n) => {
    if (n === 7) await store.answerQuestion(STATE, 'q1', { answerId: 'a1' });
    else await store.update(STATE, { [`note${n}`]: n } as object);
  });
  const state = (await store.get(STATE)) as Record<string, unknown> | null;
  assert.equal(state?.['lastAnswer'], { questionId: 'q1', answerId: 'a1' });
  assert.is(Object.keys(state ?? {}).filter((name) => name.startsWith('note')).length, 19);
});

test('22: nor does it when the answer comes between its read and its update', async () => {
  const lastAnswer = { questionId: 'q1', answerId: 'a1' };
  for (const ref of [STATE, CHANNEL_OF_STATE, { jobId: 'j1' }]) {
    await store.set({ ...STATE, pendingQuestionId: 'q1' });
    const read = await store.get(ref);
    await store.answerQuestion(STATE, 'q1', { answerId: 'a1' });
    assert.is(read?.pendingQuestionId, 'q1');
    const { state } = await store.update(ref, { project: `${read?.project}!` });
    assert.equal(state, { ...STATE, project: 'web!', lastAnswer });
  }
  for (const keys of [PAIR, [CHANNEL], [JOB]]) {
    await call('set', PAIR, json({ pendingQuestionId: 'q1' }));
    const read = String(await call('get', keys));
    await call('answer', PAIR, 'q1', 'a1');
    const project = `${JSON.parse(read).project}!`;
    const after = JSON.stringify({ ...STATE, project, lastAnswer });
    assert.equal(await call('update', keys, JSON.stringify({ project })), ['updated', after]);
    assert.is(await redis.get(CHANNEL), after);
  }
});

test('23: a stop or an answer that is meant for one job never reaches the stream of the next', async () => {
  await store.set({ ...SECOND, pendingQuestionId: 'q1' });
  // An index that somebody left behind does not lead there either.
  for (const index of [null, CHANNEL]) {
    if (index !== null) await redis.set(JOB, index, 'PX', 60_000);
    const before = await dump(redis);
    for (const ref of [{ jobId: 'j1' }, STATE]) {
      for (const stream of ['job:j1:in', 'job:j2:in']) {
        const stop = { stream, fields: { type: 'stop' } };
        assert.equal(await store.update(ref, {}, stop), { outcome: 'gone', state: null });
        assert.equal(await store.answerQuestion(ref, 'q1', stop), { outcome: 'gone', state: null });
      }
    }
    for (const keys of [[JOB], PAIR]) {
      for (const stream of ['job:j1:in', 'job:j2:in']) {
        const named = [...keys, stream];
        assert.equal(await call('update', named, '{}', '', '', 'type', 'stop'), ['gone', null]);
        assert.equal(await call('answer', named, 'q1', 'a1', '', 'text', 'Yes'), ['gone', null]);
      }
    }
    const nameless = [CHANNEL, 'job:j2:in'];
    assert.is(await rawCodeOf(call('update', nameless, '{}', '', '', 'type', 'stop')), 'CONVKEY');
    assert.is(await rawCodeOf(call('answer', nameless, 'q1', 'a1', '', 'text', 'Yes')), 'CONVKEY');
    assert.equal(await dump(redis), before);
  }
});

test('24: a question with three days to live is not forgotten because a progress message came', async () => {
  await store.claim(STATE);
  await store.setPendingQuestion(STATE, 'q1', { ttlMs: THREE_DAYS });
  const before = await deadlines();
  const watching = new ConversationStore(redis, { silentAfterMs: 60_000 });
  const renewals: (() => Promise<unknown>)[] = [
    () => store.getByJobId('j1'),
    () => store.getByJobId('j1', { ttlMs: 1_000 }),
    () => watching.getByJobId('j1'),
    () => store.update(STATE, { userId: 'U2' }),
    () => store.update({ jobId: 'j1' }, {}, { ttlMs: 1_000, deliveryId: 'd1' }),
    () => store.update(STATE, {}, { stream: STREAM, fields: { type: 'note' } }),
    () => store.setPendingQuestion(STATE, 'q1'),
    () => store.setPendingQuestion(CHANNEL_OF_STATE, 'q1', { ttlMs: 1_000 }),
    () => call('get_by_job', [JOB]),
    () => call('get_by_job', PAIR, '1000'),
    () => call('get_by_job', [JOB], '1000', '60000'),
    () => call('update', [CHANNEL], '{"userId":"U3"}'),
    () => call('update', PAIR, '{}', '1000'),
    () => call('update', [...PAIR, STREAM], '{}', '1000', 'd2', 'type', 'note'),
    () => call('set_pending', [JOB], 'q1'),
    () => call('set_pending', PAIR, 'q1', '1000'),
  ];
  for (const renew of renewals) {
    assert.ok(await renew(), renew.toString());
    assert.equal(await deadlines(), before, renew.toString());
  }
  await redis.del(JOB);
  assert.is(JSON.parse(String(await call('get_by_job', PAIR))).pendingQuestionId, 'q1');
  assert.equal(await deadlines(), before, 'nor where the index has to be written anew');
});

test("25: neither an answer nor an update gives a job's own stream an earlier end", async () => {
  // An update meets no question, so that the conversation itself ends early.
  const sends: [pendingQuestionId: string | null, send: () => Promise<unknown>][] = [
    ['q1', () => store.answerQuestion(STATE, 'q1', { stream: STREAM, fields: { text: 'Yes' }, ttlMs: 1_000 })],
    [null, () => store.update(STATE, {}, { stream: STREAM, fields: { text: 'Yes' }, ttlMs: 1_000 })],
    ['q1', () => call('answer', [...PAIR, STREAM], 'q1', 'a1', '1000', 'text', 'Yes')],
    [null, () => call('update', [...PAIR, STREAM], '{}', '1000', '', 'text', 'Yes')],
  ];
  for (const [pendingQuestionId, send] of sends) {
    for (const end of [-1, Date.now() + 7_200_000]) {
      await redis.flushall();
      await store.set({ ...STATE, pendingQuestionId });
      await redis.xadd(STREAM, '*', 'type', 'hello');
      if (end > 0) await redis.pexpireat(STREAM, end);
      await send();
      assert.is(await redis.xlen(STREAM), 2, send.toString());
      assert.is(await redis.pexpiretime(STREAM), end, send.toString());
      assert.ok((await redis.pttl(CHANNEL)) <= 1_000, send.toString());
    }
  }
});

test('26: a state that nobody can read is an error for a read as for a claim', async () => {
  for (const value of ['rubbish', '{"jobId":', '{}', '[]', 'null']) {
    await redis.mset(CHANNEL, value, JOB, CHANNEL);
    const made = [
      store.get(CHANNEL_OF_STATE),
      store.get({ jobId: 'j1' }),
      store.getByJobId('j1'),
      store.getByJobId('j1', { renew: false }),
      store.claim(SECOND),
      store.claim(STATE),
      store.update(STATE, {}),
    ];
    assert.equal(new Set(await Promise.all(made.map(codeOf))), new Set(['CONVCORRUPT']), value);
    const raw = [
      call('get', [CHANNEL]),
      call('get', [JOB]),
      redis.fcall_ro('conv_get', 2, ...PAIR),
      call('get_by_job', [JOB]),
      call('get_by_job', PAIR),
      call('claim', SECOND_PAIR, json({ jobId: 'j2' })),
      call('claim', PAIR, json()),
      call('update', PAIR, '{}'),
    ];
    assert.equal(new Set(await Promise.all(raw.map(rawCodeOf))), new Set(['CONVCORRUPT']), value);
    assert.equal(await redis.mget(CHANNEL, JOB), [value, CHANNEL]);
    assert.is(await redis.dbsize(), 2);
  }
});

test("27: a stranger's library of the same name is not replaced", async () => {
  const other = await server.connect({}, await server.server());
  await other.function('LOAD', "#!lua name=conversation\nredis.register_function('talk', function() return 'hi' end)");
  const before = await other.function('LIST', 'WITHCODE');
  assert.is(await codeOf(new ConversationStore(other).claim(STATE)), 'LIBRARY_FOREIGN');
  assert.is(await codeOf(loadLibrary(other)), 'LIBRARY_FOREIGN');
  assert.equal(await other.function('LIST', 'WITHCODE'), before);
  assert.is(await other.fcall('talk', 0), 'hi');
});

test("27: nor is one of another name that has a function's name", async () => {
  const other = await server.connect({}, await server.server());
  await other.function('LOAD', "#!lua name=chat\nredis.register_function('conv_get', function() return 'hi' end)");
  const before = await other.function('LIST', 'WITHCODE');
  assert.is(await codeOf(new ConversationStore(other).claim(STATE)), 'LIBRARY_FOREIGN');
  assert.is(await codeOf(loadLibrary(other)), 'LIBRARY_FOREIGN');
  assert.is(await codeOf(loadLibrary(other, { force: true })), 'LIBRARY_FOREIGN', 'force is for the same name only');
  assert.equal(await other.function('LIST', 'WITHCODE'), before);
});

test.run();
