import type { Redis } from 'ioredis';
import { ConversationError, type ConversationErrorCode } from '../../src/index.ts';
import { rejection } from '../support/rejection.ts';

export const BY_CHANNEL = { platform: 'slack', channelId: 'C1' };
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Everything that is iterated. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** A logger that keeps what it hears, as `level: message`. */
export function listener() {
  const heard: string[] = [];
  const hear = (level: string) => (message: string) => heard.push(`${level}: ${message}`);
  return { heard, debug: hear('debug'), info: hear('info'), warn: hear('warn'), error: hear('error') };
}

/** The ConversationError of this code that a promise must end with. */
export async function refusal(call: Promise<unknown>, code: ConversationErrorCode): Promise<ConversationError> {
  const error = await rejection(() => call);
  if (error instanceof ConversationError && error.code === code) return error;
  throw new Error(`a ConversationError ${code} was wanted, it was ${error.name} ${error.message}`);
}

/** The commands that reach the server from outside, in the order it runs them. */
export interface Wire {
  /** The commands that a piece of work sends, each with its name in lower case first. */
  during(work: () => Promise<unknown>): Promise<string[][]>;
  /** Ends the connection that listens. */
  stop(): void;
}

/**
 * Listens by MONITOR on a connection of its own to the server of `marker`, which sends what ends a listening. Commands
 * inside functions have `lua` before them, and are left out if nobody asks for them.
 */
export async function wiretap(marker: Redis, isInside = false): Promise<Wire> {
  const heard = await marker.monitor();
  let commands: string[][] = [];
  let count = 0;
  /** Waits until everything that was sent so far has been heard. */
  const mark = () =>
    new Promise<void>((resolve, reject) => {
      const own = `mark ${++count}`;
      const hear = (_time: string, [, text]: string[]) => {
        if (text !== own) return;
        heard.off('monitor', hear);
        resolve();
      };
      heard.on('monitor', hear);
      marker.echo(own).catch(reject);
    });
  heard.on('monitor', (_time: string, [name = '', ...args]: string[], source: string) => {
    const command = [name.toLowerCase(), ...args];
    if (source !== 'lua') commands.push(command);
    else if (isInside) commands.push(['lua', ...command]);
  });
  return {
    async during(work) {
      await mark();
      commands = [];
      await work();
      await mark();
      return commands.slice(0, -1);
    },
    stop: () => heard.disconnect(),
  };
}
