import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { random, seed } from '../support/random.ts';
import { dump } from '../support/redis.ts';
import { CrashingServer } from './crashing.ts';
import { Caller, SILENT_AFTER_MS } from './load.ts';

const test = suite('crashes');

const KILLS = 40;
const CALLERS = 12;

test(`a server with AOF that is killed ${KILLS} times under load keeps every acknowledged call, and the library`, async () => {
  const below = random(seed);
  const server = await CrashingServer.start('--appendonly', 'yes', '--appendfsync', 'always');
  const clients: Redis[] = [];
  const connect = (options: object) => {
    const client = new Redis(server.url, { retryStrategy: () => 20, ...options });
    client.on('error', () => {});
    clients.push(client);
    return client;
  };
  try {
    const direct = connect({});
    await new ConversationStore(direct).ready();
    // These hear of an error where a default client would send again, so that it shows what was under way.
    const strict = { maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false };
    const callers = Array.from({ length: CALLERS }, (_, index) => {
      const store = new ConversationStore(connect(index % 2 ? strict : { ...strict, protocol: 2 }), {
        load: 'never',
        silentAfterMs: SILENT_AFTER_MS,
      });
      return new Caller(`C${index}`, store, below);
    });
    // And these send again until they are answered, as the default is.
    const patient = ['P0', 'P1'].map(
      (name) => new Caller(name, new ConversationStore(connect({}), { silentAfterMs: SILENT_AFTER_MS }), below),
    );
    let ended = false;
    const patience = Promise.allSettled(
      patient.map(async (caller) => {
        while (!ended) await caller.step();
      }),
    );

    const seen = { with: 0, without: 0, lost: 0 };
    const effects: Record<string, number> = {};
    for (let kill = 0; kill < KILLS; kill++) {
      let down = false;
      const outcomes = Promise.allSettled(
        callers.map(async (caller) => {
          while (!down) await caller.step();
        }),
      );
      await sleep(50 + below(200));
      await server.kill();
      down = true;
      for (const outcome of await outcomes) {
        if (outcome.status === 'fulfilled') continue;
        assert.not.match(String(outcome.reason), /AssertionError|LIBRARY_MISSING/, `SEED=${seed}, kill ${kill}`);
      }
      await server.restart();
      const keys = await dump(direct);
      for (const caller of callers) {
        const found = caller.recover(keys);
        seen[found]++;
        if (found === 'with') effects[caller.doing] = (effects[caller.doing] ?? 0) + 1;
      }
    }
    ended = true;
    for (const outcome of await patience) if (outcome.status === 'rejected') throw outcome.reason;
    const keys = await dump(direct);
    for (const caller of patient) assert.is(caller.recover(keys), 'without', `SEED=${seed}`);
    const acknowledged = [...callers, ...patient].reduce((sum, caller) => sum + caller.acknowledged, 0);
    console.log(
      `seed ${seed}: ${KILLS} kills, ${acknowledged} calls acknowledged, ${seen.lost} lost; of the calls under way at a ` +
        `kill ${seen.with} took effect: ${JSON.stringify(effects)}`,
    );
    assert.is(seen.lost, 0, `SEED=${seed}`);
    assert.ok(seen.with > 0, 'no kill met a call that was executed and not acknowledged');
  } finally {
    for (const client of clients) client.disconnect();
    await server.stop();
  }
});

test.run();
