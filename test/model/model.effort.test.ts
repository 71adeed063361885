import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { effort } from '../support/effort.ts';
import { STATE } from '../support/library.ts';
import { seed } from '../support/random.ts';
import { withRedis } from '../support/redis.ts';
import { documentOf } from './document.ts';
import { type Call, EMPTY, INBOX_LENGTH, step } from './model.ts';
import { modelRun } from './model-run.ts';
import { agrees, byFcall, byStore, FOR_EVER } from './perform.ts';

const test = suite('model');
const redis = withRedis(test);

test('any sequence of calls does and replies what the model says, and the keys of a conversation stay a pair', async () => {
  console.log(await modelRun(await redis.url(), seed, effort(200, 1_000), effort(40, 60)));
});

const channel = 'slack:C1';

/** A message, as the claim of a job of its own. */
function message(n: number): Call {
  const state = documentOf({ ...STATE, silentAfterMs: FOR_EVER, jobId: 'j2', claimId: `c${n}`, deliveryId: `d${n}` });
  return { name: 'claim', channel, job: 'j2', state, queue: `text ${n}` };
}

// No random run makes so many calls.
test('an inbox that is full takes no message until it was read, as the model says', async () => {
  // Not one of the databases that the random runs play in.
  const client = await redis.connect({ db: 5 });
  await client.flushdb();
  for (const [prefix, perform] of [
    ['s:', await byStore(client, 's:')],
    ['f:', byFcall(client, 'f:')],
  ] as const) {
    let world = EMPTY;
    const made = async (call: Call) => {
      const found = await perform(call);
      const { reply, world: next } = step(world, call, 0);
      assert.ok(agrees(found, reply), `${prefix} ${call.name}: ${JSON.stringify(found)}, not ${reply[0]}`);
      world = next;
      return found[0];
    };
    await made({ name: 'set', channel, job: 'j1', state: documentOf({ ...STATE, silentAfterMs: FOR_EVER }) });
    const outcomes = [];
    for (let n = 1; n <= INBOX_LENGTH + 2; n++) outcomes.push(await made(message(n)));
    assert.is(outcomes.filter((outcome) => outcome === 'queued').length, INBOX_LENGTH);
    assert.equal(outcomes.slice(INBOX_LENGTH), ['full', 'full']);
    assert.is(await made(message(1)), 'queued', 'sent again');
    assert.is(await made(message(INBOX_LENGTH + 1)), 'full', 'sent again');
    assert.is(await client.xlen(`${prefix}conversation-inbox:${channel}`), INBOX_LENGTH);
    assert.is(await made({ name: 'remove', channel, job: 'j1', how: 'retry' }), 'waiting');
    assert.is(await made({ name: 'remove', channel, job: 'j1', how: 'all' }), 'removed');
    assert.is(await made(message(1)), 'duplicate');
    assert.is(await made(message(INBOX_LENGTH + 1)), 'claimed', 'a message that was told full is not handled');
  }
});

test.run();
