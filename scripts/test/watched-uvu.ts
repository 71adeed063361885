// What a test file gets when it imports uvu: the same functions, watched. uvu itself exits with 0 when a hook throws, when
// a test throws something that is no Error, and when run() is never called.
import { writeSync } from 'node:fs';
import { inspect } from 'node:util';
import * as uvu from 'uvu';
import { CHANNEL, count, type Event } from './events.ts';

/** Writes at once: the next line of a test may end the process. */
export function tell(event: Event): void {
  try {
    writeSync(CHANNEL, `${JSON.stringify(event)}\n`);
  } catch (error) {
    // Whoever started this was killed, and nobody waits for these tests any more.
    if (error instanceof Error && 'code' in error && error.code === 'EPIPE') process.exit(1);
    throw error;
  }
}

/** A suite as far as run() is concerned. */
interface Watched {
  name: string;
  /** How many tests were registered since run() was called last. */
  waiting: number;
  ran: boolean;
  /** Has uvu put them into its queue, which empties the suite. */
  drop(): void;
}

const suites: Watched[] = [];

/** For the next file: what was registered and never ran is dropped, also from the suite that all files share. */
export function forget(): void {
  for (const suite of suites) {
    if (suite.waiting > 0) suite.drop();
    suite.waiting = 0;
    suite.ran = false;
  }
}

/** A sentence for each suite with tests that run() was never called for. */
export function neverRun(): string[] {
  return suites.flatMap(({ name, waiting, ran }) => {
    if (waiting === 0) return [];
    const whose = name && ` of the suite "${name}"`;
    if (!ran) return [`run()${whose} is missing: ${count(waiting)} never ran.`];
    return [`${count(waiting)}${whose} never ran: registered after run().`];
  });
}

function watched<T>(original: uvu.Test<T>, name: string): uvu.Test<T> {
  const suite: Watched = { name, waiting: 0, ran: false, drop: () => original.run() };
  suites.push(suite);
  const register = (add: (title: string, body: uvu.Callback<T>) => void) => (title: string, body: uvu.Callback<T>) => {
    suite.waiting++;
    tell({ kind: 'registered' });
    add(title, async (context) => {
      tell({ kind: 'began', test: title });
      try {
        await body(context);
      } catch (error) {
        tell({ kind: 'failed' });
        throw asError(error);
      }
      tell({ kind: 'passed' });
    });
  };
  const hooked = (add: (body: uvu.Callback<T>) => void, hook: string) => (body: uvu.Callback<T>) => {
    add(async (context) => {
      try {
        await body(context);
      } catch (error) {
        const reason = asError(error);
        tell({ kind: 'problem', text: `a hook ${hook} threw: ${reason.message}` });
        throw reason;
      }
    });
  };
  return Object.assign(register(original), {
    only: register(original.only),
    skip: register(original.skip),
    // uvu shows it as a failure of the test when a hook before a single one throws.
    before: Object.assign(hooked(original.before, 'before'), { each: original.before.each }),
    after: Object.assign(hooked(original.after, 'after'), { each: hooked(original.after.each, 'after.each') }),
    run: () => {
      suite.waiting = 0;
      suite.ran = true;
      original.run();
    },
  });
}

/** uvu drops the rest of a suite when it meets anything else. */
function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`${inspect(thrown)} was thrown, which is no Error`);
}

export const test = watched(uvu.test, '');

export function suite<T = uvu.Context>(name = '', context?: T): uvu.Test<T> {
  return watched(uvu.suite<T>(name, context), name);
}
