// One of several processes that may be killed at any time. Each has dispatchers, jobs and sweeps.
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { FromActor, ToActor } from './crew.ts';
import { dispatch, type Host, run, sweep } from './one-by-one.ts';

const SWEEPS = 5;

const [, , url = ''] = process.argv;
const redis = new Redis(url);
const ledger = new Redis(url, { db: 1 });
const send = (message: FromActor) => process.send?.(message);

const questions = new Map<number, (isAlive: boolean) => void>();
let asked = 0;
const host: Host = {
  start: (jobId, channel) => send({ kind: 'start', jobId, channel }),
  isAlive: (jobId) =>
    new Promise((resolve) => {
      questions.set(++asked, resolve);
      send({ kind: 'is it alive', jobId, id: asked });
    }),
};

process.on('disconnect', () => process.exit());
process.on('message', async (message: ToActor) => {
  switch (message.kind) {
    case 'deliver':
      send({ kind: 'delivered', id: message.id, isDone: await dispatch(redis, host, message.channel, message.text) });
      return;
    case 'run':
      await run(redis, ledger, host, message.jobId, message.channel);
      return;
    case 'alive':
      questions.get(message.id)?.(message.isAlive);
  }
});

async function keepSweeping(): Promise<never> {
  for (;;) {
    await sweep(redis, host);
    await sleep(50);
  }
}

await Promise.all([redis.ping(), ledger.ping()]);
send({ kind: 'ready' });
await Promise.all(Array.from({ length: SWEEPS }, keepSweeping));
