import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, INBOX, STATE, STREAM, WATCH } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { pageOf } from './pages.ts';

// A cell of the table that is empty, or says "stays", promises that the call changes nothing there; any other that it does.

const test = suite('what each call renews, by docs/api.md');
const redis = withRedis(test);
const [, section = ''] = pageOf('docs/api.md').text.split('## What each call renews');
const [table = ''] = /(?:^\|.*\n)+/m.exec(section) ?? [];
const [head = [], , ...rows] = table
  .trim()
  .split('\n')
  .map((line) => line.split(/ ?\| ?/).slice(1, -1));

const next = { ...STATE, jobId: 'j2', claimId: 'c2' };
const published = { stream: STREAM, fields: { type: 'x' } };
const HOUR = { ttlMs: 3_600_000 };
type Call = (store: ConversationStore, lastSeen: string) => Promise<unknown>;

const ask: Call = (store) => store.setPendingQuestion(STATE, 'q1', { ...HOUR, answerWithinMs: 1_000 });
const due: Call = async (store) => {
  for await (const { jobId } of store.due()) assert.is(jobId, 'j1');
};
const ACCEPTED = '`clearPendingQuestion`, `answerQuestion`: `accepted`';
/** The calls of each row. */
const CALLS: Record<string, Call[]> = {
  '`claim`, `handOver`: `claimed`': [(store) => store.handOver(STATE, next, { ...HOUR, ...published })],
  '`claim`: `queued`': [(store) => store.claim(next, { queue: { text: 'more' } })],
  '`set`': [(store) => store.set(STATE, HOUR)],
  '`getByJobId`': [(store, lastSeen) => store.getByJobId('j1', { ...HOUR, lastSeen })],
  '`setPendingQuestion`': [ask],
  [ACCEPTED]: [(store) => store.answerQuestion(STATE, 'q1', { ttlMs: 60_000, ...published })],
  '`update`: `updated`': [(store) => store.update(STATE, { project: 'q' }, published)],
  '`remove`: `removed`': [(store) => store.remove(STATE, { discardInbox: true })],
  '`due`': [due],
  'all others, all other outcomes': [
    (store) => store.get(STATE),
    (store) => store.claim(next),
    (store) => store.getByJobId('j1', { renew: false }),
    (store) => store.answerQuestion(STATE, 'q0', published),
    (store) => store.update(STATE, {}, { ...published, deliveryId: 'd1' }),
    (store) => store.remove(STATE),
  ],
};
/** What comes before the call of a row, where it is not a claim that nobody started, with a message in its inbox. */
const BEFORE: Record<string, Call> = {
  [ACCEPTED]: ask,
  '`update`: `updated`': (store) => store.getByJobId('j1'),
  '`due`': async () => (await redis.connect()).zadd(WATCH, 1, `j1\n${CHANNEL}`),
};

/** What the columns of the table are about. */
async function seen(): Promise<Record<string, unknown>> {
  const client = await redis.connect();
  return {
    deadline: await client.pexpiretime(CHANNEL),
    watch: await client.call('ZRANGE', WATCH, '0', '-1', 'WITHSCORES'),
    '`starting`': (await client.get(CHANNEL))?.includes('"starting":true'),
    inbox: await client.xlen(INBOX),
    stream: await client.pexpiretime(STREAM),
  };
}

for (const [name = '', ...cells] of rows) {
  test(`${name}: changes what its row says, and nothing else`, async () => {
    const client = await redis.connect();
    const store = new ConversationStore(client, { silentAfterMs: 300_000 });
    assert.ok(CALLS[name], 'a call for the row');
    for (const call of CALLS[name] ?? []) {
      await client.flushall();
      await store.claim({ ...STATE, deliveryId: 'd1' }, { startWithinMs: 60_000 });
      await store.claim(next, { queue: { text: 'and the logout' } });
      const [entry] = await client.xrange(INBOX, '-', '+');
      await BEFORE[name]?.(store, '');
      const was = await seen();
      await call(store, entry?.[0] ?? '');
      const is = await seen();
      const changed = head.slice(1).map((column) => JSON.stringify(was[column]) !== JSON.stringify(is[column]));
      const promised = cells.map((cell) => !['', 'stays'].includes(cell));
      assert.equal(changed, promised, `${call}`);
    }
  });
}

test.run();
