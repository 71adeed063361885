import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BOT, type Button, buttonsOf, type Message } from '../../examples/slack/stand-in.ts';
import { run } from '../package/packed.ts';
import { withRedis } from '../support/redis.ts';
import { installBot, isEnding, openScene, type Scene, until } from './bots.ts';

const test = suite('the bot for Slack');
const redis = withRedis(test);
let folder: string;
let scene: Scene;

test.before(async () => {
  folder = await installBot();
});
test.after.each(() => scene?.close());
test.after(async () => {
  if (folder) await rm(join(folder, '..'), { recursive: true });
});

const button = (message: Message, label: string): Button => {
  const found = buttonsOf(message).find(({ text }) => text.text === label);
  if (!found) throw new Error(`There is no button ${label}`);
  return found;
};
const open = async (count: number) => {
  scene = await openScene(folder, await redis.url(), count);
};
const mention = (text: string, thread = '') => scene.slack.write(`<@${BOT}> ${text}`, { thread });

/** Two bots get a mention three times; where it is to deploy, its job asks. */
async function mentioned(text: string) {
  await open(2);
  const { ts, events } = mention(text);
  return { ts, events, attempts: await scene.thrice(events) };
}
const questionIn = (ts: string) => scene.message(ts, /^Deploy to production/);

test('compiles', async () => void (await run(folder, 'npm', 'run', 'typecheck')));

test('refuses a request that Slack did not sign', async () => {
  await open(1);
  const { ts, events } = mention('fix the login');
  const { status } = await scene.slack.send(JSON.stringify(events[0]), 'application/json', 0, 'another secret');
  assert.is(status, 401);
  assert.equal(scene.slack.thread(ts).length, 1);
});

test('starts one job of a mention that two bots get three times, and ends it once', async () => {
  const { ts, events, attempts } = await mentioned('fix the login');
  // 503: nobody has heard of the job yet, and Slack shall deliver the message again.
  assert.ok(attempts.every(({ status, ms }) => (status === 200 || status === 503) && ms < 3_000));
  assert.ok(attempts.some(({ status }) => status === 200));
  assert.equal(await scene.end(ts), ['Done: fix the login.']);
  assert.is(scene.started.length, 1);
  const progress = scene.slack.thread(ts).filter((message) => message.edits > 0);
  assert.is(progress.length, 1);
  assert.is(buttonsOf(progress[0] ?? {}).length, 0);

  await scene.thrice(events);
  await pause(1_500);
  assert.is(scene.started.length, 1);
  assert.is(scene.endings(ts).length, 1);
});

test('reads everything that is written meanwhile, each message once, and people see that', async () => {
  const { ts } = await mentioned('deploy it');
  const written = Array.from({ length: 12 }, (_, n) => scene.slack.write(`more ${n}`, { thread: ts, user: `U${n}` }));
  // One that mentions the bot is delivered as two events, each with an id of its own.
  written.push(mention('and this', ts));
  for (const one of written) await scene.thrice(one.events);
  const question = await questionIn(ts);
  await scene.slack.click(question, button(question, 'yes'));
  const [end = '', ...others] = await scene.end(ts);
  assert.equal(others, []);
  assert.match(end, /^Done: deploy it\. I read 13 more: /);
  for (let n = 0; n < 12; n++) assert.is(end.match(new RegExp(`more ${n}[;.]`, 'g'))?.length, 1, end);
  assert.is(end.match(/and this/g)?.length, 1);
  for (const one of written) {
    const { reactions } = scene.slack.messages.find((message) => message.ts === one.ts) as Message;
    assert.equal(reactions.toSorted(), ['inbox_tray', 'white_check_mark']);
  }
  assert.is(scene.started.length, 1);
});

test('ignores what is written where no job runs', async () => {
  await open(1);
  const { ts, events } = scene.slack.write('good morning');
  assert.ok((await scene.thrice(events)).every(({ status }) => status === 200));
  await pause(1_000);
  assert.is(scene.slack.thread(ts).length, 1);
  assert.is(scene.started.length, 0);
});

test('acknowledges in time while Slack itself is slow', async () => {
  await open(2);
  scene.onCall = (method, _, when) => (when === 'before' && method !== 'auth.test' ? pause(3_500) : undefined);
  const { ts, events } = mention('fix the login');
  const attempts = await scene.thrice([...events, ...scene.slack.write('more', { thread: ts }).events]);
  const late = attempts.filter(({ status, ms }) => (status !== 200 && status !== 503) || ms >= 3_000);
  assert.equal(late, []);
  scene.onCall = () => {};
});

test('loses no message that comes between the last look of the job and its end', async () => {
  await open(1);
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  scene.onCall = (method, { text }, when) =>
    method === 'chat.update' && when === 'before' && /^Step 3/.test(String(text)) ? held : undefined;
  const { ts, events } = mention('fix the login');
  await scene.slack.deliver(events[0] ?? {});
  // The bot is busy with the last step while the job says that it is done.
  await until('the job said Done', async () =>
    JSON.stringify(await scene.redis.xrange('job-events', '-', '+')).includes('"Done"'),
  );
  await scene.slack.deliver(scene.slack.write('and the logout', { thread: ts }).events[0] ?? {});
  release();
  assert.equal(await scene.end(ts, 2), ['Done: fix the login.', 'Done: and the logout.']);
  assert.is(scene.started.length, 2);
});

test('takes one of two answers, and shows both people who said what', async () => {
  const { ts } = await mentioned('deploy it');
  const question = await questionIn(ts);
  const [yes, no] = [button(question, 'yes'), button(question, 'no')];
  const clicks = [scene.slack.click(question, yes, 'UA', 0), scene.slack.click(question, no, 'UB', 1)];
  for (const { status } of await Promise.all(clicks)) assert.is(status, 200);
  await until('the question was edited twice', () => question.edits === 2);
  assert.match(question.text, /^Deploy to production\?\n<@U(A> said \*yes|B> said \*no)\*$/);
  const end = question.text.includes('yes') ? 'Done: deploy it.' : 'Not deployed: deploy it.';
  assert.equal(await scene.end(ts), [end]);
  assert.is(await scene.redis.xlen(`job:${scene.started[0]}:in`), 1);
});

test('keeps a click on a button of an old job from the next job of the thread', async () => {
  await open(2);
  const first = mention('fix the login');
  await scene.slack.deliver(first.events[0] ?? {});
  const progress = await scene.message(first.ts, /^(Working on it|Step)/);
  const oldStop = button(progress, 'Stop');
  await scene.end(first.ts);
  await scene.slack.deliver(mention('deploy it', first.ts).events[0] ?? {});
  const question = await questionIn(first.ts);
  await scene.slack.click(progress, oldStop, 'UA', 1);
  await until('the old message says so', () => progress.text === 'This job has ended.');
  await scene.slack.click(question, button(question, 'yes'));
  assert.equal(await scene.end(first.ts, 2), ['Done: fix the login.', 'Done: deploy it.']);
});

test('stops a job, once', async () => {
  const { ts } = await mentioned('deploy it');
  await questionIn(ts);
  const progress = await scene.message(ts, /^Step 2/);
  const stop = button(progress, 'Stop');
  await Promise.all([scene.slack.click(progress, stop, 'UA', 0), scene.slack.click(progress, stop, 'UB', 1)]);
  const ends = await scene.end(ts);
  assert.is(ends.length, 1);
  assert.match(ends[0] ?? '', /^Stopped by <@U[AB]>\.$/);
  assert.is(await scene.redis.xlen(`job:${scene.started[0]}:in`), 1);
});

test('tells the thread of a job that failed, once', async () => {
  const { ts } = await mentioned('fail');
  assert.equal(await scene.end(ts), ['The job failed: there was nothing to work with.']);
});

test('starts the job of a bot that was killed between claim and start, by a redelivery', async () => {
  await open(2);
  await scene.kill(0);
  const stuck = `import { startBot } from './bot.ts';
    await startBot({ startJob: () => new Promise(() => console.log('about to start')), isAlive: async () => false });
    console.log('The bot listens.');`;
  await writeFile(join(folder, 'stuck.ts'), stuck);
  const bot = await scene.start(0, 'stuck.ts', { START_MS: '3000' });
  const { ts, events } = mention('fix the login');
  const delivered = events.map((event) => scene.slack.deliver(event));
  await until('the channel is claimed', () => bot.printed().includes('about to start'));
  await scene.kill(0);
  const attempts = await Promise.all(delivered);
  const again = attempts.filter((some) => some.length > 1 && some.at(-1)?.status === 200);
  assert.ok(again.length > 0, JSON.stringify(attempts));
  // The claim lapsed, and a sweep told the thread, before Slack delivered the message again.
  assert.equal(await scene.end(ts, 2), ['The job has died.', 'Done: fix the login.']);
  assert.is(scene.started.length, 1);
});

test('tells the thread of a job that died, once, and does not start its message again', async () => {
  const { ts, events } = await mentioned('deploy it');
  await questionIn(ts);
  const [pid = 0, ...others] = await scene.workers();
  assert.equal(others, []);
  process.kill(pid, 'SIGKILL');
  assert.equal(await scene.end(ts), ['The job has died.']);
  // As a second sweep would, whose look was longer than its lease.
  const dead = { type: 'Died', jobId: scene.started[0] ?? '', channelId: `C1:${ts}`, text: 'The job has died.' };
  await scene.redis.xadd('job-events', '*', ...Object.entries(dead).flat());
  await scene.thrice(events);
  await pause(2_000);
  assert.is(scene.endings(ts).length, 1);
  assert.is(scene.started.length, 1);
});

for (const when of ['before', 'after'] as const) {
  test(`ends a thread once whose bot is killed ${when} the end is posted`, async () => {
    await open(1);
    let killed = false;
    scene.onCall = async (method, args, at) => {
      if (killed || method !== 'chat.postMessage' || !isEnding(args) || at !== when) return;
      killed = true;
      await scene.kill(0);
      // The connection is gone; nothing of this call shall take effect.
      if (when === 'before') await new Promise(() => {});
    };
    const { ts, events } = mention('fix the login');
    await scene.slack.deliver(events[0] ?? {});
    await until('the bot is killed', () => killed && scene.bots[0]?.process.signalCode === 'SIGKILL');
    assert.is(scene.endings(ts).length, when === 'before' ? 0 : 1);
    await scene.start(0);
    await until('the entry is done with', async () => (await scene.redis.xlen('job-events')) === 0);
    assert.equal(await scene.end(ts), ['Done: fix the login.']);
  });
}

test('on SIGTERM, finishes what it has and ends', async () => {
  await open(1);
  scene.onCall = (method, _, when) => (method === 'reactions.add' && when === 'before' ? pause(1_000) : undefined);
  const { ts, events } = mention('fix the login');
  assert.is((await scene.slack.deliver(events[0] ?? {}))[0]?.status, 200);
  const bot = scene.bots[0]?.process;
  bot?.kill('SIGTERM');
  assert.is(await new Promise((resolve) => bot?.once('exit', resolve)), 0, scene.bots[0]?.printed());
  assert.equal(scene.slack.messages.find((message) => message.ts === ts)?.reactions, ['eyes']);
  // The job lives on, and another bot shows its end.
  await scene.start(0);
  assert.equal(await scene.end(ts), ['Done: fix the login.']);
});

test('makes a Kubernetes job of the manifest, once', async () => {
  const calls: { method: string; url: string; body: string }[] = [];
  const server = createServer(async (request, response) => {
    const { method = '', url = '' } = request;
    calls.push({ method, url, body: await text(request) });
    const created = method === 'POST' && calls.filter((call) => call.method === 'POST').length === 1;
    const status = method === 'GET' ? (url.endsWith('/job-1') ? 200 : 404) : created ? 201 : 409;
    const answer = status < 400 ? { kind: 'Job', status: { active: 1 } } : { kind: 'Status', code: status };
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const config = { apiVersion: 'v1', kind: 'Config', 'current-context': 'c', users: [{ name: 'u', user: {} }] };
  const clusters = [{ name: 'k', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }];
  const contexts = [{ name: 'c', context: { cluster: 'k', user: 'u', namespace: 'chat' } }];
  await writeFile(join(folder, 'kubeconfig'), JSON.stringify({ ...config, clusters, contexts }));
  const program = `import { kubernetes } from './spawn.ts';
    const { startJob, isAlive } = kubernetes('kubernetes/job.yaml');
    const job = { platform: 'slack', jobId: 'job-1', channelId: 'C1:1.2', text: 'fix' };
    await startJob(job);
    await startJob(job);
    console.log(await isAlive('job-1'), await isAlive('job-2'));`;
  await writeFile(join(folder, 'kubernetes-jobs.ts'), program);
  process.env['KUBECONFIG'] = join(folder, 'kubeconfig');
  const printed = run(folder, process.execPath, '--import', 'tsx', 'kubernetes-jobs.ts');
  assert.is(await printed.finally(() => server.close()), 'true false\n');
  assert.is(calls[0]?.url, '/apis/batch/v1/namespaces/chat/jobs');
  assert.is(JSON.parse(calls[0]?.body ?? '{}').metadata.name, 'job-1');
});

test.run();
