import { Cluster } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { slotOf } from '../../scripts/redis/slot.ts';
import { ConversationStore } from '../../src/index.ts';
import { introduce, kill, type Node, restart, settled, startNode, stopAll } from '../cluster/nodes.ts';
import { linesOf, pageOf, words } from '../docs/pages.ts';
import { cli, failed, jsonLines, startCli } from './cli.ts';

const test = suite('the command line on a cluster in trouble');
const PREFIX = '{t}:';
const STATE = { platform: 'slack', channelId: 'C1', userId: 'U1', project: 'p', ticketId: 1, startedAt: new Date() };

// The one that the command line is given, and the one that holds the slot of the prefix.
let entry: Node;
let other: Node;
let store: ConversationStore;
let client: Cluster;

test.before(async () => {
  [entry, other] = await Promise.all([startNode(), startNode()]);
  await entry.admin.cluster('ADDSLOTSRANGE', 0, 8_191);
  await other.admin.cluster('ADDSLOTSRANGE', 8_192, 16_383);
  assert.ok(slotOf(PREFIX) > 8_191);
  await introduce([entry], other);
});
test.before.each(async () => {
  for (const { admin } of [entry, other]) await admin.flushall();
  client = new Cluster([{ host: '127.0.0.1', port: entry.port }]);
  store = new ConversationStore(client, { prefix: PREFIX, silentAfterMs: 3_600_000 });
  await store.claim({ ...STATE, jobId: 'j1' });
});
test.after.each(() => client.disconnect());
test.after(stopAll);

function run(...args: string[]) {
  return cli([...args, '--url', `redis://127.0.0.1:${entry.port}`, '--prefix', PREFIX]);
}

/** The command line of the user of docs/security.md for somebody on call, who lacks these rights. */
async function onCall(args: string[], ...lacking: string[]): Promise<string[]> {
  const lines = linesOf(pageOf('docs/security.md'), 'sh').map(words);
  for (const { admin } of [entry, other]) {
    for (const [command = '', ...words] of lines.filter((line) => line[2] === 'oncall')) {
      await admin.call(command, ...words.map((word) => word.replace('~', `~${PREFIX}`)), ...lacking);
    }
  }
  return [...args, '--url', `redis://oncall:oncall-password@127.0.0.1:${entry.port}`, '--prefix', PREFIX];
}

test('list, due, show and doctor find sharded conversations on every master, and nothing wrong with them', async () => {
  const sharded = new ConversationStore(client, { sharded: true, silentAfterMs: 1 });
  const channels = ['C1', 'C2', 'C3', 'C4'];
  const jobs = new Map(channels.map((channelId) => [channelId, sharded.newJobId({ ...STATE, channelId })]));
  for (const [channelId, jobId] of jobs) await sharded.claim({ ...STATE, channelId, jobId });
  const where = ['--sharded', '--url', `redis://127.0.0.1:${entry.port}`];
  for (const command of ['list', 'due']) {
    const found = jsonLines(await cli([command, '--json', ...where]));
    const shown = found.map(({ channelId, jobId }): [string, string] => [channelId, jobId]);
    assert.equal(new Map(shown.sort()), jobs);
  }
  const show = await cli(['show', '--job', jobs.get('C4') ?? '', ...where]);
  assert.match(show.stdout, `slack C4, job ${jobs.get('C4')}\n`);
  const { stdout, code } = await cli(['doctor', ...where]);
  for (const { port } of [entry, other]) assert.match(stdout, `\n127.0.0.1:${port}\n`);
  assert.match(stdout, 'All 16384 are served.');
  assert.match(stdout, 'No problems in 4 conversations, 4 indexes, ');
  assert.is(code, 0, stdout);
});

test('what is in a slot that is half moved is shown all the same, and doctor names the slot', async () => {
  const [slot, key] = [slotOf(PREFIX), `${PREFIX}conversation:slack:C1`];
  const ids = await Promise.all([entry, other].map(async ({ admin }) => String(await admin.cluster('MYID'))));
  const [to = '', from = ''] = ids;
  await client.zadd(`${PREFIX}conversation-watch`, Date.now() - 60_000, `j1\n${key}`);
  await entry.admin.cluster('SETSLOT', slot, 'IMPORTING', from);
  await other.admin.cluster('SETSLOT', slot, 'MIGRATING', to);
  await other.admin.call('MIGRATE', '127.0.0.1', entry.port, key, 0, 5_000);
  try {
    const shown = await run('show', '--job', 'j1');
    assert.match(shown.stdout, /^slack C1, job j1\n/, shown.stderr);
    const due = await run('due');
    assert.match(due.stdout, /\nslack +C1 +j1 +silent +1m\S* +held\n/, due.stderr);
    const half =
      'the slot of the conversation is half moved, or no node serves it. Try again in a moment. npx --no ' +
      'conversation-state doctor tells which slot or which master it is.';
    failed(await run('release', '--job', 'j1', '--reason', 'r', '--yes'), `127.0.0.1:${entry.port}: ${half}`);
    for (const args of [['list'], ['show', '--job', 'j1'], ['due']]) {
      const { stdout, stderr } = await cli(await onCall(args));
      assert.match(stdout, 'slack', stderr);
    }
    // What the client of the cluster reports to nobody.
    const refused = await startCli(await onCall(['show', '--job', 'j1'], '-asking')).ended;
    failed(refused, 'this user may not run ASKING. It needs the right +asking.');
    const { stdout, code } = await run('doctor');
    assert.match(
      stdout,
      `! slots        On the move: ${slot}. Calls for a conversation in it wait or fail meanwhile.\n`,
    );
    assert.match(stdout, ` Where nobody moves slots now: redis-cli --cluster fix 127.0.0.1:${entry.port}\n`);
    assert.is(code, 0, stdout);
  } finally {
    await other.admin.cluster('SETSLOT', slot, 'STABLE');
    await entry.admin.call('MIGRATE', '127.0.0.1', other.port, key, 0, 5_000);
    await entry.admin.cluster('SETSLOT', slot, 'STABLE');
  }
});

test('a master that does not answer is named', async () => {
  other.process.kill('SIGSTOP');
  try {
    failed(await run('list'), `127.0.0.1:${other.port}: no answer within 5 s.`);
  } finally {
    other.process.kill('SIGCONT');
    await settled([entry, other]);
  }
});

test('a master that takes no connection is named', async () => {
  await kill(other);
  try {
    const said = `127.0.0.1:${other.port}: the connection was refused; no server listens there.`;
    failed(await run('list'), said);
    failed(await run('due'), said);
    const { stdout, stderr, code } = await run('doctor');
    assert.match(stdout, `\n127.0.0.1:${other.port}\n✗ server       Could not be asked: the connection was refused; `);
    assert.match(stdout, '\n! keys         Not checked: that takes every server, with the library.\n');
    assert.match(stderr, /^(One thing is|2 things are) wrong\.\n$/);
    assert.is(code, 1);
  } finally {
    await restart(other);
    await settled([entry, other]);
  }
});

test.run();
