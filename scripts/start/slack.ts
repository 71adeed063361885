import type { ChatMessage, Click, Noise, Stop } from './events.ts';
import { BadEvent, member, text, textOrEmpty } from './members.ts';

const platform = 'slack';

/** Reads a body that Slack posts: the envelope of its Events API, or the payload of a button. */
export function readSlack(body: object): ChatMessage | Click | Stop | Noise | undefined {
  const type = member(body, 'type');
  if (type === 'event_callback') return readEnvelope(body);
  if (type === 'block_actions') return readClick(body);
  return undefined;
}

function readEnvelope(body: object): ChatMessage | Noise {
  const type = text(body, 'event.type');
  if (type !== 'message' && type !== 'app_mention') return { kind: 'noise', platform, what: type };
  const subtype = member(body, 'event.subtype');
  if (subtype !== undefined) return { kind: 'noise', platform, what: `message, ${subtype}` };
  // A bot that answers itself never stops.
  if (member(body, 'event.bot_id') !== undefined) return { kind: 'noise', platform, what: 'message of a bot' };
  return {
    kind: 'message',
    platform,
    channelId: text(body, 'event.channel'),
    userId: text(body, 'event.user'),
    // Not event_id: an app that hears messages and mentions gets two events, with two ids, for one message.
    messageId: text(body, 'event.ts'),
    text: textOrEmpty(body, 'event.text').replace(/<@\w+>\s*/g, ''),
  };
}

function readClick(body: object): Click | Stop {
  const value = text(body, 'actions.0.value');
  let button: unknown;
  try {
    button = JSON.parse(value);
  } catch {
    throw new BadEvent('not usable: actions.0.value must be JSON with jobId, questionId and answer');
  }
  const pressed = {
    platform,
    channelId: text(body, 'channel.id'),
    userId: text(body, 'user.id'),
    clickId: text(body, 'trigger_id'),
    jobId: text(button, 'jobId'),
  };
  if (member(button, 'stop') === true) return { kind: 'stop', ...pressed };
  return { kind: 'click', ...pressed, questionId: text(button, 'questionId'), answer: text(button, 'answer') };
}
