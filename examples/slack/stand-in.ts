import { createHmac, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

// A local stand-in for Slack: its Web API as far as the bot uses it, and signed requests to the bot. The bot's tests use
// it too.

export const BOT = 'UBOT';
const APP = 'A1';
const TEAM = 'T1';

export interface Button {
  text: { text: string };
  action_id: string;
  value: string;
}

export interface Message {
  ts: string;
  thread_ts?: string;
  channel: string;
  text: string;
  blocks?: { type: string; elements?: Button[] }[];
  metadata?: { event_type: string; event_payload: Record<string, string> };
  reactions: string[];
  edits: number;
}

/** How a delivery went: the answer to each attempt, and how long it took. */
export type Attempt = { status: number; ms: number };

export interface StandInOptions {
  bots: string[];
  signingSecret: string;
  /** How long Slack waits before each of its retries, in milliseconds. */
  retryAfter?: number[];
  /** Called with the answer to each delivery. */
  onAttempt?: (attempt: Attempt) => void;
  /** Called with each call of the bot, before and after it takes effect. What it awaits delays the answer. */
  onCall?: (method: string, args: Record<string, unknown>, when: 'before' | 'after') => Promise<void> | void;
}

export class StandIn {
  readonly messages: Message[] = [];
  readonly #options: StandInOptions;
  readonly #server: Server;
  /** As in Slack, no two messages have the same id, also after a restart. */
  #last = Math.floor(Date.now() / 1_000);

  constructor(options: StandInOptions) {
    this.#options = options;
    this.#server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const method = (request.url ?? '').split('/').at(-1) ?? '';
      const args: Record<string, unknown> = {};
      for (const [name, value] of new URLSearchParams(body))
        args[name] = /^[[{]/.test(value) ? JSON.parse(value) : value;
      await this.#options.onCall?.(method, args, 'before');
      const answer = this.#call(method, args as never);
      await this.#options.onCall?.(method, args, 'after');
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
  }

  async listen(port = 0): Promise<string> {
    await new Promise<void>((resolve, reject) => this.#server.once('error', reject).listen(port, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/api/`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  newTs(): string {
    this.#last++;
    return `${this.#last}.000100`;
  }

  /** The messages of a thread. */
  thread(ts: string): Message[] {
    return this.messages.filter((message) => message.ts === ts || message.thread_ts === ts);
  }

  #call(method: string, args: Message & { timestamp: string; name: string }): object {
    const found = this.messages.find(({ ts }) => ts === (args.timestamp ?? args.ts));
    switch (method) {
      case 'auth.test':
        return { ok: true, user_id: BOT, bot_id: 'B1', team_id: TEAM };
      case 'chat.postMessage': {
        const message = { ...args, ts: this.newTs(), reactions: [], edits: 0 };
        this.messages.push(message);
        return { ok: true, ts: message.ts, channel: message.channel };
      }
      case 'chat.update':
        if (!found) return { ok: false, error: 'message_not_found' };
        Object.assign(found, { text: args.text, blocks: args.blocks, edits: found.edits + 1 });
        return { ok: true, ts: found.ts };
      case 'reactions.add':
        if (!found) return { ok: false, error: 'message_not_found' };
        if (found.reactions.includes(args.name)) return { ok: false, error: 'already_reacted' };
        found.reactions.push(args.name);
        return { ok: true };
      case 'conversations.replies':
        return { ok: true, messages: this.thread(args.ts) };
      default:
        return { ok: false, error: 'unknown_method' };
    }
  }

  /** Lets somebody write. With a mention, Slack tells the bot twice: as `app_mention` and as `message`. */
  write(text: string, { user = 'U1', channel = 'C1', thread = '' } = {}): { ts: string; events: object[] } {
    const ts = this.newTs();
    const place = { channel, ts, user, text, ...(thread && { thread_ts: thread }) };
    this.messages.push({ ...place, reactions: [], edits: 0 });
    const types = text.includes(`<@${BOT}>`) ? ['app_mention', 'message'] : ['message'];
    const about = { type: 'event_callback', team_id: TEAM, api_app_id: APP };
    const events = types.map((type) => ({
      ...{ ...about, event_id: `Ev${randomUUID()}`, authorizations: [{ team_id: TEAM, user_id: BOT, is_bot: true }] },
      event: { type, channel_type: 'channel', event_ts: ts, ...place },
    }));
    return { ts, events };
  }

  /** Delivers an event as Slack does: three seconds for the answer, and up to three retries. */
  async deliver(event: object, first = 0): Promise<Attempt[]> {
    const attempts: Attempt[] = [];
    let reason = '';
    for (const [n, wait] of [0, ...(this.#options.retryAfter ?? [0, 60_000, 300_000])].entries()) {
      await pause(wait);
      const retry = n > 0 ? { 'x-slack-retry-num': String(n), 'x-slack-retry-reason': reason } : {};
      const attempt = await this.send(JSON.stringify(event), 'application/json', first + n, retry);
      attempts.push(attempt);
      this.#options.onAttempt?.(attempt);
      if (attempt.status === 200) break;
      reason = attempt.status > 0 ? 'http_error' : attempt.ms >= 3_000 ? 'http_timeout' : 'connection_failed';
    }
    return attempts;
  }

  /** Lets somebody click. Slack does not deliver clicks again. */
  async click(message: Message, { action_id, value }: Button, user = 'U1', bot = 0): Promise<Attempt> {
    const { channel, ts, thread_ts, text } = message;
    const payload = {
      ...{ type: 'block_actions', team: { id: TEAM }, api_app_id: APP, user: { id: user }, channel: { id: channel } },
      ...{ trigger_id: randomUUID(), message: { ts, thread_ts, text } },
      actions: [{ type: 'button', block_id: 'b', action_id, value }],
    };
    const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
    return this.send(body, 'application/x-www-form-urlencoded', bot);
  }

  /** One signed request. Status 0: no answer, or none within three seconds. */
  async send(
    body: string,
    type: string,
    bot: number,
    headers = {},
    secret = this.#options.signingSecret,
  ): Promise<Attempt> {
    const time = String(Math.floor(Date.now() / 1000));
    const signature = `v0=${createHmac('sha256', secret).update(`v0:${time}:${body}`).digest('hex')}`;
    const signed = {
      'x-slack-request-timestamp': time,
      'x-slack-signature': signature,
      'content-type': type,
      ...headers,
    };
    const { bots } = this.#options;
    const began = performance.now();
    const request = { method: 'POST', body, headers: signed, signal: AbortSignal.timeout(3_000) };
    const status = await fetch(`${bots[bot % bots.length]}/slack/events`, request).then(
      ({ status }) => status,
      () => 0,
    );
    return { status, ms: performance.now() - began };
  }
}

const HELP = `Type one of these, and Enter:
  mention fix the login      somebody mentions the bot; with "deploy" it asks, with "fail" it fails
  say and the logout         somebody writes in that thread
  click yes                  somebody clicks the button "yes", or "Stop"`;

async function main(): Promise<void> {
  const bots = (process.env['BOTS'] ?? 'http://127.0.0.1:3000').split(',');
  const show = ({ text, blocks }: Message, how: string) => {
    const labels = blocks?.flatMap(({ elements = [] }) => elements.map((element) => `[${element.text.text}]`)) ?? [];
    console.log(`  ${how} ${[text.replaceAll('\n', ' '), ...labels].join(' ')}`);
  };
  const slack = new StandIn({
    ...{ bots, signingSecret: process.env['SLACK_SIGNING_SECRET'] ?? 'secret' },
    onAttempt({ status }) {
      if (status !== 200) console.log(`  the bot answered ${status || 'nothing'}; delivering again`);
    },
    onCall(method, args, when) {
      if (when === 'before') return;
      if (method === 'chat.postMessage') show(args as unknown as Message, 'bot posts:');
      if (method === 'chat.update') show(args as unknown as Message, 'bot edits:');
      if (method === 'reactions.add') console.log(`  bot reacts: :${args['name']}:`);
    },
  });
  console.log(
    `The stand-in for Slack is at ${await slack.listen(Number(process.env['STAND_IN_PORT'] ?? 3001))}\n${HELP}`,
  );
  let thread = '';
  let turn = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    const [, word = '', rest = ''] = /^(\w+)\s*(.*)$/.exec(line.trim()) ?? [];
    if (word === 'mention' || (word === 'say' && thread)) {
      const { ts, events } = slack.write(word === 'mention' ? `<@${BOT}> ${rest}` : rest, {
        thread: word === 'say' ? thread : '',
      });
      if (word === 'mention') thread = ts;
      for (const event of events) void slack.deliver(event, turn++);
    } else if (word === 'click') {
      const all = slack.messages
        .toReversed()
        .flatMap((message) =>
          (message.blocks ?? []).flatMap(({ elements = [] }) => elements.map((button) => ({ message, button }))),
        );
      const found = all.find(({ button }) => button.text.text.toLowerCase() === rest.toLowerCase());
      // To each bot in turn, and to the next one where a bot is away.
      for (let n = 0; found && n < bots.length; n++) {
        if ((await slack.click(found.message, found.button, 'U1', turn++)).status === 200) break;
      }
      if (!found) console.log(`  there is no button "${rest}"`);
    } else if (word) console.log(HELP);
  }
  slack.close();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main().catch((error) => {
    console.error(`The stand-in can't start: ${error.message}`);
    process.exit(1);
  });
}
