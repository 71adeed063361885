import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { type Actor, actors, CHANNEL, dismiss } from './tasks.ts';

const test = suite('scenarios of several processes');
const server = withRedis(test);

let redis: Redis;
let url: string;
let processes: Actor[];

test.before(async () => {
  url = await server.url();
  redis = await server.connect();
  await new ConversationStore(redis).ready();
  processes = await actors(5);
});
test.before.each(async () => {
  await redis.flushall();
});
test.after(() => dismiss(processes));

const count = (seen: string[], outcome: string) => seen.filter((each) => each.endsWith(outcome)).length;

test('50 dispatchers are given one message 200 times across the end of its job, and start one', async () => {
  const reports = await Promise.all(
    processes.map(({ perform }, at) => perform({ kind: 'dispatch', url, name: `${at}`, dispatchers: 10, times: 4 })),
  );
  const seen = reports.flatMap((report) => report.seen);
  assert.is(seen.length, 201);
  assert.is(count(seen, 'claimed'), 1);
  assert.is(count(seen, 'removed'), 1);
  assert.is(count(seen, 'duplicate'), 199);
});

test('20 writers and jobs that end in their midst: nothing queued is lost, and no job reads anything twice', async () => {
  const store = new ConversationStore(redis);
  await store.claim({ ...STATE, jobId: 'first', deliveryId: 'first' });
  const [worker, ...writers] = processes;
  const work = worker?.perform({ kind: 'work', url, name: 'first' });
  const written = await Promise.all(
    writers.flatMap(({ perform }, at) =>
      Array.from({ length: 5 }, (_, n) => perform({ kind: 'write', url, name: `${at}-${n}`, times: 10 })),
    ),
  );
  const reports = [...written, await work];
  const seen = reports.flatMap((report) => report?.seen ?? []);
  const read = reports.flatMap((report) => report?.read ?? []);
  const queued = seen.filter((each) => each.endsWith(' queued')).map((each) => each.split(' ')[0]);
  assert.ok(queued.length > 0 && count(seen, ' claimed') > 0, 'no job ended in their midst');
  assert.is(count(seen, ' queued') + count(seen, ' claimed'), 200);
  assert.is(new Set(read).size, read.length, 'a job has read an entry twice');
  const texts = read.map((each) => each.split(' ')[1]);
  assert.equal([...texts].sort(), [...queued].sort());
  assert.is(await redis.exists('conversation-inbox:slack:C1'), 0);
});

test('three sweeps at once, one killed in the middle: every silent job is reported, and settled by one', async () => {
  const store = new ConversationStore(redis, { silentAfterMs: 1 });
  const jobs = Array.from({ length: 60 }, (_, n) => ({
    ...STATE,
    channelId: `C${n}`,
    jobId: `j${n}`,
    claimId: `c${n}`,
  }));
  await Promise.all(jobs.map((state, n) => store.claim(state, { ttlMs: n % 3 === 0 ? 5 : 60_000 })));
  await sleep(20);
  const [first, ...others] = processes.splice(0, 3);
  assert.ok(first);
  const task = { kind: 'sweep', url, silentAfterMs: 1, leaseMs: 500, untilMs: Date.now() + 4_000 } as const;
  const settled: string[] = [];
  const killed = new Promise<void>((resolve) => {
    first.process.on('message', () => {
      settled.push('one');
      if (settled.length === 5) resolve();
    });
  });
  const doomed = first.perform({ ...task, name: 'doomed' });
  // It has leased every job before the others come.
  await killed;
  const rest = others.map(({ perform }, at) => perform({ ...task, name: `${at}` }));
  first.process.kill('SIGKILL');
  await doomed;
  const seen = (await Promise.all(rest)).flatMap((report) => report.seen);
  const ended = seen.filter((each) => / (removed|lapsed)$/.test(each)).map((each) => each.split(' ')[0]);
  assert.is(new Set(ended).size, ended.length, 'a job was settled twice');
  // What the killed one had settled it had settled alone; whatever it had only leased was left to the others. Of one
  // that it settled last it may not have told any more.
  const all = ended.length + settled.length;
  assert.ok(
    all === 60 || all === 59,
    `${settled.length} were settled by the killed one, ${ended.length} by the others`,
  );
  assert.ok(ended.length > 0, 'it was killed in the middle');
  assert.is(await redis.exists('conversation-watch'), 0);
  assert.equal(await redis.keys('conversation:*'), []);
  dismiss([...others]);
});

test('a host that sleeps past its silence and wakes up finds its job alone and alive', async () => {
  const watching = new ConversationStore(redis, { silentAfterMs: 400 });
  const silent = async () => {
    const found: string[] = [];
    for await (const { jobId } of watching.due({ leaseMs: 60_000 })) found.push(jobId);
    return found;
  };
  const [host] = processes;
  assert.ok(host);
  const signOfLife = () => new Promise<void>((resolve) => host.process.once('message', () => resolve()));
  await watching.claim({ ...STATE, ...CHANNEL, jobId: 'sleeper' });
  const life = host.perform({ kind: 'live', url, name: 'sleeper', silentAfterMs: 400, untilMs: Date.now() + 4_000 });
  await signOfLife();
  await sleep(600);
  assert.equal(await silent(), [], 'while its host is awake it is not silent');

  host.process.kill('SIGSTOP');
  await sleep(600);
  assert.equal(await silent(), ['sleeper']);
  // Whoever runs jobs says that it is there, so it is looked up and not removed.
  assert.is((await watching.getByJobId('sleeper'))?.jobId, 'sleeper');
  const rival = { ...STATE, jobId: 'second', claimId: 'c2' };
  assert.is((await watching.claim(rival)).outcome, 'held');

  host.process.kill('SIGCONT');
  await signOfLife();
  assert.equal((await life).seen, ['alive'], 'it never lost its channel');
  assert.is((await watching.claim({ ...rival, claimId: 'c3' })).outcome, 'held');
});

test.run();
