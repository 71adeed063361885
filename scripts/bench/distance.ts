import { fork } from 'node:child_process';
import { join } from 'node:path';

/** A server further away. The line to it is a process of its own, so that it does not share the callers' time. */
export async function startDistance(url: string, delayMs: number): Promise<{ url: string; close(): void }> {
  const line = fork(join(import.meta.dirname, 'distance-line.ts'), [url, String(delayMs)]);
  const far = await new Promise<string>((resolve, reject) => {
    line.once('message', (message) => resolve(String(message)));
    line.once('error', reject);
    line.once('exit', (code) => reject(new Error(`the proxy ended with ${code} before it listened`)));
  });
  return { url: far, close: () => line.disconnect() };
}
