import { userInfo } from 'node:os';
import { createInterface } from 'node:readline/promises';
import { isConversationError } from '../errors.ts';
import { referenceKeys } from '../keys.ts';
import type { ConversationReference } from '../state.ts';
import { ConversationStore } from '../store.ts';
import { Failure, misuse, type Values } from './command.ts';
import { type Store, withStore } from './connect.ts';
import { counted, shown, shownJson, styled, unescaped } from './print.ts';
import { BEFORE_REMOVAL, removal } from './redis-cli.ts';
import { described, referenceIn } from './reference.ts';

/** Who let go of a conversation, and why: in its state until it is gone, and on the stream that the job reads. */
interface Released {
  released: { by: string; reason: string; at: string };
}

export async function release(values: Values): Promise<void> {
  const { reason, stream, by = userInfo().username } = values;
  const jobId = unescaped(values.job ?? '');
  if (!jobId) throw misuse('release needs --job ID: the job to take the channel from.');
  if (!reason?.trim()) throw misuse('release needs --reason TEXT: why, for whoever asks later.');
  if (!values.yes && !(process.stdin.isTTY && process.stderr.isTTY)) {
    throw misuse('release asks before it changes anything, and here is no terminal to ask on: give --yes.');
  }
  const ref = referenceIn(values);
  await withStore(values, async (server) => {
    const { client, space } = server;
    const store = new ConversationStore<Released>(client, { ...space, load: 'never' });
    const found = await store.get(ref).catch((error: unknown) => unreadable(server, ref, error));
    if (!found) return refuse(store, values, ref);
    const { platform, channelId } = found;
    const whole = { platform, channelId, jobId };
    const unread = Number(await server.connection.read('xlen', store.inboxKey(whole)));
    if (unread > 0 && !values.discardInbox) throw waiting(unread);
    const what = `${shown(platform)} ${shown(channelId)} from job ${shown(jobId)}`;
    const discarding = unread === 0 ? '' : `, and discard ${counted(unread, 'unread message')}`;
    const question = `Release ${what}, started ${shown(found.startedAt)}${discarding}? [y/N] `;
    if (!values.yes && !(await isConfirmed(question))) throw new Failure('Nothing was changed.');
    const released = { by, reason, at: new Date().toISOString() };
    // A job that has given no sign of life yet reads no stream, and its state is not changed for a delivery.
    const told = stream !== undefined && !found.starting && { stream, fields: { type: 'Released', jobId, by, reason } };
    const { outcome } = await store.update(whole, { released }, { ...told });
    if (outcome === 'gone') return refuse(store, values, whole);
    const removed = await store.remove(whole, { discardInbox: values.discardInbox });
    if (removed.outcome === 'held') return refuse(store, values, whole);
    // What has come since it was counted.
    if (removed.outcome === 'waiting') throw waiting(1);
    const discarded = unread === 0 ? '' : `; ${counted(unread, 'unread message')} discarded`;
    if (values.json) console.log(shownJson({ outcome: removed.outcome, ...whole, ...released, discarded: unread }));
    else console.log(`released ${what}: ${shown(reason)} (${shown(by)})${discarded}`);
  });
}

function waiting(unread: number): Failure {
  return new Failure(
    `waiting: ${counted(unread, 'message')} unread, which nobody would read. The channel was not released. The apps hand ` +
      'it over to a successor (store.handOver); --discard-inbox releases it and removes the messages.',
  );
}

/** What cannot be read names no job to take the channel from. */
function unreadable(server: Store, ref: ConversationReference, error: unknown): never {
  const { conversation } = referenceKeys(server.space, ref);
  if (!isConversationError(error, 'CONVCORRUPT') || conversation === undefined) throw error;
  throw new Failure(
    `What is stored there cannot be read, so no job can be seen to hold the channel. Nothing was changed. ` +
      `${BEFORE_REMOVAL} ${removal(server, conversation)}`,
  );
}

/** The end where nobody or another job holds the channel. */
async function refuse(store: ConversationStore<Released>, values: Values, ref: ConversationReference): Promise<never> {
  const { platform, channelId } = ref as { platform?: string; channelId?: string };
  const holder = platform !== undefined && channelId !== undefined ? await store.get({ platform, channelId }) : null;
  if (!holder) throw new Failure(`There is no conversation ${described(ref)}. Nothing was changed.`);
  if (values.json) console.log(shownJson({ outcome: 'held', platform, channelId, jobId: holder.jobId }));
  const channel = `${shown(holder.platform)} ${shown(holder.channelId)}`;
  throw new Failure(`held: ${channel} is held by job ${shown(holder.jobId)}. It was not released.`);
}

async function isConfirmed(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(styled('bold', question, process.stderr))).trim());
  } catch {
    // Ctrl-C and Ctrl-D are a no like any other.
    process.stderr.write('\n');
    return false;
  } finally {
    terminal.close();
  }
}
