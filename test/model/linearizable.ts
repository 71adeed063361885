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
  const explains = (left: readonly Happened[], world: World, published: number): boolean => {
    if (left.length === 0) return published === heard.length;
    const key = `${left.map((happened) => history.indexOf(happened))} ${published} ${fingerprint(world)}`;
    if (dead.has(key)) return false;
    dead.add(key);
    const firstReply = Math.min(...left.map(({ to }) => to));
    return left.some((happened) => {
      if (happened.from > firstReply) return false;
      const did = step(world, happened.call);
      if (!agrees(happened.found, did.reply)) return false;
      const text = did.published ? textFor(happened.call) : undefined;
      if (text !== undefined && text !== heard[published]) return false;
      return explains(
        left.filter((other) => other !== happened),
        did.world,
        text === undefined ? published : published + 1,
      );
    });
  };
  return explains(history, before, 0);
}

/** What the stream hears of a call that publishes. */
function textFor(call: Call): string | undefined {
  if (!('stream' in call) || call.stream === undefined) return undefined;
  return call.name === 'update' ? call.text : call.answerId;
}

function fingerprint({ conversations, inboxes, handled, watch }: World): string {
  return JSON.stringify([
    [...conversations].map(([channel, { job, state }]) => [channel, job, textOf(state)]).sort(),
    [...inboxes].sort(),
    [...handled].map(([channel, deliveries]) => [channel, [...deliveries].sort()]).sort(),
    [...watch].sort(),
  ]);
}
