import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** Below those that Linux, macOS and Windows give to connections, which would take one between the look and its use. */
const [FIRST, LAST] = [15_000, 32_000];

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(attemptsLeft = 100): Promise<number> {
  const server = createServer().listen(randomInt(FIRST, LAST), '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if (attemptsLeft === 0) throw error;
    return freePort(attemptsLeft - 1);
  }
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
