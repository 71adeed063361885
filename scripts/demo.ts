// npm start: shows what goes wrong with GET and SET, and plays one conversation with the library.
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { ConversationStore } from '../src/index.ts';
import { commandLines } from './demo/by-hand.ts';
import { openServer, type Server } from './demo/demo-server.ts';
import { runRaces } from './demo/race.ts';
import { printRaces, printRow, printTitle, style } from './demo/rows.ts';
import { playStory } from './demo/story.ts';

const USAGE = `usage: npm start -- [--keep]

Races GET and SET against the library, then plays one conversation and prints what becomes of each message.
--keep  leave the server running at the end, with commands to look around

REDIS_URL names a server to use; without it one is started.`;

/** Every way in which a terminal, a shell or an init system ends a program, with its exit code. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

// Whoever reads only the first lines has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const interrupted = new AbortController();
for (const [signal, code] of Object.entries(SIGNALS)) {
  process.on(signal, () => {
    process.exitCode = code;
    interrupted.abort();
  });
}
// npm ends its shell and itself at a SIGTERM, and does not tell what runs in the shell.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) interrupted.abort();
}, 500).unref();

const options = readOptions();
if (options?.help) console.log(USAGE);
else if (options) await start(options.keep);

function readOptions(): { keep: boolean; help: boolean } | undefined {
  const flag = { type: 'boolean', default: false } as const;
  try {
    return parseArgs({ options: { keep: flag, help: { ...flag, short: 'h' } } }).values;
  } catch (error) {
    console.error(`${(error as Error).message.replace(/\.?( To specify.*)?$/s, '.')}\n\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

async function start(keep: boolean): Promise<void> {
  const server = await openServer().catch(({ message }: Error) => {
    console.error(message);
    process.exitCode = 1;
  });
  if (!server) return;
  try {
    await play(server);
    if (interrupted.signal.aborted) console.log('\nInterrupted.');
    else await end(server, keep);
  } catch (error) {
    // What the server refuses is for a person to read; anything else is a defect and keeps its stack trace.
    if (server.client.status === 'ready' && !/^UNAVAILABLE|ReplyError/.test((error as Error).name)) throw error;
    console.error(`${server.redis.origin} does not answer any more: ${(error as Error).message}`);
    process.exitCode = 1;
  } finally {
    await server.close({ keepKeys: keep && !interrupted.signal.aborted });
  }
}

async function play({ redis, client, prefix }: Server): Promise<void> {
  console.log(`${redis.origin}${redis.shared ? `, every key begins with ${prefix}` : `, ${redis.url}`}`);
  printTitle('The same calls at the same time');
  printRaces(await runRaces(client, prefix));
  printTitle('One afternoon in a channel, with the dispatcher of docs/dispatcher.md');
  const startedAt = performance.now();
  for await (const row of playStory(client, prefix)) {
    printRow(row, performance.now() - startedAt);
    if (interrupted.signal.aborted) return;
  }
}

async function end({ redis, client, prefix }: Server, keep: boolean): Promise<void> {
  if (!keep) {
    console.log(
      `\nnpm start -- --keep leaves ${redis.shared ? 'the keys' : 'the server'} there, with commands to look around.`,
    );
    return;
  }
  printTitle('Look around');
  for await (const state of new ConversationStore(client, { prefix }).list()) {
    for (const [shows, line] of commandLines(redis.shared ? undefined : redis.url, prefix, state)) {
      console.log(`${style('dim', `# ${shows}`)}\n${line}`);
    }
  }
  if (redis.shared) return console.log(`\nThe keys under ${prefix} stay until they expire, within days.`);
  console.log(`\nThe server runs until you press Ctrl-C. For other programs it is REDIS_URL=${redis.url}`);
  const alive = setInterval(() => {}, 60_000);
  if (!interrupted.signal.aborted) await once(interrupted.signal, 'abort');
  clearInterval(alive);
  console.log('\nStopped.');
}
