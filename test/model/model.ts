import { type Document, given, memberOf, withMember } from './document.ts';

/** A call as the model sees it. Channels are `{platform, lower case}:{channelId}`; channel or job may be left out. */
export type Call = { channel?: string; job?: string; ttlMs?: number; stream?: string; text?: string } & (
  | { name: 'claim'; channel: string; job: string; state: Document; queue?: string }
  | { name: 'hand_over'; channel: string; job: string; successor: string; state: Document }
  | { name: 'set'; channel: string; job: string; state: Document }
  | { name: 'get' }
  | { name: 'get_by_job'; lastSeen?: Entry }
  | { name: 'update'; patch: [name: string, value: unknown][]; deliveryId?: string }
  | { name: 'set_pending'; questionId: string; withinMs?: number }
  | { name: 'answer'; questionId: string; answerId: string }
  | { name: 'remove'; how?: 'retry' | 'all' }
  | { name: 'due'; leaseMs: number; limit?: number }
);

/** An entry of an inbox: the server knows it by its id, the model by its text. */
export interface Entry {
  id: string;
  text: string;
}

/** What a call answers: an outcome, an error code or the jobs that are due, and a state. */
export type Reply = [outcome: string, state: Document | null];

export interface Conversation {
  job: string;
  state: Document;
  end: number;
}

/** A key of several values with its deadline: entries of a stream in their order, members of a sorted set sorted. */
export interface Values {
  values: readonly string[];
  end: number;
}

/** Everything there is. A job's index is not stored separately here, so it cannot lie. */
export interface World {
  conversations: ReadonlyMap<string, Conversation>;
  /** By channel. */
  inboxes: ReadonlyMap<string, Values>;
  /** By channel: each delivery that is handled, and for a queued one its claim too. */
  handled: ReadonlyMap<string, Values>;
  /** By {@link watched}: from when on the job is due. */
  watch: ReadonlyMap<string, number>;
  /** By key without its prefix. */
  streams: ReadonlyMap<string, Values>;
}

export const EMPTY: World = {
  conversations: new Map(),
  inboxes: new Map(),
  handled: new Map(),
  watch: new Map(),
  streams: new Map(),
};

const DEFAULT_TTL = 7_200_000;
const DAY = 86_400_000;

export const watched = (job: string, channel: string) => `${job}\n${channel}`;

/** One named job, as the model and the performers write it into an outcome. */
export const named = (job: string, channel: string, dueAt: number | string) => `${watched(job, channel)} ${dueAt}`;

/** What the contract says that a call does at this millisecond, in a world in which nothing has expired. */
export function step(before: World, call: Call, now: number): { reply: Reply; world: World } {
  const turn = new Turn(before, now);
  const [outcome, state = null] = turn.make(call);
  return { reply: [outcome, state], world: turn };
}

type Answer = [outcome: string, state?: Document | null | undefined];

class Turn implements World {
  readonly conversations: Map<string, Conversation>;
  readonly inboxes: Map<string, Values>;
  readonly handled: Map<string, Values>;
  readonly watch: Map<string, number>;
  readonly streams: Map<string, Values>;
  readonly #now: number;

  constructor(world: World, now: number) {
    this.conversations = new Map(world.conversations);
    this.inboxes = new Map(world.inboxes);
    this.handled = new Map(world.handled);
    this.watch = new Map(world.watch);
    this.streams = new Map(world.streams);
    this.#now = now;
  }

  make(call: Call): Answer {
    switch (call.name) {
      case 'due':
        return [this.#due(call)];
      case 'claim':
      case 'hand_over':
      case 'set':
        return this.#begin(call);
      case 'remove':
        return this.#remove(call);
    }
    const [channel, there] = this.#find(call);
    const hasOutcome = call.name === 'answer' || call.name === 'update';
    if (!there) return [hasOutcome ? 'gone' : ''];
    switch (call.name) {
      case 'get':
        return ['', there.state];
      case 'get_by_job': {
        if (call.lastSeen) this.#read(channel, call.lastSeen);
        return ['', this.#signOfLife(channel, there, this.#end(call))];
      }
      case 'update':
        return this.#update(call, channel, there);
      case 'set_pending':
        return ['', call.questionId === '' ? this.#clear(call, channel, there) : this.#ask(call, channel, there)];
      case 'answer':
        return this.#answer(call, channel, there);
    }
  }

  /** The conversation that a reference leads to: where it names a job, only while that job holds the channel. */
  #find({ channel, job }: Call): [channel: string, there: Conversation | undefined] {
    const found = channel ?? [...this.conversations].find(([, held]) => held.job === job)?.[0] ?? '';
    const there = this.conversations.get(found);
    return [found, job === undefined || there?.job === job ? there : undefined];
  }

  #begin(call: Call & { name: 'claim' | 'hand_over' | 'set' }): Answer {
    const { channel, state } = call;
    const job = call.name === 'hand_over' ? call.successor : call.job;
    if (call.name === 'hand_over' && job === call.job) return ['CONVKEY'];
    const isNewJob = call.name !== 'set';
    if (isNewJob && ['pendingQuestionId', 'answerBy', 'lastAnswer'].some((name) => given(state, name) !== undefined))
      return ['CONVSTATE'];
    if ([...this.conversations].some(([other, held]) => held.job === job && other !== channel)) return ['CONVJOB'];
    const there = this.conversations.get(channel);
    if (call.name === 'set') {
      if (there && given(there.state, 'deliveryId') !== given(state, 'deliveryId')) this.#handle(channel, there);
      if (there) this.watch.delete(watched(there.job, channel));
      // A limit that is already over does not make the conversation end at once.
      this.#store(channel, { job, state, end: this.#end(call, limitOf(state)) }, true);
      return ['', there?.state ?? null];
    }
    const claimId = given(state, 'claimId');
    const isMine = there?.job === job && claimId !== undefined && given(there.state, 'claimId') === claimId;
    if (isMine) return ['claimed', there.state];
    return call.name === 'claim' ? this.#claim(call, there) : this.#handOver(call, there);
  }

  #claim(call: Call & { name: 'claim' }, there: Conversation | undefined): Answer {
    const { channel, job, state, queue } = call;
    const delivery = given(state, 'deliveryId');
    const claim = `${delivery}\n${given(state, 'claimId')}`;
    if (there && this.#isHandled(channel, claim)) return ['queued', there.state];
    if (this.#isHandled(channel, delivery)) return ['duplicate', there?.state];
    if (!there) return ['claimed', this.#store(channel, { job, state, end: this.#end(call) }, true)];
    if (delivery !== undefined && given(there.state, 'deliveryId') === delivery) return ofItsJob(there);
    if (queue === undefined) return ['held', there.state];
    const { values = [], end = 0 } = this.inboxes.get(channel) ?? {};
    // No run queues a thousand messages, after which a claim is told `full`.
    this.inboxes.set(channel, {
      values: [...values, queue],
      end: Math.max(end, Math.max(there.end, this.#now) + 7 * DAY),
    });
    this.#handle(channel, there, String(delivery), claim);
    return ['queued', there.state];
  }

  #handOver(call: Call & { name: 'hand_over' }, there: Conversation | undefined): Answer {
    const { channel, job: outgoing, successor: job, state } = call;
    const delivery = given(state, 'deliveryId');
    if (this.#isHandled(channel, delivery)) return ['duplicate', there?.state];
    if (there && delivery !== undefined && given(there.state, 'deliveryId') === delivery) return ofItsJob(there);
    if (there && there.job !== outgoing) return ['held', there.state];
    const entry = watched(outgoing, channel);
    if (!there && !this.watch.has(entry) && !this.#isWaiting(channel)) return ['gone'];
    if (there) this.#handle(channel, there);
    this.watch.delete(entry);
    const begun = { job, state, end: this.#end(call) };
    this.#store(channel, begun, true);
    this.#publish(call, begun);
    return ['claimed', state];
  }

  #update(call: Call & { name: 'update' }, channel: string, there: Conversation): Answer {
    const { patch, deliveryId } = call;
    if (deliveryId !== undefined) {
      if (this.#isHandled(channel, deliveryId)) return ['duplicate', there.state];
      if (isStarting(there)) return ['starting', there.state];
      if (given(there.state, 'deliveryId') === deliveryId) return ['duplicate', there.state];
      this.#handle(channel, there, deliveryId);
    }
    const state = patch.reduce((state, [name, value]) => withMember(state, name, value), there.state);
    this.conversations.set(channel, { ...there, state });
    this.#publish(call, there);
    return ['updated', state];
  }

  #ask(call: Call & { name: 'set_pending' }, channel: string, there: Conversation): Document {
    const { questionId, withinMs } = call;
    if (lastAnswerOf(there)?.questionId === questionId) return this.#signOfLife(channel, there, this.#end(call));
    const answerBy = withinMs === undefined ? undefined : this.#now + withinMs;
    const isAsked = given(there.state, 'pendingQuestionId') === questionId;
    const asking = isAsked ? there.state : withMember(there.state, 'pendingQuestionId', questionId);
    const asked = withLimit(asking, answerBy);
    return this.#signOfLife(channel, { ...there, state: asked }, this.#end(call, answerBy), true);
  }

  #clear(call: Call, channel: string, there: Conversation): Document {
    const state = withLimit(withoutQuestion(there.state), undefined);
    return this.#store(channel, { ...there, state, end: this.#end(call) }, true);
  }

  #answer(call: Call & { name: 'answer' }, channel: string, there: Conversation): Answer {
    const { questionId, answerId } = call;
    const last = lastAnswerOf(there);
    if (last?.questionId === questionId) {
      return [answerId !== '' && last.answerId === answerId ? 'accepted' : 'answered', there.state];
    }
    const isOld = this.#isHandled(channel, answerId) || given(there.state, 'deliveryId') === answerId;
    if (answerId !== '' && isOld) return ['duplicate', there.state];
    if (given(there.state, 'pendingQuestionId') !== questionId) return ['stale', there.state];
    const cleared = withLimit(withoutQuestion(there.state), undefined);
    const state = withMember(cleared, 'lastAnswer', { questionId, answerId });
    const answered = { ...there, state, end: this.#end(call) };
    this.#store(channel, answered, true);
    if (answerId !== '') this.#handle(channel, there, answerId);
    this.#publish({ ...call, text: answerId }, answered);
    return ['accepted', state];
  }

  #remove(call: Call & { name: 'remove' }): Answer {
    const { how, job = '' } = call;
    const [channel, there] = this.#find(call);
    const holder = this.conversations.get(channel);
    // By the index alone, only the job that holds the channel is found.
    if (channel === '') return ['gone'];
    if (there && how === 'retry' && given(there.state, 'starting') === false) return ['held', there.state];
    const isTheirs = holder !== undefined && !there;
    if (!isTheirs && how !== 'all' && this.#isWaiting(channel)) return ['waiting', there?.state];
    if (!isTheirs && how === 'all') this.inboxes.delete(channel);
    if (!there) {
      const outcome = this.watch.delete(watched(job, channel)) ? 'lapsed' : holder ? 'held' : 'gone';
      return [outcome, holder?.state];
    }
    this.conversations.delete(channel);
    this.watch.delete(watched(there.job, channel));
    if (how !== 'retry') this.#handle(channel, there);
    return ['removed', there.state];
  }

  #due({ leaseMs, limit = 100 }: Call & { name: 'due' }): string {
    const due = [...this.watch]
      .filter(([, from]) => from < this.#now)
      .sort(([a, from], [b, later]) => from - later || Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .slice(0, limit);
    for (const [entry] of due) this.watch.set(entry, this.#now + leaseMs);
    return due.map(([entry, from]) => `${entry} ${from}`).join('\n\n');
  }

  /** ttlMs from now, or behind the moment until which a question can wait. */
  #end({ ttlMs = DEFAULT_TTL }: Call, answerBy = 0): number {
    return Math.max(this.#now, answerBy) + ttlMs;
  }

  /** A renewal, which never makes the conversation end sooner. */
  #signOfLife(channel: string, there: Conversation, end: number, isAsking = false): Document {
    const state = isStarting(there) ? withMember(there.state, 'starting', false) : there.state;
    const isLimited = limitOf(state) !== undefined;
    return this.#store(channel, { ...there, state, end: Math.max(there.end, end) }, isAsking || !isLimited);
  }

  /** Writes a conversation, moves its inbox with it and, where it may, the entry of the watch. */
  #store(channel: string, conversation: Conversation, moves: boolean): Document {
    const { job, state, end } = conversation;
    const before = this.conversations.get(channel);
    const wasLimited = before?.job === job && limitOf(before.state) !== undefined;
    this.conversations.set(channel, conversation);
    const inbox = this.inboxes.get(channel);
    if (inbox) this.inboxes.set(channel, { ...inbox, end: Math.max(inbox.end, end + 7 * DAY) });
    const silentAfterMs = given(state, 'silentAfterMs');
    const answerBy = limitOf(state);
    if (!moves) return state;
    if (answerBy !== undefined) this.watch.set(watched(job, channel), answerBy);
    else if (silentAfterMs !== undefined)
      this.watch.set(watched(job, channel), isStarting(conversation) ? end : this.#now + Number(silentAfterMs));
    else if (wasLimited) this.watch.delete(watched(job, channel));
    return state;
  }

  /** Notes deliveries that have their outcome now: by default the one that started the job. */
  #handle(channel: string, { state }: Conversation, ...deliveries: string[]): void {
    const own = given(state, 'deliveryId');
    const added = deliveries.length > 0 ? deliveries : own === undefined ? [] : [String(own)];
    if (added.length === 0) return;
    const values = [...new Set([...(this.handled.get(channel)?.values ?? []), ...added])].sort();
    this.handled.set(channel, { values, end: this.#now + DAY });
  }

  #isHandled(channel: string, delivery: unknown): boolean {
    return typeof delivery === 'string' && (this.handled.get(channel)?.values.includes(delivery) ?? false);
  }

  #isWaiting(channel: string): boolean {
    return (this.inboxes.get(channel)?.values.length ?? 0) > 0;
  }

  /** The entries up to this one have been read; one that is not there any more went with those before it. */
  #read(channel: string, { text }: Entry): void {
    const inbox = this.inboxes.get(channel);
    if (inbox) this.inboxes.set(channel, { ...inbox, values: inbox.values.slice(inbox.values.indexOf(text) + 1) });
  }

  #publish({ stream, text = '' }: Call, conversation: Conversation): void {
    if (stream === undefined) return;
    const { values = [], end = 0 } = this.streams.get(stream) ?? {};
    const needed = Math.max(this.#now + DAY, conversation.end);
    this.streams.set(stream, { values: [...values, text], end: Math.max(end, needed) });
  }
}

function isStarting({ state }: Conversation): boolean {
  return given(state, 'starting') === true;
}

/** What a message is told whose job holds the channel. */
function ofItsJob(there: Conversation): Answer {
  return [isStarting(there) ? 'starting' : 'duplicate', there.state];
}

function lastAnswerOf({ state }: Conversation): { questionId: string; answerId: string } | undefined {
  return given(state, 'lastAnswer') as { questionId: string; answerId: string } | undefined;
}

/** The moment until which the pending question can wait, where there is one. */
function limitOf(state: Document): number | undefined {
  return given(state, 'pendingQuestionId') === undefined ? undefined : (given(state, 'answerBy') as number | undefined);
}

/** Members that are to be null stay away where they are absent. */
function withoutQuestion(state: Document): Document {
  return given(state, 'pendingQuestionId') === undefined ? state : withMember(state, 'pendingQuestionId', null);
}

function withLimit(state: Document, answerBy: number | undefined): Document {
  if (answerBy !== undefined) return withMember(state, 'answerBy', answerBy);
  return memberOf(state, 'answerBy') === undefined ? state : withMember(state, 'answerBy', null);
}
