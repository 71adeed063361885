import type { Cluster } from 'ioredis';
import { slotOf } from '../../scripts/redis/slot.ts';
import { type ClaimOptions, ConversationStore } from '../../src/index.ts';
import { patiently } from './load.ts';

/** A claim that was acknowledged, and what the caller was told since. */
interface Entry {
  channel: { platform: string; channelId: string };
  jobId: string;
  /** 1 claimed, 2 with a pending question, 3 answered. */
  step: number;
  /** How many replicas had the claim; undefined where nobody asked. */
  replicas: number | undefined;
}

/** What a failover left of what was acknowledged. */
export interface Verdict {
  claims: number;
  lostClaims: number;
  /** Of conversations that are there: questions and answers that are not. */
  lostSteps: number;
  /** Of claims that a replica had. */
  confirmed: number;
  lostConfirmed: number;
  /** What must not be, whatever was lost. */
  wrong: string[];
}

let count = 0;

/** Writes conversations to some slots of a cluster and keeps what was acknowledged. */
export class Ledger {
  readonly #entries: Entry[] = [];
  readonly #cluster: Cluster;
  readonly #store: ConversationStore;
  readonly #isHere: (slot: number) => boolean;
  readonly #options: ClaimOptions;

  constructor(cluster: Cluster, isHere: (slot: number) => boolean, options: ClaimOptions = {}) {
    this.#cluster = cluster;
    this.#store = new ConversationStore(cluster, { sharded: true });
    this.#isHere = isHere;
    this.#options = options;
  }

  /** Two jobs claim a channel; who got it asks a question and has it answered. */
  async write(): Promise<void> {
    let channel = { platform: 'slack', channelId: `L${count++}` };
    while (!this.#isHere(slotOf(this.#store.inboxKey(channel)))) channel = { ...channel, channelId: `L${count++}` };
    const claims = [this.#store.newJobId(channel), this.#store.newJobId(channel)].map(async (jobId) => {
      const state = {
        ...channel,
        jobId,
        userId: 'U1',
        project: 'web',
        ticketId: 12,
        startedAt: '2026-01-31T09:30:00Z',
      };
      const claim = await patiently(() => this.#store.claim(state, this.#options));
      if (claim.outcome === 'claimed') await this.#converse({ channel, jobId, step: 1, replicas: claim.replicas });
    });
    await Promise.all(claims);
  }

  async #converse(entry: Entry): Promise<void> {
    this.#entries.push(entry);
    const ref = { ...entry.channel, jobId: entry.jobId };
    const pending = await patiently(() => this.#store.setPendingQuestion(ref, 'q'));
    if (pending) entry.step = 2;
    const answer = {
      answerId: 'a',
      stream: this.#store.key(entry.channel, entry.channel.channelId),
      fields: { answer: 'yes' },
    };
    const { outcome } = await patiently(() => this.#store.answerQuestion(ref, 'q', answer));
    if (outcome === 'accepted') entry.step = 3;
  }

  /** Compares what is there with what was acknowledged. */
  async judge(): Promise<Verdict> {
    const verdict: Verdict = { claims: 0, lostClaims: 0, lostSteps: 0, confirmed: 0, lostConfirmed: 0, wrong: [] };
    for (const entry of this.#entries) {
      const step = await this.#stepOf(entry, verdict.wrong);
      const isConfirmed = (entry.replicas ?? 0) > 0;
      verdict.claims++;
      if (isConfirmed) verdict.confirmed++;
      if (step === 0) verdict.lostClaims++;
      else verdict.lostSteps += Math.max(0, entry.step - step);
      if (step === 0 && isConfirmed) verdict.lostConfirmed++;
    }
    return verdict;
  }

  /** How far a conversation has come as it is stored: 0 where the claim is not there. */
  async #stepOf({ channel, jobId }: Entry, wrong: string[]): Promise<number> {
    const [own, byJob] = await Promise.all([this.#store.get({ ...channel, jobId }), this.#store.get({ jobId })]);
    const entries = await this.#cluster.xlen(this.#store.key(channel, channel.channelId));
    const index = await this.#cluster.get(this.#store.key({ jobId }, `job-index:${jobId}`));
    const conversation = this.#store.key(channel, `conversation:slack:${channel.channelId}`);
    const [state, deadline] = [await this.#cluster.get(conversation), await this.#cluster.pexpiretime(conversation)];
    const expect = (isRight: boolean, what: string) => {
      if (!isRight) wrong.push(`${what}: ${JSON.stringify({ jobId, own, byJob, index, state, entries })}`);
    };
    expect((own === null) === (byJob === null), 'a job finds what its channel shows');
    expect(own === null || index === conversation, 'index and state exist together');
    expect(own !== null || index === null || state !== null, 'an index leads to a conversation');
    if (own === null) return 0;
    const until = await this.#cluster.pexpiretime(this.#store.key({ jobId }, `job-index:${jobId}`));
    expect(deadline === until, 'index and state expire at one millisecond');
    expect((own.lastAnswer ? 1 : 0) === entries, 'an answer is kept and published in one step');
    return own.lastAnswer ? 3 : own.pendingQuestionId ? 2 : 1;
  }
}
