import fc from 'fast-check';
import type { Document, Member } from './document.ts';
import { type Call, SOON } from './model.ts';

/** What a call of a run is: a call, how long to wait before it, and which connection carries it. */
export interface Move {
  call: Call;
  pauseMs: number;
  line: number;
}

export interface Play {
  prefix: string;
  moves: Move[];
}

const HOSTILE_IDS = [
  'a:b',
  'job-index:x',
  'conversation:slack:x',
  '*',
  '[a-z]?',
  '\\',
  '"',
  '\\"',
  '{tag}',
  '%d%s%1',
  "'",
  ' ',
  'null',
  '19:abc@thread.tacv2',
  'org/repo#12',
  '\u2028',
  'é',
  '💬',
  '\ufeff',
  '__proto__',
  'pendingQuestionId',
  '}',
  '","x":"',
  '\\u0000',
  'x'.repeat(512),
  '1e3',
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
    '[]',
    '{}',
    '1.10',
    '1E5',
    '-0',
    '1234567890123456789',
    '1e-400',
    '"\\/"',
    '"\\ud83d\\ude00"',
    '"\\u0000"',
    '"}"',
    '"{"',
    '"[,]"',
    '{"pendingQuestionId":"inner"}',
    '[{"lastAnswer":null}]',
    '"\\"pendingQuestionId\\":\\"q\\""',
    '{ "a" : [ 1 , { } ] }',
    '"\u2028"',
    '"pendingQuestionId"',
    '["pendingQuestionId","q",":","x"]',
    'true',
    'null',
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

interface Names {
  jobId: string;
  channelId: string;
  platform: string;
}

/** The JSON of a valid state, as hostile as JSON may be. */
export function document(
  { jobId, channelId, platform }: Names,
  question: fc.Arbitrary<string>,
  ids: fc.Arbitrary<string>,
  anyJob: fc.Arbitrary<string>,
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
  const members = fc.tuple(
    member('jobId', text(jobId)),
    member('channelId', text(channelId)),
    member(
      'platform',
      fc.constantFrom(platform, platform.toUpperCase()).map((value) => JSON.stringify(value)),
    ),
    member('userId', hostile.chain(text)),
    member('project', hostile.chain(text)),
    member('ticketId', fc.constantFrom('12', '-1', '0', '1.0', '9007199254740993', '"WEB-12"', '12345678901234567890')),
    member(
      'startedAt',
      fc.constantFrom('"2026-01-31T09:30:00.000Z"', '"2026-01-31T09:30:00.1234567+01:00"', '"2026-12-01T24:00"'),
    ),
    maybe(member('pendingQuestionId', fc.oneof(fc.constant('null'), question.chain(text)))),
    maybe(
      member(
        'lastAnswer',
        fc.oneof(
          fc.constant('null'),
          question.map((questionId) => JSON.stringify({ answerId: 'a1', more: [], questionId })),
        ),
      ),
    ),
    maybe(member('claimId', ids.chain(text))),
    maybe(member('deliveryId', ids.chain(text))),
    maybe(hostile.filter((name) => name !== 'pendingQuestionId').chain((name) => member(name, rawValue))),
    maybe(fc.constantFrom('transcript', 'pendingquestionid', 'lastAnswers').chain((name) => member(name, rawValue))),
  );
  // Of two members with one name the last counts, so those that must not count stand before the others.
  const overruled = fc.oneof(
    fc.constantFrom('pendingQuestionId', 'lastAnswer', 'jobId', 'x').chain((name) => member(name, rawValue)),
    member(
      'jobId',
      anyJob.map((value) => JSON.stringify(value)),
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

function rotated<T>(items: T[], turn: number): T[] {
  const at = turn % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

/** Calls on two channels by three jobs, in every form of reference, over so many lines. */
export function plays(lines: number, longest: number): fc.Arbitrary<Play> {
  const id = fc.oneof(fc.constantFrom('C1', 'j1', 'x'), hostile);
  const ids = (count: number) => fc.uniqueArray(id, { minLength: count, maxLength: count });
  return fc
    .record({ prefix, platform, channelIds: ids(2), jobIds: ids(3), questionIds: ids(2), answerIds: ids(2) })
    .chain((names) => {
      const line = fc.nat({ max: lines - 1 });
      const pauseMs = fc.oneof(
        { weight: 12, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: 1, max: 25 }) },
      );
      const moves = fc.oneof(
        { weight: 30, arbitrary: fc.record({ call: calls(names), pauseMs, line }).map((move) => [move]) },
        { weight: 1, arbitrary: lapses(names, line) },
        { weight: 1, arbitrary: waits(names, line) },
      );
      return fc
        .array(moves, { minLength: 1, maxLength: longest, size: 'max' })
        .map((moves) => ({ prefix: names.prefix, moves: moves.flat() }));
    });
}

/** A job that is watched and whose state ends, and a removal in its name; what happens in between may be anything. */
function lapses(cast: Cast, line: fc.Arbitrary<number>): fc.Arbitrary<Move[]> {
  const between = fc.array(fc.record({ call: calls(cast), pauseMs: fc.constant(0), line }), { maxLength: 2 });
  return fc
    .tuple(given(cast, 'set'), fc.constantFrom(SOON, FOR_EVER), between, removal, line, line)
    .map(([set, silentMs, between, options, first, last]) => {
      const { channel, job } = set;
      return [
        { call: { ...set, ttlMs: 1, silentMs }, pauseMs: 0, line: first },
        ...between,
        { call: { name: 'remove', channel, job, ...options }, pauseMs: 8, line: last },
      ];
    });
}

/** A message for a job that holds the channel, and a removal of this job by who has read nothing yet. */
function waits(cast: Cast, line: fc.Arbitrary<number>): fc.Arbitrary<Move[]> {
  return fc.constantFrom(...cast.channelIds).chain((channelId) => {
    const here = { ...cast, channelIds: [channelId] };
    return fc.tuple(given(here, 'set'), given(here, 'claim'), line, line).map(([set, claim, first, second]): Move[] => [
      { call: { ...set, ttlMs: 60_000 }, pauseMs: 0, line: first },
      { call: claim, pauseMs: 0, line: second },
      { call: { name: 'remove', channel: set.channel, lastSeen: 'nothing' }, pauseMs: 0, line: first },
    ]);
  });
}

export interface Cast {
  platform: string;
  channelIds: string[];
  jobIds: string[];
  questionIds: string[];
  answerIds: string[];
}

const FOR_EVER = 999_999_999_999;
const ttlMs = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(60_000, 7_200_000, FOR_EVER) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 40 }) },
);
const silentMs = fc.constantFrom({}, { silentMs: SOON }, { silentMs: FOR_EVER });
const queue = fc.constantFrom({}, { queue: 'more' }, { queue: 'and more' });
const removal = fc
  .tuple(
    fc.constantFrom({}, { lastSeen: 'nothing' as const }, { lastSeen: 'everything' as const }),
    fc.constantFrom({}, { retry: true }, { retry: false }),
  )
  .map(([seen, retry]) => ({ ...seen, ...retry }));

type Given = Extract<Call, { name: 'claim' | 'set' }>;

/** A call that gives a state. */
function given(
  { platform, channelIds, jobIds, questionIds, answerIds }: Cast,
  name: 'claim' | 'set',
): fc.Arbitrary<Given> {
  const job = fc.constantFrom(...jobIds);
  const callId = fc.constantFrom(...answerIds, 'k1');
  return fc.tuple(fc.constantFrom(...channelIds), job, ttlMs).chain(([channelId, jobId, ttlMs]) =>
    fc
      .tuple(document({ jobId, channelId, platform }, fc.constantFrom(...questionIds), callId, job), silentMs, queue)
      .map(([state, silentMs, queue]) => {
        const call = { name, state, channel: `${platform}:${channelId}`, job: jobId, ttlMs, ...silentMs };
        const has = (member: string) => state.some(({ name }) => name === member);
        return name === 'claim' && has('claimId') && has('deliveryId') ? { ...call, ...queue } : call;
      }),
  );
}

/** Any call with these names. */
export function calls(cast: Cast): fc.Arbitrary<Call> {
  const { platform, channelIds, jobIds, questionIds, answerIds } = cast;
  const channelId = fc.constantFrom(...channelIds);
  const channel = channelId.map((value) => `${platform}:${value}`);
  const job = fc.constantFrom(...jobIds);
  const questionId = fc.constantFrom(...questionIds);
  const answerId = fc.constantFrom(...answerIds, '');
  const jobReference = fc.oneof(
    job.map((value) => ({ job: value })),
    fc.record({ channel, job }),
  );
  const reference = fc.oneof(
    channel.map((value) => ({ channel: value })),
    jobReference,
  );
  const stream = fc.option(fc.constantFrom('heard', 'heard too'), { nil: undefined });
  const callId = fc.constantFrom(...answerIds, 'k1');
  const patch = fc.uniqueArray(
    fc.tuple(fc.constantFrom('x', 'transcript', 'a"b', 'é', '0a', 'userId'), fc.constantFrom('v', '}","', 'é')),
    { maxLength: 3, selector: ([name]) => name },
  );
  return fc.oneof(
    { weight: 5, arbitrary: given(cast, 'claim') },
    { weight: 2, arbitrary: given(cast, 'set') },
    { weight: 1, arbitrary: reference.map((ref) => ({ name: 'get' as const, ...ref })) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(jobReference, ttlMs, silentMs)
        .map(([ref, ttlMs, silentMs]) => ({ name: 'get_by_job' as const, ...ref, ttlMs, ...silentMs })),
    },
    {
      weight: 4,
      arbitrary: fc
        .tuple(
          reference,
          fc.oneof({ weight: 4, arbitrary: questionId }, { weight: 1, arbitrary: fc.constant('') }),
          ttlMs,
        )
        .map(([ref, questionId, ttlMs]) => ({ name: 'set_pending' as const, ...ref, questionId, ttlMs })),
    },
    {
      weight: 5,
      arbitrary: fc
        .tuple(reference, questionId, answerId, ttlMs, stream)
        .map(([ref, questionId, answerId, ttlMs, stream]) => ({
          name: 'answer' as const,
          ...ref,
          questionId,
          answerId,
          ttlMs,
          ...(stream === undefined || !('job' in ref) ? {} : { stream }),
        })),
    },
    {
      weight: 4,
      arbitrary: fc
        .record({
          ref: reference,
          patch,
          deliveryId: fc.option(callId, { nil: undefined }),
          stream,
          text: questionId,
          ttlMs,
        })
        .map(({ ref, patch, deliveryId, stream, text, ttlMs }) => ({
          name: 'update' as const,
          ...ref,
          patch,
          text,
          ttlMs,
          ...(deliveryId === undefined ? {} : { deliveryId }),
          ...(stream === undefined || !('job' in ref) ? {} : { stream }),
        })),
    },
    {
      weight: 3,
      arbitrary: fc
        .tuple(reference, removal)
        .map(([ref, options]) => ({ name: 'remove' as const, ...ref, ...options })),
    },
    { weight: 1, arbitrary: fc.constant({ name: 'due' as const }) },
  );
}
