import { ConversationStore, LIBRARY_NAME, LIBRARY_VERSION, type StoredConversationState } from '../../src/index.ts';
import { CLAIM_TTL_MS, type Tally } from './play.ts';
import { commandLines } from './redis-cli.ts';
import type { Server } from './server.ts';
import { seconds, style } from './timeline.ts';

const MAX_WIDTH = Math.min(110, process.stdout.columns ?? 110);

/** What stands before the timeline: where it plays, and by what times. */
export function printServer({ redis, prefix, library }: Server): void {
  const replacing = library.found === null ? '' : `, replacing ${library.found}`;
  printField('Server', [redis.origin, redis.shared ? `every key begins with ${prefix}` : redis.url]);
  printField('Library', [
    `${LIBRARY_NAME} ${LIBRARY_VERSION}`,
    library.loaded ? `loaded now${replacing}` : 'was there',
  ]);
  const claim = `a claim lives ${seconds(CLAIM_TTL_MS)} until its job speaks`;
  printField('Times', [claim, 'a conversation 2 h after each word of its job']);
  console.log();
}

/** What stands behind it: the sum, what is left, and how to look at that by hand. */
export async function printSummary(server: Server, tally: Tally, { keep }: { keep: boolean }): Promise<void> {
  const { redis, client, prefix } = server;
  const alive: StoredConversationState[] = [];
  for await (const state of new ConversationStore(client, { prefix }).list()) alive.push(state);
  alive.sort((a, b) => (a.startedAt < b.startedAt ? -1 : 1));

  const outcomes = [...tally].map(([outcome, times]) => `${times} ${outcome}`);
  console.log();
  printField('Outcomes', outcomes.length > 0 ? outcomes : ['none, because no events came']);
  const names = alive.map(({ platform, channelId, jobId }) => `${jobId} in ${platform} ${channelId}`);
  printField('Alive', names.length > 0 ? names : ['no conversation']);

  // One that waits for an answer shows most.
  const shown = alive.find(({ pendingQuestionId }) => pendingQuestionId) ?? alive[0];
  if (shown && keep) {
    console.log(`\n${style('bold', 'By hand')}`);
    for (const { shows, line } of commandLines(redis.url, prefix, shown)) {
      console.log(`${style('dim', `  # ${shows}`)}\n  ${line}`);
    }
  }
  console.log(`\n${farewell(server, keep)}`);
}

function farewell({ redis, prefix }: Server, keep: boolean): string {
  if (redis.shared && keep) return `The keys under ${prefix} stay on the server until they expire, within 2 h.`;
  if (redis.shared)
    return 'These keys are removed now. npm start -- --keep leaves them, and shows how to look at them with redis-cli.';
  if (keep) return `The server goes on until you press Ctrl-C. For other programs it is REDIS_URL=${redis.url}`;
  return 'This server is stopped now. npm start -- --keep leaves it running, and shows how to look at it with redis-cli.';
}

/** A name and what there is of it, as many on a line as fit. */
function printField(name: string, items: string[]): void {
  let text = '';
  let width = 10;
  for (const item of items) {
    const breaks = text !== '' && width + item.length > MAX_WIDTH;
    if (text !== '') text += breaks ? `,\n${' '.repeat(10)}` : ', ';
    width = (breaks ? 10 : width + 2) + item.length;
    text += item;
  }
  console.log(`${style('bold', name.padEnd(10))}${text}`);
}
