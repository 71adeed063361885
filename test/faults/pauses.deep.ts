import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ClientOptions } from '../support/redis.ts';
import { CALLS } from './calls.ts';
import { CrashingServer } from './crashing.ts';
import { judge, makeCalls, prepare, quietClient, withoutFresh } from './outage.ts';

const test = suite('pauses');

const PAUSE_MS = 10_000;
const IMPATIENT: ClientOptions[] = [
  { commandTimeout: 300 },
  { commandTimeout: 300, protocol: 2 },
  { commandTimeout: 300, enableAutoPipelining: true },
  { socketTimeout: 200, maxRetriesPerRequest: 0, retryStrategy: () => 20 },
];

test('a server that stands still for 10 s: who was told not to wait gets an error, who was not a right answer', async () => {
  const server = await CrashingServer.start();
  const clients = IMPATIENT.map((options, index) => quietClient(server.url, { ...options, db: index + 1 }));
  const waiting = quietClient(server.url);
  const patient = quietClient(server.url, { db: IMPATIENT.length + 1 });
  try {
    await prepare(waiting);
    const right = await makeCalls(waiting);
    for (let db = 1; db <= IMPATIENT.length + 1; db++) {
      await waiting.select(db);
      await prepare(waiting);
    }
    await Promise.all(clients.map((client) => client.ping()));
    server.signal('SIGSTOP');
    const begin = Date.now();
    const late = makeCalls(patient, { limitMs: PAUSE_MS + 5_000 });
    for (const client of clients) {
      const endings = await makeCalls(client);
      assert.is(judge(endings, right, /^UNAVAILABLE: (Command timed out|Reached the max retries)/), CALLS.length);
    }
    const fresh = quietClient(server.url, { commandTimeout: 300 });
    assert.is(judge(await makeCalls(fresh), right, /^UNAVAILABLE: Command timed out/), CALLS.length);
    fresh.disconnect();
    await sleep(Math.max(0, begin + PAUSE_MS - Date.now()));
    server.signal('SIGCONT');
    assert.is(judge(await late, right, /never/), 0);

    // What had been sent before the time was up is executed now; made again, a call answers as if it had not been made.
    for (const client of clients) {
      for (const { call, reply, error } of await makeCalls(client)) {
        const single = right.find((one) => one.call === call)?.reply;
        const replies = [single, call.again?.(single, 'fcall conv_due') ?? single].map((one) =>
          JSON.stringify(withoutFresh(one)),
        );
        assert.ok(!error && replies.includes(JSON.stringify(withoutFresh(reply))), `${call.name}: ${error}`);
      }
    }
    console.log(`${(IMPATIENT.length + 1) * CALLS.length} calls ended in time, ${CALLS.length} waited ${PAUSE_MS} ms`);
  } finally {
    for (const client of [...clients, waiting, patient]) client.disconnect();
    await server.stop();
  }
});

test.run();
