import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { effort } from '../support/effort.ts';
import { sourceUnderTest } from '../support/library.ts';
import { random, seed } from '../support/random.ts';
import { dump, withRedis } from '../support/redis.ts';
import { Crew } from './crew.ts';
import { answerKey, inboxKey, isOver } from './one-by-one.ts';

const test = suite('scenarios of several processes');
const server = withRedis(test);

const PROCESSES = 4;
const CHANNELS = effort(3, 5);
const MESSAGES = effort(8, 100);
/** As many are given each message at once. */
const DISPATCHERS = 10;
/** What messages do, some of them again and again. */
const KINDS: Record<number, string> = { 2: 'asks', 3: 'dies-before', 5: 'dies-after', 7: 'asks' };
const texts = Array.from({ length: MESSAGES }, (_, n) => `m${n}-${KINDS[n % 20] ?? 'runs'}`);

const until = async (isSo: () => Promise<boolean>) => {
  while (!(await isSo())) await sleep(20);
};

test(`${DISPATCHERS} dispatchers a channel, jobs and sweeps, whose processes are killed: every message runs in turn, and again only where its job was killed`, async () => {
  const redis = await server.connect();
  const ledger = await server.connect({ db: 1 });
  await redis.flushall();
  await redis.function('LOAD', 'REPLACE', sourceUnderTest());
  const crew = new Crew(await server.url(), random(seed));
  await Promise.all(Array.from({ length: PROCESSES }, () => crew.hire()));
  const write = async (channel: number) => {
    for (const text of texts) {
      // People write about as fast as they are answered.
      await until(async () => (await redis.xlen(inboxKey(channel))) < 3);
      // A platform gives a message to whoever asks, often to several, and again until somebody has acknowledged it.
      for (let isAcknowledged = false; !isAcknowledged; await sleep(5)) {
        const copies = Array.from({ length: DISPATCHERS }, () => crew.deliver(channel, text));
        isAcknowledged = (await Promise.all(copies)).includes(true);
      }
    }
  };
  const channels = [...Array(CHANNELS).keys()];
  let killed: Set<string>;
  try {
    await Promise.all(channels.map(write));
    await until(() => isOver(redis, CHANNELS));
    killed = crew.killed();
  } finally {
    crew.dismiss();
  }

  const ended = new Set(await ledger.smembers('ended'));
  const deadly = texts.filter((text) => text.includes('dies'));
  assert.is(await ledger.scard('died'), CHANNELS * deadly.length);
  for (const channel of channels) {
    const runs = (await ledger.lrange(`ran:${channel}`, 0, -1)).map((run) => run.split(' ') as [string, string]);
    const first = [...new Set(runs.map(([text]) => text))];
    assert.equal(first, texts, `seed ${seed}: channel ${channel} ran ${runs.join(' ')}`);
    for (const text of texts) {
      const jobs = runs.filter(([ran]) => ran === text).map(([, job]) => job);
      const excused = jobs.filter((job) => killed.has(job) && !ended.has(job));
      assert.ok(excused.length >= jobs.length - 1, `seed ${seed}: ${text} of channel ${channel} ran in ${jobs}`);
      if (text.endsWith('dies-after')) assert.ok(jobs.length > 1, `${text} of channel ${channel} must run again`);
      assert.is(await redis.xlen(answerKey(channel, text)), text.endsWith('asks') ? 1 : 0, text);
    }
  }
  console.log(`seed ${seed}: ${crew.started} jobs, ${killed.size} of them in killed processes`);
  for (const [key, { deadline }] of Object.entries(await dump(redis))) {
    assert.match(key, /^(conversation-handled|answer):/, 'nothing else is left');
    assert.ok(deadline > 0, `${key} never ends`);
  }
});

test.run();
