import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { effort } from '../support/effort.ts';
import { sourceUnderTest } from '../support/library.ts';
import { random, seed } from '../support/random.ts';
import { dump, withRedis } from '../support/redis.ts';
import { call, channelKey, inboxKey, pair, stateOf } from './conv.ts';
import { Crew } from './crew.ts';
import { isOver } from './one-by-one.ts';

const test = suite('scenarios of several processes');
const server = withRedis(test);

const PROCESSES = 4;
const HOUR = 3_600_000;

let redis: Redis;
let ledger: Redis;
let crew: Crew;
const below = random(seed);

test.before(async () => {
  redis = await server.connect();
  ledger = await server.connect({ db: 1 });
  await redis.function('LOAD', 'REPLACE', sourceUnderTest());
  crew = new Crew(await server.url(), below);
  await crew.hire(PROCESSES);
});
test.before.each(async () => {
  await redis.flushall();
});
test.after(() => crew.dismiss());

const until = async (isSo: () => Promise<boolean> | boolean) => {
  while (!(await isSo())) await sleep(20);
};

const DISPATCHERS = 50;
const CHANNELS = 5;
const MESSAGES = effort(60, 500);
const KILLS = effort(4, 40);

test(`${DISPATCHERS} dispatchers run ${MESSAGES} messages of ${CHANNELS} channels one after another, while processes are killed ${KILLS} times`, async () => {
  const isDone = { messages: false };
  const channel = async (number: number) => {
    for (let n = 0; n < MESSAGES / CHANNELS; n++) {
      // People write about as fast as they are answered.
      await until(async () => (await redis.xlen(inboxKey(number))) < 3);
      // A platform gives a message to whoever asks, often to several, and again until somebody has acknowledged it.
      for (let isAcknowledged = false; !isAcknowledged; await sleep(5)) {
        const copies = Array.from({ length: DISPATCHERS / CHANNELS }, () => crew.deliver(number, `m${n}`));
        isAcknowledged = (await Promise.all(copies)).includes(true);
      }
    }
  };
  const kills = async () => {
    for (let kill = 0; kill < KILLS && !isDone.messages; kill++) {
      const next = crew.started + 1 + below((2 * MESSAGES) / KILLS);
      await until(() => crew.started >= next || isDone.messages);
      await sleep(below(10));
      crew.kill();
    }
  };
  const channels = Array.from({ length: CHANNELS }, (_, number) => channel(number));
  const killing = kills();
  await Promise.all(channels);
  isDone.messages = true;
  await killing;
  await until(() => isOver(redis, CHANNELS));

  const killed = crew.killed();
  const ended = new Set(await ledger.smembers('ended'));
  let again = 0;
  for (let number = 0; number < CHANNELS; number++) {
    const runs = (await ledger.lrange(`ran:${number}`, 0, -1)).map((run) => run.split(' ') as [string, string]);
    const first = [...new Set(runs.map(([message]) => message))];
    const sent = Array.from({ length: MESSAGES / CHANNELS }, (_, n) => `m${n}`);
    assert.equal(first, sent, `seed ${seed}: channel ${number} ran ${runs.join(' ')}`);
    for (const message of sent) {
      const jobs = runs.filter(([ran]) => ran === message).map(([, job]) => job);
      again += jobs.length - 1;
      const excused = jobs.filter((job) => killed.has(job) && !ended.has(job));
      assert.ok(excused.length >= jobs.length - 1, `seed ${seed}: ${message} of channel ${number} ran in ${jobs}`);
    }
  }
  console.log(
    `seed ${seed}: ${crew.started} jobs, ${killed.size} of them in killed processes, ${again} messages run again`,
  );
  for (const [key, { deadline }] of Object.entries(await dump(redis))) assert.ok(deadline > 0, `${key} never ends`);
});

const SWEEPS = 20;
const QUESTIONS = effort(60, 200);

test(`${SWEEPS} sweeps, some of them killed, and people answer ${QUESTIONS} questions with a time limit: each is answered once`, async () => {
  const jobs = Array.from({ length: QUESTIONS }, (_, n) => `asking-${n}`);
  const answer = (jobId: string, n: number) => {
    const [answerId, keys] = [`person:${jobId}`, [...pair(n, jobId), `answers:${jobId}`]];
    return call(redis, 'answer', keys, 'q1', answerId, '', 'answerId', answerId);
  };
  await Promise.all(
    jobs.map(async (jobId, n) => {
      crew.elsewhere.add(jobId);
      await call(redis, 'claim', pair(n, jobId), stateOf(n, jobId, { silentAfterMs: HOUR }));
      await call(redis, 'set_pending', pair(n, jobId), 'q1', HOUR, 1 + below(200));
    }),
  );
  const people = jobs.map(async (jobId, n) => {
    if (n % 2 > 0) return;
    await sleep(below(200));
    await answer(jobId, n);
  });
  await until(async () => (await redis.keys('answers:*')).length > QUESTIONS / 4);
  crew.kill();
  await Promise.all(people);
  const states = () => Promise.all(jobs.map((jobId, n) => call(redis, 'get', pair(n, jobId))));
  await until(async () => (await states()).every(({ state }) => state?.['pendingQuestionId'] === null));
  for (const [n, { state }] of (await states()).entries()) {
    const heard = await redis.xrange(`answers:${jobs[n]}`, '-', '+');
    assert.is(heard.length, 1, `seed ${seed}: question ${n}`);
    assert.equal(state?.['lastAnswer'], { questionId: 'q1', answerId: heard[0]?.[1][1] });
    assert.is.not((await answer(String(jobs[n]), n)).outcome, 'gone');
    assert.is(await redis.xlen(`answers:${jobs[n]}`), 1);
  }
});

test('a host that sleeps past its silence and wakes up finds its job alone and alive', async () => {
  await until(() => crew.deliver(0, 'slow'));
  const { state } = await call(redis, 'get', [channelKey(0)]);
  const jobId = String(state?.['jobId']);
  const host = crew.hostOf(jobId);
  host?.kill('SIGSTOP');
  // A sweep finds it silent, asks where jobs run whether it is alive, and lets it live.
  await until(() => (crew.looks.get(jobId) ?? 0) > 0);
  const rival = stateOf(0, 'rival', {});
  assert.is((await call(redis, 'claim', pair(0, 'rival'), rival)).outcome, 'held');
  host?.kill('SIGCONT');
  await ledger.set('go', '1');
  await until(() => isOver(redis, 1));
  assert.equal(await ledger.lrange('ran:0', 0, -1), [`slow ${jobId}`]);
});

const LIVES = effort(500, 10_000);
const AT_ONCE = 100;

test(`after ${LIVES} whole lives of conversations nothing is left but handled deliveries and streams, each with its deadline`, async () => {
  await crew.dismiss();
  for (let from = 0; from < LIVES; from += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => life(from + at)));
  }
  const kinds: Record<string, number> = {};
  for (const [key, { deadline }] of Object.entries(await dump(redis))) {
    assert.ok(deadline > 0, `${key} never ends`);
    const kind = key.replace(/C?\d+$/, '');
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  assert.equal(kinds, { 'conversation-handled:slack:': LIVES, 'to:': LIVES });
});

/** A job is started, asks and is answered, another message comes, and the job that follows reads it and ends. */
async function life(n: number): Promise<void> {
  const [jobId, next, stream] = [`j${n}`, `k${n}`, `to:${n}`];
  const make = async (wanted: string, name: string, keys: string[], ...args: (string | number)[]) => {
    const { outcome } = await call(redis, name, keys, ...args);
    assert.is(outcome, wanted, `${name} of ${n}`);
  };
  const claim = stateOf(n, jobId, { deliveryId: 'd1', starting: true });
  await make('claimed', 'claim', pair(n, jobId), claim, 60_000);
  await make('', 'get_by_job', pair(n, jobId));
  await make('', 'set_pending', pair(n, jobId), 'q1', '', 60_000);
  await make('accepted', 'answer', [...pair(n, jobId), stream], 'q1', 'a1', '', 'answer', 'yes');
  await make('queued', 'claim', pair(n, next), stateOf(n, next, { deliveryId: 'd2' }), '', 'text', 'more');
  await make('waiting', 'remove', pair(n, jobId));
  const keys = [...pair(n, jobId), `job-index:${next}`, stream];
  await make('claimed', 'hand_over', keys, stateOf(n, next, { starting: true }), 60_000, 'type', 'end');
  const [[id] = ['']] = await redis.xrange(inboxKey(n), '-', '+');
  await make('', 'get_by_job', pair(n, next), '', id);
  await make('removed', 'remove', pair(n, next));
}

test.run();
