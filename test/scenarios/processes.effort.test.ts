import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { typescript } from '../../scripts/test/typescript.ts';
import { effort } from '../support/effort.ts';
import { sourceUnderTest } from '../support/library.ts';
import { dump, withRedis } from '../support/redis.ts';

const test = suite('scenarios of several processes');
const server = withRedis(test);

const PROCESSES = 4;
const CHANNELS = Array.from({ length: effort(3, 5) }, (_, n) => `C${n}`);
const MESSAGES = effort(8, 100);
/** As many are given each message at once. */
const DISPATCHERS = 10;
/** What messages do, some of them again and again: the jobs of 200 of 500 ask, for 20 sweeps and a person to answer. */
const KINDS = 'runs runs asks dies-before runs dies-after runs asks asks asks runs runs asks asks asks asks'.split(' ');
const texts = Array.from({ length: MESSAGES }, (_, n) => `m${n}-${KINDS[n % 20] ?? 'runs'}`);

const until = async (isSo: () => Promise<boolean>) => {
  while (!(await isSo())) await sleep(20);
};

test(`${DISPATCHERS} dispatchers a channel, jobs and sweeps, whose processes are killed: every message runs in turn, and again only where its job was killed; every question is answered once`, async () => {
  const redis = await server.connect();
  const ledger = await server.connect({ db: 1 });
  const url = await server.url();
  await redis.flushall();
  await redis.function('LOAD', 'REPLACE', sourceUnderTest());
  const processes: ChildProcess[] = [];
  let isOver = false;
  const exits = new Set<number | null>();
  let names = 0;
  /** Starts one more process, and another one in its place when it is killed. */
  async function hire(): Promise<void> {
    const name = `p${++names}`;
    await ledger.sadd('processes', name);
    if (isOver) return;
    const actor = fork(join(import.meta.dirname, 'actor.ts'), [url, name], { execArgv: typescript() });
    processes.push(actor);
    actor.once('exit', async (code) => {
      if (isOver) return;
      exits.add(code);
      await ledger.srem('processes', name);
      await hire();
    });
  }
  async function write(channel: string): Promise<void> {
    for (const text of texts) {
      // People write about as fast as they are answered.
      await until(async () => (await redis.xlen(`conversation-inbox:slack:${channel}`)) < 3);
      // A platform gives a message to whoever asks, often to several, and again until somebody has acknowledged it.
      while (!(await ledger.sismember('acknowledged', `${channel} ${text}`))) {
        await ledger.rpush('messages', ...Array(DISPATCHERS).fill(`${channel} ${text}`));
        await until(async () => (await ledger.llen('messages')) === 0);
        await sleep(5);
      }
    }
  }
  let hosts: Record<string, string>;
  let there: string[];
  try {
    for (let n = 0; n < PROCESSES; n++) await hire();
    await Promise.all(CHANNELS.map(write));
    const keys = CHANNELS.map((channel) => `conversation:slack:${channel}`);
    await until(async () => (await redis.exists('conversation-watch', ...keys)) === 0);
    [hosts, there] = [await ledger.hgetall('hosts'), await ledger.smembers('processes')];
  } finally {
    isOver = true;
    for (const actor of processes) actor.kill('SIGKILL');
  }

  assert.equal([...exits], [null], 'a process ended by itself');
  const ended = new Set(await ledger.smembers('ended'));
  const deadly = texts.filter((text) => text.includes('dies'));
  assert.is(await ledger.scard('died'), CHANNELS.length * deadly.length);
  for (const channel of CHANNELS) {
    const runs = (await ledger.lrange(`ran:${channel}`, 0, -1)).map((run) => run.split(' ') as [string, string]);
    const first = [...new Set(runs.map(([text]) => text))];
    assert.equal(first, texts, `${channel} ran ${runs.join(' ')}`);
    for (const text of texts) {
      const jobs = runs.filter(([ran]) => ran === text).map(([, job]) => job);
      const excused = jobs.filter((job) => !there.includes(hosts[job] ?? '') && !ended.has(job));
      assert.ok(excused.length >= jobs.length - 1, `${text} of ${channel} ran in ${jobs}`);
      if (text.endsWith('dies-after')) assert.ok(jobs.length > 1, `${text} of ${channel} must run again`);
      assert.is(await redis.xlen(`answer:${channel}:${text}`), text.endsWith('asks') ? 1 : 0, text);
    }
  }
  for (const [key, { deadline }] of Object.entries(await dump(redis))) {
    assert.match(key, /^(conversation-handled|answer):/, 'nothing else is left');
    assert.ok(deadline > 0, `${key} never ends`);
  }
});

test.run();
