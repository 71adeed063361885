// A program of somebody who installed the package: checked by their compiler, run by their Node.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import {
  type AnswerResult,
  type ClaimResult,
  ConversationError,
  type ConversationErrorCode,
  type ConversationState,
  ConversationStore,
  checkLibrary,
  LIBRARY_SOURCE,
  LIBRARY_VERSION,
  type LibraryReport,
  type Logger,
  loadLibrary,
  type StoredConversationState,
} from 'conversation-state';
import metadata from 'conversation-state/package.json' with { type: 'json' };
import { Redis } from 'ioredis';

interface Extra {
  title: string;
}

const redis = new Redis(process.env['REDIS_URL'] ?? '');
const logger: Logger = console;
const store = new ConversationStore<Extra>(redis, { prefix: 'consumer:', ttlMs: 60_000, logger, load: 'never' });
const said: unknown[] = [];

const before: LibraryReport = await checkLibrary(redis);
const loaded: LibraryReport = await loadLibrary(redis, { force: true });
said.push(before.present, loaded.loaded);
await store.ready();

const base: ConversationState = {
  jobId: 'j1',
  channelId: 'C1',
  userId: 'U1',
  platform: 'slack',
  project: 'website',
  ticketId: 'WEB-12',
  startedAt: '2026-01-31T09:30:00Z',
};
const claim: ClaimResult<StoredConversationState<Extra>> = await store.claim({ ...base, title: 'Fix the login' });
if (claim.outcome === 'duplicate') throw new Error('nobody has claimed it yet');
const title: string = claim.state.title;
said.push(claim.outcome, title);

const update = await store.update({ jobId: 'j1' }, { title: 'Mend the login' });
said.push(update.outcome, update.state?.title);

const pending = await store.setPendingQuestion({ jobId: 'j1' }, 'q1');
said.push(pending?.pendingQuestionId);
const answer: AnswerResult<StoredConversationState<Extra>> = await store.answerQuestion(base, 'q1', {
  answerId: 'a1',
  stream: store.key({ jobId: 'j1' }, 'job:j1:in'),
  fields: { answer: 'yes', attempts: 1 },
});
said.push(answer.outcome, answer.state?.lastAnswer?.answerId, await redis.xlen('consumer:job:j1:in'));
for await (const state of store.list({ platform: 'slack' })) said.push(state.jobId);

const removed = await store.remove({ jobId: 'j1' });
// What is `gone` has no state, what was `removed` may have one: the compiler tells them apart.
if (removed.outcome === 'gone') removed.state satisfies null;
else said.push(removed.outcome, removed.state?.channelId);

try {
  await store.get({ platform: 'no platform', channelId: 'C1' });
} catch (error) {
  if (!(error instanceof ConversationError)) throw error;
  const code: ConversationErrorCode = error.code;
  said.push(code);
}

// The types are there, and not `any`.
// @ts-expect-error a state is no number
const wrong: number = claim.state;
// @ts-expect-error a claim needs the member that this program added
() => store.claim(base);
// @ts-expect-error there is no such code
const code: ConversationErrorCode = 'NO_SUCH_CODE';
void wrong;
void code;

const byImport = import.meta.resolve('conversation-state/lua/conversation.lua');
const byRequire = createRequire(import.meta.url).resolve('conversation-state/lua/conversation.lua');
said.push(fileURLToPath(byImport) === byRequire);
said.push(readFileSync(byRequire, 'utf8') === LIBRARY_SOURCE, metadata.version === LIBRARY_VERSION);

await redis.quit();
console.log(JSON.stringify(said));
