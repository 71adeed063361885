import type { ChatMessage, Noise } from './events.ts';
import { member, number, text } from './members.ts';

const platform = 'github';

/** Reads the body of GitHub's `issue_comment` webhook; the pull request, or the issue, is the channel. */
export function readGithub(body: object): ChatMessage | Noise | undefined {
  if (!['comment', 'issue', 'repository'].every((name) => name in body)) return undefined;
  const action = text(body, 'action');
  if (action !== 'created') return { kind: 'noise', platform, what: `comment ${action}` };
  if (member(body, 'sender.type') === 'Bot') return { kind: 'noise', platform, what: 'comment of a bot' };
  const ticketId = number(body, 'issue.number', { from: 1, to: Number.MAX_SAFE_INTEGER });
  return {
    kind: 'message',
    platform,
    channelId: `${text(body, 'repository.full_name')}#${ticketId}`,
    userId: text(body, 'comment.user.login'),
    messageId: String(number(body, 'comment.id', { from: 1, to: Number.MAX_SAFE_INTEGER })),
    text: text(body, 'comment.body').replace(/^@\S+\s+/, ''),
    ticket: { ticketId, project: text(body, 'repository.name') },
  };
}
