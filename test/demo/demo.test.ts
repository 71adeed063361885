import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { typescript } from '../../scripts/test/typescript.ts';
import { startProgram } from '../support/program.ts';
import { dump, withRedis } from '../support/redis.ts';

const SCRIPT = join(import.meta.dirname, '..', '..', 'scripts', 'demo.ts');
const OUTCOMES =
  'claimed starting claimed state duplicate queued held updated state accepted accepted answered state duplicate stale ' +
  'lapsed accepted updated duplicate waiting claimed null held state claimed state removed gone full state';

const test = suite('npm start');
const redis = withRedis(test);

function begin(args: string[], env: NodeJS.ProcessEnv = {}) {
  return startProgram([...typescript(), SCRIPT, ...args], { FORCE_COLOR: undefined, NO_COLOR: undefined, ...env });
}

const run = async (args: string[], env: NodeJS.ProcessEnv = {}) =>
  begin(args, { REDIS_URL: await redis.url(), ...env }).ended;

/** Waits until a demo has printed these words. */
async function printed({ child, said, ended }: ReturnType<typeof begin>, words: RegExp): Promise<void> {
  const early = () => Promise.reject(new Error(`it ended without ${words}:\n${said.stdout}`));
  while (!words.test(said.stdout)) await Promise.race([once(child.stdout, 'data'), ended.then(early)]);
}

test('GET and SET lose each race, the library none, and the story shows every outcome', async () => {
  const client = await redis.connect();
  await client.set('mine', '1');
  const before = await dump(client);
  const { code, stdout, stderr } = await run([]);
  assert.equal([code, stderr], [0, '']);
  assert.match(stdout, /at once +50 jobs started +1 job started\n/);
  assert.match(stdout, /question +2 answers taken +1 answer taken\n/);
  assert.match(stdout, /late +the new job is forgotten +held: the new job stands\n/);
  const rows = stdout.split('\n').flatMap((line) => /^ *[\d.]+ s +.+? {2,}(\w+) {2,}\w/.exec(line)?.[1] ?? []);
  assert.equal(rows, OUTCOMES.split(' '));
  assert.equal(await dump(client), before, 'a server of REDIS_URL keeps the keys it had, and no others');
  const wide = stdout.split('\n').filter((line) => line.length > 120 || line.includes('\u001b'));
  assert.equal(wide, [], 'lines fit 120 columns, and are plain in a pipe');
});

test('a server that cannot be reached is one sentence, without its password', async () => {
  const { code, stderr } = await run([], { REDIS_URL: 'redis://:secret@127.0.0.1:1' });
  assert.match(`${code} ${stderr}`, /^1 (?!.*secret).*127\.0\.0\.1:1.*\n$/);
});

test('--keep leaves a server where the printed commands answer, until Ctrl-C', async () => {
  const demo = begin(['--keep']);
  await printed(demo, /Ctrl-C/);
  const lines = demo.said.stdout.split('\n').filter((line) => /^(redis-cli|npm run cli) /.test(line));
  assert.ok(lines.length >= 5);
  for (const line of lines.filter((line) => line.startsWith('npm'))) {
    const { stdout: shown } = await promisify(execFile)('sh', ['-c', line]);
    assert.match(shown, /publish-1/);
  }
  demo.child.kill('SIGINT');
  assert.is((await demo.ended).code, 130);
});

test('a signal in the middle ends it with the exit code of that signal, and its keys go', async () => {
  const client = await redis.connect();
  await client.flushall();
  const signals = Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }).map(async ([signal, code]) => {
    const demo = begin([], { REDIS_URL: await redis.url() });
    await printed(demo, /starting/);
    demo.child.kill(signal as NodeJS.Signals);
    assert.is((await demo.ended).code, code, signal);
  });
  await Promise.all(signals);
  assert.is(await client.dbsize(), 0);
});

test.run();
