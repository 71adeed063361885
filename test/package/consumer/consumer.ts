// A program of somebody who installed the package: checked by their compiler, run by their Node. The example of the README
// is another one.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import {
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
const before: LibraryReport = await checkLibrary(redis);
const loaded: LibraryReport = await loadLibrary(redis, { force: true });
const said: unknown[] = [before.present, loaded.loaded];

const startedAt = '2026-01-31T09:30:00Z';
const ids = { jobId: 'j1', channelId: 'C1', userId: 'U1', platform: 'slack' };
const base: ConversationState = { ...ids, project: 'website', ticketId: 'WEB-12', startedAt };
const claim: ClaimResult<StoredConversationState<Extra>> = await store.claim({ ...base, title: 'Fix the login' });
for await (const { title } of store.list({ platform: 'slack' })) said.push(title);
const removed = await store.remove({ jobId: 'j1' });
// What is `gone` has no state, what was `removed` may have one: the compiler tells them apart.
if (removed.outcome === 'gone') removed.state satisfies null;
else said.push(removed.outcome, removed.state?.channelId);

try {
  await store.get({ platform: 'no platform', channelId: 'C1' });
} catch (error) {
  if (error instanceof ConversationError) said.push(error.code satisfies ConversationErrorCode);
}

// The types are there, and not `any`.
// @ts-expect-error a state is no number
void (claim.state satisfies number);
// @ts-expect-error a claim needs the member that this program added
() => store.claim(base);
// @ts-expect-error there is no such code
void ('NO_SUCH_CODE' satisfies ConversationErrorCode);

const byImport = import.meta.resolve('conversation-state/lua/conversation.lua');
const byRequire = createRequire(import.meta.url).resolve('conversation-state/lua/conversation.lua');
said.push(fileURLToPath(byImport) === byRequire, readFileSync(byRequire, 'utf8') === LIBRARY_SOURCE);
said.push(metadata.version === LIBRARY_VERSION);

await redis.quit();
console.log(JSON.stringify(said));
