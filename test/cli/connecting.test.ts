import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort, type RunningRedis } from '../../scripts/redis/start.ts';
import { readAddress, readSentinels } from '../../src/cli/address.ts';
import { reasonOf } from '../../src/cli/reason.ts';
import { fromClient } from '../../src/errors.ts';
import { ConversationStore, LIBRARY_VERSION } from '../../src/index.ts';
import { type Server as Sentinel, startServer, stopAll } from '../operations/servers.ts';
import { STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { type CliRun, cli, failed, succeeded } from './cli.ts';

const test = suite('how the command line reaches a server');
const redis = withRedis(test);
const CERTIFICATE = new URL('localhost.pem', import.meta.url);
const PASSWORD = 'p@ss/w#rd%';
const LOADED = `conversation ${LIBRARY_VERSION} loaded, there was none`;
const IS_THERE = `conversation ${LIBRARY_VERSION} is there`;
const OWN_CERTIFICATE = 'if it wants a certificate of the client, name it with --tls-cert FILE --tls-key FILE.';

const url = await redis.url();
const servers: Server[] = [];

test.after(() => {
  for (const server of servers) server.close();
});

/** A server on loopback, and its port. */
async function listen(server: Server): Promise<number> {
  // A client that hangs up before it has read everything resets the connection.
  server.on('connection', (socket: Socket) => socket.on('error', () => {}));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(server);
  server.unref();
  return (server.address() as AddressInfo).port;
}

test('an address is shown by host and port, and has no database', () => {
  for (const [address, shown, read] of [
    ['redis://db', 'db:6379', 'redis://db:6379'],
    ['rediss://u:p%40%2F%25@db:1/3', 'db:1', 'rediss://u:p%40%2F%25@db:1'],
    ['redis://:a@b:c@[::1]/', '[::1]:6379', 'redis://:a%40b%3Ac@[::1]:6379'],
  ] as const) {
    const { host, href } = readAddress(address, {});
    assert.equal([host, href], [shown, read]);
  }
});

test('a text that is not an address is refused, and nothing of it is shown', async () => {
  const others = ['Wr0ng', 'http://user:Wr0ng@host:6379', 'redis:Wr0ng@host', 'redis://'];
  const endings = [':Wr0ng/part@host', 'user:1/Wr0ng@host', 'user:1?Wr0ng@host', 'user:1#Wr0ng@host', ':Wr0ng%@host'];
  const places = [':Wr0ng@host:99999', ':Wr0ng@host:0', 'host/Wr0ng', 'host?password=Wr0ng'];
  for (const address of [...others, ...[...endings, ...places].map((rest) => `redis://${rest}`)]) {
    assert.throws(() => readAddress(address, {}), /^--url is not the address of a Redis server\. (?!.*Wr0ng)/);
  }
  const said = /^REDIS_URL is not the address of a Redis server\. Write redis:\/\/host:port or rediss:\/\/(?!.*Wr0ng)/;
  failed(await cli(['check'], { REDIS_URL: 'redis://:Wr0ng/part@host:6379' }), said, { exit: 2 });
});

test('Sentinels are host:port with commas, also of IPv6; without a port it is theirs', () => {
  const read = readSentinels('a, [::1]:7', 'chat').map(({ host, port }) => `${host} ${port}`);
  assert.equal(read, ['a 26379', '::1 7']);
  for (const wrong of ['a:1,', 'a:x', 'redis://a:1', 'u:p@a:1', 'a/1']) {
    assert.throws(() => readSentinels(wrong, 'chat'), /^--sentinel must be host:port/);
  }
});

test('why a server could not be used is one sentence for a person', () => {
  const failed = (message: string, code?: string) => Object.assign(new Error(message), code && { code });
  const plain = {
    'the connection was refused; no server listens there.': new AggregateError([
      failed('', 'ECONNREFUSED'),
      failed('', 'EHOSTUNREACH'),
    ]),
    'this user may not use the keys of this store.': failed('NOPERM User ops has no permissions to access a key'),
    'this user lacks a right.': failed('NOPERM No permissions'),
    'the server has no Lua, in which the library is written. Valkey 9.1 and later have it as a module: install that and load it, or use another server.':
      fromClient(failed("ERR Engine 'LUA' not found")),
    'ERR no!': failed('ERR no!\nand more'),
    'what is no error.': 'what is no error',
    'no address.': new AggregateError([], 'no address'),
  };
  const overTls = {
    'no answer within 5 s. Without TLS the address begins with redis://': failed('late', 'ETIMEDOUT'),
    "TLS failed: certificate has expired. Name the server's certificate authority with --tls-ca FILE.": failed(
      'certificate has expired',
      'CERT_HAS_EXPIRED',
    ),
    [`the connection was closed before an answer came. Look whether the server still runs; ${OWN_CERTIFICATE}`]: failed(
      'read ECONNRESET',
      'ECONNRESET',
    ),
  };
  for (const [said, error] of Object.entries(plain)) assert.is(reasonOf(error, false), said);
  for (const [said, error] of Object.entries(overTls)) assert.is(reasonOf(error, true), said);
  assert.is(reasonOf(failed('x'.repeat(1_000)), false).length, 301);
});

test('a server that does not let in, or takes no library, says why and shows no password', async () => {
  const as = (user: string) => (url: string) => url.replace('//', `//${user}@`);
  const wrong = 'the user name or the password is wrong.';
  const secret = await redis.server('--requirepass', PASSWORD);
  const old = await redis.server('--rename-command', 'AUTH', '');
  const full = await redis.server('--maxmemory', '1');
  const replica = await redis.server('--replicaof', '127.0.0.1', '1');
  const cases: [server: RunningRedis, user: (url: string) => string, said: string][] = [
    [secret, as(':Wr0ng'), wrong],
    [secret, as('Nobody'), wrong],
    [secret, String, 'it requires a password: redis://user:password@host:port'],
    [old, as(':Wr0ng'), 'it has no Redis Functions, or does not allow them. Use Redis 7.0 or later, or Valkey.'],
    [full, String, 'it is out of memory and takes no library. Free some, or raise its maxmemory.'],
    [replica, String, 'it is a read-only replica. Name its master.'],
  ];
  for (const [server, user, said] of cases) {
    failed(await cli(['load', '--url', user(server.url)]), `${new URL(server.url).host}: ${said}`);
  }
  const right = as(`:${encodeURIComponent(PASSWORD)}`)(secret.url);
  succeeded(await cli(['load'], { REDIS_URL: right }), `${new URL(right).host}  ${LOADED}`);
});

test('a server that is not there, hangs up, is no Redis, or never answers is given up, with the reason', async () => {
  const gone = await freePort();
  const refused = 'the connection was refused; no server listens there.';
  const closing = await listen(createServer((socket) => socket.destroy()));
  const http = await listen(createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
  const silent = await listen(createServer((socket) => socket.resume()));
  const hungUp =
    'the connection was closed before an answer came. Look whether the server still runs; if it requires TLS, the address begins with rediss://';
  const noTls = 'TLS failed: the server does not use it there. Without TLS the address begins with redis://';
  const cases: [url: string, said: string | RegExp][] = [
    [`redis://127.0.0.1:${gone}`, `127.0.0.1:${gone}: ${refused}`],
    [`redis://:Wr0ng@localhost:${gone}`, `localhost:${gone}: ${refused}`],
    [`redis://[::1]:${gone}`, /^\[::1\]:\d+: /],
    ['redis://no-such-host.invalid', 'no-such-host.invalid:6379: the host was not found.'],
    [`redis://127.0.0.1:${closing}`, `127.0.0.1:${closing}: ${hungUp}`],
    [`redis://127.0.0.1:${http}`, `127.0.0.1:${http}: what answers there is not a Redis server.`],
    [`rediss://127.0.0.1:${http}`, `127.0.0.1:${http}: ${noTls}`],
    [`redis://:Wr0ng@127.0.0.1:${silent}`, `127.0.0.1:${silent}: no answer within 5 s.`],
  ];
  // --url goes before REDIS_URL.
  for (const [place, said] of cases) failed(await cli(['load', '--url', place], { REDIS_URL: url }), said);
});

/** Passes what comes over TLS on to the server. */
function relay(socket: Socket): void {
  const { hostname, port } = new URL(url);
  const onward = connect(Number(port), hostname);
  socket.on('error', () => onward.destroy()).on('close', () => onward.destroy());
  onward.on('error', () => socket.destroy()).on('close', () => socket.destroy());
  socket.pipe(onward).pipe(socket);
}

test('the certificate of the server is checked, that of the client shown, and what is missing is named', async () => {
  await cli(['load', '--url', url]);
  const pem = await readFile(CERTIFICATE);
  const file = CERTIFICATE.pathname;
  const check = (place: string, ...args: string[]) => cli(['check', '--url', place, ...args]);
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options = { key: pem, cert: pem, ca: pem, requestCert: true, maxVersion };
    const at = `localhost:${await listen(createTlsServer(options, relay))}`;
    const shown = await check(`rediss://${at}`, '--tls-ca', file, '--tls-cert', file, '--tls-key', file);
    succeeded(shown, `${at}  ${IS_THERE}`);
    const { stdout, stderr, code } = await check(`rediss://${at}`, '--tls-ca', file);
    assert.equal([stdout, code], ['', 1]);
    assert.ok(stderr.startsWith(`${at}: `) && stderr.endsWith(`${OWN_CERTIFICATE}\n`), stderr);
  }
  const port = await listen(createTlsServer({ key: pem, cert: pem }, relay));
  const untrusted = "self-signed certificate. Name the server's certificate authority with --tls-ca FILE.";
  failed(await check(`rediss://localhost:${port}`), `localhost:${port}: TLS failed: ${untrusted}`);
  const other = await check(`rediss://127.0.0.1:${port}`, '--tls-ca', file);
  failed(other, `127.0.0.1:${port}: TLS failed: the certificate is for another host name.`);
  failed(await check(`redis://localhost:${port}`), /rediss:\/\/\n$/);
});

let admin: Redis;
let sentinel: Sentinel;
let serverPort: number;
let port: number;

test.before(async () => {
  const own = await redis.server();
  admin = await redis.connect({}, own);
  await new ConversationStore(admin).claim(STATE);
  serverPort = Number(new URL(own.url).port);
  sentinel = await startSentinel();
  port = sentinel.port;
});
test.after(stopAll);

function startSentinel(): Promise<Sentinel> {
  return startServer({ sentinel: [`sentinel monitor chat 127.0.0.1 ${serverPort} 1`] });
}

/** Runs a command that asks Sentinels for a server. */
function through(places: string, command: string, { name = 'chat', env = {} } = {}): Promise<CliRun> {
  return cli([command, '--sentinel', places, '--name', name], env);
}

test('the server is found through the Sentinels that know it', async () => {
  succeeded(await through(`127.0.0.1:${port}`, 'check'), `chat (by Sentinel)  ${IS_THERE}`);
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
  succeeded(
    await through(`127.0.0.1:${port}`, 'check', { env: { ...users, ...passwords } }),
    `chat (by Sentinel)  ${IS_THERE}`,
  );
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
  succeeded(await through(`127.0.0.1:${stopped.port},127.0.0.1:${port}`, 'check'), `chat (by Sentinel)  ${IS_THERE}`);
});

test.run();
