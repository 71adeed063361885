import { fork } from 'node:child_process';
import { lockDesign, watchDesign } from './careful.ts';
import { connect, type Design, entryOf, type Operation, prepare } from './conversations.ts';
import { floorDesign } from './floor.ts';
import { infoOf, keepTo } from './machine.ts';
import { pipelineDesign, plainDesign } from './plain.ts';
import { scriptDesign } from './script.ts';
import { storeDesign } from './store.ts';

/** What is measured side by side, the store first, the floor last. */
const OTHERS: readonly Design[] = [scriptDesign, pipelineDesign, plainDesign, watchDesign, lockDesign];
export const DESIGNS = [storeDesign, ...OTHERS, floorDesign];

/**
 * What some calls, one directly after the other, took; the latencies in milliseconds. `reads` is how often the server read from
 * a connection, for each call: with one caller, the round trips.
 */
export type Turn = { perSecond: number; latencies: Float64Array; reads: number };

export interface Runner {
  pid: number | undefined;
  /** Makes so many calls, each on a conversation where the operation starts from, so many at a time. */
  run(operation: Operation, callers: number, count: number): Promise<Turn>;
  close(): void;
}

/** A process of its own for a design: as in a program that uses it, only its code is compiled and only its garbage collected. */
export function startRunner(design: string, url: string, callers: number): Runner {
  const execArgv = [...process.execArgv, '--expose-gc'];
  const child = fork(import.meta.filename, [design, url, String(callers)], { serialization: 'advanced', execArgv });
  keepTo('measured', child.pid);
  return {
    pid: child.pid,
    run: (...task) =>
      new Promise((resolve, reject) => {
        const ended = (code: number | null, signal: string | null) =>
          reject(new Error(`${design}: its process ended with ${signal ?? code}`));
        child.once('exit', ended);
        child.once('message', (reply: Turn | string) => {
          child.off('exit', ended);
          if (typeof reply === 'string') reject(new Error(reply));
          else resolve(reply);
        });
        // Where it cannot be sent, the process has ended or is about to, and how it ends says more than this error.
        child.send(task, (error) => {
          if (error && (child.exitCode ?? child.signalCode) !== null) ended(child.exitCode, child.signalCode);
        });
      }),
    // One that has ended already is not to hide why.
    close: () => void (child.connected && child.disconnect()),
  };
}

async function serve(name: string, url: string, most: number): Promise<void> {
  const design = DESIGNS.find((one) => one.name === name) as Design;
  const [client, session] = [await connect(url), await design.open(url, most)];
  const reads = () => infoOf(client, 'stats', 'total_reads_processed');
  const perform: Runner['run'] = async (operation, callers, count) => {
    const all = Array.from({ length: count }, (_, index) => entryOf(index));
    await prepare(client, operation, all);
    // What preparing leaves behind is not to be collected during the calls. What is young twice is old.
    for (let time = 0; time < 2; time++) gc?.({ type: 'minor' });
    const latencies = new Float64Array(count);
    const left = all.entries();
    const work = async (_: unknown, caller: number) => {
      for (const [at, entry] of left) {
        const began = performance.now();
        const told = await session[operation](entry, caller);
        latencies[at] = performance.now() - began;
        // A benchmark of calls that did something else than they were meant to would be worth nothing.
        if (told !== (operation === 'lookup' ? entry.state.jobId : true)) {
          throw new Error(`${name}: ${operation} had another outcome than it was prepared for`);
        }
      }
    };
    const [before, began] = [await reads(), performance.now()];
    await Promise.all(Array.from({ length: callers }).map(work));
    const perSecond = (count / (performance.now() - began)) * 1000;
    // The server has read the second question for this number too.
    return { perSecond, latencies, reads: ((await reads()) - before - 1) / count };
  };
  process.on('message', (task: Parameters<Runner['run']>) => {
    const failed = (error: Error) => process.send?.(error.message);
    perform(...task).then((turn) => process.send?.(turn), failed);
  });
}

if (process.send && process.argv[1] === import.meta.filename) {
  const [, , name = '', url = '', most] = process.argv;
  process.once('disconnect', () => process.exit());
  await serve(name, url, Number(most));
}
