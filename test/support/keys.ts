// The conversation that most tests are about: its state, and the keys around it.

/** The TTL of a call that names none. */
export const DEFAULT_TTL = 7_200_000;
export const MAX_MILLISECONDS = 999_999_999_999;
export const DAY = 86_400_000;

export const STATE = {
  jobId: 'j1',
  channelId: 'C1',
  userId: 'U1',
  platform: 'slack',
  project: 'web',
  ticketId: 12,
  startedAt: '2026-01-31T09:30:00.000Z',
  pendingQuestionId: null,
  claimId: 'c1',
};

/** The JSON of a state that differs from {@link STATE} in some members. */
export function json(changes: Record<string, unknown> = {}): string {
  return JSON.stringify({ ...STATE, ...changes });
}

export const CHANNEL = 'conversation:slack:C1';
export const JOB = 'job-index:j1';
export const PAIR = [CHANNEL, JOB];
export const INBOX = 'conversation-inbox:slack:C1';
export const HANDLED = 'conversation-handled:slack:C1';
export const WATCH = 'conversation-watch';
export const STREAM = 'job:j1:in';

/** The keys of a second job in the same channel, and of a hand-over to it. */
export const SECOND = [CHANNEL, 'job-index:j2'];
export const HAND_OVER = [CHANNEL, JOB, 'job-index:j2'];
/** The state that the second job brings. */
export function second(changes: Record<string, unknown> = {}): string {
  return json({ jobId: 'j2', claimId: 'c2', ...changes });
}

/** Every form of reference to the conversation of {@link STATE}, by its name. */
export const REFERENCES = { 'by channel': [CHANNEL], 'by job': [JOB], 'by both keys': PAIR };

/** The forms that name a job, and so reach the conversation only while that job holds it. */
export const FENCED = { 'by job': [JOB], 'by both keys': PAIR };
