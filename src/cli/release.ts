import { userInfo } from 'node:os';
import { createInterface } from 'node:readline/promises';
import { isConversationError } from '../errors.ts';
import { referenceKeys } from '../keys/conversation-keys.ts';
import type { ConversationReference, StoredConversationState } from '../state.ts';
import { ConversationStore } from '../store.ts';
import { type Command, STORE, type Values } from './command.ts';
import { type Store, withStore } from './connect.ts';
import { Failure, USAGE_ERROR } from './failure.ts';
import { referenceIn } from './keys.ts';
import { BEFORE_REMOVAL, removal } from './removal.ts';
import { named } from './show.ts';
import { shown, shownJson, styled } from './text.ts';

/** Who let go of a conversation, and why: in its state until it is gone, and on the stream that the job reads. */
interface Released {
  released: { by: string; reason: string; at: string };
}

export const release: Command = {
  summary: 'takes a channel from a job and removes its conversation; with --stream, tells the job',
  options: [...STORE, 'job', 'platform', 'channel', 'reason', 'by', 'stream', 'yes', 'json'],
  examples: ['release --job j1 --reason "hangs since noon" --stream job:j1:in'],
  notes: [
    'The job must be named, so that nobody takes the channel from a newer one by mistake. The state is given a member',
    '`released` {by, reason, at}; with --stream the job is told in the same step, by an entry with the fields type',
    '(Released), jobId, by and reason. It does not end the job itself. With --platform and --channel too, it says',
    'which job holds the channel if that is another job.',
  ],
  async run(values) {
    const { job: jobId, reason, stream, by = userInfo().username } = values;
    if (!jobId) throw new Failure('release needs --job ID: the job to take the channel from.', USAGE_ERROR);
    if (!reason?.trim()) throw new Failure('release needs --reason TEXT: why, for whoever asks later.', USAGE_ERROR);
    if (!values.yes && !(process.stdin.isTTY && process.stderr.isTTY)) {
      throw new Failure(
        'release asks before it changes anything, and here is no terminal to ask on: give --yes.',
        USAGE_ERROR,
      );
    }
    const ref = { ...referenceIn(values), jobId };
    await withStore(values, async (server) => {
      const { client, space } = server;
      const store = new ConversationStore<Released>(client, { ...space, load: 'never' });
      const found = await store.get(ref).catch((error: unknown) => unreadable(server, ref, error));
      if (!found) return refuse(store, values, ref);
      if (!values.yes && !(await isConfirmed(found))) throw new Failure('Nothing was changed.');
      const released = { by, reason, at: new Date().toISOString() };
      const whole = { platform: found.platform, channelId: found.channelId, jobId };
      const { outcome } =
        stream === undefined
          ? await store.update(whole, { released })
          : await store.update(whole, { released }, { stream, fields: { type: 'Released', jobId, by, reason } });
      if (outcome === 'gone') return refuse(store, values, whole);
      const removed = await store.remove(whole);
      if (removed.outcome === 'held') {
        throw new Failure(`Not removed: meanwhile job ${shown(removed.state.jobId)} has taken the channel over.`);
      }
      const { platform, channelId } = found;
      if (values.json) console.log(shownJson({ outcome: removed.outcome, platform, channelId, jobId, ...released }));
      else
        console.log(
          `released ${shown(platform)} ${shown(channelId)} from job ${shown(jobId)}: ${shown(reason)} (${shown(by)})`,
        );
    });
  },
};

/** What cannot be read names no job to take the channel from. */
function unreadable(server: Store, ref: ConversationReference, error: unknown): never {
  const { conversation } = referenceKeys(server.space, ref);
  if (!isConversationError(error, 'CONVCORRUPT') || conversation === undefined) throw error;
  throw new Failure(
    `What is stored there cannot be read, so no job can be seen to hold the channel. Nothing was changed. ` +
      `${BEFORE_REMOVAL} ${removal(server, conversation)}`,
  );
}

/** Says why nothing was released: nobody or another job holds the channel. */
async function refuse(store: ConversationStore<Released>, values: Values, ref: ConversationReference): Promise<never> {
  const { platform, channelId } = ref as { platform?: string; channelId?: string };
  const holder = platform !== undefined && channelId !== undefined ? await store.get({ platform, channelId }) : null;
  if (!holder) throw new Failure(`There is no conversation ${named(ref)}. Nothing was changed.`);
  if (values.json) console.log(shownJson({ outcome: 'held', platform, channelId, jobId: holder.jobId }));
  throw new Failure(
    `held: ${shown(holder.platform)} ${shown(holder.channelId)} is held by job ${shown(holder.jobId)}. Nothing was changed.`,
  );
}

async function isConfirmed(state: StoredConversationState): Promise<boolean> {
  const { platform, channelId, jobId, startedAt } = state;
  const question = `Release ${shown(platform)} ${shown(channelId)} from job ${shown(jobId)}, started ${shown(startedAt)}? [y/N] `;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = terminal.question(styled('bold', question, process.stderr));
    // Ctrl-C and Ctrl-D are a no like any other.
    const said = await answer.catch(() => {
      process.stderr.write('\n');
      return 'n';
    });
    return /^y(es)?$/i.test(said.trim());
  } finally {
    terminal.close();
  }
}
