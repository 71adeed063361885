import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../../scripts/redis/free-port.ts';
import { ConversationStore } from '../../src/index.ts';
import { type Server, startServer, stopAll } from '../operations/servers.ts';
import { STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { cli, failed, succeeded } from './cli.ts';

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

function startSentinel(): Promise<Server> {
  return startServer({ sentinel: [`sentinel monitor chat 127.0.0.1 ${serverPort} 1`] });
}

test('the server is found through the Sentinels that know it', async () => {
  const through = ['--sentinel', `127.0.0.1:${port}`, '--name', 'chat'];
  succeeded(await cli(['check', ...through]), 'chat (by Sentinel)  conversation 1.0.0 is there');
  const list = await cli(['list', '--json', ...through]);
  assert.match(list.stdout, '"jobId":"j1"');
  assert.equal([list.stderr, list.code], ['', 0]);
});

test('the server and the Sentinels each have their own user', async () => {
  const through = ['--sentinel', `127.0.0.1:${port}`, '--name', 'chat'];
  const all = ['~*', '&*', '+@all'];
  await admin.call('ACL', 'SETUSER', 'operator', 'on', '>operator-Pa55', ...all);
  await sentinel.admin.call('ACL', 'SETUSER', 'asker', 'on', '>asker-Pa55', ...all);
  const users = { REDIS_USERNAME: 'operator', SENTINEL_USERNAME: 'asker' };
  const passwords = { REDIS_PASSWORD: 'operator-Pa55', SENTINEL_PASSWORD: 'asker-Pa55' };
  succeeded(
    await cli(['check', ...through], { ...users, ...passwords }),
    'chat (by Sentinel)  conversation 1.0.0 is there',
  );
  const wrong = {
    REDIS_PASSWORD: 'the user name or the password is wrong.',
    SENTINEL_PASSWORD: 'the Sentinels refuse the user name or the password of SENTINEL_USERNAME and SENTINEL_PASSWORD.',
  };
  for (const [name, said] of Object.entries(wrong)) {
    const run = await cli(['check', ...through], { ...users, ...passwords, [name]: 'Wr0ng' });
    failed(run, `chat (by Sentinel): ${said}`);
  }
});

test('a Sentinel in place of the server is said to be one', async () => {
  for (const command of ['load', 'check', 'list']) {
    failed(
      await cli([command, '--url', `redis://127.0.0.1:${port}`]),
      `127.0.0.1:${port}: this is a Sentinel, not the server that it watches. Name the server by it: ` +
        '--sentinel host:port --name NAME (SENTINEL MASTERS tells the name)',
    );
  }
});

test('a name that the Sentinels do not know, and Sentinels that are not there, are told apart', async () => {
  failed(
    await cli(['check', '--sentinel', `127.0.0.1:${port}`, '--name', 'other']),
    'other (by Sentinel): the Sentinels do not know a server of that name. SENTINEL MASTERS tells which they know.',
  );
  failed(
    await cli(['check', '--sentinel', `127.0.0.1:${await freePort()}`, '--name', 'chat']),
    'chat (by Sentinel): none of the Sentinels could be reached.',
  );
});

test('a Sentinel that takes connections and never answers does not keep the next one from being asked', async () => {
  const stopped = await startSentinel();
  stopped.process.kill('SIGSTOP');
  const places = `127.0.0.1:${stopped.port},127.0.0.1:${port}`;
  const run = await cli(['check', '--sentinel', places, '--name', 'chat']);
  succeeded(run, 'chat (by Sentinel)  conversation 1.0.0 is there');
});

test('a server in place of a Sentinel is said to be none', async () => {
  failed(
    await cli(['check', '--sentinel', `127.0.0.1:${serverPort}`, '--name', 'chat']),
    'chat (by Sentinel): what answers there is not a Sentinel, which listens on port 26379 as a rule.',
  );
});

test.run();
