import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type {
  AnswerResult,
  ConversationStore,
  LastAnswer,
  NewConversationState,
  StoredConversationState,
  UpdateResult,
} from '../../src/index.ts';
import { STATE } from '../support/library.ts';

// The compiler is what tests here: a type that is another fails `npm run typecheck`.

const test = suite('types');

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Resolved<Method extends (...args: never[]) => unknown> = Awaited<ReturnType<Method>>;

/** An intersection as one object type. */
type Flat<T> = { [Name in keyof T]: T[Name] };

/** Compiles where both types are the same, to the letter. */
function same<A, B>(..._proof: Same<A, B> extends true ? [] : ['the types differ']): void {}

type Plain = ConversationStore;
type Extra = { transcript: string[]; reviewer?: { name: string } };
type Own = ConversationStore<Extra>;
type State = StoredConversationState;
type OwnState = StoredConversationState<Extra>;

test('what comes back is the state, or null where there may be none', () => {
  type Reads = 'get' | 'getByJobId' | 'set' | 'setPendingQuestion' | 'clearPendingQuestion';
  same<{ [Name in Reads]: Resolved<Plain[Name]> }, { [Name in Reads]: State | null }>();
  same<{ [Name in Reads]: Resolved<Own[Name]> }, { [Name in Reads]: OwnState | null }>();
  same<Resolved<Plain['ready']>, void>();
});

test('outcomes are told apart, and each narrows its state', () => {
  type Outcomes = {
    [Name in 'claim' | 'handOver' | 'update' | 'answerQuestion' | 'remove']: Resolved<Own[Name]>;
  };
  /** The states of a method, by their outcomes. */
  type States<Name extends keyof Outcomes> = {
    [Outcome in Outcomes[Name]['outcome']]: Extract<Outcomes[Name], { outcome: Outcome }>['state'];
  };
  type Is<Outcome extends string> = { [Name in Outcome]: OwnState };
  type MayBe<Outcome extends string> = { [Name in Outcome]: OwnState | null };
  type Gone = { gone: null };
  same<States<'claim'>, Flat<Is<'claimed' | 'held' | 'queued' | 'full' | 'starting'> & MayBe<'duplicate'>>>();
  same<States<'handOver'>, Flat<Is<'claimed' | 'held' | 'starting'> & MayBe<'duplicate'> & Gone>>();
  same<States<'update'>, Flat<Is<'updated' | 'starting'> & MayBe<'duplicate'> & Gone>>();
  same<States<'answerQuestion'>, Flat<Is<'accepted' | 'answered' | 'stale'> & MayBe<'duplicate'> & Gone>>();
  same<States<'remove'>, Flat<Is<'held'> & MayBe<'removed' | 'waiting' | 'lapsed'> & Gone>>();
  same<Outcomes['update'], UpdateResult<OwnState>>();
  same<Outcomes['answerQuestion'], AnswerResult<OwnState>>();
});

test('further members are typed, given and stored', () => {
  same<OwnState['transcript'], string[]>();
  same<OwnState['reviewer'], { name: string } | undefined>();
  same<OwnState['jobId'], string>();
  const given: NewConversationState<Extra> = { ...STATE, transcript: [] };
  // @ts-expect-error a member that Extra wants is missing
  const missing: NewConversationState<Extra> = STATE;
  // @ts-expect-error a member of another type
  const wrong: NewConversationState<Extra> = { ...STATE, transcript: 'none' };
  // @ts-expect-error a member that nobody named
  const unknown: NewConversationState = { ...STATE, color: 'red' };
  assert.is(new Set([given, missing, wrong, unknown]).size, 4);
});

test('a date may be given and comes back as text', () => {
  same<NewConversationState['startedAt'], string | Date>();
  same<State['startedAt'], string>();
  same<State['ticketId'], number | string>();
  same<State['pendingQuestionId'], string | null | undefined>();
  same<State['lastAnswer'], LastAnswer | null | undefined>();
  type Dated = StoredConversationState<{ due: Date; times: [Date, { at: Date }]; note?: string | null }>;
  same<Dated['due'], string>();
  same<Dated['times'], [string, { at: string }]>();
  same<Dated['note'], string | null | undefined>();
  type Open = StoredConversationState<{ raw: unknown; list: readonly unknown[]; more: Record<string, unknown> }>;
  same<Open['raw'], unknown>();
  same<Open['list'], readonly unknown[]>();
  same<Open['more'], { [x: string]: unknown }>();
});

test('what JSON cannot hold comes back as what JSON makes of it', () => {
  type Odd = StoredConversationState<{
    map: Map<string, Date>;
    set: Set<number>;
    run: () => void;
    calls: [() => void, string];
    either: Date | number | null;
    price: { toJSON(): { cents: number; at: Date } };
    nested: { list: { at: Date; run(): void }[]; maybe?: Date };
    big: bigint;
  }>;
  same<Odd['map'] | Odd['set'], Record<string, never>>();
  same<'run' extends keyof Odd ? true : false, false>();
  same<Odd['calls'], [null, string]>();
  same<Odd['either'], string | number | null>();
  same<Odd['price'], { cents: number; at: string }>();
  same<Odd['nested'], { list: { at: string }[]; maybe?: string }>();
  same<Odd['big'], never>();
});

test('an application redefines no member of the library', () => {
  // @ts-expect-error a job id is the library's
  same<ConversationStore<{ jobId: number }>, never>;
  // @ts-expect-error so is what it may leave out
  same<ConversationStore<{ note: string; claimId: string }>, never>;
});

test('a call refuses half a reference, a stream without a job and a patch of what has methods of its own', () => {
  const calls = (store: Plain) => {
    const deliveryId = undefined as string | undefined;
    // Options and optional members may be undefined.
    store.claim({ ...STATE, deliveryId }, { ttlMs: undefined, queue: undefined });
    store.update(STATE, {}, { deliveryId, stream: undefined, fields: undefined });
    // @ts-expect-error a channel without its platform
    store.get({ channelId: 'C1' });
    // @ts-expect-error nothing
    store.get({});
    // @ts-expect-error a key
    store.get('conversation:slack:C1');
    // @ts-expect-error no job is named
    store.update({ platform: 'slack', channelId: 'C1' }, {}, { stream: 's', fields: { type: 'stop' } });
    // @ts-expect-error no job is named
    store.answerQuestion({ platform: 'slack', channelId: 'C1' }, 'q1', { stream: 's', fields: { text: 'yes' } });
    // @ts-expect-error fields without a stream
    store.answerQuestion(STATE, 'q1', { fields: { text: 'yes' } });
    // @ts-expect-error the job of a conversation has no patch
    store.update(STATE, { jobId: 'j2' });
  };
  assert.type(calls, 'function', 'they are compiled, not run');
});

test('a comparison of types that differ does not compile', () => {
  // @ts-expect-error the types differ
  same<string, string | null>();
});

test.run();
