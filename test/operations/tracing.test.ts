import { setTimeout as sleep } from 'node:timers/promises';
import { context, metrics, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import * as sdk from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { observeConversations } from '../../examples/tracing/opentelemetry.ts';
import { ConversationStore } from '../../src/index.ts';
import { CHANNEL, STATE } from '../support/library.ts';
import { withRedis } from '../support/redis.ts';

const test = suite('the OpenTelemetry recipe');
const server = withRedis(test);
const spans = new InMemorySpanExporter();
const exported = new sdk.InMemoryMetricExporter(sdk.AggregationTemporality.CUMULATIVE);
const tracing = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
const metering = new sdk.MeterProvider({
  readers: [new sdk.PeriodicExportingMetricReader({ exporter: exported, exportIntervalMillis: 3_600_000 })],
});

let redis: Redis;
let store: ConversationStore;
let stop: () => void;

test.before(async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(tracing);
  metrics.setGlobalMeterProvider(metering);
  redis = await server.connect();
  store = new ConversationStore(redis, { silentAfterMs: 1 });
  await store.ready();
  stop = observeConversations();
});
test.after(async () => {
  stop();
  await Promise.all([tracing.shutdown(), metering.shutdown()]);
  for (const api of [context, trace, metrics]) api.disable();
});

/** What each instrument has counted since the start: its attributes, in order, and a value or the values' sum. */
async function measured(): Promise<Record<string, [attributes: string, value: number][]>> {
  exported.reset();
  await metering.forceFlush();
  const found = exported.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  return Object.fromEntries(
    found.map(({ descriptor, dataPoints }) => [
      descriptor.name,
      dataPoints.map(({ attributes, value }): [string, number] => [
        Object.values(attributes).join(' '),
        typeof value === 'number' ? value : (value.sum ?? 0),
      ]),
    ]),
  );
}

test('calls become counters by outcome and code, a duration, the length of the inbox and the silent jobs', async () => {
  await store.claim({ ...STATE, claimId: 'c1', deliveryId: 'd1' });
  await store.claim({ ...STATE, claimId: 'c2', deliveryId: 'd2' }, { queue: { text: 'more' } });
  await store.claim({ ...STATE, claimId: 'c3', deliveryId: 'd3' }, { queue: { text: 'yet more' } });
  await store.setPendingQuestion(STATE, 'q1');
  await store.answerQuestion(STATE, 'q1');
  await store.answerQuestion(STATE, 'q1');
  for await (const _ of store.inbox(STATE));
  await sleep(5); // so that the job has been silent for longer than a millisecond
  for await (const _ of store.due());
  await redis.set(CHANNEL, 'rubbish');
  await store.claim(STATE).catch(() => {});
  const { 'conversation.duration': durations = [], ...counted } = await measured();
  assert.equal(counted, {
    'conversation.calls': [
      ['claim slack claimed', 1],
      ['claim slack queued', 2],
      ['setPendingQuestion slack', 1],
      ['answerQuestion slack accepted', 1],
      ['answerQuestion slack answered', 1],
      ['inbox slack', 1],
      ['due unknown', 1],
    ],
    'conversation.errors': [['claim CONVCORRUPT', 1]],
    'conversation.inbox.length': [['', 2]],
    'conversation.due_jobs': [['', 1]],
  });
  assert.equal(
    durations.map(([method]) => method),
    ['claim', 'setPendingQuestion', 'answerQuestion', 'inbox', 'due'],
  );
  assert.ok(durations.every(([, sum]) => sum > 0));
});

test('a span is a child of the one around it, and holds the outcome or the code, no id and no state', async () => {
  await redis.flushall();
  spans.reset();
  await trace.getTracer('test').startActiveSpan('a message', async (around) => {
    await store.claim({ ...STATE, claimId: 'sesame', deliveryId: 'd4' });
    await redis.set(CHANNEL, '{"secret": rubbish');
    await store.get({ platform: 'slack', channelId: 'C1' }).catch(() => {});
    around.end();
  });
  const [claim, get, around] = spans.getFinishedSpans();
  assert.equal([claim?.name, get?.name, around?.name], ['conversation.claim', 'conversation.get', 'a message']);
  for (const span of [claim, get]) {
    assert.is(span?.parentSpanContext?.spanId, around?.spanContext().spanId);
    assert.equal(span?.events, []);
  }
  assert.equal(claim?.attributes, { 'conversation.platform': 'slack', 'conversation.outcome': 'claimed' });
  assert.is(claim?.status.code, SpanStatusCode.UNSET);
  assert.equal(get?.attributes, { 'conversation.platform': 'slack', 'conversation.code': 'CONVCORRUPT' });
  assert.equal(get?.status, { code: SpanStatusCode.ERROR, message: 'CONVCORRUPT' });
});

test('many calls at once keep their spans apart, and nothing is heard after the end', async () => {
  await redis.flushall();
  spans.reset();
  const claims = Array.from({ length: 50 }, (_, n) => ({ ...STATE, jobId: `j${n}`, claimId: `c${n}` }));
  const outcomes = await Promise.all(claims.map(async (state) => (await store.claim(state)).outcome));
  const heard = spans.getFinishedSpans().map(({ attributes }) => attributes['conversation.outcome']);
  assert.equal(heard.toSorted(), outcomes.toSorted());
  stop();
  await store.get(STATE);
  assert.is(spans.getFinishedSpans().length, 50);
});

test.run();
