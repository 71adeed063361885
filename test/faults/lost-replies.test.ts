import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore, LIBRARY_SOURCE } from '../../src/index.ts';
import { all } from '../store/store.ts';
import { STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { closeLines, type Fault, type Line, openLine } from './proxy.ts';

// That no call does or replies anything else when it is sent again is proven in test/model, for all that calls can meet.

const test = suite('lost replies');
const redis = withRedis(test);
const FAULTS: Fault[] = [
  ...[0, 0.5].map((share): Fault => ({ kind: 'cut request', share })),
  ...[0, 0.1, 0.9].map((share): Fault => ({ kind: 'cut reply', share })),
  { kind: 'late' },
  { kind: 'slow', ms: 20 },
];
let line: Line;

test.before(async () => {
  line = await openLine(await redis.url(), { retryStrategy: () => 1 });
});
test.after(() => closeLines([line]));
test.before.each(async () => {
  await line.client.flushall();
});

test('the library gets loaded, whichever step of it is cut off', async () => {
  const { client, proxy } = line;
  for (const command of ['fcall_ro conv_version', 'function list', 'function load']) {
    for (const fault of FAULTS) {
      await client.function('FLUSH');
      proxy.arm(command, fault);
      await new ConversationStore(client).ready();
      await proxy.settled();
      const [, , , , , , , source] = ((await client.function('LIST', 'WITHCODE')) as unknown[]).flat();
      assert.is(source, LIBRARY_SOURCE);
    }
  }
});

test('calls that were under way together on one connection are all answered when it breaks, by the ids that the store made up', async () => {
  const { client, proxy } = line;
  const store = new ConversationStore(client);
  await store.ready();
  const { claimId: _, ...state } = STATE;
  const states = Array.from({ length: 50 }, (_, index) => ({ ...state, jobId: `j${index}`, channelId: `C${index}` }));
  const together = (name: string, call: (job: typeof state) => Promise<{ outcome: string }>) => {
    proxy.arm(`fcall ${name}`, { kind: 'slow', ms: 20 }, 10);
    proxy.arm(`fcall ${name}`, { kind: 'cut reply', share: 0.05 });
    return Promise.all(states.map(async (job) => (await call(job)).outcome));
  };
  assert.equal(await together('conv_claim', (job) => store.claim(job)), Array(50).fill('claimed'));
  await Promise.all(states.map((job) => store.setPendingQuestion(job, 'q1')));
  const stream = store.key(STATE, 'heard');
  const answer = (job: typeof state) => store.answerQuestion(job, 'q1', { stream, fields: { text: 'yes' } });
  assert.equal(await together('conv_answer', answer), Array(50).fill('accepted'));
  await proxy.settled();
  assert.is(await client.xlen(stream), 50);
});

test('what is iterated is given whole, whichever of its commands is cut off', async () => {
  const { client, proxy } = line;
  const store = new ConversationStore(client, { silentAfterMs: 1 });
  const message = { ...STATE, jobId: 'j2', claimId: 'c2', deliveryId: 'd2' };
  await store.claim(STATE);
  await store.claim(message, { queue: { text: 'more' } });
  const due = async () => {
    await sleep(5); // so that the lease of the sweep before is over
    return (await all(store.due({ leaseMs: 1 }))).map(({ jobId, state }) => [jobId, state]);
  };
  for (const iterate of [() => all(store.list()), () => all(store.inbox(STATE)), due]) {
    proxy.exchanges.length = 0;
    const wanted = await iterate();
    assert.is(wanted.length, 1);
    // A lease that was given may be lost with its reply: the job is named again when the lease is over.
    const commands = new Set(proxy.exchanges.map(({ name }) => name).filter((name) => name !== 'fcall conv_due'));
    for (const command of commands) {
      for (const fault of FAULTS) {
        proxy.arm(command, fault);
        assert.equal(await iterate(), wanted, `${command}: ${JSON.stringify(fault)}`);
        await proxy.settled();
      }
    }
  }
});

test.run();
