// The keys of the conversation that most tests are about.

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
