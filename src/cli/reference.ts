import { checkKeyspace, referenceKeys } from '../keys.ts';
import type { ChannelReference, ConversationReference } from '../state.ts';
import { misuse, type Values } from './command.ts';
import { shown, unescaped } from './print.ts';

/** The conversation that the options name. @throws Failure */
export function referenceIn({ platform, channel, job }: Values): ConversationReference {
  if ((platform === undefined) !== (channel === undefined) || (platform === undefined && job === undefined)) {
    throw misuse('Name the channel with --platform and --channel, or the job with --job, or all three.');
  }
  const byChannel = platform !== undefined && channel !== undefined && { platform, channelId: unescaped(channel) };
  return { ...byChannel, ...(job !== undefined && { jobId: unescaped(job) }) } as ConversationReference;
}

/** A reference, as a part of a sentence. */
export function described(ref: ConversationReference): string {
  const { platform, channelId, jobId } = ref as Partial<ChannelReference & { jobId: string }>;
  const job = jobId === undefined ? '' : `that job ${shown(jobId)} holds`;
  if (platform === undefined || channelId === undefined) return job;
  return `in ${shown(platform)} ${shown(channelId)} ${job}`.trimEnd();
}

export async function keys(values: Values): Promise<void> {
  const { conversation, job } = referenceKeys(checkKeyspace(values, false), referenceIn(values));
  if (conversation === undefined || job === undefined) console.log(conversation ?? job);
  else console.log(`conversation  ${conversation}\njob index     ${job}`);
}
