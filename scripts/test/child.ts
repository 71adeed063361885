// Runs the test files that its parent names, one after the other, and tells how they stand. It is also what a test file
// gets for uvu: the same functions, but counted. uvu itself lets it pass when a hook throws, when a test throws something
// that is not an Error, and when run() is never called.
import { register } from 'node:module';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import type { Callback, Context, Test } from 'uvu';

/** How a test file stands, sent at every step. */
export interface Standing {
  registered: number;
  passed: number;
  /** `in the test "x"` */
  place: string;
  /** What is wrong besides the failures that uvu shows, a sentence each. */
  problems: string[];
  /** Its last suite has ended, and nothing of it keeps the process alive. */
  isDone: boolean;
}

type Suite = () => Promise<[errors: string | true, ...unknown[]]>;

declare global {
  var UVU_DEFER: number | undefined;
  var UVU_QUEUE: [name: string | null, ...suites: Suite[]][] | undefined;
}

const LAST = 'after the last test';
const LINGER_MS = 10_000;

const SELF = JSON.stringify(import.meta.url);
const hooks = `export const resolve = (specifier, context, next) =>
  specifier === 'uvu' && !context.parentURL?.startsWith(${SELF})
    ? { url: ${SELF}, format: 'module', shortCircuit: true }
    : next(specifier, context);`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

// uvu then leaves it to this file to run the suites.
globalThis.UVU_DEFER = 1;
const uvu = await import('uvu');

const { BAIL } = process.env;
const standing: Standing = { registered: 0, passed: 0, place: '', problems: [], isDone: true };
/** Of each file that was loaded: its tests by their titles, and its suites. The hunt for mutants runs them again and again. */
const loaded = new Map<string, { titles: string[]; suites: Suite[] }>();
/** The titles of the tests that have not begun. */
let waiting: string[] = [];
let hasFailed = false;
let linger: NodeJS.Timeout | undefined;

function tell(place: string): void {
  standing.place = place;
  process.send?.(standing);
}

process.on('disconnect', () => process.exit());
process.on('message', async (file: string) => {
  // There are no more.
  if (file === '') process.exit();
  const known = loaded.get(file);
  waiting = [...(known?.titles ?? [])];
  hasFailed = false;
  Object.assign(standing, { registered: waiting.length, passed: 0, problems: [], isDone: false });
  // From here on only what the file does keeps the process alive.
  process.channel?.unref();
  tell('while the file was loaded');
  const { suites } = known ?? (await load(file));
  for (const run of suites) {
    const [errors] = await run();
    if (errors !== true) process.stdout.write(`\n${errors}\n`);
  }
  tell(LAST);
  // What is left open by a test that failed is nothing to a hunt for mutants.
  if (BAIL) return done();
  linger = setTimeout(() => {
    // Of the pipes, two are stdout and stderr.
    const open = process.getActiveResourcesInfo().filter((kind) => kind !== 'PipeWrap');
    done(`After the last test something keeps the process alive: ${[...new Set(open)].join(', ')}.`);
  }, LINGER_MS).unref();
});

async function load(file: string) {
  globalThis.UVU_QUEUE = [[null]];
  await import(pathToFileURL(file).href);
  const [, ...suites] = globalThis.UVU_QUEUE[0] ?? [null];
  const all = { titles: [...waiting], suites };
  loaded.set(file, all);
  return all;
}

// Nothing is left that could still happen.
process.on('beforeExit', () => {
  if (standing.isDone) return;
  done(standing.place === LAST ? undefined : `Something is awaited that nobody will ever do, ${standing.place}.`);
});

function done(problem?: string): void {
  clearTimeout(linger);
  if (problem) standing.problems.push(problem);
  else if (waiting.length > 0)
    standing.problems.push(
      `Never run: "${waiting.join('", "')}". Look for skip, only, a hook that throws, or a missing run().`,
    );
  else if (standing.registered === 0) standing.problems.push('No test is registered.');
  standing.isDone = true;
  process.channel?.ref();
  tell(standing.place);
}

function counted<T>(original: Test<T>): Test<T> {
  const register = (add: (title: string, body: Callback<T>) => void) => (title: string, body: Callback<T>) => {
    standing.registered++;
    waiting.push(title);
    add(title, async (context) => {
      waiting.splice(waiting.indexOf(title), 1);
      if (BAIL && hasFailed) return;
      tell(`in the test "${title}"`);
      await careful(() => body(context));
      standing.passed++;
      tell(`after the test "${title}"`);
    });
  };
  const hook = (add: (body: Callback<T>) => void, name: string) => (body: Callback<T>) =>
    add((context) => careful(() => body(context), name));
  return Object.assign(register(original), {
    only: register(original.only),
    skip: register(original.skip),
    before: Object.assign(hook(original.before, 'before'), { each: hook(original.before.each, 'before.each') }),
    after: Object.assign(hook(original.after, 'after'), { each: hook(original.after.each, 'after.each') }),
    run: original.run,
  });
}

/** Runs a test or a hook. uvu drops the rest of a suite when it meets anything but an Error. */
async function careful(run: () => unknown, hook?: string): Promise<void> {
  try {
    await run();
  } catch (thrown) {
    hasFailed = true;
    const error = thrown instanceof Error ? thrown : new Error(`${inspect(thrown)} was thrown, which is not an Error`);
    if (hook) standing.problems.push(`A hook ${hook} threw: ${error.message}.`);
    throw error;
  }
}

export const test = counted(uvu.test);

export function suite<T = Context>(name = '', context?: T): Test<T> {
  return counted(uvu.suite<T>(name, context));
}
