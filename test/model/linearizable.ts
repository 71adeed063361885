import { textOf } from './document.ts';
import { type Call, EMPTY, step, type World } from './model.ts';
import { agrees, type Found } from './perform.ts';

/** A call of a history, with the moments at which the caller made it and had its reply. */
export interface Happened {
  call: Call;
  found: Found;
  from: number;
  to: number;
}

/**
 * Whether some order explains every reply of a history: one in which the calls, made one after the other from an empty
 * world, reply what was found, and no call stands before one that had its reply before the call was made. Tries all
 * orders, as Wing and Gong do, but for those that reach the same world with the same calls left.
 */
export function isLinearizable(history: readonly Happened[]): boolean {
  const dead = new Set<string>();
  const explains = (left: readonly Happened[], world: World): boolean => {
    if (left.length === 0) return true;
    const key = `${left.map((happened) => history.indexOf(happened))} ${fingerprint(world)}`;
    if (dead.has(key)) return false;
    dead.add(key);
    const firstReply = Math.min(...left.map(({ to }) => to));
    return left.some((happened) => {
      if (happened.from > firstReply) return false;
      const { reply, world: next } = step(world, happened.call);
      if (!agrees(happened.found, reply)) return false;
      return explains(
        left.filter((other) => other !== happened),
        next,
      );
    });
  };
  return explains(history, EMPTY);
}

function fingerprint({ conversations, inboxes, handled, watch }: World): string {
  return JSON.stringify([
    [...conversations].map(([channel, { job, state }]) => [channel, job, textOf(state)]).sort(),
    [...inboxes].sort(),
    [...handled].map(([channel, deliveries]) => [channel, [...deliveries].sort()]).sort(),
    [...watch].sort(),
  ]);
}
