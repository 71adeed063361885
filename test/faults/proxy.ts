import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { ClientOptions } from '../support/redis.ts';
import { nameOf, splitter } from './resp.ts';

/** What happens to a command on its way. */
export type Fault =
  /** The connection breaks when the server has got this share of its bytes, less than 1. */
  | { kind: 'cut request'; share: number }
  /** The connection breaks when the client has got this share of the reply's bytes. */
  | { kind: 'cut reply'; share: number }
  /** The connection breaks, and the server gets the command when it has already answered the one sent again. */
  | { kind: 'late' }
  /** The command waits before the server, and the reply before the client, for so many milliseconds. */
  | { kind: 'slow'; ms: number };

/** A command that the server got, all of it, and when, in milliseconds since 1970. */
export interface Exchange {
  name: string;
  from: number;
  to: number;
}

interface Armed {
  command: string;
  fault: Fault;
  times: number;
}

/** A network between clients and a server that does wrong what it is told to. */
export class FaultyProxy {
  /** What clients connect to. */
  readonly url: string;
  /** What the server has executed and answered, in that order. */
  readonly exchanges: Exchange[] = [];
  readonly #server: Server;
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  /** Connections to the server that outlive their client's, because a late command is still to come. */
  readonly #held = new WeakSet<Socket>();
  readonly #late: { name: string; deliver: () => Promise<void> }[] = [];
  readonly #deliveries = new Set<Promise<void>>();
  #armed: Armed[] = [];

  private constructor(server: Server, target: string) {
    this.#server = server;
    this.#target = new URL(target);
    // With its user, password and database.
    const url = new URL(target);
    url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.url = url.href;
    server.on('connection', (client) => this.#serve(client));
  }

  static async start(target: string): Promise<FaultyProxy> {
    const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultyProxy(server, target);
  }

  /** Has a fault happen to the next commands of such a name: `fcall conv_claim`, `scan`. */
  arm(command: string, fault: Fault, times = 1): void {
    this.#armed.push({ command, fault, times });
  }

  /** Ends once nothing is on its way any more that no client waits for. Says what has not happened by then. */
  async settled(): Promise<void> {
    await Promise.all(this.#deliveries);
    const open = [...this.#armed.map(({ fault }) => fault.kind), ...this.#late.map(() => 'late delivery')];
    if (open.length > 0) throw new Error(`armed, but never happened: ${open.join(', ')}`);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(client: Socket): void {
    const server = connect({ host: this.#target.hostname, port: Number(this.#target.port || 6379), noDelay: true });
    const expected: { name: string; from: number; fault: Fault | undefined }[] = [];
    for (const [socket, other] of [[client, server] as const, [server, client] as const]) {
      this.#sockets.add(socket);
      // A connection that breaks is what this is for.
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        if (!this.#held.has(server)) other.destroy();
      });
    }
    const send = (command: Buffer, name: string, fault?: Fault) => {
      expected.push({ name, from: Date.now(), fault });
      server.write(command);
    };
    const forward = async (command: Buffer) => {
      if (client.destroyed) return;
      const name = nameOf(command);
      const fault = this.#take(name);
      if (fault?.kind === 'cut request') {
        server.end(shareOf(command, fault.share));
        client.destroy();
      } else if (fault?.kind === 'late') {
        this.#held.add(server);
        const deliver = async () => {
          send(command, name);
          await once(server, 'data');
          server.destroy();
        };
        this.#late.push({ name, deliver });
        client.destroy();
      } else {
        if (fault?.kind === 'slow') await sleep(fault.ms);
        send(command, name, fault);
      }
    };
    const back = async (reply: Buffer, asked: (typeof expected)[number] | undefined) => {
      const { name = '', from = 0, fault } = asked ?? {};
      if (asked) this.exchanges.push({ name, from, to: Date.now() });
      if (fault?.kind === 'cut reply') {
        client.end(shareOf(reply, fault.share));
        server.destroy();
        return;
      }
      if (fault?.kind === 'slow') await sleep(fault.ms);
      if (!client.destroyed) client.write(reply);
      if (!this.#held.has(server)) await this.#deliver(name);
    };
    const [commands, replies] = [splitter(), splitter()];
    let [forwards, backwards] = [Promise.resolve(), Promise.resolve()];
    client.on('data', (chunk) => {
      for (const command of commands(chunk)) forwards = forwards.then(() => forward(command));
    });
    server.on('data', (chunk) => {
      for (const reply of replies(chunk)) {
        // What the server says unasked is no reply.
        const asked = reply[0] === 0x3e ? undefined : expected.shift();
        backwards = backwards.then(() => back(reply, asked));
      }
    });
  }

  /** Delivers a late command, where there is one of such a name. */
  async #deliver(name: string): Promise<void> {
    const late = this.#late.findIndex((one) => one.name === name);
    const [delivery] = late < 0 ? [] : this.#late.splice(late, 1);
    const done = delivery?.deliver();
    if (!done) return;
    this.#deliveries.add(done);
    await done;
    this.#deliveries.delete(done);
  }

  #take(name: string): Fault | undefined {
    const armed = this.#armed.find(({ command }) => command === name);
    if (!armed) return undefined;
    armed.times--;
    this.#armed = this.#armed.filter(({ times }) => times > 0);
    return armed.fault;
  }
}

function shareOf(bytes: Buffer, share: number): Buffer {
  return bytes.subarray(0, Math.floor(share * bytes.length));
}

/** A client and the network of its own that it reaches the server by. */
export interface Line {
  proxy: FaultyProxy;
  client: Redis;
}

/** A client that is ready, of default options but for those given. */
export async function openLine(url: string, options: ClientOptions = {}): Promise<Line> {
  const proxy = await FaultyProxy.start(url);
  const client = new Redis(proxy.url, options);
  // Lost connections are heard of as errors of the client; what counts is what becomes of the calls.
  client.on('error', () => {});
  await client.ping();
  return { proxy, client };
}

export async function closeLines(lines: Line[]): Promise<void> {
  for (const { client } of lines) client.disconnect();
  await Promise.all(lines.map(({ proxy }) => proxy.close()));
}
