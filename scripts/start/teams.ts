import type { ChatMessage, Click, Noise } from './events.ts';
import { member, text, textOrEmpty } from './members.ts';

const platform = 'teams';

/** Reads an activity that the Bot Framework posts for Microsoft Teams. */
export function readTeams(body: object): ChatMessage | Click | Noise | undefined {
  if (member(body, 'channelId') !== 'msteams') return undefined;
  const type = text(body, 'type');
  // A card's Action.Execute comes as an invoke, its Action.Submit as a message with a value and without a text.
  if (type === 'message' && member(body, 'value')) return readClick(body, member(body, 'value'));
  if (member(body, 'name') === 'adaptiveCard/action') return readClick(body, member(body, 'value.action.data'));
  if (type !== 'message') return { kind: 'noise', platform, what: type };
  return {
    kind: 'message',
    platform,
    channelId: channelOf(body),
    userId: text(body, 'from.id'),
    messageId: text(body, 'id'),
    text: textOrEmpty(body, 'text')
      .replace(/<at>.*?<\/at>/g, '')
      .replaceAll('&nbsp;', ' ')
      .trim(),
  };
}

function readClick(body: object, data: unknown): Click {
  return {
    kind: 'click',
    platform,
    channelId: channelOf(body),
    userId: text(body, 'from.id'),
    clickId: text(body, 'id'),
    jobId: text(data, 'jobId'),
    questionId: text(data, 'questionId'),
    answer: text(data, 'answer'),
  };
}

/** In a thread of a channel the conversation's id goes on with `;messageid=`. */
function channelOf(body: object): string {
  return text(body, 'conversation.id').replace(/;messageid=.*$/, '');
}
