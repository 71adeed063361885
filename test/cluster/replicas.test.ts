import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { RunningRedis } from '../../scripts/redis/start.ts';
import { ConversationStore } from '../../src/index.ts';
import { refusal } from '../store/store.ts';
import { STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';

const test = suite('claims that wait for replicas');
const redis = withRedis(test);

let master: Redis;
let first: RunningRedis;
let replica: RunningRedis;
let store: ConversationStore;
let ask: Redis;

test.before(async () => {
  first = await redis.server('--repl-diskless-sync-delay', '0');
  const { hostname, port } = new URL(first.url);
  replica = await redis.server('--replicaof', `${hostname} ${port}`);
  [master, ask] = await Promise.all([redis.connect({}, first), redis.connect({}, first)]);
  while (!/state=online/.test(await ask.info('replication'))) await sleep(20);
  store = new ConversationStore(master);
  await store.ready();
});
test.before.each(async () => {
  await ask.flushall();
});

async function claimsMade(): Promise<number> {
  return Number(/cmdstat_fcall:calls=(\d+)/.exec(await ask.info('commandstats'))?.[1] ?? 0);
}

function replicasOf(result: { outcome: string; replicas?: number }): number | undefined {
  assert.is(result.outcome, 'claimed');
  return result.replicas;
}

async function isWaiting(): Promise<boolean> {
  return /blocked_clients:1\r/.test(await ask.info('clients'));
}

test('a claim says how many replicas have it in time, and stands; one that does not wait, or is held, has no count', async () => {
  const claimed = { outcome: 'claimed', state: STATE };
  assert.equal(await store.claim(STATE), claimed);
  assert.equal(
    await store.claim(STATE, { replicas: 1 }),
    { ...claimed, replicas: 1 },
    'so does one of the holder again',
  );
  assert.equal(await store.claim({ ...STATE, jobId: 'j2' }, { replicas: 1 }), { outcome: 'held', state: STATE });
  await ask.flushall();
  assert.equal(await store.claim(STATE, { replicas: 1, timeoutMs: 60_000 }), { ...claimed, replicas: 1 });
  await ask.flushall();
  assert.equal(await store.claim(STATE, { replicas: 2, timeoutMs: 300 }), { ...claimed, replicas: 1 });
  assert.equal(await store.get({ jobId: 'j1' }), STATE);
});

test('a connection lost between the claim and its confirmation does not pass for one', async () => {
  process.kill(replica.pid ?? 0, 'SIGSTOP');
  try {
    const before = await claimsMade();
    const claim = store.claim(STATE, { replicas: 1, timeoutMs: 10_000 });
    while (!(await isWaiting())) await sleep(10);
    assert.is(await claimsMade(), before + 1, 'the claim was made; its WAIT blocks');
    await ask.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    while ((await claimsMade()) === before + 1 || !(await isWaiting())) await sleep(10);
    process.kill(replica.pid ?? 0, 'SIGCONT');
    assert.equal(await claim, { outcome: 'claimed', state: STATE, replicas: 1 });
    assert.is(await claimsMade(), before + 2, 'the claim was made again, and that one confirmed');
  } finally {
    process.kill(replica.pid ?? 0, 'SIGCONT');
  }
});

test('defect 51: a claim or hand-over that is sent again counts no replica that does not have it, through any connection', async () => {
  const next = { ...STATE, jobId: 'j2', claimId: 'c2' };
  const wait = { replicas: 1, timeoutMs: 50 };
  process.kill(replica.pid ?? 0, 'SIGSTOP');
  try {
    // The second connection has written nothing, so a WAIT on it alone would count every replica.
    const other = new ConversationStore(await redis.connect({}, first));
    for (const each of [store, other, other]) assert.is(replicasOf(await each.claim(STATE, wait)), 0);
    for (const each of [store, other, other]) assert.is(replicasOf(await each.handOver(STATE, next, wait)), 0);
  } finally {
    process.kill(replica.pid ?? 0, 'SIGCONT');
  }
  assert.is(replicasOf(await store.handOver(STATE, next, { replicas: 1, timeoutMs: 60_000 })), 1);
});

test('a claim that waits on a master that becomes a replica is UNAVAILABLE', async () => {
  process.kill(replica.pid ?? 0, 'SIGSTOP');
  try {
    const claim = refusal(store.claim(STATE, { replicas: 1, timeoutMs: 60_000 }), 'UNAVAILABLE');
    while (!(await isWaiting())) await sleep(10);
    await ask.replicaof('127.0.0.1', 1);
    assert.match((await claim).message, /^UNBLOCKED /);
  } finally {
    process.kill(replica.pid ?? 0, 'SIGCONT');
  }
});

test.run();
