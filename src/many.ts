import type { Cluster, Redis } from 'ioredis';
import { scanKeys } from './cluster/scan.ts';
import type { Connection } from './connection.ts';
import { convDue, convGet } from './conversation.gen.ts';
import { isConversationError } from './errors.ts';
import { channelOf, conversationKey, watchKey } from './keys/keys.ts';
import { conversationPattern, type Keyspace, prefixesOf, prefixOf } from './keys/prefix.ts';
import type { Logger } from './options.ts';
import type { ChannelReference, ConversationReference, InboxEntry, JobReference } from './state.ts';
import { parse, platformOf } from './text.ts';
import { traced } from './trace.ts';

// What the store returns many of, one after the other.

/** How many partitions of a sharded store are asked for silent jobs at once. */
const PARTITIONS_AT_ONCE = 64;
/** How many entries of an inbox are read at once. */
const INBOX_PAGE = 100;

/** What is in an inbox behind an entry, the oldest first. */
export async function* inboxEntries(
  { read }: Connection,
  channel: ConversationReference,
  key: string,
  after: string,
): AsyncGenerator<InboxEntry> {
  for (let from = after; ; ) {
    const page = await traced('inbox', platformOf(channel), () =>
      read('xrange', key, `(${from}`, '+', 'COUNT', String(INBOX_PAGE)),
    );
    const entries = page as [id: string, fields: string[]][];
    for (const [id, fields] of entries) yield { id, fields: recordOf(fields) };
    const last = entries.at(-1);
    if (!last || entries.length < INBOX_PAGE) return;
    from = last[0];
  }
}

function recordOf(fields: string[]): Record<string, string> {
  return Object.fromEntries(fields.flatMap((name, at) => (at % 2 === 0 ? [[name, fields[at + 1] ?? '']] : [])));
}

/** The silent jobs of every partition. */
export async function* silentJobs(
  { functions }: Connection,
  space: Keyspace,
  args: { leaseMs: number; limit: number | undefined },
): AsyncGenerator<ChannelReference & JobReference> {
  const ask = async (prefix: string) => {
    const reply = await convDue(functions, { watch: watchKey(prefix) }, args);
    return reply.flatMap((jobId, at) => {
      const channel = at % 2 === 0 ? channelOf(prefix, reply[at + 1] ?? '') : undefined;
      return channel ? [{ jobId, ...channel }] : [];
    });
  };
  const prefixes = [...prefixesOf(space)];
  while (prefixes.length > 0) {
    const some = prefixes.splice(0, PARTITIONS_AT_ONCE);
    const found = await Promise.all(some.map((prefix) => traced('due', undefined, () => ask(prefix))));
    yield* found.flat();
  }
}

/** Every readable conversation, each once. */
export async function* conversations<State extends ChannelReference>(
  client: Redis | Cluster,
  { functions, ready }: Connection,
  space: Keyspace,
  platform: string | undefined,
  logger: Logger | undefined,
): AsyncGenerator<State> {
  // ioredis puts its own keyPrefix before the keys of a call, but not into a pattern.
  const outer = client.options.keyPrefix ?? '';
  const pattern = conversationPattern({ ...space, prefix: outer + space.prefix }, platform);
  const look = async (conversation: string): Promise<State | null> => {
    try {
      const text = await convGet(functions, { conversation });
      if (text === null) return null;
      const state = parse<State>(text);
      // In the partition of another channel no call looks for it.
      const { platform, channelId } = state;
      const own = conversationKey(prefixOf(space, { platform, channelId }), platform, channelId);
      return own === conversation ? state : null;
    } catch (error) {
      // The pattern finds keys of other programs too, which are no conversation keys.
      if (isConversationError(error, 'CONVKEY', 'WRONGTYPE')) return null;
      if (!isConversationError(error, 'CONVCORRUPT')) throw error;
      logger?.warn(`unreadable conversation: ${conversation}`);
      return null;
    }
  };
  await ready();
  for await (const keys of scanKeys(client, pattern)) {
    const states = await traced('list', platform, () => Promise.all(keys.map((key) => look(key.slice(outer.length)))));
    for (const state of states) if (state !== null) yield state;
  }
}
