import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Proxy {
  url: string;
  /** How often a client has sent something after a reply, or for the first time, on any connection. */
  roundTrips(): number;
  close(): void;
}

/** A line to a server that counts round trips and holds back what the client sends, by so many milliseconds. */
export async function startProxy(target: string, delayMs = 0): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const send = delayMs > 0 ? delayed(delayMs) : (to: Socket, chunk: Buffer) => void to.write(chunk);
  let trips = 0;
  const server = createServer((client) => {
    const upstream = connect({ host: hostname, port: Number(port), noDelay: true });
    client.setNoDelay(true);
    let waiting = false;
    client.on('data', (chunk) => {
      if (!waiting) trips++;
      waiting = true;
      send(upstream, chunk);
    });
    upstream.on('data', (chunk) => {
      waiting = false;
      client.write(chunk);
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    roundTrips: () => trips,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

const NAP_MS = 0.1;
const nobody = new Int32Array(new SharedArrayBuffer(4));

/**
 * Node's timers keep whole milliseconds, so the last two of a wait are spent looking at the clock, with naps in between:
 * whoever looks without a break takes a core from those who are measured.
 */
function delayed(delayMs: number): (to: Socket, chunk: Buffer) => void {
  const queue: { at: number; to: Socket; chunk: Buffer }[] = [];
  const pump = () => {
    for (let head = queue[0]; head; head = queue[0]) {
      const wait = head.at - performance.now();
      if (wait > 0) {
        if (wait > 2) setTimeout(pump, wait - 2);
        else {
          Atomics.wait(nobody, 0, 0, Math.min(wait, NAP_MS));
          setImmediate(pump);
        }
        return;
      }
      queue.shift();
      if (head.to.writable) head.to.write(head.chunk);
    }
  };
  return (to, chunk) => {
    queue.push({ at: performance.now() + delayMs, to, chunk });
    if (queue.length === 1) pump();
  };
}
