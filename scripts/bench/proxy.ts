import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

/** Starts a process that stands between callers and a server, and holds back by `delayMs` what the callers send. */
export async function startProxy(target: string, delayMs: number): Promise<{ url: string; proxy: ChildProcess }> {
  const proxy = fork(import.meta.filename, [target, String(delayMs)]);
  const [port] = await once(proxy, 'message');
  return { url: `redis://127.0.0.1:${port}`, proxy };
}

if (process.send && process.argv[1] === import.meta.filename) {
  const [, , target = '', delayMs] = process.argv;
  const { hostname, port } = new URL(target);
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: hostname, port: Number(port), noDelay: true });
    client.on('data', (chunk) => setTimeout(() => upstream.write(chunk), Number(delayMs)));
    upstream.on('data', (chunk) => client.write(chunk));
    client.on('error', () => {}).on('close', () => upstream.destroy());
    upstream.on('error', () => {}).on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
  process.once('disconnect', () => process.exit());
}
