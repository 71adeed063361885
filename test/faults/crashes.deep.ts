import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { calls } from '../model/arbitrary.ts';
import type { Call } from '../model/model.ts';
import { byFcall, withEntry } from '../model/perform.ts';
import { type SeenKey, SNAPSHOT, Table } from '../model/table.ts';
import { connectTo, kill, restart, startServer, stopAll } from '../operations/servers.ts';
import { sourceUnderTest } from '../support/library.ts';
import { random, seed } from '../support/random.ts';

const test = suite('crashes');
test.after(stopAll);

const KILLS = 40;
const CALLERS = 12;
const [channelIds, jobIds, questionIds, answerIds] = [['C1'], ['j1', 'j2', 'j3'], ['q1', 'q2'], ['a1', 'd1']];
const CAST = { platform: 'slack', channelIds, jobIds, questionIds, answerIds };

/** Makes calls under a prefix of its own, and knows by the model what has to be there. */
function callerOf(direct: Redis, client: Redis, prefix: string, chance: number) {
  const [perform, table] = [byFcall(client, prefix), new Table(prefix)];
  // What ends soon ends at a moment that nobody sees while the server is away.
  const lasting = calls(CAST).filter(({ ttlMs = 0 }) => ttlMs > 1_000 || ttlMs === 0);
  const made = fc.sample(lasting, { seed: chance, numRuns: 400 });
  let [acknowledged, since] = [0, 0];
  let doing: Call | undefined;
  const snapshot = async () => (await direct.eval(SNAPSHOT, 0, prefix)) as [now: number, keys: SeenKey[]];
  return {
    acknowledged: () => acknowledged,
    /** Makes one more call and compares everything under the prefix with the model. Throws what the call throws. */
    async step(): Promise<void> {
      doing = await withEntry(direct, prefix, made[acknowledged % made.length] as Call);
      since = Date.now();
      const found = await perform(doing);
      const [now, keys] = await snapshot();
      table.judge(doing, found, [{ from: since, to: now }], now, keys);
      doing = undefined;
      acknowledged++;
    },
    /** Says whether the call that failed took effect, and goes on from there; throws where something else is there. */
    async recover(killedAt: number): Promise<boolean> {
      const [now, keys] = await snapshot();
      const tookEffect = table.tookEffect(doing, { from: since, to: killedAt }, now, keys);
      doing = undefined;
      return tookEffect;
    },
  };
}

test(`a server with AOF that is killed ${KILLS} times under load keeps every acknowledged call, and the library`, async () => {
  const below = random(seed);
  const server = await startServer({ settings: { appendonly: 'yes', appendfsync: 'always' } });
  const direct = server.admin;
  await direct.function('LOAD', sourceUnderTest());
  // These hear of an error where a default client would send again, so that it shows what was under way.
  const strict = { retryStrategy: () => 20, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false };
  const callers = Array.from({ length: CALLERS }, (_, index) => {
    const client = connectTo(server, index % 2 ? strict : { ...strict, protocol: 2 });
    return callerOf(direct, client, `c${index}:`, seed + index);
  });
  let took = 0;
  for (let kills = 0; kills < KILLS; kills++) {
    let down = false;
    const outcomes = Promise.allSettled(
      callers.map(async (caller) => {
        while (!down) await caller.step();
      }),
    );
    await sleep(50 + below(200));
    await kill(server);
    down = true;
    const killedAt = Date.now();
    await restart(server);
    for (const outcome of await outcomes) {
      // A lost library or a world that is not the model's is said in other words.
      const lost = outcome.status === 'rejected' ? String(outcome.reason) : 'Connection is closed';
      assert.match(lost, /Connection is closed|max retries|ECONN|EPIPE/, `SEED=${seed}, kill ${kills}`);
    }
    for (const caller of callers) {
      const tookEffect = await caller.recover(killedAt).catch((error: unknown) => {
        throw new Error(`SEED=${seed}, kill ${kills}: ${error}`);
      });
      if (tookEffect) took++;
    }
  }
  const acknowledged = callers.reduce((sum, caller) => sum + caller.acknowledged(), 0);
  console.log(`seed ${seed}: ${acknowledged} calls acknowledged; ${took} of those under way took effect`);
  assert.ok(acknowledged > 0, 'no call was acknowledged');
  assert.ok(took > 0, 'no kill met a call that was executed and not acknowledged');
});

test.run();
