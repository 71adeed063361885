import { isConversationError } from '../errors.ts';
import { referenceKeys } from '../keys/conversation-keys.ts';
import { checkKeyspace } from '../keys/prefix.ts';
import type { ChannelReference, ConversationReference } from '../state.ts';
import type { Command, Values } from './command.ts';
import { Failure, USAGE_ERROR } from './failure.ts';

export const keys: Command = {
  summary: 'prints the keys of a conversation, by its channel, its job or both; asks no server',
  options: ['platform', 'channel', 'job', 'prefix', 'sharded'],
  examples: ['keys --platform slack --channel C0123', 'keys --job j1 --prefix tenant:'],
  notes: ['By the channel or the job alone it prints nothing but the key: redis-cli GET "$(npx … keys --job j1)".'],
  async run(values) {
    const { prefix = '', sharded = false } = values;
    try {
      const { conversation, job } = referenceKeys(checkKeyspace({ prefix, sharded }, false, ''), referenceIn(values));
      if (conversation === undefined || job === undefined) console.log(conversation ?? job);
      else console.log(`conversation  ${conversation}\njob index     ${job}`);
    } catch (error) {
      if (!isConversationError(error, 'INVALID_ARGUMENT')) throw error;
      throw new Failure(`${error.message}.`, USAGE_ERROR);
    }
  },
};

/** The conversation that the options name. @throws Failure */
export function referenceIn({ platform, channel, job }: Values): ConversationReference {
  if ((platform === undefined) !== (channel === undefined) || (platform === undefined && job === undefined)) {
    throw new Failure(
      'Name the channel with --platform and --channel, or the job with --job, or all three.',
      USAGE_ERROR,
    );
  }
  const byChannel = { platform, channelId: channel } as ChannelReference;
  if (job === undefined) return byChannel;
  return platform === undefined ? { jobId: job } : { ...byChannel, jobId: job };
}
