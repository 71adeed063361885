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

/** A button that was pressed. It names its job, and the click has an id that is the same in every redelivery. */
interface Pressed {
  platform: string;
  channelId: string;
  userId: string;
  clickId: string;
  jobId: string;
}

/** A button under a question. */
export type Click = Pressed & { kind: 'click'; questionId: string; answer: string };

/** The stop button of a job. */
export type Stop = Pressed & { kind: 'stop' };

/** What a job says on its bus. It knows its channel where it was told at its start. */
export type JobMessage = {
  kind: 'job';
  jobId: string;
  channel?: { platform: string; channelId: string };
  /** For people. */
  text: string;
} & (
  | { type: 'Progress' }
  /** `lastSeen`: the id of the last entry of its inbox that it has read. */
  | { type: 'Done' | 'Error'; lastSeen?: string }
  | { type: 'Question'; questionId: string }
);

/** What platforms send that no dispatcher cares for: typing, joins, edits, the bot's own messages. */
export interface Noise {
  kind: 'noise';
  platform: string;
  what: string;
}

/** What comes in at a dispatcher. */
export type DispatcherEvent = ChatMessage | Click | Stop | JobMessage | Noise;

/**
 * A direction for the player of a file of events: a heading; time that passes, after which the sweep runs; a job that
 * reads its inbox; a job that dies; the next job that cannot be started.
 */
export type Direction =
  | { kind: 'scene'; title: string }
  | { kind: 'wait'; ms: number }
  | { kind: 'read'; jobId: string }
  | { kind: 'death'; jobId: string }
  | { kind: 'no spawn' };
