// npm start: shows what goes wrong with GET and SET, and plays one conversation with the library.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Command } from 'commander';
import { Redis } from 'ioredis';
import { ConversationError, ConversationStore, loadLibrary } from '../src/index.ts';
import { runRaces } from './demo/race.ts';
import { printRaces, printRow, printTitle, style } from './demo/rows.ts';
import { playStory } from './demo/story.ts';
import { startRedis } from './redis/start.ts';

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

const { keep } = new Command('npm start --')
  .description(
    'Races GET and SET against the library, then plays one conversation and prints what becomes of each message.',
  )
  .option('--keep', 'leave the server running at the end, with commands to look around')
  .addHelpText('after', '\nREDIS_URL names a server to use; without it one is started.')
  .showHelpAfterError()
  .parse()
  .opts<{ keep?: boolean }>();

const redis = await startRedis().catch(({ message }: Error) => {
  console.error(message);
  process.exit(1);
});
// On a server that belongs to somebody, every key begins with what no other key begins with.
const prefix = redis.shared ? `demo:${randomBytes(3).toString('hex')}:` : '';
// A story takes seconds: a server that is away for longer is gone.
const client = new Redis(redis.url, { maxRetriesPerRequest: 3, retryStrategy: (times) => (times > 3 ? null : 100) });
// The commands that fail for it say so themselves.
client.on('error', () => {});
try {
  await loadLibrary(client);
  await play();
  if (interrupted.signal.aborted) console.log('\nInterrupted.');
  else if (keep) await lookAround();
  else console.log('\nnpm start -- --keep leaves all of it there, with commands to look around.');
} catch (error) {
  // What the server refuses is for a person to read; anything else is a defect and keeps its stack trace.
  const isOfServer = error instanceof ConversationError || (error as Error).name === 'ReplyError';
  if (client.status === 'ready' && !isOfServer) throw error;
  console.error(`${redis.origin} can't be used: ${(error as Error).message}`);
  process.exitCode = 1;
} finally {
  if (redis.shared && client.status === 'ready' && (!keep || interrupted.signal.aborted)) await removeKeys();
  client.disconnect();
  await redis.stop();
}

async function play(): Promise<void> {
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

/** Prints lines for a shell that show the conversation that the story ends with, and leaves it there. */
async function lookAround(): Promise<void> {
  printTitle('Look around');
  // The REDIS_URL of the shell may hold a password.
  const server = redis.shared ? '"$REDIS_URL"' : redis.url;
  const where = `${redis.shared ? '' : ` --url ${redis.url}`}${prefix && ` --prefix ${prefix}`}`;
  const store = new ConversationStore(client, { prefix });
  for await (const { platform, channelId, jobId, pendingQuestionId } of store.list()) {
    const key = `${prefix}conversation:${platform}:${channelId}`;
    const [job, stream] = [`${prefix}job-index:${jobId}`, `${prefix}job:${jobId}:in`];
    const answer = `${pendingQuestionId} me '' type Answer questionId ${pendingQuestionId} answer yes`;
    const lines = {
      'every conversation, as whoever is on call sees it': `npm run cli -- list${where}`,
      'this one': `npm run cli -- show --job ${jobId}${where}`,
      'its state, asked for by its job as a program would': `redis-cli -u ${server} FCALL_RO conv_get 1 ${job}`,
      'its TTL in milliseconds': `redis-cli -u ${server} PTTL ${key}`,
      'its question, answered: try it twice, and then with another name than me': `redis-cli -u ${server} FCALL conv_answer 3 ${key} ${job} ${stream} ${answer}`,
    };
    for (const [shows, line] of Object.entries(lines)) console.log(`${style('dim', `# ${shows}`)}\n${line}`);
  }
  if (redis.shared) return console.log(`\nThe keys under ${prefix} stay until they expire, within days.`);
  console.log(`\nThe server runs until you press Ctrl-C. For other programs it is REDIS_URL=${redis.url}`);
  const alive = setInterval(() => {}, 60_000);
  if (!interrupted.signal.aborted) await once(interrupted.signal, 'abort');
  clearInterval(alive);
  console.log('\nStopped.');
}

async function removeKeys(): Promise<void> {
  for await (const keys of client.scanStream({ match: `${prefix}*`, count: 1000 })) {
    if (keys.length > 0) await client.unlink(...keys);
  }
}
