// A program of somebody who installed the package, beside the example of the README: checked by their compiler, run by
// their Node.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import {
  type ClaimResult,
  ConversationError,
  type ConversationErrorCode,
  ConversationStore,
  LIBRARY_SOURCE,
  LIBRARY_VERSION,
  loadLibrary,
  type StoredConversationState,
} from 'conversation-state';
import metadata from 'conversation-state/package.json' with { type: 'json' };
import { Redis } from 'ioredis';

type Extra = { title: string };

const redis = new Redis(process.env['REDIS_URL'] ?? '');
const store = new ConversationStore<Extra>(redis, { prefix: 'consumer:', logger: console, load: 'never' });
const { loaded } = await loadLibrary(redis, { force: true });
const said: unknown[] = [loaded];

const base = { jobId: 'j1', channelId: 'C1', userId: 'U1', platform: 'slack', project: 'website', ticketId: 'WEB-12' };
const state = { ...base, startedAt: new Date(), title: 'Fix the login' };
const claim: ClaimResult<StoredConversationState<Extra>> = await store.claim(state);
for await (const { title } of store.list({ platform: 'slack' })) said.push(title);
await store.get({ platform: 'no platform', channelId: 'C1' }).catch((error) => {
  if (error instanceof ConversationError) said.push(error.code satisfies ConversationErrorCode);
});

// The types are there, and not `any`.
// @ts-expect-error a state is no number
void (claim.state satisfies number);
// @ts-expect-error a claim needs the member that this program added
() => store.claim({ ...base, startedAt: new Date() });
// @ts-expect-error there is no such code
void ('NO_SUCH_CODE' satisfies ConversationErrorCode);

const byImport = import.meta.resolve('conversation-state/lua/conversation.lua');
const byRequire = createRequire(import.meta.url).resolve('conversation-state/lua/conversation.lua');
said.push(fileURLToPath(byImport) === byRequire, readFileSync(byRequire, 'utf8') === LIBRARY_SOURCE);
said.push(metadata.version === LIBRARY_VERSION);

await redis.quit();
console.log(JSON.stringify(said));
