/** Decides without the library's own means what is JSON and a valid state. Bytes are given as latin1 text. */

const ISO =
  /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d:[0-5]\d|2[0-3]:[0-5]\d|24:00)(:([0-5]\d(\.\d+)?|60))?(Z|[+-][01]\d(:?[0-5]\d)?)?$/;
const PLATFORM = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const MAX_STATE = 262_144;
/** What the server's JSON parser goes into. */
const MAX_DEPTH = 1_000;

/** A valid state: its own two keys without their prefix, and whether a new job may have it. */
export interface Valid {
  conversation: string;
  job: string;
  isFresh: boolean;
  hasClaimId: boolean;
}

/** What each member must be. */
const MEMBERS: Record<string, (value: unknown) => boolean> = {
  jobId: (value) => isId(value, 512),
  channelId: (value) => isId(value, 512),
  platform: (value) => typeof value === 'string' && PLATFORM.test(value),
  userId: (value) => typeof value === 'string' && value !== '',
  project: (value) => typeof value === 'string' && value !== '',
  ticketId: (value) => (typeof value === 'string' ? value !== '' : Number.isInteger(value)),
  startedAt: (value) => typeof value === 'string' && ISO.test(value),
};
/** What those must be that may be absent, or null, which means the same. */
const OPTIONAL: typeof MEMBERS = {
  pendingQuestionId: (value) => isId(value, 1024),
  lastAnswer: (value) => isAnswer(value as Record<string, unknown>),
  claimId: (value) => isId(value, 1024),
  deliveryId: (value) => isId(value, 1024),
  starting: (value) => typeof value === 'boolean',
  silentAfterMs: (value) => isWhole(value, 999_999_999_999),
  answerBy: (value) => isWhole(value, 9_999_999_999_999),
};

/** The state's own two keys without their prefix, where the bytes are a valid state; otherwise what is wrong. */
export function judge(bytes: string): Valid | string {
  if (bytes.length > MAX_STATE) return 'too long';
  const { text, state } = parsed(bytes);
  if (typeof state !== 'object' || state === null || Array.isArray(state)) return 'no JSON object';
  if (hasLoneSurrogate(text)) return 'half of a surrogate pair';
  if (depth(text) > MAX_DEPTH) return 'too deep';
  const member = (name: string): unknown => (state as Record<string, unknown>)[name];
  const isAbsent = (name: string) => member(name) === undefined || member(name) === null;
  for (const [name, isRight] of Object.entries(MEMBERS)) if (!isRight(member(name))) return name;
  for (const [name, isRight] of Object.entries(OPTIONAL)) if (!isAbsent(name) && !isRight(member(name))) return name;
  return {
    conversation: latin1(`conversation:${String(member('platform')).toLowerCase()}:${member('channelId')}`),
    job: latin1(`job-index:${member('jobId')}`),
    isFresh: ['pendingQuestionId', 'answerBy', 'lastAnswer'].every(isAbsent),
    hasClaimId: !isAbsent('claimId'),
  };
}

/** Text as the bytes of its UTF-8. */
export function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** Text that is no UTF-8 or no JSON is no state. */
function parsed(bytes: string): { text: string; state: unknown } {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(bytes, 'latin1'));
    return { text, state: JSON.parse(text) };
  } catch {
    return { text: '', state: undefined };
  }
}

function isWhole(value: unknown, most: number): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= most;
}

function isId(value: unknown, limit: number): value is string {
  return typeof value === 'string' && value !== '' && latin1(value).length <= limit && !/\p{Cc}/u.test(value);
}

function isAnswer({ questionId, answerId }: Record<string, unknown>): boolean {
  return isId(questionId, 1024) && (answerId === '' || isId(answerId, 1024));
}

/** A string may hold half of a surrogate pair only as an escape. */
function hasLoneSurrogate(text: string): boolean {
  // A space for each other escape, so that the halves on both sides of one do not come together.
  const rest = text.replace(/\\[^u]/g, ' ').replace(/\\ud[89ab]..\\ud[c-f]../gi, '');
  return /\\ud[89a-f]/i.test(rest);
}

function depth(json: string): number {
  let [deepest, now] = [0, 0];
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)) {
    if (token === '[' || token === '{') deepest = Math.max(deepest, ++now);
    if (token === ']' || token === '}') now--;
  }
  return deepest;
}
