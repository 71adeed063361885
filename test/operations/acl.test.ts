import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../../scripts/redis/free-port.ts';
import type { RunningRedis } from '../../scripts/redis/start.ts';
import { ConversationStore } from '../../src/index.ts';
import { cli } from '../cli/cli.ts';
import { linesOf, pageOf, words } from '../docs/pages.ts';
import { CHANNEL, INBOX, JOB, STATE, STREAM, WATCH } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';

const test = suite('the users of docs/security.md');
const redis = withRedis(test);
const LINES = linesOf(pageOf('docs/security.md'), 'sh').map(words);
/** The second lines of a user are for a cluster. */
const ON_CLUSTER = LINES.filter((line) => !line.includes('on'));

let standalone: Redis;
let cluster: Redis;
test.after(() => {
  standalone?.disconnect();
  cluster?.disconnect();
});

async function withUsers(server: RunningRedis, lines: string[][], prefix: string): Promise<Redis> {
  const admin = new Redis(server.url);
  for (const [command = '', ...args] of lines) {
    await admin.call(command, ...args.map((arg) => arg.replace(/~/, `~${prefix}`)));
  }
  await new ConversationStore(admin, { prefix }).ready();
  await admin.set('foreign', 'secret');
  return admin;
}

test.before(async () => {
  const bus = String(await freePort());
  const own = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', '--cluster-port', bus];
  const [server, node] = await Promise.all([redis.server(), redis.server(...own)]);
  standalone = await withUsers(
    server,
    LINES.filter((line) => !ON_CLUSTER.includes(line)),
    '',
  );
  const setUp = new Redis(node.url);
  await setUp.cluster('ADDSLOTSRANGE', 0, 16_383);
  while (!String(await setUp.cluster('INFO')).includes('cluster_state:ok')) await sleep(20);
  setUp.disconnect();
  cluster = await withUsers(node, LINES, '{t}:');
});

/** Which of these commands a user may run: `yes`, or the word of the refusal. */
async function outcomes(admin: Redis, user: string, commands: string[][]): Promise<string[]> {
  const { host, port } = admin.options;
  const url = `redis://${user}:${user}-password@${host}:${port}`;
  const where = admin === cluster ? ['--prefix', '{t}:'] : [];
  const found: string[] = [];
  for (const [name = '', ...args] of commands) {
    const isDeploy = name === 'load' || name === 'check';
    const { stderr, stdout, code } = await cli([name, ...args, ...(isDeploy ? [] : where)], { REDIS_URL: url });
    const refused = /may not run|NOPERM|permission/.test(stderr + stdout);
    found.push(`${name} ${code === 0 && !refused ? 'yes' : refused ? 'no' : `failed: ${stderr}`}`);
    if (refused) assert.not(stderr.includes('-password'), stderr);
  }
  return found;
}

/** What nobody of the page may do; KEY is that of the conversation, FOREIGN that of another program. */
const FORBIDDEN = ['GET FOREIGN', 'FLUSHALL', 'CONFIG GET *', 'KEYS *', 'FUNCTION FLUSH'];
/** What each may not do besides. */
const FORBIDDEN_TO: Record<string, string[]> = {
  app: ['SET FOREIGN x', 'FUNCTION LOAD x', 'EVAL return 0', 'ACL LIST'],
  oncall: ['SET KEY x', 'DEL KEY', 'FCALL conv_remove 1 KEY', 'FUNCTION LOAD x', 'ZADD WATCH 1 x', 'ACL SETUSER x'],
  deployer: ['GET KEY', 'GET INDEX', 'SET KEY x', 'FCALL conv_get 1 KEY'],
  releaser: ['FUNCTION LOAD x', 'SCAN 0', 'SET FOREIGN x'],
  worker: [
    ...['XADD INBOX * a b', 'XADD STREAM * a b', 'DEL INBOX', 'XTRIM INBOX MAXLEN 0', 'GET KEY', 'SCAN 0'],
    ...['FCALL conv_remove 1 KEY', 'FCALL_RO conv_get 1 KEY'],
  ],
};
const KEYS: Record<string, string> = { KEY: CHANNEL, INDEX: JOB, WATCH, INBOX, STREAM, FOREIGN: 'foreign' };

for (const [where, admin, prefix] of [
  ['a server', () => standalone, ''],
  ['a cluster', () => cluster, '{t}:'],
] as const) {
  test(`on ${where}, whoever is on call looks, somebody else releases, and the deployer loads`, async () => {
    const store = new ConversationStore(admin(), { prefix });
    await store.set(STATE);
    const looking = [['list'], ['show', '--job', 'j1'], ['due'], ['doctor'], ['doctor', '--user', 'app'], ['check']];
    const releasing = [
      'release',
      '--job',
      'j1',
      '--reason',
      'hangs',
      '--stream',
      store.key(STATE, 'job:j1:in'),
      '--yes',
    ];
    assert.equal(await outcomes(admin(), 'oncall', [...looking, releasing]), [
      ...['list yes', 'show yes', 'due yes', 'doctor yes', 'doctor yes', 'check yes', 'release no'],
    ]);
    assert.equal(await outcomes(admin(), 'deployer', [['load'], ['check'], ['list'], releasing]), [
      ...['load yes', 'check yes', 'list no', 'release no'],
    ]);
    assert.ok(await store.get(STATE), 'nobody has changed anything yet');
    assert.equal(await outcomes(admin(), 'releaser', [releasing, ['load']]), ['release yes', 'load no']);
    assert.is(await store.get(STATE), null);
  });

  test(`on ${where}, the app makes every call of the store`, async () => {
    const { host = '', port = 0 } = admin().options;
    const user = { username: 'app', password: 'app-password' };
    const client =
      prefix === '' ? new Redis({ host, port, ...user }) : new Cluster([{ host, port }], { redisOptions: user });
    const store = new ConversationStore(client, { prefix, load: 'never', silentAfterMs: 60_000 });
    assert.is((await store.claim({ ...STATE, deliveryId: 'app-1' })).outcome, 'claimed');
    const follow = { ...STATE, jobId: 'j2', claimId: 'c2', deliveryId: 'app-2' };
    assert.is((await store.claim(follow, { queue: { text: 'more' } })).outcome, 'queued');
    await store.set(STATE);
    assert.is((await store.getByJobId('j1'))?.jobId, 'j1');
    assert.is((await store.get(STATE))?.jobId, 'j1');
    const stream = { stream: store.key(STATE, 'job:j1:in'), fields: { type: 'x' } };
    assert.is((await store.update(STATE, { project: 'other' }, stream)).outcome, 'updated');
    await store.setPendingQuestion(STATE, 'q1');
    assert.is((await store.answerQuestion(STATE, 'q1', stream)).outcome, 'accepted');
    await store.clearPendingQuestion(STATE);
    let lastSeen: string | undefined;
    for await (const { id } of store.inbox(STATE)) lastSeen = id;
    assert.is((await store.getByJobId('j1', { lastSeen }))?.jobId, 'j1');
    for await (const { jobId } of store.due()) assert.unreachable(jobId);
    const listed: string[] = [];
    for await (const { jobId } of store.list()) listed.push(jobId);
    assert.equal(listed, ['j1']);
    const next = { ...STATE, jobId: 'j2' };
    assert.is((await store.handOver(STATE, next, stream)).outcome, 'claimed');
    assert.is((await store.remove(next)).outcome, 'removed');
    client.disconnect();
  });

  test(`on ${where}, nobody can do more than their work`, async () => {
    const { host = '', port = 0 } = admin().options;
    for (const [username, own] of Object.entries(FORBIDDEN_TO)) {
      const client = new Redis({ host, port, username, password: `${username}-password` });
      client.on('error', () => {});
      for (const line of [...FORBIDDEN, ...own]) {
        const [command = '', ...args] = line.split(' ').map((word) => (word in KEYS ? prefix + KEYS[word] : word));
        // A function says of what it was refused inside that it was the ACL's doing.
        assert.match(String(await client.call(command, ...args).catch(String)), /NOPERM|ACL/, `${username}: ${line}`);
      }
      client.disconnect();
    }
  });

  test(`on ${where}, a worker reads its stream and its inbox`, async () => {
    const store = new ConversationStore(admin(), { prefix, silentAfterMs: 60_000 });
    const [stream, inbox] = [store.key(STATE, 'job:j1:in'), store.inboxKey(STATE)];
    await store.set(STATE);
    await store.update(STATE, {}, { stream, fields: { type: 'Stop' } });
    await store.claim({ ...STATE, jobId: 'j2', claimId: 'c2', deliveryId: 'd2' }, { queue: { text: 'more' } });
    const { host = '', port = 0 } = admin().options;
    const worker = new Redis({ host, port, username: 'worker', password: 'worker-password' });
    await once(worker, 'ready');
    assert.is((await worker.xread('STREAMS', stream, '0'))?.length, 1);
    assert.is((await worker.xrange(inbox, '-', '+')).length, 1);
    worker.disconnect();
    await store.remove({ platform: 'slack', channelId: 'C1' });
  });
}

test.run();
