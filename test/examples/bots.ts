import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type Attempt, type Message, type OnCall, startStandIn } from '../../examples/slack/stand-in.ts';
import { freePort } from '../../scripts/redis/start.ts';
import { install, pack, run } from '../package/packed.ts';

const SECRET = 'a signing secret';

/** What the bots wait for, so much shorter than usual that a test takes seconds. */
const SHORT = { SILENT_MS: '1500', SWEEP_MS: '300', RETRY_MS: '2500', STEP_MS: '400' };
const TIMES = { START_MS: '60000', ANSWER_MS: '20000', ...SHORT };

/** Installs the packed package into a copy of the example, as its README says. Returns the folder. */
export async function installBot(): Promise<string> {
  const { folder, tarball } = await pack();
  const bot = join(folder, 'bot');
  await mkdir(bot);
  await run(bot, 'tar', '-xzf', tarball, '--strip-components=3', 'package/examples/slack');
  await install(bot, tarball);
  return bot;
}

interface Bot {
  process: ChildProcess;
  printed(): string;
}

export type Scene = Awaited<ReturnType<typeof openScene>>;

/** Starts a stand-in for Slack and this many bots. */
export async function openScene(folder: string, redisUrl: string, count: number) {
  const redis = new Redis(redisUrl);
  await redis.flushall();
  const temporary = await mkdtemp(join(tmpdir(), 'conversation-state-jobs-'));
  const ports = [await freePort(), await freePort()];
  const urls = ports.slice(0, count).map((port) => `http://127.0.0.1:${port}`);
  const onCall: OnCall = (...call) => scene.onCall(...call);
  const slack = await startStandIn({ bots: urls, signingSecret: SECRET, retryAfter: [0, 1_000, 8_000], onCall });
  /** The jobs that said their first word, one entry for each process. */
  const started: string[] = [];
  const monitor = await redis.monitor();
  monitor.on('monitor', (_time, [command, , , ...fields]: string[]) => {
    if (command?.toLowerCase() === 'xadd' && fields[1] === 'Started') started.push(fields[3] ?? '');
  });
  const bots: Bot[] = [];

  /** Starts a bot at one of the two ports, or another program in its place. */
  async function start(n: number, program = 'bot.ts', otherTimes = {}): Promise<Bot> {
    const given = { SLACK_BOT_TOKEN: 'xoxb-1', SLACK_SIGNING_SECRET: SECRET, SLACK_API_URL: slack.url };
    const place = { REDIS_URL: redisUrl, TMPDIR: temporary, HOST: '127.0.0.1', PORT: `${ports[n]}` };
    const env = { ...process.env, ...TIMES, ...otherTimes, ...given, ...place };
    const args = ['--import', 'tsx', program];
    const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (printed += text));
    const bot = { process: child, printed: () => printed };
    bots[n] = bot;
    await until('the bot listens', () => {
      if (child.exitCode !== null) throw new Error(`The bot ended with ${child.exitCode}:\n${printed}`);
      return printed.includes('The bot listens.');
    });
    return bot;
  }

  async function kill(n: number): Promise<void> {
    const child = bots[n]?.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** The process ids of the workers that were started here. */
  async function workers(): Promise<number[]> {
    const jobs = join(temporary, 'conversation-state-jobs');
    await mkdir(jobs, { recursive: true });
    return Promise.all((await readdir(jobs)).map(async (name) => Number(await readFile(join(jobs, name), 'utf8'))));
  }

  async function close(): Promise<void> {
    for (const n of bots.keys()) await kill(n);
    for (const pid of await workers()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
    slack.close();
    monitor.disconnect();
    redis.disconnect();
    await rm(temporary, { recursive: true, force: true });
  }

  /** Delivers each event three times, to the bots in turn and at once. */
  async function thrice(events: object[]): Promise<Attempt[]> {
    const bodies = events.map((event) => JSON.stringify(event));
    return Promise.all(bodies.flatMap((body) => [0, 1, 2].map((n) => slack.send(body, 'application/json', n))));
  }

  /** How the jobs of a thread ended. */
  const endings = (thread: string) => slack.thread(thread).flatMap((one) => (isEnding(one) ? [one.text] : []));

  /** Waits for an end, and then for as long as a second one might take. Returns all ends of the thread. */
  async function end(thread: string, count = 1): Promise<string[]> {
    await until('the thread has its end', () => endings(thread).length >= count);
    await pause(1_000);
    return endings(thread);
  }

  /** Waits for a message of the bot in a thread. */
  async function message(thread: string, text: RegExp): Promise<Message> {
    const find = () => slack.thread(thread).find((message) => text.test(message.text) && !('user' in message));
    await until(`the bot says ${text}`, () => find() !== undefined);
    return find() as Message;
  }

  const scene = {
    /** Called with each call of a bot to Slack. */
    onCall: (() => {}) as OnCall,
    ...{ redis, slack, bots, started, start, kill, workers, close, thrice, endings, end, message },
  };
  const starts = await Promise.allSettled(urls.map((_, n) => start(n)));
  if (starts.some(({ status }) => status === 'rejected')) await close();
  for (const one of starts) if (one.status === 'rejected') throw one.reason;
  return scene;
}

export const isEnding = ({ metadata }: Partial<Message>) => metadata?.event_type === 'job_ended';

export async function until(what: string, holds: () => boolean | Promise<boolean>, limitMs = 60_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`Within ${limitMs / 1000} s it was not so that ${what}.`);
    await pause(20);
  }
}
