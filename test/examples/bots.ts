import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type Attempt, type Message, StandIn } from '../../examples/slack/stand-in.ts';
import { freePort } from '../../scripts/redis/free-port.ts';
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

export interface Bot {
  process: ChildProcess;
  printed(): string;
}

/** Bots, a stand-in for Slack, and what happens between them. */
export class Scene {
  readonly redis: Redis;
  slack!: StandIn;
  /** What is called with each call of a bot to Slack. */
  onCall: (method: string, args: Record<string, unknown>, when: 'before' | 'after') => Promise<void> | void = () => {};
  readonly bots: Bot[] = [];
  /** The jobs that said their first word, one entry for each process. */
  readonly started: string[] = [];
  readonly #folder: string;
  readonly #redisUrl: string;
  #temporary = '';
  #api = '';
  #ports: number[] = [];
  #monitor: Redis | undefined;

  constructor(folder: string, redisUrl: string) {
    this.#folder = folder;
    this.#redisUrl = redisUrl;
    this.redis = new Redis(redisUrl);
  }

  /** Starts a stand-in and this many bots. */
  async open(count: number): Promise<void> {
    await this.redis.flushall();
    this.#temporary = await mkdtemp(join(tmpdir(), 'conversation-state-jobs-'));
    this.#ports = [await freePort(), await freePort()];
    const bots = this.#ports.map((port) => `http://127.0.0.1:${port}`).slice(0, count);
    const onCall = (...call: Parameters<Scene['onCall']>) => this.onCall(...call);
    this.slack = new StandIn({ bots, signingSecret: SECRET, retryAfter: [0, 1_000, 8_000], onCall });
    this.#api = await this.slack.listen();
    this.#monitor = await this.redis.monitor();
    this.#monitor.on('monitor', (_time, [command, , , ...fields]: string[]) => {
      if (command?.toLowerCase() === 'xadd' && fields[1] === 'Started') this.started.push(fields[3] ?? '');
    });
    await Promise.all(bots.map((_, n) => this.start(n)));
  }

  /** Starts a bot at one of the two ports, or another program in its place. */
  async start(n: number, program = 'bot.ts', otherTimes = {}): Promise<Bot> {
    const slack = { SLACK_BOT_TOKEN: 'xoxb-1', SLACK_SIGNING_SECRET: SECRET, SLACK_API_URL: this.#api };
    const place = { REDIS_URL: this.#redisUrl, TMPDIR: this.#temporary, HOST: '127.0.0.1', PORT: `${this.#ports[n]}` };
    const env = { ...process.env, ...TIMES, ...otherTimes, ...slack, ...place };
    const args = ['--import', 'tsx', program];
    const child = spawn(process.execPath, args, { cwd: this.#folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (printed += text));
    const bot = { process: child, printed: () => printed };
    this.bots[n] = bot;
    await until('the bot listens', () => {
      if (child.exitCode !== null) throw new Error(`The bot ended with ${child.exitCode}:\n${printed}`);
      return printed.includes('The bot listens.');
    });
    return bot;
  }

  async kill(n: number): Promise<void> {
    const child = this.bots[n]?.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** The process ids of the workers that were started here. */
  async workers(): Promise<number[]> {
    const jobs = join(this.#temporary, 'conversation-state-jobs');
    await mkdir(jobs, { recursive: true });
    return Promise.all((await readdir(jobs)).map(async (name) => Number(await readFile(join(jobs, name), 'utf8'))));
  }

  async close(): Promise<void> {
    for (const n of this.bots.keys()) await this.kill(n);
    for (const pid of this.#temporary ? await this.workers() : []) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
    this.slack?.close();
    this.#monitor?.disconnect();
    this.redis.disconnect();
    if (this.#temporary) await rm(this.#temporary, { recursive: true, force: true });
  }

  /** Each event three times, to the bots in turn and at once, with the headers of Slack's retries. */
  async thrice(events: object[]): Promise<Attempt[]> {
    const again = (n: number) =>
      n === 0 ? {} : { 'x-slack-retry-num': String(n), 'x-slack-retry-reason': 'http_timeout' };
    const sent = events.flatMap((event) =>
      [0, 1, 2].map((n) => this.slack.send(JSON.stringify(event), 'application/json', n, again(n))),
    );
    return Promise.all(sent);
  }

  /** How the jobs of a thread ended. */
  endings(thread: string): string[] {
    return this.slack
      .thread(thread)
      .filter(isEnding)
      .map(({ text }) => text);
  }

  /** Waits for an end, and then for as long as a second one might take. Returns all ends of the thread. */
  async end(thread: string, count = 1): Promise<string[]> {
    await until('the thread has its end', () => this.endings(thread).length >= count);
    await pause(1_000);
    return this.endings(thread);
  }

  /** Waits for a message of the bot in a thread. */
  async message(thread: string, text: RegExp): Promise<Message> {
    const find = () => this.slack.thread(thread).find((message) => text.test(message.text) && !('user' in message));
    await until(`the bot says ${text}`, () => find() !== undefined);
    return find() as Message;
  }
}

export function isEnding({ metadata }: { metadata?: unknown }): boolean {
  return (metadata as { event_type?: string } | undefined)?.event_type === 'job_ended';
}

export async function until(what: string, holds: () => boolean | Promise<boolean>, limitMs = 60_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`Within ${limitMs / 1000} s it was not so that ${what}.`);
    await pause(20);
  }
}
