import { Cluster } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore } from '../../src/index.ts';
import { cli } from '../cli/cli.ts';
import { startAlone, stopAll } from '../cluster/nodes.ts';
import { linesOf, pageOf, words } from '../docs/pages.ts';
import { BY_CHANNEL, CALLS, HOLDER, prepare } from '../store/store.ts';
import { CHANNEL, INBOX, JOB, STATE, STREAM, WATCH } from '../support/library.ts';
import { connectTo, type Server, startServer } from './servers.ts';

const test = suite('the users of docs/security.md');
const LINES = linesOf(pageOf('docs/security.md'), 'sh').map(words);

/** What nobody of the page may do; KEY is that of the conversation, FOREIGN that of another program. */
const FORBIDDEN = ['GET FOREIGN', 'FLUSHALL', 'CONFIG GET *', 'KEYS *', 'FUNCTION FLUSH'];
/** What each may not do besides. */
const FORBIDDEN_TO: Record<string, string[]> = {
  app: ['SET FOREIGN x', 'FUNCTION LOAD x', 'EVAL return 0', 'ACL LIST'],
  oncall: ['SET KEY x', 'DEL KEY', 'FCALL conv_remove 1 KEY', 'FUNCTION LOAD x', 'ZADD WATCH 1 x', 'ACL SETUSER x'],
  deployer: ['GET KEY', 'GET INDEX', 'SET KEY x', 'FCALL conv_get 1 KEY', 'FCALL conv_remove 1 KEY', 'SCAN 0'],
  releaser: ['FUNCTION LOAD x', 'SCAN 0', 'SET FOREIGN x'],
  worker: [
    ...['XADD INBOX * a b', 'XADD STREAM * a b', 'DEL INBOX', 'XTRIM INBOX MAXLEN 0', 'GET KEY', 'SCAN 0'],
    ...['FCALL conv_remove 1 KEY', 'FCALL_RO conv_get 1 KEY'],
  ],
};
const KEYS: Record<string, string> = { KEY: CHANNEL, INDEX: JOB, WATCH, INBOX, STREAM, FOREIGN: 'foreign' };
/** What each user runs on the command line. */
const COMMANDS: [user: string, ...commands: string[]][] = [
  ['deployer', 'load', 'check'],
  ['oncall', 'list', 'show --job j1', 'due', 'doctor --user app', 'check'],
  ['releaser', `release --job j1 --reason hangs --stream ${STREAM} --yes`],
];

test.after(stopAll);

for (const prefix of ['', '{t}:']) {
  const where = prefix === '' ? 'a server' : 'a cluster';
  let server: Server;
  let admin: ConversationStore;
  test.before(async () => {
    server = await (prefix === '' ? startServer() : startAlone());
    // The second lines of a user are for a cluster.
    for (const [command = '', ...args] of LINES.filter((line) => prefix !== '' || line.includes('on'))) {
      await server.admin.call(command, ...args.map((arg) => arg.replace('~', `~${prefix}`)));
    }
    admin = new ConversationStore(server.admin, { prefix, silentAfterMs: 60_000 });
    await admin.ready();
  });
  test.before.each(async () => {
    await server.admin.flushall();
    await server.admin.set('foreign', 'secret');
  });
  const connect = (username: string) =>
    connectTo(server, { username, password: `${username}-password`, enableReadyCheck: false });

  test(`on ${where}, the deployer loads, whoever is on call looks, and somebody else releases`, async () => {
    await admin.set(STATE);
    for (const [user, ...commands] of COMMANDS) {
      const env = { REDIS_URL: `redis://${user}:${user}-password@127.0.0.1:${server.port}` };
      for (const command of commands) {
        const args = command.split(' ').map((word) => (word === STREAM ? prefix + word : word));
        const space = /^(load|check)/.test(command) ? [] : ['--prefix', prefix];
        const { stdout, stderr, code } = await cli([...args, ...space], env);
        assert.is(code, 0, `${user}: ${command}: ${stderr}`);
        assert.not.match(stdout + stderr, /may not run|NOPERM|permission/, `${user}: ${command}`);
      }
    }
    assert.is(await admin.get(STATE), null, 'it is released');
  });

  test(`on ${where}, the app makes every call of the store`, async () => {
    const redis = connect('app');
    const { port, username, password } = redis.options;
    const redisOptions = { username, password };
    const client = prefix === '' ? redis : new Cluster([{ host: '127.0.0.1', port }], { redisOptions });
    const store = new ConversationStore(client, { prefix, load: 'never', silentAfterMs: 1 });
    for (const ref of [HOLDER, BY_CHANNEL, { jobId: HOLDER.jobId }]) {
      for (const [name, call] of Object.entries(CALLS)) {
        await server.admin.flushall();
        await prepare(admin);
        // A call that publishes names its job.
        const isMade = ref !== BY_CHANNEL || !/publishes|handOver/.test(name);
        if (isMade) await call(store, ref as typeof HOLDER);
      }
    }
    if (prefix !== '') {
      // What docs/security.md gives it on a cluster, for scaleReads and for claims with replicas.
      assert.is(await redis.readonly(), 'OK');
      await server.admin.flushall();
      assert.is((await store.claim(STATE, { replicas: 1, timeoutMs: 1 })).outcome, 'claimed');
    }
    client.disconnect();
  });

  test(`on ${where}, nobody can do more than their work`, async () => {
    for (const [user, own] of Object.entries(FORBIDDEN_TO)) {
      const client = connect(user);
      for (const line of [...FORBIDDEN, ...own]) {
        const [command = '', ...args] = line.split(' ').map((word) => (word in KEYS ? prefix + KEYS[word] : word));
        // A function says of what it was refused inside that it was the ACL's doing.
        assert.match(String(await client.call(command, ...args).catch(String)), /NOPERM|ACL/, `${user}: ${line}`);
      }
    }
  });

  test(`on ${where}, a worker reads its stream and its inbox`, async () => {
    const stream = admin.key(STATE, STREAM);
    await admin.set(STATE);
    await admin.update(STATE, {}, { stream, fields: { type: 'Stop' } });
    await admin.claim({ ...STATE, jobId: 'j2', claimId: 'c2', deliveryId: 'd2' }, { queue: { text: 'more' } });
    const worker = connect('worker');
    assert.is((await worker.xread('STREAMS', stream, '0'))?.length, 1);
    assert.is((await worker.xrange(admin.inboxKey(STATE), '-', '+')).length, 1);
  });
}

test.run();
