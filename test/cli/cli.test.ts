import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readAddress } from '../../src/cli/address.ts';
import { Failure } from '../../src/cli/failure.ts';
import { ConversationStore, LIBRARY_SOURCE, LIBRARY_VERSION } from '../../src/index.ts';
import { LIBRARY_RETOUCHED, libraryOf } from '../deploy/versions.ts';
import { STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';
import { type CliRun, cli, failed, succeeded } from './cli.ts';

const test = suite('conversation-state on the command line');
const redis = withRedis(test);
const CERTIFICATE = new URL('localhost.pem', import.meta.url);
const PASSWORD = 'p@ss/w#rd%';
const SAFE_PASSWORD = encodeURIComponent(PASSWORD);

let client: Redis;
let url: string;
let name: string;
const servers: Server[] = [];

test.before(async () => {
  client = await redis.connect();
  url = await redis.url();
  name = new URL(url).host;
});
test.before.each(async () => {
  await client.function('FLUSH');
});
test.after(() => {
  for (const server of servers) server.close();
});

/** A server on loopback that does with its connections as it is told. */
async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(server);
  server.unref();
  return (server.address() as AddressInfo).port;
}

async function installed(): Promise<string> {
  return ((await client.function('LIST', 'LIBRARYNAME', 'conversation', 'WITHCODE')) as unknown[])
    .flat(9)
    .includes(LIBRARY_SOURCE)
    ? LIBRARY_VERSION
    : String(await client.fcall('conv_version', 0).catch(() => 'none'));
}

test('load brings an empty server to this version and says so', async () => {
  succeeded(await cli(['load', '--url', url]), `${name}  conversation ${LIBRARY_VERSION} loaded, there was none`);
  assert.is(await installed(), LIBRARY_VERSION);
});

test('load over this version changes nothing and says so', async () => {
  await client.function('LOAD', LIBRARY_SOURCE);
  succeeded(await cli(['load', '--url', url]), `${name}  conversation ${LIBRARY_VERSION} is there already`);
});

test('load replaces an older version and names it', async () => {
  await client.function('LOAD', libraryOf('0.9.0'));
  succeeded(await cli(['load', '--url', url]), `${name}  conversation ${LIBRARY_VERSION} loaded, replacing 0.9.0`);
  assert.is(await installed(), LIBRARY_VERSION);
});

test('load replaces this version of another source and says so', async () => {
  await client.function('LOAD', LIBRARY_RETOUCHED);
  const said = `conversation ${LIBRARY_VERSION} loaded, replacing a ${LIBRARY_VERSION} of another source`;
  succeeded(await cli(['load', '--url', url]), `${name}  ${said}`);
  assert.is(await installed(), LIBRARY_VERSION);
});

test('load replaces a library that names no version and says so', async () => {
  await client.function('LOAD', libraryOf('unknown'));
  const said = `conversation ${LIBRARY_VERSION} loaded, replacing one without a version`;
  succeeded(await cli(['load', '--url', url]), `${name}  ${said}`);
});

test('load leaves a newer library that serves this version where it is', async () => {
  await client.function('LOAD', libraryOf('1.2.0'));
  const said = `conversation 1.2.0 is there, which is newer and serves apps of ${LIBRARY_VERSION}`;
  succeeded(await cli(['load', '--url', url]), `${name}  ${said}`);
  assert.is(await installed(), '1.2.0');
});

test('load does not go back to an older major version', async () => {
  for (const newer of ['2.0.0', '10.0.0']) {
    await client.function('LOAD', 'REPLACE', libraryOf(newer));
    failed(
      await cli(['load', '--url', url]),
      `${name}: the server has conversation ${newer}, which is newer than this ${LIBRARY_VERSION}; nothing was changed. ` +
        `To go back to ${LIBRARY_VERSION} all the same: --force`,
    );
    assert.is(await client.fcall('conv_version', 0), newer);
  }
});

test("load names a stranger's library of this name, leaves it there, and replaces it with --force", async () => {
  await client.function('LOAD', "#!lua name=conversation\nredis.register_function('talk', function() return 'hi' end)");
  failed(await cli(['load', '--url', url]), /^\S+: the server has another program's library conversation; nothing was/);
  assert.is(await client.fcall('talk', 0), 'hi');
  const said = `conversation ${LIBRARY_VERSION} loaded, replacing one without a version`;
  succeeded(await cli(['load', '--force', '--url', url]), `${name}  ${said}`);
});

test('load --force goes back and names the newer version', async () => {
  await client.function('LOAD', libraryOf('2.0.0'));
  const said = `${name}  conversation ${LIBRARY_VERSION} loaded, replacing 2.0.0`;
  succeeded(await cli(['load', '--force', '--url', url]), said);
  assert.is(await installed(), LIBRARY_VERSION);
});

test('check succeeds where this version is', async () => {
  await client.function('LOAD', LIBRARY_SOURCE);
  succeeded(await cli(['check', '--url', url]), `${name}  conversation ${LIBRARY_VERSION} is there`);
});

test('check succeeds where a newer version serves this one, or one of another source; --exact does not', async () => {
  for (const [source, said] of [
    [libraryOf('1.2.0'), `conversation 1.2.0 is there, newer than this ${LIBRARY_VERSION}`],
    [LIBRARY_RETOUCHED, `conversation ${LIBRARY_VERSION} is there, of another source`],
  ] as const) {
    await client.function('LOAD', 'REPLACE', source);
    succeeded(await cli(['check', '--url', url]), `${name}  ${said}`);
    failed(
      await cli(['check', '--exact', '--url', url]),
      new RegExp(`^\\S+ is not at conversation ${LIBRARY_VERSION}\\.`),
      {
        out: `${name}  ${said}`,
      },
    );
  }
  await client.function('LOAD', 'REPLACE', LIBRARY_SOURCE);
  succeeded(await cli(['check', '--exact', '--url', url]), `${name}  conversation ${LIBRARY_VERSION} is there`);
});

test('check fails, says what is there instead and changes nothing', async () => {
  const toLoad = 'To load it: npx conversation-state load --url redis://…';
  const cases: [source: string | null, out: string, advice: string][] = [
    [null, 'there is no library conversation', toLoad],
    [libraryOf('0.9.0'), `conversation 0.9.0 is there, older than this ${LIBRARY_VERSION}`, toLoad],
    [libraryOf('unknown'), 'a library conversation without a version is there', toLoad],
    [
      libraryOf('2.0.0'),
      `conversation 2.0.0 is there, newer than this ${LIBRARY_VERSION}`,
      `Apps of ${LIBRARY_VERSION} do not work on it: update them.`,
    ],
  ];
  for (const [source, out, advice] of cases) {
    await client.function('FLUSH');
    if (source) await client.function('LOAD', source);
    const before = await client.function('LIST', 'WITHCODE');
    failed(
      await cli(['check', '--url', url]),
      `${name} does not serve apps of conversation ${LIBRARY_VERSION}. ${advice}`,
      {
        out: `${name}  ${out}`,
      },
    );
    assert.equal(await client.function('LIST', 'WITHCODE'), before);
  }
});

test('a function of that name in another library is named', async () => {
  await client.function('LOAD', "#!lua name=other\nredis.register_function('CONV_GET', function() end)");
  failed(
    await cli(['load', '--url', url]),
    /^\S+: the server has a library other with a function name of conversation; nothing was changed\. /,
  );
});

test('REDIS_URL is taken where --url is absent, and --url goes first', async () => {
  const said = `${name}  conversation ${LIBRARY_VERSION} loaded, there was none`;
  succeeded(await cli(['load'], { REDIS_URL: url }), said);
  failed(await cli(['check', '--url', 'redis://127.0.0.1:1'], { REDIS_URL: url }), /^127\.0\.0\.1:1: /);
});

test('a deployer needs FUNCTION LOAD and FUNCTION LIST and nothing else', async () => {
  const server = await redis.server();
  const admin = new Redis(server.url);
  const { host } = new URL(server.url);
  await admin.acl('SETUSER', 'deployer', 'on', `>${PASSWORD}`, '+function|load', '+function|list');
  const deployer = server.url.replace('//', `//deployer:${SAFE_PASSWORD}@`);
  succeeded(await cli(['load', '--url', deployer]), `${host}  conversation ${LIBRARY_VERSION} loaded, there was none`);
  succeeded(await cli(['check', '--url', `${deployer}/3`]), `${host}  conversation ${LIBRARY_VERSION} is there`);
  const denied = (await admin.acl('LOG')) as unknown[];
  assert.is(denied.length, 0, 'nothing was tried that the user may not do');

  const wanted = 'It needs the rights +function|load +function|list, and no keys.';
  await admin.function('FLUSH');
  await admin.acl('SETUSER', 'deployer', '-function|load');
  failed(await cli(['load', '--url', deployer]), `${host}: this user may not run FUNCTION LOAD. ${wanted}`);
  await admin.acl('SETUSER', 'deployer', '-function|list');
  failed(await cli(['check', '--url', deployer]), `${host}: this user may not run FUNCTION LIST. ${wanted}`);
  admin.disconnect();
});

test('a wrong, a missing and a superfluous password are told apart and never shown', async () => {
  const server = await redis.server('--requirepass', PASSWORD);
  const { host } = new URL(server.url);
  const withUser = (user: string) => server.url.replace('//', `//${user}@`);
  const wrong = `${host}: the user name or the password is wrong.`;
  const cases: [url: string, said: string][] = [
    [withUser(':Wr0ng'), wrong],
    [withUser('Nobody:Wr0ng'), wrong],
    [withUser('Nobody'), wrong],
    [server.url, `${host}: it requires a password: redis://user:password@host:port`],
  ];
  const runs = await Promise.all(cases.map(([url]) => cli(['load', '--url', url])));
  for (const [at, [, said]] of cases.entries()) failed(runs[at] as CliRun, said);
  succeeded(
    await cli(['load'], { REDIS_URL: withUser(`:${SAFE_PASSWORD}`) }),
    `${host}  conversation ${LIBRARY_VERSION} loaded, there was none`,
  );
});

test('a server that does not know AUTH does not make the password appear', async () => {
  const server = await redis.server('--rename-command', 'AUTH', '');
  const run = await cli(['check', '--url', server.url.replace('//', '//:Wr0ng@')]);
  failed(
    run,
    `${new URL(server.url).host}: it has no Redis Functions, or does not allow them. Use Redis 7.0 or later, or Valkey.`,
  );
});

test('an address that is none is refused, and nothing of it is shown', async () => {
  const addresses = [
    'Wr0ng',
    'http://user:Wr0ng@host:6379',
    'redis://:Wr0ng/part@host:6379',
    'redis://user:1/Wr0ng@host',
    'redis://user:1?Wr0ng@host',
    'redis://user:1#Wr0ng@host',
    'redis://:Wr0ng%@host',
    'redis://:Wr0ng@host:99999',
    'redis://:Wr0ng@host:0',
    'redis://host/Wr0ng',
    'redis://host?password=Wr0ng',
    'redis:Wr0ng@host',
    'redis://',
  ];
  for (const address of addresses) {
    assert.throws(
      () => readAddress(address),
      (error: unknown) =>
        error instanceof Failure &&
        /^--url is not the address of a Redis/.test(error.message) &&
        !/Wr0ng/.test(error.message),
    );
  }
  const said = /^REDIS_URL is not the address of a Redis server\. Write redis:\/\/host:port or rediss:\/\/(?!.*Wr0ng)/;
  failed(await cli(['check'], { REDIS_URL: 'redis://:Wr0ng/part@host:6379' }), said, { exit: 2 });
});

test('an address gives host, port, TLS, user and password, and shows host and port', () => {
  const read = (address: string) => {
    const { name, host, port, tls, username = null, password = null } = readAddress(address);
    return [name, host, port, tls, username, password];
  };
  assert.equal(read('redis://db'), ['db:6379', 'db', 6379, false, null, null]);
  assert.equal(read('rediss://u:p%40%2F%25@db:1/3'), ['db:1', 'db', 1, true, 'u', 'p@/%']);
  assert.equal(read('redis://:a@b:c@db/'), ['db:6379', 'db', 6379, false, null, 'a@b:c']);
  assert.equal(read('redis://u@[::1]:7'), ['[::1]:7', '::1', 7, false, 'u', '']);
});

test('a port without a server is refused with the address', async () => {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  const said = 'the connection was refused; no server listens there.';
  failed(await cli(['load', '--url', `redis://127.0.0.1:${port}`]), `127.0.0.1:${port}: ${said}`);
  failed(await cli(['load', '--url', `redis://:Wr0ng@localhost:${port}`]), `localhost:${port}: ${said}`);
  failed(await cli(['load', '--url', `redis://[::1]:${port}`]), new RegExp(`^\\[::1\\]:${port}: `));
});

test('a host that does not exist is said to be unknown', async () => {
  failed(
    await cli(['load', '--url', 'redis://no-such-host.invalid']),
    /^no-such-host\.invalid:6379: the host was not found; /,
  );
});

test('a server that never answers is given up within seconds', async () => {
  const open: Promise<number>[] = [];
  const silent = createServer((socket) => {
    const began = performance.now();
    socket.on('error', () => {}).resume();
    open.push(once(socket, 'close').then(() => performance.now() - began));
  });
  const port = await listen(silent);
  const runs = await Promise.all([
    cli(['load', '--url', `redis://127.0.0.1:${port}`]),
    cli(['check', '--url', `redis://:Wr0ng@127.0.0.1:${port}`]),
    cli(['check', '--url', `rediss://127.0.0.1:${port}`]),
  ]);
  const [plain, withPassword, tls] = runs as [CliRun, CliRun, CliRun];
  failed(plain, `127.0.0.1:${port}: no answer within 5 s.`);
  failed(withPassword, `127.0.0.1:${port}: no answer within 5 s.`);
  failed(tls, `127.0.0.1:${port}: no answer within 5 s. Without TLS the address begins with redis://`);
  // As long as the message says, and not twice that: seen by the server, so that a slow start does not count.
  const waited = await Promise.all(open);
  assert.is(waited.length, 3);
  for (const ms of waited) assert.ok(ms > 4_000 && ms < 9_000, `${ms} ms`);
});

test('a server that hangs up, or is no Redis, is told apart', async () => {
  const closing = await listen(createServer((socket) => socket.destroy()));
  failed(
    await cli(['check', '--url', `redis://127.0.0.1:${closing}`]),
    `127.0.0.1:${closing}: the connection was closed before an answer came. Look whether the server still runs; if it requires TLS, the address begins with rediss://`,
  );
  const http = await listen(createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
  failed(
    await cli(['check', '--url', `redis://127.0.0.1:${http}`]),
    `127.0.0.1:${http}: what answers there is not a Redis server.`,
  );
});

test('a replica and a full server say why they take no library', async () => {
  const full = await redis.server('--maxmemory', '1');
  failed(
    await cli(['load', '--url', full.url]),
    `${new URL(full.url).host}: it is out of memory and takes no library. Free some, or raise its maxmemory.`,
  );
  const replica = await redis.server('--replicaof', '127.0.0.1', '1');
  failed(
    await cli(['load', '--url', replica.url]),
    `${new URL(replica.url).host}: it is a read-only replica. Name its master.`,
  );
});

/** Passes what comes over TLS on to the server. */
function relay(socket: Socket): void {
  const { hostname, port } = new URL(url);
  const onward = connect(Number(port), hostname);
  socket.on('error', () => onward.destroy()).on('close', () => onward.destroy());
  onward.on('error', () => socket.destroy()).on('close', () => socket.destroy());
  socket.pipe(onward).pipe(socket);
}

test('where the server wants a certificate of the client, it is shown the one that is named', async () => {
  const pem = await readFile(CERTIFICATE);
  const secure = await listen(createTlsServer({ key: pem, cert: pem, ca: pem, requestCert: true }, relay));
  const file = CERTIFICATE.pathname;
  const trusting = ['--url', `rediss://localhost:${secure}`, '--tls-ca', file];
  succeeded(
    await cli(['load', ...trusting, '--tls-cert', file, '--tls-key', file]),
    `localhost:${secure}  conversation ${LIBRARY_VERSION} loaded, there was none`,
  );
  failed(await cli(['check', ...trusting]), /^localhost:\d+: (TLS failed: .*|the connection was closed .*)\n$/);
  failed(
    await cli(['check', ...trusting, '--tls-cert', 'nowhere.pem', '--tls-key', file]),
    'The file of --tls-cert cannot be read: ENOENT.',
    { exit: 2 },
  );
  const client = new Redis({ host: 'localhost', port: secure, tls: { ca: pem, cert: pem, key: pem } });
  assert.is((await new ConversationStore(client, { load: 'never' }).claim(STATE)).outcome, 'claimed');
  client.disconnect();
});

test('rediss:// checks the certificate, and loads over TLS where it is trusted', async () => {
  const pem = await readFile(CERTIFICATE);
  const secure = await listen(createTlsServer({ key: pem, cert: pem }, relay));
  const trusted = { NODE_EXTRA_CA_CERTS: CERTIFICATE.pathname };
  succeeded(
    await cli(['load', '--url', `rediss://localhost:${secure}`], trusted),
    `localhost:${secure}  conversation ${LIBRARY_VERSION} loaded, there was none`,
  );
  failed(
    await cli(['check', '--url', `rediss://localhost:${secure}`]),
    /^localhost:\d+: TLS failed: self.signed certificate\. .*NODE_EXTRA_CA_CERTS\.\n$/,
  );
  failed(
    await cli(['check', '--url', `rediss://127.0.0.1:${secure}`], trusted),
    `127.0.0.1:${secure}: TLS failed: the certificate is for another host name.`,
  );
  failed(await cli(['check', '--url', `redis://localhost:${secure}`]), /rediss:\/\/\n$/);
  const web = await listen(createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
  failed(
    await cli(['check', '--url', `rediss://127.0.0.1:${web}`]),
    `127.0.0.1:${web}: TLS failed: the server does not speak it there. Without TLS the address begins with redis://`,
  );
});

test.run();
