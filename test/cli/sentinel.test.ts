import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../../scripts/redis/free-port.ts';
import { ConversationStore } from '../../src/index.ts';
import { type Server, startServer, stopAll } from '../operations/servers.ts';
import { STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { type CliRun, cli, failed, succeeded } from './cli.ts';

const test = suite('the command line and a Sentinel');
const redis = withRedis(test);
let admin: Redis;
let sentinel: Server;
let serverPort: number;
let port: number;

test.before(async () => {
  const { url } = await redis.server();
  admin = new Redis(url);
  await new ConversationStore(admin).claim(STATE);
  serverPort = Number(new URL(url).port);
  sentinel = await startSentinel();
  port = sentinel.port;
});
test.after(() => {
  admin.disconnect();
  stopAll();
});

const IS_THERE = 'chat (by Sentinel)  conversation 1.0.0 is there';

function startSentinel(): Promise<Server> {
  return startServer({ sentinel: [`sentinel monitor chat 127.0.0.1 ${serverPort} 1`] });
}

/** Runs a command that asks Sentinels for a server. */
function through(places: string, command: string, { name = 'chat', env = {} } = {}): Promise<CliRun> {
  return cli([command, '--sentinel', places, '--name', name], env);
}

test('the server is found through the Sentinels that know it', async () => {
  succeeded(await through(`127.0.0.1:${port}`, 'check'), IS_THERE);
  const { stdout, stderr, code } = await through(`127.0.0.1:${port}`, 'list');
  assert.match(stdout, /\nslack +C1 +j1 /);
  assert.equal([stderr, code], ['', 0]);
});

test('the server and the Sentinels each have their own user', async () => {
  const all = ['~*', '&*', '+@all'];
  await admin.call('ACL', 'SETUSER', 'operator', 'on', '>operator-Pa55', ...all);
  await sentinel.admin.call('ACL', 'SETUSER', 'asker', 'on', '>asker-Pa55', ...all);
  const users = { REDIS_USERNAME: 'operator', SENTINEL_USERNAME: 'asker' };
  const passwords = { REDIS_PASSWORD: 'operator-Pa55', SENTINEL_PASSWORD: 'asker-Pa55' };
  succeeded(await through(`127.0.0.1:${port}`, 'check', { env: { ...users, ...passwords } }), IS_THERE);
  const wrong = {
    REDIS_PASSWORD: 'the user name or the password is wrong.',
    SENTINEL_PASSWORD: 'the Sentinels refuse the user name or the password of SENTINEL_USERNAME and SENTINEL_PASSWORD.',
  };
  for (const [name, said] of Object.entries(wrong)) {
    const env = { ...users, ...passwords, [name]: 'Wr0ng' };
    failed(await through(`127.0.0.1:${port}`, 'check', { env }), `chat (by Sentinel): ${said}`);
  }
});

test('a Sentinel in place of the server is said to be one', async () => {
  const said = /: this is a Sentinel, not the server that it watches\. Name the server by it: --sentinel .*\n$/;
  failed(await cli(['list', '--url', `redis://127.0.0.1:${port}`]), said);
});

test('what is not a Sentinel, or does not know the name, is said to be so', async () => {
  const cases: [name: string, port: number, said: string][] = [
    ['other', port, 'the Sentinels do not know a server of that name. SENTINEL MASTERS tells which they know.'],
    ['chat', await freePort(), 'none of the Sentinels could be reached.'],
    ['chat', serverPort, 'what answers there is not a Sentinel, which listens on port 26379 as a rule.'],
  ];
  for (const [name, at, said] of cases) {
    failed(await through(`127.0.0.1:${at}`, 'check', { name }), `${name} (by Sentinel): ${said}`);
  }
});

test('a Sentinel that takes connections and never answers does not keep the next one from being asked', async () => {
  const stopped = await startSentinel();
  stopped.process.kill('SIGSTOP');
  succeeded(await through(`127.0.0.1:${stopped.port},127.0.0.1:${port}`, 'check'), IS_THERE);
});

test.run();
