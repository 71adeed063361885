import type { StoredConversationState } from '../../src/index.ts';
import { conversationKey, jobIndexKey } from '../../src/keys/conversation-keys.ts';

/** A line for a shell, and what it shows. */
export type CommandLine = [shows: string, line: string];

/**
 * The lines that show a conversation as it is stored: at `url`, on the server that was started for the demo, or where the
 * REDIS_URL of the shell leads, which may hold a password.
 */
export function commandLines(url: string | undefined, prefix: string, state: StoredConversationState): CommandLine[] {
  const { platform, channelId, jobId, pendingQuestionId, lastAnswer } = state;
  const redis = `redis-cli -u ${url ?? '"$REDIS_URL"'}`;
  const where = `${url ? ` --url ${url}` : ''}${prefix ? ` --prefix ${prefix}` : ''}`;
  const [conversation, job] = [conversationKey(prefix, platform, channelId), jobIndexKey(prefix, jobId)];
  const stream = `${prefix}job:${jobId}:in`;
  const lines: CommandLine[] = [
    ['every conversation, as whoever is on call sees it', `npm run cli -- list${where}`],
    ['this one', `npm run cli -- show --job ${jobId}${where}`],
    ['its state, asked for by its job as a program would', `${redis} FCALL_RO conv_get 1 ${job}`],
    ['its TTL in milliseconds', `${redis} PTTL ${conversation}`],
  ];
  if (lastAnswer) lines.push(['what its job was told', `${redis} XRANGE ${stream} - +`]);
  if (pendingQuestionId) {
    const fields = `type Answer jobId ${jobId} questionId ${pendingQuestionId} content yes`;
    const call = `FCALL conv_answer 3 ${conversation} ${job} ${stream} ${pendingQuestionId} me '' ${fields}`;
    lines.push(['its question, answered: try it twice, and then with another name than me', `${redis} ${call}`]);
  }
  return lines;
}
