import { readGithub } from './github.ts';
import { readJob } from './job.ts';
import { BadEvent, number, text } from './members.ts';
import { readSlack } from './slack.ts';
import { readTeams } from './teams.ts';

/** What a person wrote in a channel. */
export interface ChatMessage {
  kind: 'message';
  platform: string;
  channelId: string;
  userId: string;
  /** Names the message in its channel; a message that is delivered again has the same one. */
  messageId: string;
  /** Without the mention of the bot. */
  text: string;
  /** The ticket that the channel is about, where it is about one: `fix this` means it. */
  ticket?: { ticketId: number | string; project: string };
}

/** A button under a question that was pressed. */
export interface Click {
  kind: 'click';
  platform: string;
  channelId: string;
  userId: string;
  /** Names the click; one that is delivered again has the same one. */
  answerId: string;
  jobId: string;
  questionId: string;
  answer: string;
}

/** What a job says on its bus. It knows its channel where it was told at its start. */
export type JobMessage = {
  kind: 'job';
  jobId: string;
  channel?: { platform: string; channelId: string };
  /** For people. */
  text: string;
} & ({ type: 'Progress' | 'Done' | 'Error' } | { type: 'Question'; questionId: string });

/** What platforms send that no dispatcher cares for: typing, joins, edits, the bot's own messages. */
export interface Noise {
  kind: 'noise';
  platform: string;
  what: string;
}

/** What comes in at a dispatcher. */
export type DispatcherEvent = ChatMessage | Click | JobMessage | Noise;

/** A direction for the player of a file of events: a heading, or time to pass. */
export type Direction = { kind: 'scene'; title: string } | { kind: 'wait'; ms: number };

/**
 * Reads one line of a file of events: the JSON that Slack, Microsoft Teams, GitHub or a job sent, as they sent it, or
 * one of `{"scene":"a heading"}` and `{"waitMs":2000}`.
 * @throws BadEvent
 */
export function readEvent(line: string): DispatcherEvent | Direction {
  const body = parse(line);
  if ('scene' in body) return { kind: 'scene', title: text(body, 'scene') };
  if ('waitMs' in body) return { kind: 'wait', ms: number(body, 'waitMs', { from: 0, to: 60_000 }) };
  const event = readSlack(body) ?? readTeams(body) ?? readGithub(body) ?? readJob(body);
  if (event) return event;
  throw new BadEvent('of no known shape: it is not what Slack, Teams, GitHub or a job sends');
}

function parse(line: string): object {
  let body: unknown;
  try {
    body = JSON.parse(line);
  } catch (error) {
    throw new BadEvent(`not JSON: ${(error as Error).message}`);
  }
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  throw new BadEvent('not a JSON object');
}
