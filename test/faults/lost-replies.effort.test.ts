import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore, LIBRARY_SOURCE } from '../../src/index.ts';
import { effort } from '../support/effort.ts';
import { type ClientOptions, dump, withRedis } from '../support/redis.ts';
import { STATE } from './calls.ts';
import { sweep } from './lost-replies.ts';
import { closeLines, type Fault, type Line, openLine } from './proxy.ts';

const test = suite('lost replies');
const redis = withRedis(test);
const lines: Line[] = [];

test.after.each(() => closeLines(lines.splice(0)));

async function line(options?: ClientOptions): Promise<Line> {
  const opened = await openLine(await redis.url(), options);
  lines.push(opened);
  return opened;
}

for (const protocol of [2, 3] as const) {
  test(`every call survives lost replies, cut, slow and late commands over RESP${protocol}`, async () => {
    console.log(await sweep(await redis.url(), { protocol, step: effort(128, 1) }));
  });
}

test('the library gets loaded, whichever step of it is cut off', async () => {
  const { client, proxy } = await line();
  const faults: Fault[] = [
    { kind: 'cut request', bytes: 20 },
    { kind: 'cut reply', bytes: 0 },
    { kind: 'cut reply', bytes: 3 },
    { kind: 'late' },
  ];
  for (const command of ['fcall_ro conv_version', 'function list', 'function load']) {
    for (const fault of faults) {
      await client.function('FLUSH');
      proxy.arm(command, fault);
      await new ConversationStore(client).ready();
      await proxy.settled();
      const [, , , , , , , source] = ((await client.function('LIST', 'WITHCODE')) as unknown[]).flat();
      assert.is(source, LIBRARY_SOURCE);
    }
  }
});

test('calls that were under way together on one connection are all answered when it breaks', async () => {
  const { client, proxy } = await line();
  const direct = await redis.connect();
  await direct.flushall();
  const store = new ConversationStore(client);
  await store.ready();
  const states = Array.from({ length: 50 }, (_, index) => ({ ...STATE, jobId: `j${index}`, channelId: `C${index}` }));
  proxy.arm('fcall conv_claim', { kind: 'slow', ms: 20 }, 10);
  proxy.arm('fcall conv_claim', { kind: 'cut reply', bytes: 10 });
  const claims = await Promise.all(states.map((state) => store.claim(state)));
  await proxy.settled();
  assert.equal(
    claims,
    states.map((state) => ({ outcome: 'claimed', state })),
  );
  // Two keys each, and the watch.
  assert.is(Object.keys(await dump(direct)).length, 101);
});

test('a call that ran into the time limit of its client is made again as if it had not been made', async () => {
  const { client, proxy } = await line({ commandTimeout: 500 });
  await client.flushall();
  const store = new ConversationStore(client);
  await store.set({ ...STATE, pendingQuestionId: 'q1' });
  const answer = () => store.answerQuestion({ jobId: 'j1' }, 'q1', { answerId: 'a1', stream: 's', fields: { a: 1 } });
  proxy.arm('fcall conv_answer', { kind: 'slow', ms: 300 });
  await answer().then(
    () => assert.unreachable('answered in spite of its limit'),
    (error: Error) => assert.match(error.message, /^Command timed out/),
  );
  assert.is((await answer()).outcome, 'accepted');
  assert.is(await client.xlen('s'), 1);
});

test.run();
