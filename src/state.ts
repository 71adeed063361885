/** The answer that was accepted last. */
export interface LastAnswer {
  questionId: string;
  /** Empty when the answer was nobody's. */
  answerId: string;
}

/** What is stored for one conversation, with whatever further members the application adds. */
export interface ConversationState {
  /** Names the job; at most 512 bytes without control characters. */
  jobId: string;
  /** Names the channel on its platform; at most 512 bytes without control characters. */
  channelId: string;
  userId: string;
  /** `slack`, `teams`, …: letters, digits, `.`, `_` and `-`, in any case. */
  platform: string;
  project: string;
  /** An integer, or a non-empty string for trackers with keys such as WEB-12. */
  ticketId: number | string;
  /** ISO 8601, as it is stored. */
  startedAt: string;
  /** The question that waits for an answer. */
  pendingQuestionId?: string | null;
  /** Absent until a question was answered. */
  lastAnswer?: LastAnswer | null;
}

/** A state as it is given: `startedAt` may be a Date. */
export type NewConversationState<Extra extends object = Record<never, never>> = Omit<ConversationState, 'startedAt'> & {
  startedAt: string | Date;
} & Extra;

/** A state as it comes back. */
export type StoredConversationState<Extra extends object = Record<never, never>> = ConversationState & Extra;

/** Names a conversation by its channel: whichever job holds it. */
export interface ChannelReference {
  platform: string;
  channelId: string;
}

/** Names a conversation by its job, which reaches it only while it holds it. */
export interface JobReference {
  jobId: string;
}

/** Names a conversation by its channel, by its job, or by both, as a state does. One that names a job is fenced by it. */
export type ConversationReference = ChannelReference | JobReference | (ChannelReference & JobReference);

/** What a claim found. `replicas`: how many replicas have it, where it was told to wait for them; it stands either way. */
export type ClaimResult<State> =
  | { outcome: 'claimed'; state: State; replicas?: number }
  | { outcome: 'held'; state: State };

/** What became of an answer. */
export type AnswerResult<State> =
  | { outcome: 'accepted'; state: State }
  | { outcome: 'answered'; state: State }
  | { outcome: 'stale'; state: State }
  | { outcome: 'gone'; state: null };

/** What a removal found. `removed` has no state where what was removed could not be read. */
export type RemoveResult<State> =
  | { outcome: 'removed'; state: State | null }
  | { outcome: 'held'; state: State }
  | { outcome: 'gone'; state: null };
