import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
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
  port?: number;
  /** How long Slack waits before each of its retries, in milliseconds. */
  retryAfter?: number[];
  /** Called with each call of the bot, before and after it takes effect. What it awaits delays the answer. */
  onCall?: OnCall;
}
export type OnCall = (method: string, args: Partial<Call>, when: 'before' | 'after') => Promise<void> | void;
type Call = Message & { timestamp: string; name: string };

/** Starts a stand-in for the bots at these addresses. */
export async function startStandIn({ bots, signingSecret, retryAfter, onCall, port = 0 }: StandInOptions) {
  const messages: Message[] = [];
  /** As in Slack, no two messages have the same id, also after a restart. */
  let last = Math.floor(Date.now() / 1_000);
  const newTs = () => `${++last}.000100`;
  /** The messages of a thread. */
  const thread = (ts: string) => messages.filter((message) => message.ts === ts || message.thread_ts === ts);

  function call(method: string, args: Call): object {
    const found = messages.find(({ ts }) => ts === (args.timestamp ?? args.ts));
    switch (method) {
      case 'auth.test':
        return { ok: true, user_id: BOT, bot_id: 'B1', team_id: TEAM };
      case 'chat.postMessage': {
        const message = { ...args, ts: newTs(), reactions: [], edits: 0 };
        messages.push(message);
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
        return { ok: true, messages: thread(args.ts) };
      default:
        return { ok: false, error: 'unknown_method' };
    }
  }
  const server = createServer(async (request, response) => {
    const given = [...new URLSearchParams(await text(request))].map(([name, value]) => {
      return [name, /^[[{]/.test(value) ? JSON.parse(value) : value];
    });
    const args: Call = Object.fromEntries(given);
    const method = (request.url ?? '').split('/').at(-1) ?? '';
    await onCall?.(method, args, 'before');
    const answer = call(method, args);
    await onCall?.(method, args, 'after');
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/`;

  /** Lets somebody write. With a mention, Slack tells the bot twice: as `app_mention` and as `message`. */
  function write(text: string, { user = 'U1', channel = 'C1', thread = '' } = {}): { ts: string; events: object[] } {
    const ts = newTs();
    const place = { channel, ts, user, text, ...(thread && { thread_ts: thread }) };
    messages.push({ ...place, reactions: [], edits: 0 });
    const types = text.includes(`<@${BOT}>`) ? ['app_mention', 'message'] : ['message'];
    const about = { type: 'event_callback', team_id: TEAM, api_app_id: APP };
    const events = types.map((type) => ({
      ...{ ...about, event_id: `Ev${randomUUID()}`, authorizations: [{ team_id: TEAM, user_id: BOT, is_bot: true }] },
      event: { type, channel_type: 'channel', event_ts: ts, ...place },
    }));
    return { ts, events };
  }

  /** One signed request. Status 0: no answer, or none within three seconds. */
  async function send(body: string, type: string, bot: number, secret = signingSecret): Promise<Attempt> {
    const time = String(Math.floor(Date.now() / 1000));
    const signature = `v0=${createHmac('sha256', secret).update(`v0:${time}:${body}`).digest('hex')}`;
    const headers = { 'x-slack-request-timestamp': time, 'x-slack-signature': signature, 'content-type': type };
    const began = performance.now();
    const request = { method: 'POST', body, headers, signal: AbortSignal.timeout(3_000) };
    const response = await fetch(`${bots[bot % bots.length]}/slack/events`, request).catch(() => undefined);
    return { status: response?.status ?? 0, ms: performance.now() - began };
  }

  /** Delivers an event as Slack does: three seconds for the answer, and up to three retries. */
  async function deliver(event: object, first = 0): Promise<Attempt[]> {
    const attempts: Attempt[] = [];
    for (const wait of [0, ...(retryAfter ?? [0, 60_000, 300_000])]) {
      await pause(wait);
      attempts.push(await send(JSON.stringify(event), 'application/json', first + attempts.length));
      if (attempts.at(-1)?.status === 200) break;
    }
    return attempts;
  }

  /** Lets somebody click. Slack does not deliver clicks again. */
  async function click(message: Message, { action_id, value }: Button, user = 'U1', bot = 0): Promise<Attempt> {
    const { channel, ts, thread_ts, text } = message;
    const payload = {
      ...{ type: 'block_actions', team: { id: TEAM }, api_app_id: APP, user: { id: user }, channel: { id: channel } },
      ...{ trigger_id: randomUUID(), message: { ts, thread_ts, text } },
      actions: [{ type: 'button', block_id: 'b', action_id, value }],
    };
    const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
    return send(body, 'application/x-www-form-urlencoded', bot);
  }

  function close(): void {
    server.close();
    server.closeAllConnections();
  }
  return { url, messages, thread, write, send, deliver, click, close };
}

/** The buttons of a message. */
export const buttonsOf = ({ blocks = [] }: Partial<Message>) => blocks.flatMap(({ elements = [] }) => elements);

const HELP = `Type one of these, and Enter:
  mention fix the login      somebody mentions the bot; with "deploy" it asks, with "fail" it fails
  say and the logout         somebody writes in that thread
  click yes                  somebody clicks the button "yes", or "Stop"`;

async function main(): Promise<void> {
  const bots = (process.env['BOTS'] ?? 'http://127.0.0.1:3000').split(',');
  const signingSecret = process.env['SLACK_SIGNING_SECRET'] ?? 'secret';
  function onCall(method: string, args: Partial<Call>, when: 'before' | 'after'): void {
    const said = [args.name ?? args.text, ...buttonsOf(args).map(({ text }) => `[${text.text}]`)].join(' ');
    if (when === 'after' && said) console.log(`  ${method}: ${said.replaceAll('\n', ' ')}`);
  }
  const port = Number(process.env['STAND_IN_PORT'] ?? 3001);
  const slack = await startStandIn({ bots, signingSecret, onCall, port });
  console.log(`The stand-in for Slack is at ${slack.url}\n${HELP}`);
  const report = (attempt: Attempt | undefined) =>
    attempt?.status !== 200 && console.log(`  the bot answered ${attempt?.status || 'nothing'}`);
  let thread = '';
  let turn = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    const [, word = '', rest = ''] = /^(\w+)\s*(.*)$/.exec(line.trim()) ?? [];
    if (word === 'mention' || (word === 'say' && thread)) {
      const isMention = word === 'mention';
      const { ts, events } = slack.write(isMention ? `<@${BOT}> ${rest}` : rest, { thread: isMention ? '' : thread });
      if (isMention) thread = ts;
      for (const event of events) void slack.deliver(event, turn++).then((attempts) => report(attempts.at(-1)));
    } else if (word === 'click') {
      const isIt = ({ text }: Button) => text.text.toLowerCase() === rest.toLowerCase();
      const message = slack.messages.findLast((message) => buttonsOf(message).some(isIt));
      const button = message && buttonsOf(message).find(isIt);
      if (button) report(await slack.click(message, button, 'U1', turn++));
      else console.log(`  there is no button "${rest}"`);
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
