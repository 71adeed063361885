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

/** The state's own two keys without their prefix, where the bytes are a valid state; otherwise what is wrong. */
export function judge(bytes: string): Valid | string {
  if (bytes.length > MAX_STATE) return 'too long';
  const text = decoded(bytes);
  if (text === undefined) return 'no UTF-8';
  const state = parsed(text);
  if (typeof state !== 'object' || state === null || Array.isArray(state)) return 'no JSON object';
  if (hasLoneSurrogate(text)) return 'half of a surrogate pair';
  if (depth(text) > MAX_DEPTH) return 'too deep';
  const {
    jobId,
    channelId,
    userId,
    platform,
    project,
    ticketId,
    startedAt,
    pendingQuestionId,
    lastAnswer,
    claimId,
    deliveryId,
    starting,
    silentAfterMs,
    answerBy,
  } = state as Record<string, unknown>;
  if (!isId(jobId, 512) || !isId(channelId, 512)) return 'jobId or channelId';
  if (typeof platform !== 'string' || !PLATFORM.test(platform)) return 'platform';
  if (typeof userId !== 'string' || typeof project !== 'string' || !userId || !project) return 'userId or project';
  if (!(typeof ticketId === 'string' ? ticketId : Number.isInteger(ticketId))) return 'ticketId';
  if (typeof startedAt !== 'string' || !ISO.test(startedAt)) return 'startedAt';
  if (!isAbsent(pendingQuestionId) && !isId(pendingQuestionId, 1024)) return 'pendingQuestionId';
  if (!isAbsent(lastAnswer) && !isAnswer(lastAnswer)) return 'lastAnswer';
  if (!isAbsent(claimId) && !isId(claimId, 1024)) return 'claimId';
  if (!isAbsent(deliveryId) && !isId(deliveryId, 1024)) return 'deliveryId';
  if (!isAbsent(starting) && typeof starting !== 'boolean') return 'starting';
  if (!isAbsent(silentAfterMs) && !isWhole(silentAfterMs, 999_999_999_999)) return 'silentAfterMs';
  if (!isAbsent(answerBy) && !isWhole(answerBy, 9_999_999_999_999)) return 'answerBy';
  return {
    conversation: latin1(`conversation:${platform.toLowerCase()}:${channelId}`),
    job: latin1(`job-index:${jobId}`),
    isFresh: [pendingQuestionId, answerBy, lastAnswer].every(isAbsent),
    hasClaimId: !isAbsent(claimId),
  };
}

/** Text as the bytes of its UTF-8. */
export function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function decoded(bytes: string): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(bytes, 'latin1'));
  } catch {
    return undefined;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Null means the same. */
function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function isWhole(value: unknown, most: number): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= most;
}

function isId(value: unknown, limit: number): value is string {
  return typeof value === 'string' && value !== '' && latin1(value).length <= limit && !/\p{Cc}/u.test(value);
}

function isAnswer(value: unknown): boolean {
  const { questionId, answerId } = value as Record<string, unknown>;
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
