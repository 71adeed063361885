import { textOf } from './document.ts';
import { type Call, EMPTY, step, type World } from './model.ts';
import { agrees, type Found } from './perform.ts';

/** A call of a history, with the moments at which the caller made it and had its reply. */
export interface Happened {
  call: Call;
  /** Undefined for an execution whose reply was lost on its way. */
  found: Found | undefined;
  from: number;
  to: number;
  /** Whether nobody knows if it happened at all: a connection may have been lost, and the call sent again. */
  isUnsure?: boolean;
}

/**
 * The time that all calls of a history are made at: what was to be over soon before it is over, what is to be later
 * does not come. Times in replies are not compared.
 */
export const NOW = 1_000_000;

const timeless = (text: string) => text.replace(/("answerBy":)\d+/, '$10').replace(/ \d+$/gm, '');

/**
 * Whether some order explains every reply of a history: one in which the calls, made one after the other from the world
 * that was there before, reply what was found and publish what was heard in this order, and no call stands before one
 * that had its reply before the call was made. Tries all orders, as Wing and Gong do, but for those that reach the same
 * world with the same calls left.
 */
export function isLinearizable(
  history: readonly Happened[],
  before: World = EMPTY,
  heard: readonly string[] = [],
): boolean {
  const dead = new Set<string>();
  const explains = (left: readonly Happened[], world: World): boolean => {
    const published = [...world.streams.values()].flatMap(({ values }) => values);
    if (published.some((text, index) => text !== heard[index])) return false;
    if (left.length === 0) return published.length === heard.length;
    const key = `${left.map((happened) => history.indexOf(happened))} ${fingerprint(world)}`;
    if (dead.has(key)) return false;
    dead.add(key);
    const firstReply = Math.min(...left.map(({ to }) => to));
    return left.some((happened) => {
      if (happened.from > firstReply) return false;
      const others = left.filter((other) => other !== happened);
      if (happened.isUnsure && explains(others, world)) return true;
      const did = step(world, happened.call, NOW);
      if (happened.found && !agrees(happened.found, did.reply, timeless)) return false;
      return explains(others, did.world);
    });
  };
  return explains(history, before);
}

function fingerprint({ conversations, inboxes, handled, watch, streams }: World): string {
  const states = [...conversations].map(([channel, { state, ...rest }]) => [channel, rest, textOf(state)]);
  return JSON.stringify(
    [states, ...[inboxes, handled, watch, streams].map((map) => [...map])].map((rows) => rows.sort()),
  );
}
