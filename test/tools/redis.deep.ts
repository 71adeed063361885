import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { installLine } from '../../scripts/redis/binary.ts';
import { typescript } from '../../scripts/test/typescript.ts';
import { withRedis } from '../support/redis.ts';

const starting = suite('starting a Redis');
const redis = withRedis(starting);
const folder = mkdtempSync(join(tmpdir(), 'conversation-state-test-'));
const servers: Server[] = [];
let binary = '';

starting.before(async () => {
  binary = (await redis.server()).binary ?? '';
});

starting.after(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  /** What start.ts said about the server. */
  started: { origin: string; shared: boolean; pid: number; url: string };
}

function start(
  env: Record<string, string>,
  way = 'stop',
  whenStarted = (_pid: number | undefined) => {},
): Promise<Ended> {
  const script = join(import.meta.dirname, 'redis', 'start.ts');
  const { REDIS_URL: _, ...inherited } = process.env;
  const child = spawn(process.execPath, [...typescript(), script, way], {
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => {
    stdout += data;
    whenStarted(child.pid);
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr, started: stdout ? JSON.parse(stdout) : {} }));
  });
}

/** A folder for the PATH with nothing in it but these programs. */
function path(programs: Record<string, string>): string {
  const bin = mkdtempSync(join(folder, 'bin-'));
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  return bin;
}

const real = () => `exec '${binary}' "$@"`;
const old = 'echo "Redis server v=6.2.6 sha=00000000:0 malloc=libc bits=64 build=0"';

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** Whether the server still takes connections after it had some time to end. */
async function isAlive(url: string, afterMs = 500): Promise<boolean> {
  const { port, hostname } = new URL(url);
  const until = Date.now() + afterMs;
  while (Date.now() < until) {
    const socket = connect(Number(port), hostname);
    const taken = await new Promise((resolve) =>
      socket.on('connect', () => resolve(true)).on('error', () => resolve(false)),
    );
    socket.destroy();
    if (!taken) return false;
    await sleep(50);
  }
  return true;
}

starting('takes redis-server from the PATH', async () => {
  const { code, started, stderr } = await start({ PATH: path({ 'redis-server': real() }) });
  assert.is(stderr, '');
  assert.is(code, 0);
  assert.match(started.origin, /^redis-server ([7-9]|\d\d)\.\d+\.\d+ from the PATH$/);
  assert.is(started.shared, false);
  assert.not(await isAlive(started.url), 'it has to be gone after stop()');
});

starting('passes by a server that is too old, and takes valkey-server where it finds that', async () => {
  const { started } = await start({ PATH: `${path({ 'redis-server': old })}:${path({ 'valkey-server': real() })}` });
  assert.match(started.origin, /^valkey-server \d+\.\d+\.\d+ from the PATH$/);
});

starting('starts a program from a folder with a space in its name', async () => {
  const bin = join(folder, 'a folder');
  mkdirSync(bin);
  writeFileSync(join(bin, 'redis-server'), `#!/bin/sh\n${real()}\n`);
  chmodSync(join(bin, 'redis-server'), 0o755);
  const { code, stderr } = await start({ PATH: bin });
  assert.is(`${code}${stderr}`, '0');
});

starting('says what it tried and how to install Redis where there is none', async () => {
  const bin = path({ 'redis-server': old });
  const { code, stdout, stderr } = await start({ PATH: bin, REDISMS_DOWNLOAD_DIR: join(folder, 'none') });
  assert.is(code, 1);
  assert.is(stdout, '');
  const lines = stderr.trimEnd().split('\n');
  assert.is(lines.length, 6);
  assert.is(lines[0], 'No Redis or Valkey of version 7 or later could be found or installed.');
  assert.is(lines[1], `  On the PATH: ${bin}/redis-server is version 6.2.6; wanted is 7 or later`);
  assert.is(lines[2], '  Download:    not tried, because building Redis takes make and cc');
  assert.match(lines[3] ?? '', /^ {2}Package: {5}not tried, because /);
  assert.match(lines[4] ?? '', /^To install one here: \S/);
  assert.match(lines[5] ?? '', 'REDIS_URL');
});

starting('knows the line that installs a server on each system', () => {
  assert.is(installLine('debian', true), 'apt-get update && apt-get install -y redis-server');
  assert.is(installLine('ubuntu\ndebian', false), 'sudo apt-get update && sudo apt-get install -y redis-server');
  assert.is(installLine('rocky\nrhel\ncentos\nfedora', false), 'sudo dnf install -y valkey');
  assert.is(installLine('alpine', true), 'apk add redis');
  assert.is(installLine('arch', false), 'sudo pacman -S valkey');
  assert.is(installLine('darwin', false), 'brew install redis');
  assert.match(installLine('plan9', false), 'Install Redis');
});

// The download and the build are real but for their ends: a host on loopback, and a make that puts the server there.
async function mirror(answer: () => { status: number; body: Buffer }): Promise<{ url: string; requests: string[] }> {
  const requests: string[] = [];
  const server = createHttpServer((request, response) => {
    requests.push(request.url ?? '');
    const { status, body } = answer();
    response.writeHead(status, { 'content-length': body.length }).end(body);
  });
  return { url: `http://127.0.0.1:${await listen(server)}`, requests };
}

async function archive(): Promise<Buffer> {
  mkdirSync(join(folder, 'redis', 'src'), { recursive: true });
  writeFileSync(join(folder, 'redis', 'Makefile'), 'all:\n');
  const tar = spawn('tar', ['-czf', '-', '-C', folder, 'redis'], { stdio: ['ignore', 'pipe', 'inherit'] });
  return Buffer.concat(await tar.stdout.toArray());
}

const builder = () =>
  path({
    make: `printf '#!/bin/sh\\n%s\\n' '${real().replaceAll("'", `'\\''`)}' >src/redis-server && /bin/chmod 755 src/redis-server`,
    cc: '',
  });

starting('downloads and builds a server once where none is on the PATH, also for two that ask at a time', async () => {
  const body = await archive();
  const { url, requests } = await mirror(() => ({ status: 200, body }));
  const env = { PATH: builder(), REDISMS_DOWNLOAD_MIRROR: url, REDISMS_DOWNLOAD_DIR: join(folder, 'download') };
  const both = await Promise.all([start(env), start(env)]);
  for (const { stderr, started } of [...both, await start(env)]) {
    assert.match(started.origin ?? stderr, /^redis-server \d+\.\d+\.\d+, downloaded and built here$/);
  }
  assert.equal(requests.length, 1);
  assert.match(requests[0] ?? '', /^\/releases\/redis-\d+\.\d+\.\d+\.tar\.gz$/);
});

starting('says why a download failed, and keeps nothing of it', async () => {
  const env = { PATH: builder(), REDISMS_DOWNLOAD_DIR: join(folder, 'failing') };
  const missing = await mirror(() => ({ status: 404, body: Buffer.alloc(0) }));
  assert.match(
    (await start({ ...env, REDISMS_DOWNLOAD_MIRROR: missing.url })).stderr,
    '  Download:    Status Code is 404\n',
  );
  const wrong = await mirror(() => ({ status: 200, body: Buffer.from('<html>Please log in</html>') }));
  assert.match(
    (await start({ ...env, REDISMS_DOWNLOAD_MIRROR: wrong.url })).stderr,
    /\n {2}Download: {4}.*TAR_BAD_ARCHIVE/,
  );
  assert.equal(
    readdirSync(env.REDISMS_DOWNLOAD_DIR).filter((name) => name.endsWith('.tar.gz')),
    [],
  );
  const none = await start({ ...env, REDISMS_DOWNLOAD_MIRROR: 'http://127.0.0.1:1' });
  assert.match(none.stderr, /\n {2}Download: {4}connect ECONNREFUSED/);
});

starting('listens on loopback alone and keeps nothing on disk', async () => {
  const client = await redis.connect({}, await redis.server());
  assert.equal(await client.config('GET', 'bind'), ['bind', '127.0.0.1']);
  assert.equal(await client.config('GET', 'save'), ['save', '']);
  assert.equal(await client.config('GET', 'appendonly'), ['appendonly', 'no']);
});

starting('uses the server of REDIS_URL, and leaves it alone when it stops', async () => {
  const { url } = await redis.server();
  const { started } = await start({ REDIS_URL: `${url}/2`, PATH: '' });
  assert.match(started.origin, new RegExp(`^REDIS_URL ${url}/2 \\((Redis|Valkey) \\d+\\.\\d+\\.\\d+\\)$`));
  assert.is(started.shared, true);
  assert.is(started.url, `${url}/2`);
  assert.ok(await isAlive(url));
});

starting('says why the server of REDIS_URL can not be used, and never its password', async () => {
  const { url } = await redis.server('--requirepass', 'a-secret');
  const host = url.slice('redis://'.length);
  const cases: [string, string][] = [
    [`redis://:a-wrong-secret@${host}`, `REDIS_URL: ${url} can't be used: WRONGPASS`],
    [url, `REDIS_URL: ${url} can't be used: it wants a password, and REDIS_URL has none`],
    ['redis://:a-secret@127.0.0.1:1', "REDIS_URL: redis://127.0.0.1:1 can't be used: connect ECONNREFUSED"],
    ['http://:a-secret@127.0.0.1', 'REDIS_URL is not the URL of a Redis server.'],
    ['a-secret', 'REDIS_URL is not the URL of a Redis server.'],
    ['redis://user:12/a-secret@127.0.0.1', 'REDIS_URL is not the URL of a Redis server.'],
  ];
  const outcomes = await Promise.all(cases.map(([given]) => start({ REDIS_URL: given })));
  for (const [i, { code, stdout, stderr }] of outcomes.entries()) {
    assert.is(code, 1);
    assert.is(stdout, '');
    assert.ok(stderr.startsWith(cases[i]?.[1] ?? 'never'), stderr);
    assert.not.match(stderr, 'secret');
    assert.is(stderr.split('\n').length, 2, 'one line');
  }
});

starting('refuses a server of REDIS_URL that is too old', async () => {
  // A real server, but for the version it tells: a relay makes 6 of its major number.
  const target = Number(new URL((await redis.server()).url).port);
  const relay = createServer((socket) => {
    const upstream = connect(target, '127.0.0.1');
    socket.pipe(upstream);
    upstream.on('data', (data) => {
      const text = data.toString('latin1').replace(/(redis|valkey)_version:\d/g, '$1_version:6');
      socket.write(Buffer.from(text, 'latin1'));
    });
    for (const end of [socket, upstream]) end.on('close', () => [socket, upstream].map((one) => one.destroy()));
    for (const end of [socket, upstream]) end.on('error', () => {});
  });
  const { code, stderr } = await start({ REDIS_URL: `redis://127.0.0.1:${await listen(relay)}` });
  assert.is(code, 1);
  assert.match(
    stderr,
    /^REDIS_URL: redis:\/\/127\.0\.0\.1:\d+ is (Redis|Valkey) 6\.\S+, and functions need version 7 or /,
  );
});

starting('gives the reason when the server does not start', async () => {
  const error = await redis.server('--no-such-setting', '1').catch((reason: Error) => reason);
  assert.instance(error, Error);
  assert.match((error as Error).message, /did not start: .*no-such-setting/s);
});

for (const way of ['exit', 'throw', 'unref']) {
  starting(`ends the server with a process that ends by ${way}`, async () => {
    const { code, started } = await start({}, way);
    assert.is(code, way === 'throw' ? 1 : 0);
    assert.not(await isAlive(started.url));
  });
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
  starting(`ends the server with a process that ends by ${signal}`, async () => {
    const { code, started } = await start({ TMPDIR: folder }, 'stay', (pid) => pid && process.kill(pid, signal));
    assert.is(code, null, 'it has to be seen that a signal ended it');
    // After a SIGKILL it takes redis-memory-server's watching process two seconds to see it.
    assert.not(await isAlive(started.url, signal === 'SIGKILL' ? 5_000 : undefined));
  });
}

starting.run();
