import fc from 'fast-check';
import type { Fault } from '../faults/proxy.ts';
import { type Document, given, type Member, withMember } from './document.ts';
import type { Call } from './model.ts';
import { FOR_EVER } from './perform.ts';

/** A time that is over by the time that anybody asks. */
export const SOON = 1;

/** What a call of a run is: a call, how long to wait before it, which connection carries it, and what happens to it. */
export interface Move {
  call: Call;
  pauseMs: number;
  line: number;
  fault?: Fault | undefined;
}

export interface Play {
  prefix: string;
  moves: Move[];
}

const HOSTILE_IDS = [
  ...String.raw`a:b job-index:x conversation:slack:x * [a-z]? \ " \" {tag} %d%s%1 ' null 19:abc@thread.tacv2 org/repo#12`.split(
    ' ',
  ),
  ...String.raw`é 💬 __proto__ pendingQuestionId } ","x":" \u0000 1e3`.split(' '),
  ' ',
  '\u2028',
  '\ufeff',
  'x'.repeat(512),
];

const hostile = fc.oneof(
  fc.constantFrom(...HOSTILE_IDS),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }).filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text)),
);

const prefix = fc.constantFrom('', 't:', '{agentsmith}:', 'a*[b]?\\', 'conversation', 'job-index', 'é:');
const platform = fc.constantFrom('slack', 'teams', 'x.y_z-1');
const white = fc.constantFrom('', '', '', ' ', '\n\t', '\r\n  ');

/** Values that come back otherwise after decoding and encoding, and values that look like the members that change. */
const rawValue = fc.oneof(
  fc.constantFrom(
    ...String.raw`[] {} 1.10 1E5 -0 1234567890123456789 1e-400 "\/" "\ud83d\ude00" "\u0000" "}" "{" "[,]" true null`.split(
      ' ',
    ),
    ...String.raw`{"pendingQuestionId":"inner"} [{"lastAnswer":null}] "\"pendingQuestionId\":\"q\""`.split(' '),
    ...'"pendingQuestionId" ["pendingQuestionId","q",":","x"] {"starting":true}'.split(' '),
    '{ "a" : [ 1 , { } ] }',
    '"\u2028"',
  ),
  fc.json({ maxDepth: 3 }).filter((text) => !/\\ud[89a-f]/i.test(text)),
);

/** How JSON may write one string: as it is, or with some or all characters as escapes. */
function spelled(text: string, escapes: number): string {
  if (escapes === 0) return JSON.stringify(text);
  const units = [...Array(text.length).keys()].map((index) => text.slice(index, index + 1));
  const whole = escapes === 1 || /\p{Cs}|[^\0-\uffff]/u.test(text);
  return `"${units.map((unit, index) => (whole || index % escapes === 0 ? escaped(unit) : JSON.stringify(unit).slice(1, -1))).join('')}"`;
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Long past, and later than any test. */
const PAST = 1_000;
const FUTURE = 4_102_444_800_000;

/** The JSON of a valid state, as hostile as JSON may be. One for a new job has no question. */
function document(
  { jobId, channelId, platform }: Record<'jobId' | 'channelId' | 'platform', string>,
  { questionIds, answerIds, jobIds }: Cast,
  isNewJob: boolean,
): fc.Arbitrary<Document> {
  const escapes = fc.constantFrom(0, 0, 0, 0, 1, 2, 3);
  const member = (name: string, value: fc.Arbitrary<string>): fc.Arbitrary<Member> =>
    fc
      .record({ escapes, value, whites: fc.tuple(white, white, white, white) })
      .map(({ escapes, value, whites: [a, b, c, after] }) => ({
        name,
        before: `${a}${spelled(name, escapes)}${b}:${c}`,
        value,
        after,
      }));
  const text = (value: string) => escapes.map((count) => spelled(value, count));
  const maybe = (arbitrary: fc.Arbitrary<Member>) => fc.option(arbitrary, { nil: undefined });
  const orNull = (name: string, value: fc.Arbitrary<string>, nulls = 1) =>
    maybe(member(name, fc.oneof({ weight: nulls, arbitrary: fc.constant('null') }, { weight: 2, arbitrary: value })));
  const question = fc.constantFrom(...questionIds);
  const callId = fc.constantFrom(...answerIds, 'k1');
  // A new job with a question is refused; one time in many is enough to see it.
  const ofQuestion = (name: string, value: fc.Arbitrary<string>) => orNull(name, value, isNewJob ? 40 : 1);
  const members = fc.tuple(
    member('jobId', text(jobId)),
    member('channelId', text(channelId)),
    member('platform', fc.constantFrom(`"${platform}"`, `"${platform.toUpperCase()}"`)),
    member('userId', hostile.chain(text)),
    member('project', hostile.chain(text)),
    member('ticketId', fc.constantFrom('12', '-1', '0', '1.0', '9007199254740993', '"WEB-12"', '12345678901234567890')),
    member(
      'startedAt',
      fc.constantFrom('"2026-01-31T09:30:00.000Z"', '"2026-01-31T09:30:00.1234567+01:00"', '"2026-12-01T24:00"'),
    ),
    ofQuestion('pendingQuestionId', question.chain(text)),
    ofQuestion('answerBy', fc.constantFrom(`${PAST}`, `${FUTURE}`)),
    ofQuestion(
      'lastAnswer',
      question.map((questionId) => JSON.stringify({ answerId: 'a1', more: [], questionId })),
    ),
    orNull('claimId', callId.chain(text)),
    orNull('deliveryId', fc.constantFrom(...answerIds.slice(1), 'k1').chain(text)),
    orNull('starting', fc.constantFrom('true', 'true', 'false')),
    orNull('silentAfterMs', fc.constantFrom(`${SOON}`, `${FOR_EVER}`)),
    maybe(hostile.filter((name) => !CHANGED.includes(name)).chain((name) => member(name, rawValue))),
    maybe(fc.constantFrom('transcript', 'pendingquestionid', 'lastAnswers').chain((name) => member(name, rawValue))),
  );
  // Of two members with one name the last counts, so those that must not count stand before the others.
  const overruled = fc.oneof(
    fc.constantFrom(...CHANGED, 'jobId', 'x').chain((name) => member(name, rawValue)),
    member(
      'jobId',
      fc.constantFrom(...jobIds).map((value) => JSON.stringify(value)),
    ),
  );
  return fc.tuple(members, fc.array(overruled, { maxLength: 2 }), fc.nat()).map(([members, overruled, turn]) => {
    const real = rotated(
      members.filter((candidate) => candidate !== undefined),
      turn,
    );
    const counts = new Set(real.map(({ name }) => name));
    return [...overruled.filter(({ name }) => counts.has(name)), ...real];
  });
}

/** What the functions change by name. */
const CHANGED = ['pendingQuestionId', 'answerBy', 'lastAnswer', 'starting'];

function rotated<T>(items: T[], turn: number): T[] {
  const at = turn % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

export interface Cast {
  platform: string;
  channelIds: string[];
  jobIds: string[];
  questionIds: string[];
  answerIds: string[];
}

/** Calls on two channels by three jobs, in every form of reference, over so many lines. */
export function plays(lines: number, longest: number): fc.Arbitrary<Play> {
  const line = fc.nat({ max: lines - 1 });
  const pauseMs = fc.oneof({ weight: 12, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 25 }));
  return fc.tuple(prefix, cast).chain(([prefix, cast]) => {
    const move = fc.record({ call: calls(cast), pauseMs, line, fault });
    const moves = fc.oneof(
      { weight: 20, arbitrary: move.map((move): Move[] => [move]) },
      { weight: 3, arbitrary: ending(cast, line) },
    );
    return fc
      .array(moves, { minLength: 1, maxLength: longest, size: 'max' })
      .map((moves) => ({ prefix, moves: moves.flat() }));
  });
}

const anywhere = fc.nat({ max: 99 }).map((percent) => percent / 100);
const fault: fc.Arbitrary<Fault | undefined> = fc.oneof(
  { weight: 7, arbitrary: fc.constant(undefined) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('cut request', 'cut reply'), share: anywhere }) },
  fc.constant({ kind: 'late' }),
);

const id = fc.oneof(fc.constantFrom('C1', 'j1', 'x'), hostile);
const ids = (count: number) => fc.uniqueArray(id, { minLength: count, maxLength: count });
const cast: fc.Arbitrary<Cast> = fc.record({
  platform,
  channelIds: ids(2),
  jobIds: ids(3),
  questionIds: ids(2),
  answerIds: ids(2),
});

/**
 * A job, often a message for it or its own message again, and its end, often when its state has lapsed; what happens in
 * between may be anything.
 */
function ending(all: Cast, line: fc.Arbitrary<number>): fc.Arbitrary<Move[]> {
  return fc.constantFrom(...all.channelIds).chain((channelId) => {
    const cast = { ...all, channelIds: [channelId] };
    const between = fc.array(calls(all), { maxLength: 2 });
    const second = fc.constantFrom('own message', 'another', 'another', undefined);
    return fc
      .tuple(beginning(cast, 'set'), beginning(cast, 'claim'), second, between, fc.boolean(), end(cast), line, line)
      .map(([set, claim, second, between, lapses, end, line, last]): Move[] => {
        const own = { ...claim, state: ofMessage(set.state, claim.state) };
        const [fresh = ''] = cast.answerIds;
        const named = withMember(withMember(claim.state, 'deliveryId', fresh), 'claimId', 'k1');
        const message = second === 'another' ? [{ ...claim, state: named, queue: fresh }] : second ? [own] : [];
        const moves = [{ ...set, ttlMs: 60_000 }, ...message, ...(lapses ? [{ ...set, ttlMs: 1 }] : []), ...between];
        const ended = { call: end(set), pauseMs: lapses ? 8 : 0, line: last };
        return [...moves.map((call) => ({ call, pauseMs: 0, line })), ended];
      });
  });
}

/** How a job ends: removed by its name or by the channel alone, or followed by another one. */
function end(cast: Cast): fc.Arbitrary<(set: Beginning) => Call> {
  return fc
    .tuple(how, beginning(cast, 'hand_over'), fc.nat({ max: 5 }))
    .map(([how, next, kind]) => ({ channel, job, state }) => {
      // Anybody may be followed where messages wait and nobody holds the channel.
      const outgoing = next.successor === job ? next.job : job;
      if (kind > 2) return { ...next, job: outgoing, state: kind > 3 ? ofMessage(state, next.state) : next.state };
      return { name: 'remove', channel, ...(kind > 0 && { job }), ...how };
    });
}

/** The state, of the message that another job was started by. */
function ofMessage(other: Document, state: Document): Document {
  const deliveryId = given(other, 'deliveryId');
  return deliveryId === undefined ? state : withMember(state, 'deliveryId', deliveryId);
}

const ttlMs = fc.oneof(
  { weight: 15, arbitrary: fc.constantFrom(60_000, 7_200_000, FOR_EVER) },
  fc.integer({ min: 1, max: 40 }),
);
const how = fc.constantFrom({}, {}, { how: 'retry' as const }, { how: 'all' as const });

type Beginning = Extract<Call, { name: 'claim' | 'set' | 'hand_over' }>;

/** One of these, the first more often, so that calls meet. */
function often(ids: string[]): fc.Arbitrary<string> {
  const [first = ''] = ids;
  return fc.oneof({ weight: 2, arbitrary: fc.constant(first) }, fc.constantFrom(...ids));
}

/** A call that gives a state. */
function beginning<Name extends Beginning['name']>(cast: Cast, name: Name): fc.Arbitrary<Beginning & { name: Name }> {
  const { platform, channelIds, jobIds } = cast;
  const parts = fc.tuple(
    often(channelIds),
    fc.constantFrom(0, 0, 0, 1, 2),
    fc.constantFrom(0, 1, 1, 1, 2, 2, 2),
    ttlMs,
  );
  return parts.chain(([channelId, which, ahead, ttlMs]) => {
    const [jobId = '', outgoing = ''] = [jobIds[which], jobIds[(which + ahead) % 3]];
    return fc
      .tuple(
        document({ jobId, channelId, platform }, cast, name !== 'set'),
        fc.boolean(),
        stream,
        fc.constantFrom('', 'stop'),
      )
      .map(([state, queues, stream, text]) => {
        const call = { state, channel: `${platform}:${channelId}`, ttlMs };
        const [claimId, deliveryId] = [given(state, 'claimId'), given(state, 'deliveryId')];
        if (name === 'hand_over') {
          const claimed = claimId === undefined ? withMember(state, 'claimId', 'k1') : state;
          return { ...call, name, state: claimed, job: outgoing, successor: jobId, ...(stream && { stream, text }) };
        }
        // Each message has a text of its own: its delivery id.
        const isQueued = name === 'claim' && queues && claimId !== undefined && deliveryId !== undefined;
        return { ...call, name, job: jobId, ...(isQueued && { queue: String(deliveryId) }) };
      });
  }) as fc.Arbitrary<Beginning & { name: Name }>;
}

const stream = fc.constantFrom(undefined, 'heard', 'heard too');

/** Any call with these names. */
export function calls(cast: Cast): fc.Arbitrary<Call> {
  const { platform, channelIds, jobIds, questionIds, answerIds } = cast;
  const channel = often(channelIds).map((value) => `${platform}:${value}`);
  const job = often(jobIds);
  const byJob = fc.oneof(fc.record({ job }), fc.record({ channel, job }));
  const reference: fc.Arbitrary<{ channel?: string; job?: string }> = fc.oneof(fc.record({ channel }), byJob);
  const questionId = fc.constantFrom(...questionIds);
  const callId = fc.constantFrom(...answerIds, 'k1');
  // Only a call that names a job publishes.
  const published = (text: fc.Arbitrary<string>) =>
    fc
      .tuple(reference, stream, text)
      .map(([ref, stream, text]) => ({ ...ref, ...(ref.job && stream && { stream, text }) }));
  const patch = fc.uniqueArray(
    fc.tuple(fc.constantFrom('x', 'transcript', 'a"b', 'é', '0a', 'userId'), fc.constantFrom('v', '}","', 'é')),
    { maxLength: 3, selector: ([name]) => name },
  );
  const made = <Name extends Call['name'], Part extends object[]>(
    weight: number,
    name: Name,
    ...parts: { [At in keyof Part]: fc.Arbitrary<Part[At]> }
  ) => ({
    weight,
    arbitrary: fc.tuple(...parts).map((parts) => Object.assign({ name }, ...parts) as Call),
  });
  const ttl = fc.record({ ttlMs });
  const withinMs = fc.constantFrom(SOON, 60_000, FOR_EVER);
  const answerId = fc.oneof(callId, fc.constant(''));
  const lastSeen = fc.record({ id: fc.constant('0'), text: callId });
  return fc.oneof(
    { weight: 5, arbitrary: beginning(cast, 'claim') },
    { weight: 2, arbitrary: beginning(cast, 'set') },
    { weight: 3, arbitrary: beginning(cast, 'hand_over') },
    made(1, 'get', reference),
    made(3, 'get_by_job', byJob, ttl, fc.record({ lastSeen }, { requiredKeys: [] })),
    made(1, 'set_pending', reference, ttl, fc.constant({ questionId: '' })),
    made(4, 'set_pending', reference, ttl, fc.record({ questionId, withinMs }, { requiredKeys: ['questionId'] })),
    made(5, 'answer', published(fc.constant('')), ttl, fc.record({ questionId, answerId })),
    made(1, 'update', reference, fc.record({ patch })),
    // A message that is published has an id, so that a resend publishes it once.
    made(3, 'update', published(questionId), fc.record({ patch, deliveryId: callId })),
    made(2, 'remove', reference, how),
    made(1, 'due', fc.record({ leaseMs: fc.constantFrom(SOON, FOR_EVER) }), fc.constantFrom({}, {}, { limit: 1 })),
  );
}
