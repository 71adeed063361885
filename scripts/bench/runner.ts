import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Operation } from './conversations.ts';
import { keepTo } from './cores.ts';
import type { Turn } from './measure.ts';

/** A contender at a server. */
export interface Place {
  name: string;
  contender: string;
  url: string;
  /** Bytes of JSON of a state; the 0.3 KiB that a dispatcher's have by default. */
  bytes?: number;
  /** The server holds so many conversations, which stay: the calls are made on some from all over them. */
  live?: number;
}

export type Task =
  | ({ do: 'open'; callers: number } & Pick<Place, 'contender' | 'url' | 'live'>)
  | ({ do: 'prepare'; operation: Operation; count: number } & Pick<Place, 'bytes' | 'live'>)
  | { do: 'run'; operation: Operation; callers: number };

export interface Runner {
  pid: number | undefined;
  /** Puts so many conversations where the operation starts from. */
  prepare(operation: Operation, count: number): Promise<void>;
  /** Makes one call for each of them, so many at a time. Undefined where the contender has no such call. */
  run(operation: Operation, callers: number): Promise<Turn | undefined>;
  close(): void;
}

/**
 * A process of its own for a place: as in a program that uses one of the contenders, only this one's code is compiled
 * and only its garbage collected there.
 */
export async function startRunner({ contender, url, bytes, live }: Place, callers: number): Promise<Runner> {
  const execArgv = [...process.execArgv, '--expose-gc'];
  const child = fork(join(import.meta.dirname, 'runner-process.ts'), { serialization: 'advanced', execArgv });
  keepTo('clients', child.pid);
  const ask = (task: Task) =>
    new Promise<unknown>((resolve, reject) => {
      const ended = (code: number | null, signal: string | null) =>
        reject(new Error(`${contender}: its process ended with ${signal ?? code}`));
      child.once('exit', ended);
      child.once('message', (reply: { done?: unknown; failed?: string }) => {
        child.off('exit', ended);
        if (reply.failed === undefined) resolve(reply.done);
        else reject(new Error(reply.failed));
      });
      child.send(task);
    });
  const given = { ...(bytes === undefined ? {} : { bytes }), ...(live === undefined ? {} : { live }) };
  try {
    await ask({ do: 'open', contender, url, callers, ...given });
  } catch (error) {
    if (child.connected) child.disconnect();
    throw error;
  }
  return {
    pid: child.pid,
    prepare: async (operation, count) => void (await ask({ do: 'prepare', operation, count, ...given })),
    run: async (operation, callers) => (await ask({ do: 'run', operation, callers })) as Turn | undefined,
    // One that has ended already is not to hide why.
    close: () => {
      if (child.connected) child.disconnect();
    },
  };
}
